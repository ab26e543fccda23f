//! Object detection: axis-aligned boxes.

mod bbox;
mod task;

pub use bbox::BBox;
pub use task::{AxisAlignedBoxes, Detection};
