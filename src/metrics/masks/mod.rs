//! Instance segmentation: masks as COCO's run lengths.

mod task;

pub use task::{InstanceMasks, InstanceSegmentation};
