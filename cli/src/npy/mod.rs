//! Matrices in NumPy's `.npy` format: [`read`] and [`write`].
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>, versions
//! 1.0 to 3.0. Why not a library: `docs/decisions/0014-own-npy-reader.md`.

mod header;
mod read;
mod values;
mod write;

pub use read::{MAGIC, read, read_column};
pub use write::write;
