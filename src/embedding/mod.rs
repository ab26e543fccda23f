//! Reducing the embeddings of a run: fit on one pass, place every pass in its coordinate system;
//! or lay out every epoch near the one before; and how far samples move between epochs.
//! [`EmbeddingColumn`] reads the vectors for whoever does something else with them.

mod aligned;
mod apply;
mod column;
mod fit;
mod groups;
mod layer;
mod movement;
mod place;
mod publish;
mod reduce;
mod reduction;
mod rows;
mod sample;
mod source;
mod status;
mod vectors;

pub use aligned::Follow;
pub use column::{EmbeddingColumn, EmbeddingRows, RowsToFit};
pub use groups::Per;
pub use movement::Movement;
pub use reduction::Reduction;
pub use source::FitOn;
