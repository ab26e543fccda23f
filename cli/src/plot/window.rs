//! Which part of the coordinates the picture shows.

/// Share of the points that may lie outside, on each side of an axis.
const TAIL: f64 = 0.005;
/// Points are left outside only when all of them span this many times what the others span.
const STRETCH: f64 = 4.0;
/// Below this number no point is left outside.
const FEW: usize = 20;

/// A box around the points, without those that are so far away that the others would be a dot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window<const D: usize> {
    pub(super) low: [f64; D],
    pub(super) high: [f64; D],
}

impl<const D: usize> Window<D> {
    /// The box for these finite points.
    pub(super) fn around(points: &[[f32; D]]) -> Self {
        let sorted: [Vec<f32>; D] = std::array::from_fn(|axis| {
            let mut values: Vec<f32> = points.iter().map(|point| point[axis]).collect();
            values.sort_unstable_by(f32::total_cmp);
            values
        });
        let ends = |axis: usize, skip: usize| {
            let values: &[f32] = &sorted[axis];
            let low = values.get(skip).copied().unwrap_or(0.0);
            let high = values.iter().rev().nth(skip).copied().unwrap_or(low);
            (f64::from(low), f64::from(high.max(low)))
        };
        let skip = match points.len() {
            0..FEW => 0,
            n => ((n as f64 * TAIL) as usize).max(1),
        };
        let widest = (0..D)
            .map(|axis| ends(axis, skip))
            .map(|(low, high)| high - low)
            .fold(0.0, f64::max);
        let bounds: [(f64, f64); D] = std::array::from_fn(|axis| {
            let (least, most) = ends(axis, 0);
            if skip == 0 || widest == 0.0 || most - least <= STRETCH * widest {
                return (least, most);
            }
            let (low, high) = ends(axis, skip);
            (
                (low - 0.5 * widest).max(least),
                (high + 0.5 * widest).min(most),
            )
        });
        let within = Window {
            low: bounds.map(|(low, _)| low),
            high: bounds.map(|(_, high)| high),
        };
        within.tighten(points)
    }

    /// The box of the points inside this one.
    fn tighten(self, points: &[[f32; D]]) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
        for point in points.iter().filter(|point| self.contains(point)) {
            for axis in 0..D {
                low[axis] = low[axis].min(f64::from(point[axis]));
                high[axis] = high[axis].max(f64::from(point[axis]));
            }
        }
        if low.iter().all(|low| low.is_finite()) {
            Window { low, high }
        } else {
            self
        }
    }

    pub(super) fn contains(&self, point: &[f32; D]) -> bool {
        (0..D).all(|axis| {
            let value = f64::from(point[axis]);
            self.low[axis] <= value && value <= self.high[axis]
        })
    }

    pub(super) fn center(&self) -> [f64; D] {
        std::array::from_fn(|axis| self.low[axis] / 2.0 + self.high[axis] / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_far_point_is_left_outside() {
        let mut points: Vec<[f32; 2]> = (0..100).map(|i| [i as f32, (i % 10) as f32]).collect();
        points.push([1e9, -1e9]);
        let window = Window::around(&points);
        assert_eq!((window.low, window.high), ([0.0, 0.0], [99.0, 9.0]));
        assert!(!window.contains(&[1e9, -1e9]));
    }

    #[test]
    fn a_narrow_axis_is_no_reason_to_leave_points_outside() {
        let mut points: Vec<[f32; 2]> = (0..100).map(|i| [i as f32, 0.0]).collect();
        points.push([50.0, 30.0]);
        assert_eq!(Window::around(&points).high, [99.0, 30.0]);
    }

    #[test]
    fn equal_and_few_points_are_all_inside() {
        for points in [
            vec![[3.0, 4.0]; 50],
            vec![[0.0, 0.0], [1e30, 1.0]],
            vec![[1.0, 1.0]],
        ] {
            let window = Window::around(&points);
            assert!(points.iter().all(|point| window.contains(point)));
        }
    }
}
