//! The pixels along the boundaries of a mask.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// Which pixels lie within `distance` of a pixel of another value, or of the edge of the image; across
/// corners too.
pub(super) fn boundary(mask: ArrayView2<'_, u16>, distance: usize) -> Array2<bool> {
    // A square of equal pixels around a pixel is a stretch of rows, each of which is a stretch of
    // pixels: first along the rows, then along the columns of what is left.
    let mut inside = Array2::from_elem(mask.dim(), false);
    for (row, mut target) in mask.outer_iter().zip(inside.outer_iter_mut()) {
        let middles = middles(row, |_| true, distance);
        middles.into_iter().for_each(|at| target[at] = true);
    }
    let mut boundary = Array2::from_elem(mask.dim(), true);
    for (at, column) in mask.axis_iter(Axis(1)).enumerate() {
        let of_rows = inside.column(at);
        for row in middles(column, |row| of_rows[row], distance) {
            boundary[[row, at]] = false;
        }
    }
    boundary
}

/// Places with `distance` further ones on either side that have the same value and are `good`.
fn middles(line: ArrayView1<'_, u16>, good: impl Fn(usize) -> bool, distance: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < line.len() {
        let is_same = |at: &usize| line[*at] == line[start] && good(*at);
        let length = (start..line.len()).take_while(is_same).count();
        let end = start + length;
        found.extend((start + distance).min(end)..end.saturating_sub(distance).max(start));
        start = end.max(start + 1);
    }
    found
}

/// The width of a boundary, 1 or more: a share of the image's diagonal, rounded as Python does.
pub(super) fn width((height, width): (usize, usize), share: f64) -> usize {
    let diagonal = (height as f64).hypot(width as f64);
    // A share is at most 1, and a diagonal below 2^64.
    ((share * diagonal).round_ties_even() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;
    use proptest::prelude::*;

    #[test]
    fn the_edge_of_an_image_is_a_boundary() {
        let found = boundary(Array2::zeros((5, 4)).view(), 1);
        assert_eq!(found.iter().filter(|pixel| !**pixel).count(), 3 * 2);
        assert!(!found[[1, 1]] && found[[0, 1]]);
        let mut mask = Array2::zeros((7, 7));
        mask[[2, 2]] = 3;
        let found = boundary(mask.view(), 1);
        assert!(found[[3, 3]] && !found[[4, 4]] && !found[[5, 1]]);
        assert_eq!(boundary(arr2(&[[5_u16]]).view(), 3), arr2(&[[true]]));
    }

    #[test]
    fn the_width_is_at_least_one_pixel() {
        assert_eq!(width((24, 36), 0.02), 1);
        assert_eq!(width((300, 400), 0.02), 10);
        assert_eq!(width((3, 4), 0.5), 2, "2.5 goes to the even number");
    }

    proptest! {
        #[test]
        fn it_is_what_a_square_around_every_pixel_says(
            (height, width, distance) in (1_usize..9, 1_usize..9, 1_usize..4),
            seed in prop::collection::vec(0_u16..2, 81),
        ) {
            let mask = Array2::from_shape_fn((height, width), |(r, c)| seed[r * 9 + c]);
            let reach = distance as isize;
            let expected = Array2::from_shape_fn((height, width), |(r, c)| {
                (-reach..=reach).any(|dr| (-reach..=reach).any(|dc| {
                    let at = (r.checked_add_signed(dr), c.checked_add_signed(dc));
                    let value = match at {
                        (Some(row), Some(column)) => mask.get([row, column]),
                        _ => None,
                    };
                    value != Some(&mask[[r, c]])
                }))
            });
            prop_assert_eq!(boundary(mask.view(), distance), expected);
        }
    }
}
