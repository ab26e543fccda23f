//! Principal component analysis.

mod linear;
mod model;
mod products;
mod randomized;
mod solve;

pub use model::{Pca, PcaParams, PcaSolver, PcaValidParams};

pub(super) use linear::Linear;
pub(super) use model::METHOD;
pub(super) use products::centre_rows;
