//! Detection of rotated boxes.

mod task;

pub use task::{OrientedBoxes, OrientedDetection};
