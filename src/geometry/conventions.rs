//! Conventions of boxes and angles: said in types and in the schema, never guessed.

use serde::{Deserialize, Serialize};

/// What the four numbers of an axis-aligned box mean; y points down, as in images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxFormat {
    /// Left, top, right, bottom.
    Xyxy,
    /// Left, top, width, height: COCO's.
    Xywh,
    /// Centre, width, height: YOLO's.
    Cxcywh,
}

/// What lengths and places in an image are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoordinateUnit {
    /// Pixels: the image reaches from 0 to its width and height.
    Pixels,
    /// Fractions of the image's width and height: it reaches from 0 to 1.
    Normalised,
}

impl CoordinateUnit {
    /// True for fractions of the image.
    pub fn is_normalised(self) -> bool {
        self == Self::Normalised
    }
}

/// What angles are measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AngleUnit {
    /// A turn is 2 pi.
    Radians,
    /// A turn is 360.
    Degrees,
}

/// The way in which a growing angle turns a box, as one sees it in the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AngleDirection {
    /// As the hands of a clock: OpenCV's and DOTA's.
    Clockwise,
    /// Against the hands of a clock.
    CounterClockwise,
}

/// How the masks of a column are written.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskEncoding {
    /// COCO's compressed run lengths, column by column.
    CocoRle,
}
