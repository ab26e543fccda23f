//! Single-label classification: loss, prediction, confidence and their kin for every sample.

mod collector;
mod columns;
mod options;

pub use collector::{ClassScores, Classification, FromBatch, FromOutput, Labelled};
pub use columns::classification_columns;
pub use options::ClassificationOptions;
