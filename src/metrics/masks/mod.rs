//! Instance segmentation: masks as COCO's run lengths.

mod rle;
mod task;
mod text;

pub use rle::Rle;
pub use task::{InstanceMasks, InstanceSegmentation};
