//! Collection: one inference pass over a dataset that writes per-sample metrics to a run.

mod collate;
mod collect_metrics;
mod constant;
mod dataset;
mod gather;
mod guard;
mod loader;
mod pass;
mod predictor;
mod preprocess;
mod report;
mod settings;
mod target;

pub(crate) use guard::guarded;
pub(crate) use target::{Origin, Target, end_run};

pub use crate::progress::{Progress, Silent};
pub use collate::{Collate, Items};
pub use collect_metrics::{CollectMetrics, NoCollectors, collect_metrics};
pub use constant::Constant;
pub use dataset::{FnDataset, MapDataset, Transformed};
pub use gather::{BoxCollector, BoxCollectors};
pub use loader::Loader;
pub use predictor::{HiddenLayers, ModelPredictor, Prediction, Predictor};
pub use preprocess::{NoPredictor, Preprocess};
pub use report::PassReport;
