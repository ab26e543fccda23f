//! Polygons drawn into masks, pixel for pixel as COCO draws them.

use super::Rle;
use crate::{Error, Result};

/// COCO draws on a grid that is so many times finer than the pixels.
const FINER: i64 = 5;
/// On the finer grid, the place in a pixel column at which it is taken for inside or outside.
const MIDDLE: i64 = 2;
/// Coordinates beyond are a mistake, and would not fit the integers that COCO draws with.
const FARTHEST: f64 = (1 << 28) as f64;
/// Pixel columns that all edges of a polygon may cross together.
const MOST_CROSSINGS: u64 = 1 << 22;

impl Rle {
    /// The pixels inside a polygon, which may cross itself and reach beyond the image.
    ///
    /// A pixel is inside when going down its column crosses an odd number of edges before it; what is
    /// beyond the image is cut off as COCO cuts it.
    ///
    /// ```
    /// use emberlens::geometry::Rle;
    /// let triangle = Rle::from_polygon(4, 4, &[0.0, 0.0, 4.0, 0.0, 0.0, 4.0])?;
    /// assert_eq!(triangle.counts(), [0, 3, 1, 2, 2, 1, 7]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Shapes and units
    /// `x, y, x, y, ...` in pixels, y down; the last point joins the first.
    ///
    /// # Errors
    /// `Invalid` for fewer than three points, an odd number of values, a coordinate that is not
    /// finite or beyond 2^28, and sizes as [`Rle::from_counts`]; `TooLarge` when the edges cross
    /// more than 2^22 columns of pixels.
    ///
    /// # Source
    /// `rleFrPoly` of COCO's `maskApi.c`: edges on a grid five times finer, run lengths between the
    /// places at which they cross the columns' middles. Equal to it run for run.
    pub fn from_polygon(height: u32, width: u32, points: &[f64]) -> Result<Self> {
        check_polygon(points)?;
        let outline = Outline::new(height, width, points);
        let columns = outline.edges().map(|edge| outline.columns(&edge));
        let crossings: u64 = columns.map(|(from, to)| (to - from).max(0) as u64).sum();
        if crossings > MOST_CROSSINGS {
            return Err(Error::TooLarge {
                what: format!("a polygon that crosses {crossings} columns of pixels"),
                needed: crossings * 8,
                limit: MOST_CROSSINGS * 8,
                hint: "check the size of the image and the polygon".into(),
            });
        }
        let mut ends = Vec::with_capacity(crossings as usize + 1);
        for edge in outline.edges() {
            outline.cross(&edge, &mut ends);
        }
        ends.sort_unstable();
        ends.push(u64::from(height) * u64::from(width));
        Self::from_ends(height, width, &without_pairs(ends))
    }

    /// The pixels inside any of the polygons of one instance; `None` without polygons.
    ///
    /// # Errors
    /// As [`Rle::from_polygon`].
    pub fn from_polygons<P: AsRef<[f64]>>(
        height: u32,
        width: u32,
        polygons: &[P],
    ) -> Result<Option<Self>> {
        let drawn = polygons
            .iter()
            .map(|points| Self::from_polygon(height, width, points.as_ref()));
        Self::union(&drawn.collect::<Result<Vec<_>>>()?)
    }

    /// A mask from the ascending places at which its runs end, the last of them its size.
    pub(super) fn from_ends(height: u32, width: u32, ends: &[u64]) -> Result<Self> {
        let begins = std::iter::once(0).chain(ends.iter().copied());
        let runs = begins.zip(ends).map(|(begin, end)| {
            u32::try_from(end - begin).map_err(|_| {
                Error::invalid(
                    "mask",
                    format!("{height} x {width}"),
                    "a run has fewer than 2^32 pixels",
                    "cut the image into tiles",
                )
            })
        });
        Self::from_counts(height, width, runs.collect::<Result<_>>()?)
    }
}

/// Refuses what [`Rle::from_polygon`] refuses of the points alone.
pub(crate) fn check_polygon(points: &[f64]) -> Result<()> {
    let wrong = |value: String, reason: &str, hint: &str| {
        Err(Error::invalid("polygon", value, reason, hint))
    };
    if points.len() < 6 || points.len() % 2 == 1 {
        return wrong(
            format!("{} numbers", points.len()),
            "a polygon has x and y of three points or more",
            "leave it out, or give both coordinates of every point",
        );
    }
    let is_near = |value: &f64| value.abs() <= FARTHEST;
    match points.iter().find(|value| !is_near(value)) {
        None => Ok(()),
        Some(value) => wrong(
            value.to_string(),
            "coordinates are finite, and within 2^28 pixels of the image",
            "leave the polygon out, or mend it",
        ),
    }
}

/// Two equal ends leave an empty run between them, and the runs around it are one. The last end
/// stays.
fn without_pairs(ends: Vec<u64>) -> Vec<u64> {
    let mut kept: Vec<u64> = Vec::with_capacity(ends.len());
    let mut ends = ends.into_iter().peekable();
    while let Some(end) = ends.next() {
        let is_last = ends.peek().is_none();
        match kept.last() {
            Some(&before) if before == end => {
                if !is_last {
                    kept.pop();
                }
            }
            _ => kept.push(end),
        }
    }
    kept
}

/// An edge on the finer grid, from its lower to its higher end along its longer axis.
struct Edge {
    from: [i64; 2],
    to: [i64; 2],
    /// Whether it is at least as wide as it is high.
    flat: bool,
}

