//! Object detection: axis-aligned boxes.

mod task;

pub use task::{AxisAlignedBoxes, Detection};
