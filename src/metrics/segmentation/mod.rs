//! Semantic segmentation: a class for every pixel.

mod boundary;
mod collector;
mod columns;
mod counts;
mod evaluation;
mod options;

pub use crate::table::{class_mask_from_png, class_mask_to_png};
pub use collector::{Segmentation, SegmentationSource, SegmentedOf};
pub use columns::segmentation_columns;
pub use evaluation::{
    SegmentationEvaluation, SegmentationEvaluator, SegmentedClass, evaluate_segmentation,
};
pub use options::{SegmentationOptions, SegmentedImage};