/// A polygon on the finer grid.
struct Outline {
    height: i64,
    width: i64,
    points: Vec<[i64; 2]>,
}

impl Outline {
    fn new(height: u32, width: u32, points: &[f64]) -> Self {
        // Casts cut towards zero, as COCO's do.
        let finer = |value: f64| (FINER as f64 * value + 0.5) as i64;
        Self {
            height: i64::from(height),
            width: i64::from(width),
            points: points
                .chunks_exact(2)
                .map(|point| [finer(point[0]), finer(point[1])])
                .collect(),
        }
    }

    fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let next = self.points.iter().cycle().skip(1);
        self.points.iter().zip(next).map(|(&from, &to)| {
            let (across, down) = ((to[0] - from[0]).abs(), (to[1] - from[1]).abs());
            let flat = across >= down;
            let axis = usize::from(!flat);
            let (from, to) = match from[axis] > to[axis] {
                true => (to, from),
                false => (from, to),
            };
            Edge { from, to, flat }
        })
    }

    /// The pixel columns whose middle the edge crosses, as a range.
    fn columns(&self, edge: &Edge) -> (i64, i64) {
        let (left, right) = (edge.x(0), edge.x(edge.length()));
        let (left, right) = (left.min(right), left.max(right));
        // Column c is crossed between the places FINER * c + MIDDLE and the one after it.
        let first = (left - MIDDLE + FINER - 1).div_euclid(FINER);
        let end = (right - 1 - MIDDLE).div_euclid(FINER) + 1;
        (first.max(0), end.min(self.width))
    }

    /// Adds where the edge crosses the middles of columns, counted down the columns.
    fn cross(&self, edge: &Edge, ends: &mut Vec<u64>) {
        let (first, end) = self.columns(edge);
        for column in first..end {
            let before = FINER * column + MIDDLE;
            let y = match edge.flat {
                true => {
                    let step = before - edge.from[0];
                    edge.y(step).min(edge.y(step + 1))
                }
                false => edge.from[1] + edge.last_step_beside(before),
            };
            // Of a fine place y, the first pixel below is that of (y - MIDDLE) / FINER, rounded up.
            let row = (y - MIDDLE + FINER - 1).div_euclid(FINER);
            ends.push((column * self.height + row.clamp(0, self.height)) as u64);
        }
    }
}

impl Edge {
    /// Steps along the longer axis.
    fn length(&self) -> i64 {
        let axis = usize::from(!self.flat);
        self.to[axis] - self.from[axis]
    }

    fn x(&self, step: i64) -> i64 {
        match self.flat {
            true => self.from[0] + step,
            false => self.beside(0, step),
        }
    }

    fn y(&self, step: i64) -> i64 {
        match self.flat {
            true => self.beside(1, step),
            false => self.from[1] + step,
        }
    }

    /// The coordinate along the shorter axis, rounded as COCO does; it only grows or only falls.
    fn beside(&self, axis: usize, step: i64) -> i64 {
        let (from, length) = (self.from[axis], self.length());
        if length == 0 {
            return from;
        }
        let slope = (self.to[axis] - from) as f64 / length as f64;
        (from as f64 + slope * step as f64 + 0.5) as i64
    }

    /// Of a steep edge that passes from column `before` of the finer grid to the next or back, the
    /// last step on its first side.
    fn last_step_beside(&self, before: i64) -> i64 {
        let rightward = self.to[0] > self.from[0];
        let on_first_side = |step: i64| match rightward {
            true => self.x(step) <= before,
            false => self.x(step) > before,
        };
        // The side changes once: the first step has the one, the last the other.
        let (mut low, mut high) = (0, self.length());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match on_first_side(middle) {
                true => low = middle,
                false => high = middle,
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_of_whole_pixels_is_its_pixels() {
        let mask = Rle::from_polygon(5, 6, &[1.0, 1.0, 4.0, 1.0, 4.0, 3.0, 1.0, 3.0]).unwrap();
        assert_eq!(mask.counts(), [6, 2, 3, 2, 3, 2, 12]);
    }

    #[test]
    fn what_is_no_polygon_is_told() {
        for (points, part) in [
            (vec![1.0, 2.0, 3.0, 4.0], "4 numbers"),
            (vec![0.0; 7], "7 numbers"),
            (vec![0.0, 1.0, 2.0, f64::NAN, 4.0, 5.0], "NaN"),
            (vec![0.0, 1.0, 2.0, 3e9, 4.0, 5.0], "3000000000"),
        ] {
            let error = Rle::from_polygon(4, 4, &points).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_polygon_beyond_all_bounds_is_quick_and_small() {
        let far = FARTHEST;
        let mask = Rle::from_polygon(3, 3, &[-far, -far, far, -far, far, far, -far, far]).unwrap();
        assert_eq!(mask.area(), 9);
        let points = [0.0, 0.0, far, 1.0, far, 9.0];
        let wide = Rle::from_polygon(1, 1 << 30, &points);
        assert!(matches!(wide, Err(Error::TooLarge { .. })));
    }

    #[test]
    fn all_edges_in_one_place_enclose_nothing() {
        assert_eq!(Rle::from_polygon(4, 4, &[1.2; 8]).unwrap().area(), 0);
        assert_eq!(Rle::from_polygon(0, 4, &[1.2; 8]).unwrap().area(), 0);
    }
}
