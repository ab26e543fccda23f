//! A mask as lengths of runs, and what two masks share, without decoding them.

use ndarray::{Array2, ArrayView2};

use super::{BBox, BoxFormat};
use crate::{Error, Result};

/// Pixels that a decoded mask may have; more are refused before they are allocated.
const MOST_DECODED: u64 = 1 << 28;

/// A mask of one instance: lengths of runs, column by column, beginning with pixels outside.
///
/// ```
/// use emberlens::geometry::Rle;
/// let mask = Rle::from_mask(ndarray::arr2(&[[false, true], [true, true]]).view())?;
/// assert_eq!(mask.counts(), [1, 3]);
/// assert_eq!((mask.area(), mask.to_text().as_str()), (3, "13"));
/// assert_eq!(Rle::from_text(2, 2, "13")?, mask);
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Source
/// COCO's `maskApi.c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rle {
    height: u32,
    width: u32,
    counts: Vec<u32>,
}

impl Rle {
    /// A mask from its runs: outside, inside, outside, ...; a run may be empty.
    ///
    /// # Errors
    /// `Invalid` when a side is not below 2^31, or the runs do not add up to `height * width` pixels.
    pub fn from_counts(height: u32, width: u32, counts: Vec<u32>) -> Result<Self> {
        let pixels = pixels(height, width)?;
        // At most 2^64 / 2^32 counts fit into memory, so that the sum does not overflow.
        let sum: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        if sum != pixels {
            return Err(Error::invalid(
                "counts",
                format!("{sum} pixels in {} runs", counts.len()),
                format!("a mask of {height} x {width} has {pixels} pixels"),
                "the size is height, then width; runs go down the columns",
            ));
        }
        Ok(Self {
            height,
            width,
            counts,
        })
    }

    /// A mask from COCO's compressed text.
    ///
    /// # Errors
    /// `Invalid` for a character that is none of the alphabet, text that ends within a number, a
    /// number that is no run length, and as [`Rle::from_counts`].
    pub fn from_text(height: u32, width: u32, text: &str) -> Result<Self> {
        Self::from_counts(height, width, super::text::decode(text)?)
    }

    /// COCO's compressed text.
    pub fn to_text(&self) -> String {
        super::text::encode(&self.counts)
    }

    /// The runs of a mask of pixels.
    ///
    /// # Shapes and units
    /// `[height, width]`, true inside.
    ///
    /// # Errors
    /// `Invalid` when a side is not below 2^31, or a run longer than 2^32 - 1.
    pub fn from_mask(mask: ArrayView2<'_, bool>) -> Result<Self> {
        let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (height, width) = (side(mask.nrows()), side(mask.ncols()));
        pixels(height, width)?;
        let (mut counts, mut inside, mut run) = (Vec::new(), false, 0_u32);
        // Columns of the mask are rows of its transpose.
        for &pixel in mask.t() {
            if pixel != inside {
                counts.push(run);
                (inside, run) = (pixel, 0);
            }
            run = run.checked_add(1).ok_or_else(|| {
                Error::invalid(
                    "mask",
                    format!("{height} x {width}"),
                    "a run has fewer than 2^32 pixels",
                    "cut the image into tiles",
                )
            })?;
        }
        counts.push(run);
        Self::from_counts(height, width, counts)
    }

    /// The pixels, `[height, width]`, true inside.
    ///
    /// # Memory
    /// One byte a pixel.
    ///
    /// # Errors
    /// `TooLarge` beyond 2^28 pixels: a few characters of text can claim any size.
    pub fn to_mask(&self) -> Result<Array2<bool>> {
        let pixels = u64::from(self.height) * u64::from(self.width);
        if pixels > MOST_DECODED {
            return Err(Error::TooLarge {
                what: format!("a decoded mask of {} x {}", self.height, self.width),
                needed: pixels,
                limit: MOST_DECODED,
                hint: "areas and overlaps need no decoding".into(),
            });
        }
        let mut columns = Array2::from_elem((self.width as usize, self.height as usize), false);
        let mut next = columns.iter_mut();
        for (&count, inside) in self.counts.iter().zip([false, true].into_iter().cycle()) {
            next.by_ref()
                .take(count as usize)
                .for_each(|pixel| *pixel = inside);
        }
        Ok(columns.reversed_axes())
    }

