//! Reducing the embeddings of a run: fit on one pass, place every pass in its coordinate system.

mod reduce;
mod source;
mod status;

pub use reduce::{Reduction, ReductionReport};
pub use source::FitOn;
