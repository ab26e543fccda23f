//! What boxes, rotated boxes, masks and keypoints share: instances of an image, their matching,
//! precision and recall as COCO defines them.
//!
//! An [`InstanceTask`] says how alike two instances are; everything else is written once.

mod collector;
mod curve;
mod evaluation;
mod evaluator;
mod image;
mod instance;
mod matching;
mod options;
mod task;
mod truths;

pub use collector::{InstanceCollector, InstanceSource, InstancesOf};
pub use evaluation::{ClassEvaluation, Evaluation};
pub use evaluator::{Evaluator, evaluate};
pub use image::instance_columns;
pub use instance::{ImageInstances, PredictedInstance, TrueInstance};
pub use options::InstanceOptions;
pub use task::{Defect, InstanceTask};

pub(in crate::metrics) use truths::{refuse_unit, truths};
