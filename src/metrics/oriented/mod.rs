//! Detection of rotated boxes.

mod bbox;
mod clip;
mod task;

pub use bbox::OrientedBox;
pub use task::{OrientedBoxes, OrientedDetection};
