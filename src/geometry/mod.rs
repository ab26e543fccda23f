//! Boxes, rotated boxes, masks and polygons, and the conventions of their coordinates.
//!
//! Tables import and export them, collectors compare them: both use what is here.

mod around;
mod bbox;
mod clip;
mod conventions;
mod oriented;
mod polygon;
mod rectangle;
mod rle;
mod text;
mod union;

pub use bbox::BBox;
pub use conventions::{AngleDirection, AngleUnit, BoxFormat, CoordinateUnit, MaskEncoding};
pub use oriented::OrientedBox;
pub use rle::Rle;

pub(crate) use polygon::check_polygon;
