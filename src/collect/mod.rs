//! Collection: one inference pass over a dataset that writes per-sample metrics to a run.

mod predictor;
mod progress;

pub use predictor::{HiddenLayers, ModelPredictor, Prediction, Predictor};
pub use progress::{Progress, Silent};
