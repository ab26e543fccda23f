//! The true instances of images as tables hold them: what imports write, exports and metrics read.
//!
//! `boxes`, `oriented_boxes`, `masks` and `keypoints` are lists of structs, one list for each image.
//! Where a row has several of them, element k of each is the same instance, null where the
//! instance has no such thing.

mod categories;
mod columns;
mod read;

use crate::Result;
use crate::geometry::{BBox, BoxFormat, OrientedBox, Rle};

pub(crate) use categories::{CATEGORIES_KEY, Category};
pub(crate) use columns::InstanceLayout;
pub(crate) use read::{InstanceColumns, InstanceReader};

/// One true instance of an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Instance {
    pub(crate) label: i64,
    pub(crate) bbox: Option<RawBox>,
    pub(crate) oriented: Option<OrientedBox>,
    pub(crate) shape: Option<Shape>,
    /// `x`, `y`, and COCO's visibility: 0 not labelled, 1 hidden, 2 visible.
    pub(crate) keypoints: Option<Vec<[f64; 3]>>,
    /// Square pixels, where the source gives it.
    pub(crate) area: Option<f64>,
    pub(crate) crowd: bool,
    /// The annotation's id in its source.
    pub(crate) id: Option<i64>,
}

/// The four numbers of a box as a table or a file has them: converted only where they have to be, so that
/// none changes by a rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RawBox {
    pub(crate) values: [f64; 4],
    pub(crate) format: BoxFormat,
}

impl RawBox {
    pub(crate) fn new(values: [f64; 4], format: BoxFormat) -> Self {
        Self { values, format }
    }

    pub(crate) fn to_bbox(self) -> BBox {
        BBox::new(self.values, self.format)
    }

    /// The names of the four numbers in columns.
    pub(crate) fn fields(format: BoxFormat) -> [&'static str; 4] {
        match format {
            BoxFormat::Xyxy => ["x0", "y0", "x1", "y1"],
            BoxFormat::Xywh => ["x", "y", "width", "height"],
            BoxFormat::Cxcywh => ["cx", "cy", "width", "height"],
        }
    }

    /// The four numbers of a format.
    pub(crate) fn values_as(self, format: BoxFormat) -> [f64; 4] {
        match self.format == format {
            true => self.values,
            false => self.to_bbox().values(format),
        }
    }
}

/// The pixels of an instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// As polygons, `x, y, x, y, ...` in pixels each.
    Polygons(Vec<Vec<f64>>),
    /// As run lengths.
    Runs(Rle),
    /// As both, of which the runs are those of the polygons.
    Drawn(Rle, Vec<Vec<f64>>),
}

impl Shape {
    /// The runs in an image of this size; `None` for no polygon.
    pub(crate) fn runs(&self, height: u32, width: u32) -> Result<Option<Rle>> {
        match self {
            Self::Polygons(polygons) => Rle::from_polygons(height, width, polygons),
            Self::Runs(runs) | Self::Drawn(runs, _) => Ok(Some(runs.clone())),
        }
    }

    /// The polygons, where it is known by such.
    pub(crate) fn polygons(&self) -> Option<&[Vec<f64>]> {
        match self {
            Self::Polygons(polygons) | Self::Drawn(_, polygons) => Some(polygons),
            Self::Runs(_) => None,
        }
    }
}
