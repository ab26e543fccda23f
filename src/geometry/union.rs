//! One mask of several.

use super::Rle;
use crate::Result;

impl Rle {
    /// The pixels that are inside any of the masks; `None` without masks.
    ///
    /// ```
    /// use emberlens::geometry::Rle;
    /// let left = Rle::from_counts(2, 3, vec![0, 2, 4])?;
    /// let right = Rle::from_counts(2, 3, vec![4, 2])?;
    /// assert_eq!(Rle::union(&[left, right])?.unwrap().counts(), [0, 2, 2, 2]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` when the masks differ in size.
    ///
    /// # Source
    /// `rleMerge` of COCO's `maskApi.c`: one mask alone stays as it is, the union of several has no
    /// empty run but the first.
    pub fn union(masks: &[Self]) -> Result<Option<Self>> {
        let Some((first, others)) = masks.split_first() else {
            return Ok(None);
        };
        for other in others {
            first.same_size(other)?;
        }
        if others.is_empty() {
            return Ok(Some(first.clone()));
        }
        let mut inside: Vec<(u64, u64)> = masks.iter().flat_map(Self::inside).collect();
        inside.sort_unstable();
        let (mut ends, mut covered): (Vec<u64>, Option<(u64, u64)>) = (Vec::new(), None);
        for (start, end) in inside {
            covered = match covered {
                Some((from, to)) if start <= to => Some((from, to.max(end))),
                Some((from, to)) => {
                    ends.extend([from, to]);
                    Some((start, end))
                }
                None => Some((start, end)),
            };
        }
        ends.extend(covered.into_iter().flat_map(|(from, to)| [from, to]));
        let (height, width) = first.size();
        let pixels = u64::from(height) * u64::from(width);
        if ends.last() != Some(&pixels) {
            ends.push(pixels);
        }
        Self::from_ends(height, width, &ends).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn masks_of_other_sizes_have_no_union() {
        let of = |height, width| Rle::from_counts(height, width, vec![height * width]).unwrap();
        assert!(Rle::union(&[of(2, 3), of(3, 2)]).is_err());
        assert_eq!(Rle::union(&[]).unwrap(), None);
    }

    proptest! {
        #[test]
        fn a_union_has_the_pixels_of_any(
            (height, width) in (1_usize..7, 1_usize..7),
            seed in prop::collection::vec(0_u8..8, 49),
        ) {
            let mask = |bit: u8| Array2::from_shape_fn((height, width), |(row, column)| {
                seed[row * width + column] & bit != 0
            });
            let masks = [1, 2, 4].map(|bit| Rle::from_mask(mask(bit).view()).unwrap());
            let any = Array2::from_shape_fn((height, width), |(row, column)| {
                seed[row * width + column] != 0
            });
            let expected = Rle::from_mask(any.view()).unwrap();
            prop_assert_eq!(Rle::union(&masks).unwrap().unwrap(), expected);
        }
    }
}
