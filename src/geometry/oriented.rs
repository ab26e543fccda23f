//! A rotated box, its conversions and the IoU of two.

use super::clip::{Point, area, shared_area};
use super::{AngleDirection, AngleUnit};

/// A rotated box: centre, width and height before turning, and the angle about the centre; y points
/// down.
///
/// ```
/// use emberlens::geometry::{AngleDirection, AngleUnit, OrientedBox};
/// let degrees = |angle: f64| {
///     OrientedBox::new([0.0, 0.0, 4.0, 2.0, angle], AngleUnit::Degrees, AngleDirection::Clockwise)
/// };
/// // A quarter turn changes width and height: they share a square of 4 of 12.
/// assert!((degrees(0.0).iou(&degrees(90.0)) - 1.0 / 3.0).abs() < 1e-12);
/// assert!((degrees(30.0).iou(&degrees(210.0)) - 1.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrientedBox {
    cx: f64,
    cy: f64,
    width: f64,
    height: f64,
    /// Clockwise as seen in the image, radians: with y down, the mathematical sense.
    angle: f64,
}

impl OrientedBox {
    /// A box from centre, size and angle, f32 or f64. Nothing is checked here: whatever takes boxes
    /// names those that mean nothing.
    pub fn new(values: [impl Into<f64>; 5], unit: AngleUnit, direction: AngleDirection) -> Self {
        let [cx, cy, width, height, angle] = values.map(Into::into);
        let angle = match unit {
            AngleUnit::Radians => angle,
            AngleUnit::Degrees => angle.to_radians(),
        };
        Self {
            cx,
            cy,
            width,
            height,
            angle: match direction {
                AngleDirection::Clockwise => angle,
                AngleDirection::CounterClockwise => 0.0 - angle,
            },
        }
    }

    /// Centre, size and angle in these conventions.
    pub fn values(&self, unit: AngleUnit, direction: AngleDirection) -> [f64; 5] {
        let angle = match direction {
            AngleDirection::Clockwise => self.angle,
            AngleDirection::CounterClockwise => 0.0 - self.angle,
        };
        let angle = match unit {
            AngleUnit::Radians => angle,
            AngleUnit::Degrees => angle.to_degrees(),
        };
        [self.cx, self.cy, self.width, self.height, angle]
    }

    /// The four corners, clockwise as seen in the image, from the one that is top left before
    /// turning.
    pub fn corners(&self) -> [[f64; 2]; 4] {
        self.corners_from([0.0, 0.0])
    }

    /// Corners with `origin` at 0: near each other's boxes, far coordinates lose no digits.
    fn corners_from(&self, origin: Point) -> [Point; 4] {
        let (sin, cos) = self.angle.sin_cos();
        let (right, down) = (self.width / 2.0, self.height / 2.0);
        [
            [-right, -down],
            [right, -down],
            [right, down],
            [-right, down],
        ]
        .map(|[x, y]| {
            [
                self.cx - origin[0] + x * cos - y * sin,
                self.cy - origin[1] + x * sin + y * cos,
            ]
        })
    }

    /// Width times height.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }

    /// Intersection over union, from 0 to 1; 0 where the boxes share no area.
    ///
    /// # Source
    /// The intersection by Sutherland and Hodgman's clipping.
    pub fn iou(&self, other: &Self) -> f64 {
        let (both, own, others) = self.areas(other);
        ratio(both, own + others - both)
    }

    /// The share of this box that lies in the other, as COCO takes it for a crowd.
    pub fn share_in(&self, other: &Self) -> f64 {
        let (both, own, _) = self.areas(other);
        ratio(both, own)
    }

    /// The areas of both, of this and of the other, all from corners.
    fn areas(&self, other: &Self) -> (f64, f64, f64) {
        let reach = |bbox: &Self| bbox.width.hypot(bbox.height) / 2.0;
        let away = (self.cx - other.cx).hypot(self.cy - other.cy);
        // Without an area of its own, rounding could give a box a tiny one.
        if self.area() == 0.0 || other.area() == 0.0 || away >= reach(self) + reach(other) {
            return (0.0, 0.0, 0.0);
        }
        let origin = [other.cx, other.cy];
        let (own, others) = (self.corners_from(origin), other.corners_from(origin));
        (shared_area(&own, &others), area(&own), area(&others))
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if part > 0.0 {
        (part / whole).min(1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{AngleDirection::*, AngleUnit::*};

    #[test]
    fn a_clockwise_eighth_turn_moves_the_top_left_corner_to_the_top() {
        // With y down, clockwise as seen: (-1, -1) goes to (0, -sqrt 2).
        let turned = OrientedBox::new([0.0, 0.0, 2.0, 2.0, 45.0], Degrees, Clockwise);
        let [[x, y], [right, level], ..] = turned.corners();
        assert!(x.abs() < 1e-15 && (y + 2.0_f64.sqrt()).abs() < 1e-15);
        assert!((right - 2.0_f64.sqrt()).abs() < 1e-15 && level.abs() < 1e-15);
    }

    #[test]
    fn conventions_convert_into_each_other() {
        let turned = OrientedBox::new([1.0, 2.0, 3.0, 4.0, 30.0], Degrees, CounterClockwise);
        for (unit, direction, angle) in [
            (Degrees, CounterClockwise, 30.0),
            (Degrees, Clockwise, -30.0),
            (Radians, Clockwise, -std::f64::consts::FRAC_PI_6),
        ] {
            let values = turned.values(unit, direction);
            assert!((values[4] - angle).abs() < 1e-14);
            let again = OrientedBox::new(values, unit, direction);
            assert!((again.angle - turned.angle).abs() < 1e-15);
        }
    }

    #[test]
    fn two_squares_an_eighth_turn_apart_share_an_octagon() {
        let at = |angle| OrientedBox::new([1e6, -1e6, 2.0, 2.0, angle], Degrees, Clockwise);
        let octagon = 8.0 * (2.0_f64.sqrt() - 1.0);
        let expected = octagon / (8.0 - octagon);
        assert!((at(0.0).iou(&at(45.0)) - expected).abs() < 1e-12);
    }

    #[test]
    fn boxes_without_area_are_alike_to_nothing() {
        let line = OrientedBox::new([0.0, 0.0, 0.0, 2.0, 0.3], Radians, Clockwise);
        let point = OrientedBox::new([0.0, 0.0, 0.0, 0.0, 0.3], Radians, Clockwise);
        let square = OrientedBox::new([0.0, 0.0, 2.0, 2.0, 0.0], Radians, Clockwise);
        assert_eq!((square.iou(&point), point.share_in(&square)), (0.0, 0.0));
        assert_eq!(
            (line.iou(&square), square.iou(&line), line.iou(&line)),
            (0.0, 0.0, 0.0)
        );
    }
}
