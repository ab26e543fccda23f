//! The smallest rotated box around four corners that are those of no rectangle.

use super::{AngleDirection, AngleUnit, OrientedBox};

impl OrientedBox {
    /// The box of the smallest area around four corners, in any order; `None` where they lie on one
    /// line or are not finite.
    ///
    /// Its width is the side nearest in direction to the line from the first corner to the second.
    ///
    /// ```
    /// use emberlens::geometry::OrientedBox;
    /// let drawn = [[100.0, 100.0], [300.0, 110.0], [298.0, 190.0], [101.0, 180.0]];
    /// let bbox = OrientedBox::around_corners(drawn).unwrap();
    /// assert!((bbox.area() - 16_179.80).abs() < 0.01);
    /// ```
    ///
    /// # Source
    /// Freeman and Shapira, "Determining the minimum-area encasing rectangle for an arbitrary closed
    /// curve", 1975: one of its sides lies on a side of the convex hull. The lines through every two
    /// of the corners are tried, of which the hull's sides are some. Areas are those of OpenCV's
    /// `minAreaRect`.
    pub fn around_corners(corners: [[f64; 2]; 4]) -> Option<Self> {
        if corners.iter().flatten().any(|number| !number.is_finite()) {
            return None;
        }
        let mut smallest: Option<Around> = None;
        for (at, from) in corners.iter().enumerate() {
            for to in &corners[at + 1..] {
                let (x, y) = (to[0] - from[0], to[1] - from[1]);
                let length = x.hypot(y);
                if !(length > 0.0 && length.is_finite()) {
                    continue;
                }
                let around = Around::along([x / length, y / length], &corners);
                if smallest
                    .as_ref()
                    .is_none_or(|best| around.area() < best.area())
                {
                    smallest = Some(around);
                }
            }
        }
        let found = smallest?.to_box(corners[0], corners[1]);
        // What is left of corners on a line is the rounding of their coordinates.
        let [_, _, width, height, _] = found.values(AngleUnit::Radians, AngleDirection::Clockwise);
        let least = width.max(height) * 1e-9;
        (width > least && height > least && found.area().is_finite()).then_some(found)
    }
}

/// A rectangle by the direction of one side, and its extent along that side and across.
struct Around {
    direction: [f64; 2],
    along: [f64; 2],
    across: [f64; 2],
}

impl Around {
    fn along(direction: [f64; 2], corners: &[[f64; 2]]) -> Self {
        let [x, y] = direction;
        let extent = |axis: [f64; 2]| {
            let places = corners
                .iter()
                .map(|one| one[0] * axis[0] + one[1] * axis[1]);
            places.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], place| {
                [low.min(place), high.max(place)]
            })
        };
        Self {
            direction,
            along: extent([x, y]),
            across: extent([-y, x]),
        }
    }

    fn area(&self) -> f64 {
        (self.along[1] - self.along[0]) * (self.across[1] - self.across[0])
    }

    /// As a box whose width is the side that points most as the line from one corner to another.
    fn to_box(&self, from: [f64; 2], to: [f64; 2]) -> OrientedBox {
        let [x, y] = self.direction;
        let middle = |extent: [f64; 2]| (extent[0] + extent[1]) / 2.0;
        let (u, v) = (middle(self.along), middle(self.across));
        let sides = [
            self.along[1] - self.along[0],
            self.across[1] - self.across[0],
        ];
        let line = [to[0] - from[0], to[1] - from[1]];
        // The four directions of its sides, and whether the width is the extent across.
        let turns = [
            ([x, y], false),
            ([-y, x], true),
            ([-x, -y], false),
            ([y, -x], true),
        ];
        let likeness = |side: [f64; 2]| side[0] * line[0] + side[1] * line[1];
        let best = turns
            .into_iter()
            .max_by(|a, b| likeness(a.0).total_cmp(&likeness(b.0)));
        let (side, is_across) = best.unwrap_or(turns[0]);
        let [width, height] = match is_across {
            true => [sides[1], sides[0]],
            false => sides,
        };
        let values = [
            x * u - y * v,
            y * u + x * v,
            width,
            height,
            side[1].atan2(side[0]),
        ];
        OrientedBox::new(values, AngleUnit::Radians, AngleDirection::Clockwise)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn corners_on_a_line_have_no_box() {
        let line = [[0.0, 0.0], [1.0, 2.0], [3.0, 6.0], [2.0, 4.0]];
        assert_eq!(OrientedBox::around_corners(line), None);
        assert_eq!(OrientedBox::around_corners([[3.0, 4.0]; 4]), None);
        let mut lost = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
        lost[2][0] = f64::NAN;
        assert_eq!(OrientedBox::around_corners(lost), None);
        lost[2][0] = f64::INFINITY;
        assert_eq!(OrientedBox::around_corners(lost), None);
    }

    proptest! {
        #[test]
        fn a_rectangle_is_its_own_box(
            (cx, cy) in (-1e3..1e3_f64, -1e3..1e3_f64),
            (width, height) in (0.5..2e3_f64, 0.5..2e3_f64),
            angle in -3.1..3.1_f64,
        ) {
            let unit = (AngleUnit::Radians, AngleDirection::Clockwise);
            let given = OrientedBox::new([cx, cy, width, height, angle], unit.0, unit.1);
            let found = OrientedBox::around_corners(given.corners()).unwrap();
            for (found, given) in found.corners().iter().zip(given.corners()) {
                prop_assert!((found[0] - given[0]).abs() < 1e-6);
                prop_assert!((found[1] - given[1]).abs() < 1e-6);
            }
        }

        #[test]
        fn every_corner_is_inside_and_no_turn_is_smaller(
            corners in prop::array::uniform4(prop::array::uniform2(0.0..100.0_f64)),
            angle in 0.0..3.2_f64,
        ) {
            let Some(found) = OrientedBox::around_corners(corners) else { return Ok(()) };
            let other = Around::along([angle.cos(), angle.sin()], &corners);
            prop_assert!(found.area() <= other.area() + 1e-6);
            let [cx, cy, width, height, turn] =
                found.values(AngleUnit::Radians, AngleDirection::Clockwise);
            for [x, y] in corners {
                let (x, y) = (x - cx, y - cy);
                let along = x * turn.cos() + y * turn.sin();
                let across = y * turn.cos() - x * turn.sin();
                prop_assert!(along.abs() <= width / 2.0 + 1e-6);
                prop_assert!(across.abs() <= height / 2.0 + 1e-6);
            }
        }
    }
}
