//! The rotated box whose corners are given, as annotations have them.

use super::{AngleDirection, AngleUnit, OrientedBox};

impl OrientedBox {
    /// How far, in the unit of the coordinates (pixels), a corner may lie from that of a rectangle:
    /// corners are often rounded to whole pixels.
    pub const CORNER_TOLERANCE: f64 = 1.0;

    /// The box with these corners, in order round it either way; `None` where they are those of no
    /// rectangle, or of one without area.
    ///
    /// Width is the side from the first corner to the second, so that [`OrientedBox::corners`]
    /// begins at the first one (of corners that go round against the clock, as seen in the image,
    /// the other side is).
    ///
    /// ```
    /// use emberlens::geometry::{AngleDirection, AngleUnit, OrientedBox};
    /// let square = [[1.0, 0.0], [2.0, 1.0], [1.0, 2.0], [0.0, 1.0]].map(|[x, y]| [9.0 * x, 9.0 * y]);
    /// let bbox = OrientedBox::from_corners(square).unwrap();
    /// let [cx, cy, width, height, angle] = bbox.values(AngleUnit::Degrees, AngleDirection::Clockwise);
    /// assert_eq!([cx, cy, angle], [9.0, 9.0, 45.0]);
    /// assert!((width - 9.0 * 2.0_f64.sqrt()).abs() < 1e-12 && (height - width).abs() < 1e-12);
    /// let kite = [[0.0, 0.0], [40.0, 0.0], [60.0, 20.0], [0.0, 20.0]];
    /// assert!(OrientedBox::from_corners(kite).is_none());
    /// ```
    ///
    /// # Source
    /// The mean of opposite sides and of their directions, which has the given corners exactly where
    /// they are a rectangle's, and lies in their middle where they were rounded.
    pub fn from_corners(corners: [[f64; 2]; 4]) -> Option<Self> {
        let [a, b, c, d] = match turns_clockwise(&corners) {
            true => corners,
            false => [corners[0], corners[3], corners[2], corners[1]],
        };
        let mean = |axis: usize| (a[axis] + b[axis] + c[axis] + d[axis]) / 4.0;
        let side = |from: [f64; 2], to: [f64; 2]| [to[0] - from[0], to[1] - from[1]];
        let length = |side: [f64; 2]| side[0].hypot(side[1]);
        let (top, bottom) = (side(a, b), side(d, c));
        let width = (length(top) + length(bottom)) / 2.0;
        let height = (length(side(b, c)) + length(side(a, d))) / 2.0;
        let angle = (top[1] + bottom[1]).atan2(top[0] + bottom[0]);
        let values = [mean(0), mean(1), width, height, angle];
        let found = Self::new(values, AngleUnit::Radians, AngleDirection::Clockwise);
        let away = found
            .corners()
            .into_iter()
            .zip([a, b, c, d])
            .map(|(own, given)| length(side(own, given)));
        let is_near = away.fold(0.0, f64::max) <= Self::CORNER_TOLERANCE;
        let has_area = found.area() > 0.0 && found.area().is_finite();
        (is_near && has_area).then_some(found)
    }
}

/// Whether the corners go round clockwise as seen in an image, by their signed area.
fn turns_clockwise(corners: &[[f64; 2]; 4]) -> bool {
    let [a, b, c, d] = corners;
    let (along, across) = ([c[0] - a[0], c[1] - a[1]], [d[0] - b[0], d[1] - b[1]]);
    along[0] * across[1] - along[1] * across[0] > 0.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLOCKWISE: (AngleUnit, AngleDirection) = (AngleUnit::Radians, AngleDirection::Clockwise);

    #[test]
    fn corners_that_are_rounded_are_a_rectangle_still_and_others_are_none() {
        let turned = OrientedBox::new([200.0, 100.0, 80.0, 30.0, 0.5], CLOCKWISE.0, CLOCKWISE.1);
        let rounded = turned.corners().map(|corner| corner.map(f64::round));
        let found = OrientedBox::from_corners(rounded).unwrap();
        assert!(found.iou(&turned) > 0.95);
        let mut bent = turned.corners();
        bent[2][0] += 5.0;
        assert_eq!(OrientedBox::from_corners(bent), None);
        let crossed = [0, 2, 1, 3].map(|at| turned.corners()[at]);
        assert_eq!(OrientedBox::from_corners(crossed), None);
        assert_eq!(OrientedBox::from_corners([[3.0, 4.0]; 4]), None);
        let mut lost = turned.corners();
        lost[0][0] = f64::NAN;
        assert_eq!(OrientedBox::from_corners(lost), None);
    }

    proptest! {
        #[test]
        fn a_box_comes_back_from_its_corners(
            (cx, cy) in (-1e3..1e4_f64, -1e3..1e4_f64),
            (width, height) in (0.5..2e3_f64, 0.5..2e3_f64),
            angle in -3.1..3.1_f64,
        ) {
            let values = [cx, cy, width, height, angle];
            let turned = OrientedBox::new(values, CLOCKWISE.0, CLOCKWISE.1);
            let mut corners = turned.corners();
            let found = OrientedBox::from_corners(corners).unwrap();
            let [found_values, given] = [found, turned].map(|b| b.values(CLOCKWISE.0, CLOCKWISE.1));
            for (found, given) in found_values.into_iter().zip(given) {
                prop_assert!((found - given).abs() < 1e-8, "{found} is not {given}");
            }
            corners.reverse();
            let mirrored = OrientedBox::from_corners(corners).unwrap();
            prop_assert!((mirrored.area() - turned.area()).abs() < 1e-6 * turned.area());
            prop_assert!(mirrored.iou(&turned) > 1.0 - 1e-6);
        }
    }
}
