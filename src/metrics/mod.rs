//! Metrics collectors: per-sample columns from a batch and the model's output.
//!
//! A collector is anything that implements [`MetricsCollector`], closures included, which [`with_schema`]
//! lets declare their columns. The built-ins
//! are [`Classification`], [`Embeddings`], [`InstanceEmbeddings`], [`Detection`], [`OrientedDetection`],
//! [`InstanceSegmentation`], [`PoseEstimation`] and [`Segmentation`]; the functions that they rest on
//! are public, as are those of the other tasks ([`regression_columns`], [`multilabel_columns`],
//! [`sequence_columns`], [`image_statistics_columns`]), so that a collector for another output type
//! is a few lines. `docs/tasks.md` has a program for each task.
//!
//! [`evaluate`] and [`evaluate_segmentation`] sum up a whole split by class, as COCO and
//! scikit-learn do; collectors write their rows when a pass ends, see [`PassCollector`].
//! [`Aggregates`] reduces columns to the scalars of a run.

mod aggregate;
mod classification;
mod collector;
mod detection;
mod embeddings;
mod image_statistics;
mod instance_embeddings;
mod instances;
mod masks;
mod multilabel;
mod oriented;
mod poses;
mod prediction;
mod regression;
mod reshape;
mod scores;
mod segmentation;
mod sequence;
mod with_schema;

pub use crate::geometry::{BBox, OrientedBox, Rle};
pub use aggregate::{Aggregates, ColumnAggregate, is_computable};
pub use classification::{
    ClassScores, Classification, ClassificationOptions, FromBatch, FromOutput, Labelled,
    classification_columns,
};
pub use collector::{MetricsCollector, PassCollector};
pub use detection::{AxisAlignedBoxes, Detection};
pub use embeddings::Embeddings;
pub use image_statistics::{ImageStatistics, image_statistics_columns};
pub use instance_embeddings::{EmbeddedInstances, FeatureMap, InstanceEmbeddings};
pub use instances::{
    ClassEvaluation, Defect, Evaluation, Evaluator, ImageInstances, InstanceCollector,
    InstanceOptions, InstanceSource, InstanceTask, InstancesOf, PredictedInstance, TrueInstance,
    evaluate, instance_columns,
};
pub use masks::{InstanceMasks, InstanceSegmentation};
pub use multilabel::{MultiLabelOptions, multilabel_columns};
pub use oriented::{OrientedBoxes, OrientedDetection};
pub use poses::{Keypoint, Pose, PoseEstimation, Poses, TrueKeypoint, TruePose};
pub use prediction::{HiddenLayers, Prediction};
pub use regression::regression_columns;
pub use reshape::{Reshape, embedding_column};
pub use scores::{Distribution, ScoreKind, argmax, cross_entropy, log_softmax, top_k};
pub use segmentation::{
    Segmentation, SegmentationEvaluation, SegmentationEvaluator, SegmentationOptions,
    SegmentationSource, SegmentedClass, SegmentedImage, SegmentedOf, class_mask_from_png,
    class_mask_to_png, evaluate_segmentation, segmentation_columns,
};
pub use sequence::{SequenceOptions, sequence_columns};
pub use with_schema::{WithSchema, with_schema};
