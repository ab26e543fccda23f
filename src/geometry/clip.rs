//! The part that two convex polygons share.

/// A point; y may point either way.
pub(super) type Point = [f64; 2];

/// The area of a simple polygon, positive whichever way it goes round.
///
/// # Source
/// Meister's shoelace formula.
pub(super) fn area(polygon: &[Point]) -> f64 {
    twice_signed_area(polygon).abs() / 2.0
}

fn twice_signed_area(polygon: &[Point]) -> f64 {
    let Some(&origin) = polygon.first() else {
        return 0.0;
    };
    // From a corner of its own: far from the coordinates' origin nothing cancels.
    let next = polygon.iter().skip(1).zip(polygon.iter().skip(2));
    next.map(|(&a, &b)| cross(origin, a, b)).sum()
}

/// Twice the signed area of a triangle; its sign tells on which side of a-b the point c lies.
fn cross(a: Point, b: Point, c: Point) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The area that two convex polygons share.
///
/// # Source
/// Sutherland, Hodgman, *Reentrant polygon clipping* (1974).
pub(super) fn shared_area(subject: &[Point], window: &[Point]) -> f64 {
    // The inside of every edge lies on the side on which the window's area is.
    let turn = match twice_signed_area(window) {
        0.0 => return 0.0,
        area => area.signum(),
    };
    let mut kept = subject.to_vec();
    let mut clipped = Vec::with_capacity(subject.len() + window.len());
    for (&from, &to) in window.iter().zip(window.iter().cycle().skip(1)) {
        clipped.clear();
        for (&a, &b) in kept.iter().zip(kept.iter().cycle().skip(1)) {
            let (at_a, at_b) = (turn * cross(from, to, a), turn * cross(from, to, b));
            if at_a >= 0.0 {
                clipped.push(a);
            }
            if (at_a > 0.0 && at_b < 0.0) || (at_a < 0.0 && at_b > 0.0) {
                let share = at_a / (at_a - at_b);
                clipped.push([a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])]);
            }
        }
        std::mem::swap(&mut kept, &mut clipped);
    }
    area(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [Point; 4] = [[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]];

    #[test]
    fn a_square_shares_itself_whichever_way_it_goes_round() {
        let mut reversed = SQUARE;
        reversed.reverse();
        for window in [SQUARE, reversed] {
            assert_eq!(shared_area(&SQUARE, &window), 4.0);
            assert_eq!(shared_area(&reversed, &window), 4.0);
        }
    }

    #[test]
    fn a_diamond_in_a_square_cuts_off_its_corners() {
        // Corners of the diamond at distance 1.5 from the centre stick out by 0.5: four triangles
        // of area 0.25 of the diamond's 4.5.
        let diamond = [[1.0, -0.5], [2.5, 1.0], [1.0, 2.5], [-0.5, 1.0]];
        assert!((shared_area(&diamond, &SQUARE) - 3.5).abs() < 1e-15);
    }

    #[test]
    fn polygons_that_touch_share_nothing() {
        let beside = SQUARE.map(|[x, y]| [x + 2.0, y]);
        let away = SQUARE.map(|[x, y]| [x + 9.0, y]);
        assert_eq!(shared_area(&SQUARE, &beside), 0.0);
        assert_eq!(shared_area(&SQUARE, &away), 0.0);
        assert_eq!(shared_area(&[[1.0, 1.0]; 4], &SQUARE), 0.0);
        assert_eq!(shared_area(&SQUARE, &[[1.0, 1.0]; 4]), 0.0);
    }
}