    /// Height and width, pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.height, self.width)
    }

    /// The runs: outside, inside, outside, ...
    pub fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// Pixels inside.
    pub fn area(&self) -> u64 {
        self.counts
            .iter()
            .skip(1)
            .step_by(2)
            .map(|&count| u64::from(count))
            .sum()
    }

    /// The smallest box around the pixels inside, in pixels; at the origin and empty without any.
    pub fn bounding_box(&self) -> BBox {
        let height = u64::from(self.height);
        let (mut left, mut top, mut right, mut bottom) = (u64::MAX, u64::MAX, 0, 0);
        for (start, end) in self.inside() {
            let last = end - 1;
            left = left.min(start / height);
            right = right.max(last / height + 1);
            // A run that goes on in the next column touches top and bottom.
            let whole = start / height != last / height;
            top = top.min(if whole { 0 } else { start % height });
            bottom = bottom.max(if whole { height } else { last % height + 1 });
        }
        if right == 0 {
            (left, top) = (0, 0);
        }
        BBox::new(
            [left, top, right, bottom].map(|side| side as f64),
            BoxFormat::Xyxy,
        )
    }

    /// Intersection over union, from 0 to 1; 0 where both are empty.
    ///
    /// # Errors
    /// `Invalid` when the masks differ in size.
    pub fn iou(&self, other: &Self) -> Result<f64> {
        self.same_size(other)?;
        Ok(self.iou_of_same_size(other))
    }

    /// The share of this mask that lies in the other; what COCO takes for a crowd.
    ///
    /// # Errors
    /// `Invalid` when the masks differ in size.
    pub fn share_in(&self, other: &Self) -> Result<f64> {
        self.same_size(other)?;
        Ok(self.share_in_of_same_size(other))
    }

    pub(crate) fn iou_of_same_size(&self, other: &Self) -> f64 {
        let both = self.intersection(other);
        ratio(both, self.area() + other.area() - both)
    }

    pub(crate) fn share_in_of_same_size(&self, other: &Self) -> f64 {
        ratio(self.intersection(other), self.area())
    }

    /// Pixels inside both.
    fn intersection(&self, other: &Self) -> u64 {
        let (mut ours, mut theirs) = (self.inside(), other.inside());
        let (mut a, mut b) = (ours.next(), theirs.next());
        let mut both = 0;
        while let (Some((start, end)), Some((other_start, other_end))) = (a, b) {
            both += end.min(other_end).saturating_sub(start.max(other_start));
            if end < other_end {
                a = ours.next();
            } else {
                b = theirs.next();
            }
        }
        both
    }

    /// Start and end of every run inside that is not empty.
    pub(crate) fn inside(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = 0;
        let pairs = self.counts.chunks(2).map(move |pair| {
            let start = at + u64::from(pair[0]);
            at = start + pair.get(1).map_or(0, |&count| u64::from(count));
            (start, at)
        });
        pairs.filter(|(start, end)| start < end)
    }

    pub(super) fn same_size(&self, other: &Self) -> Result<()> {
        if self.size() == other.size() {
            return Ok(());
        }
        Err(Error::invalid(
            "mask",
            format!("{} x {}", other.height, other.width),
            format!(
                "it is compared with one of {} x {}",
                self.height, self.width
            ),
            "bring both to the size of the image",
        ))
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if part == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// The pixels of a mask; sides have to fit the i32 of their columns.
fn pixels(height: u32, width: u32) -> Result<u64> {
    if i32::try_from(height.max(width)).is_err() {
        return Err(Error::invalid(
            "size",
            format!("{height} x {width}"),
            "a side of a mask has fewer than 2^31 pixels",
            "the size is height, then width",
        ));
    }
    Ok(u64::from(height) * u64::from(width))
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_go_down_the_columns() {
        let mask = arr2(&[[false, true, false], [true, true, false]]);
        let rle = Rle::from_mask(mask.view()).unwrap();
        assert_eq!(rle.counts(), [1, 3, 2]);
        assert_eq!(rle.to_mask().unwrap(), mask);
        let around = rle.bounding_box().values(BoxFormat::Xyxy);
        assert_eq!(around, [0.0, 0.0, 2.0, 2.0]);
    }

    #[test]
    fn counts_that_do_not_fit_the_size_are_told() {
        for counts in [vec![3, 4], vec![3, 4, 2], vec![u32::MAX, u32::MAX]] {
            let text = Rle::from_counts(2, 4, counts).unwrap_err().to_string();
            assert!(text.contains("2 x 4 has 8 pixels"), "{text}");
        }
        assert!(Rle::from_counts(2, 4, vec![3, 0, 0, 5]).is_ok());
        assert!(Rle::from_counts(1 << 31, 1, vec![1 << 31]).is_err());
        assert_eq!(Rle::from_counts(0, 7, vec![]).unwrap().area(), 0);
    }

    #[test]
    fn a_huge_mask_is_measured_and_not_decoded() {
        let sky = Rle::from_counts(1 << 30, 2, vec![0, 1 << 31]).unwrap();
        assert_eq!((sky.area(), sky.iou(&sky).unwrap()), (1 << 31, 1.0));
        assert!(matches!(sky.to_mask(), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn sizes_that_differ_are_named() {
        let (a, b) = (
            Rle::from_counts(2, 3, vec![6]).unwrap(),
            Rle::from_counts(3, 2, vec![6]).unwrap(),
        );
        let text = a.iou(&b).unwrap_err().to_string();
        assert!(text.contains("3 x 2") && text.contains("2 x 3"), "{text}");
        assert_eq!(a.iou(&a).unwrap(), 0.0);
    }

    proptest! {
        #[test]
        fn areas_and_overlaps_are_those_of_the_pixels(
            (height, width) in (1_usize..9, 1_usize..9),
            seed in prop::collection::vec(any::<(bool, bool)>(), 64),
        ) {
            let pixel = |r: usize, c: usize| seed[(r * width + c) % 64];
            let a = Array2::from_shape_fn((height, width), |(r, c)| pixel(r, c).0);
            let b = Array2::from_shape_fn((height, width), |(r, c)| pixel(r, c).1);
            let [own, other] = [&a, &b].map(|mask| Rle::from_mask(mask.view()).unwrap());
            prop_assert_eq!(&own.to_mask().unwrap(), &a);
            let again = Rle::from_text(height as u32, width as u32, &own.to_text()).unwrap();
            prop_assert_eq!(&again, &own);
            let count = |of: fn(bool, bool) -> bool| {
                a.iter().zip(&b).filter(|&(&a, &b)| of(a, b)).count() as f64
            };
            let (both, either) = (count(|a, b| a && b), count(|a, b| a || b));
            let expected = if both == 0.0 { 0.0 } else { both / either };
            prop_assert_eq!(own.iou(&other).unwrap(), expected);
            prop_assert_eq!(own.area() as f64, count(|a, _| a));
        }
    }
}
