//! Reduction of embeddings to a few coordinates: fit on one matrix, place any other in the same
//! coordinate system.
//!
//! Parameters implement [`Params`] and are checked into a [`Reducer`], which fits a matrix into a
//! [`Projection`]; a projection transforms further rows and is kept in a file by
//! [`Projection::to_bytes`] and [`load`]. Work is split at fixed places and put together in a fixed
//! order, so the same input and seed give the same bits whatever the number of threads.
//!
//! ```
//! use emberlens::reduce::{Pca, Projection, Reducer, load};
//! use ndarray::arr2;
//!
//! let embeddings = arr2(&[[0.0_f32, 0.0, 1.0], [1.0, 2.0, 1.0], [2.0, 4.0, 1.0]]);
//! let projection = Pca::params().dims(2).fit(embeddings.view())?;
//! let xy = projection.transform(embeddings.view())?;
//! assert_eq!(xy.dim(), (3, 2));
//!
//! let restored = load(&projection.to_bytes()?, "model.bin")?;
//! assert_eq!(restored.transform(embeddings.view())?, xy);
//! # Ok::<(), emberlens::Error>(())
//! ```

mod eigen;
mod input;
mod matrix;
mod neighbors;
mod pacmap;
mod pca;
mod pieces;
mod projection;
pub mod quality;
mod random;
mod reducer;
mod threads;
mod umap;
mod watch;

pub use neighbors::{Metric, NeighborIndex, NeighborMethod, NeighborSearch, Neighbors};
pub use pacmap::{Init, Pacmap, PacmapParams, PacmapValidParams};
pub use pca::{Pca, PcaParams, PcaSolver, PcaValidParams};
pub use projection::load;
pub use random::scramble;
pub use reducer::{Params, Projection, Reducer};
pub use threads::Threads;
pub use umap::{Umap, UmapInit, UmapParams, UmapValidParams};
pub use watch::Watch;
