//! From the feature map of an image to one vector for each box or mask in it.

use ndarray::{Array2, ArrayView3, Axis};

use crate::geometry::{BBox, BoxFormat, Rle};
use crate::{Error, Result};

/// The activations of one image by place, from which vectors of its instances are pooled.
///
/// The map covers the whole image: each of its cells stands for a rectangle of pixels, all of one size.
/// The vector of an instance is the mean of the map over the instance.
///
/// # Shapes and units
/// `[channels, rows, columns]`, f32, any number of cells; height and width of the image in pixels. Of a
/// padded image they are those with the padding.
///
/// ```
/// use emberlens::metrics::{BBox, FeatureMap};
/// use emberlens::table::BoxFormat;
/// let activations = ndarray::arr3(&[[[0.0_f32, 4.0], [0.0, 8.0]]]); // one channel, 2 x 2 cells
/// let map = FeatureMap::new(activations.view(), 32, 32)?;
/// let right_half = BBox::new([16.0, 0.0, 32.0, 32.0], BoxFormat::Xyxy);
/// assert_eq!(map.pool_boxes(&[right_half])?, ndarray::arr2(&[[6.0]]));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FeatureMap<'a> {
    values: ArrayView3<'a, f32>,
    height: u32,
    width: u32,
}

impl<'a> FeatureMap<'a> {
    /// A map of an image of this height and width, pixels.
    ///
    /// # Errors
    /// `Invalid` for a map without channels or cells, and an image without pixels.
    pub fn new(values: ArrayView3<'a, f32>, height: u32, width: u32) -> Result<Self> {
        if values.is_empty() {
            return Err(Error::invalid(
                "feature map",
                format!("{:?}", values.shape()),
                "a vector is the mean of one cell or more",
                "the shape is [channels, rows, columns]",
            ));
        }
        if height == 0 || width == 0 {
            return Err(Error::invalid(
                "image size",
                format!("{height} x {width}"),
                "an image has a pixel or more each way",
                "give the height, then the width of the image that the model saw",
            ));
        }
        Ok(Self {
            values,
            height,
            width,
        })
    }

    /// The mean over each box; the part of a cell that a box covers is its weight.
    ///
    /// Parts of a box outside the image are left out. A box without area, or wholly outside, has the
    /// vector of the cell nearest to its centre.
    ///
    /// # Shapes and units
    /// Boxes in pixels of the image; the result is `[boxes, channels]`.
    ///
    /// # Errors
    /// `Invalid` for a coordinate that is not finite and a right side left of the left one, naming the box.
    pub fn pool_boxes(&self, boxes: &[BBox]) -> Result<Array2<f32>> {
        self.pool(boxes, |number, bbox, weights| {
            if let Some((name, value, reason)) = bbox.defect() {
                return Err(Error::invalid(
                    format!("{name} of box {number}"),
                    value,
                    reason,
                    "leave the box out, and number the others with `numbered`",
                ));
            }
            let [left, top, right, bottom] = bbox.values(BoxFormat::Xyxy);
            let (rows, columns) = weights.dim();
            let down = shares(top, bottom, rows, self.height);
            let across = shares(left, right, columns, self.width);
            weights
                .indexed_iter_mut()
                .for_each(|((row, column), weight)| {
                    *weight = down[row] * across[column];
                });
            if weights.sum() <= 0.0 {
                let row = nearest((top + bottom) / 2.0, rows, self.height);
                let column = nearest((left + right) / 2.0, columns, self.width);
                weights[[row, column]] = 1.0;
            }
            Ok(())
        })
    }

    /// The mean over the pixels of each mask; a pixel has the vector of the cell that its centre is in.
    ///
    /// # Shapes and units
    /// Masks of the image's size; the result is `[masks, channels]`.
    ///
    /// # Errors
    /// `Invalid` for a mask of another size than the image, and one without pixels, naming the mask.
    pub fn pool_masks(&self, masks: &[Rle]) -> Result<Array2<f32>> {
        let size = (self.height, self.width);
        let mut all = masks.iter().enumerate();
        if let Some((number, mask)) = all.find(|(_, mask)| mask.size() != size) {
            return Err(Error::invalid(
                format!("size of mask {number}"),
                format!("{} x {}", mask.size().0, mask.size().1),
                format!("the feature map covers an image of {} x {}", size.0, size.1),
                "bring masks to the size of the image that the model saw; a size is height, then width",
            ));
        }
        let (_, rows, columns) = self.values.dim();
        let row_of = cells(rows, self.height);
        let column_of = cells(columns, self.width);
        let height = u64::from(self.height);
        self.pool(masks, |number, mask, weights| {
            for pixel in mask.inside().flat_map(|(start, end)| start..end) {
                let (row, column) = ((pixel % height) as usize, (pixel / height) as usize);
                weights[[row_of[row], column_of[column]]] += 1.0;
            }
            if weights.sum() > 0.0 {
                return Ok(());
            }
            Err(Error::invalid(
                format!("mask {number}"),
                "no pixel",
                "a vector is the mean of one pixel or more",
                "leave the mask out, and number the others with `numbered`",
            ))
        })
    }

    /// The mean over the cells by the weights that `weigh` gives them for each instance.
    fn pool<T>(
        &self,
        instances: &[T],
        weigh: impl Fn(usize, &T, &mut Array2<f64>) -> Result<()>,
    ) -> Result<Array2<f32>> {
        let (channels, rows, columns) = self.values.dim();
        let mut vectors = Array2::zeros((instances.len(), channels));
        let mut weights = Array2::zeros((rows, columns));
        for (number, instance) in instances.iter().enumerate() {
            weights.fill(0.0);
            weigh(number, instance, &mut weights)?;
            let all = weights.sum();
            for (channel, mean) in vectors.row_mut(number).iter_mut().enumerate() {
                let of_channel = self.values.index_axis(Axis(0), channel);
                // A cell outside is not looked at, whatever it holds.
                let inside = of_channel
                    .iter()
                    .zip(&weights)
                    .filter(|(_, weight)| **weight > 0.0);
                let sum: f64 = inside
                    .map(|(value, weight)| f64::from(*value) * weight)
                    .sum();
                *mean = (sum / all) as f32;
            }
        }
        Ok(vectors)
    }
}

/// How much of each of `count` cells along a side lies between two places of it.
fn shares(from: f64, to: f64, count: usize, side: u32) -> Vec<f64> {
    let cell = f64::from(side) / count as f64;
    let share = |index: usize| {
        let (start, end) = (index as f64 * cell, (index + 1) as f64 * cell);
        (to.min(end) - from.max(start)).max(0.0)
    };
    (0..count).map(share).collect()
}

/// The cell nearest to a place of a side.
fn nearest(place: f64, count: usize, side: u32) -> usize {
    let cell = (place / f64::from(side) * count as f64).floor();
    cell.clamp(0.0, count as f64 - 1.0) as usize
}

/// The cell of the centre of every pixel of a side.
fn cells(count: usize, side: u32) -> Vec<usize> {
    let centre = |pixel: u32| nearest(f64::from(pixel) + 0.5, count, side);
    (0..side).map(centre).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, arr2, arr3};

    fn map() -> Array3<f32> {
        arr3(&[[[0.0_f32, 4.0], [2.0, 8.0]], [[1.0, 1.0], [1.0, f32::NAN]]])
    }

    fn xyxy(values: [f64; 4]) -> BBox {
        BBox::new(values, BoxFormat::Xyxy)
    }

    #[test]
    fn what_lies_outside_a_box_does_not_count() {
        let values = map();
        let map = FeatureMap::new(values.view(), 20, 20).unwrap();
        // Of the right column two thirds; beyond the image nothing.
        let found = map.pool_boxes(&[xyxy([5.0, -90.0, 20.0, 10.0])]).unwrap();
        let expected = (0.0 * 5.0 + 4.0 * 10.0) / 15.0;
        assert_eq!(found, arr2(&[[expected as f32, 1.0]]));
    }

    #[test]
    fn a_box_without_area_has_the_nearest_cell() {
        let values = map();
        let map = FeatureMap::new(values.view(), 20, 20).unwrap();
        let found = map
            .pool_boxes(&[xyxy([3.0, 15.0, 3.0, 15.0]), xyxy([40.0, -9.0, 50.0, -1.0])])
            .unwrap();
        assert_eq!(found, arr2(&[[2.0, 1.0], [4.0, 1.0]]));
    }

    #[test]
    fn boxes_and_masks_that_mean_nothing_are_named() {
        let values = map();
        let map = FeatureMap::new(values.view(), 2, 4).unwrap();
        let good = xyxy([0.0, 0.0, 1.0, 1.0]);
        let told = |boxes: &[BBox]| map.pool_boxes(boxes).unwrap_err().to_string();
        assert!(told(&[good, xyxy([f64::NAN, 0.0, 1.0, 1.0])]).contains("x of box 1"));
        assert!(told(&[xyxy([3.0, 0.0, 1.0, 1.0])]).contains("width of box 0 = -2"));
        let told = |mask: Rle| map.pool_masks(&[mask]).unwrap_err().to_string();
        let turned = told(Rle::from_counts(4, 2, vec![0, 8]).unwrap());
        assert!(
            turned.contains("4 x 2") && turned.contains("2 x 4"),
            "{turned}"
        );
        assert!(told(Rle::from_counts(2, 4, vec![8]).unwrap()).contains("mask 0 = no pixel"));
    }

    #[test]
    fn a_map_without_cells_or_pixels_is_refused() {
        let none = Array3::zeros((3, 0, 2));
        let error = FeatureMap::new(none.view(), 4, 4).unwrap_err().to_string();
        assert!(error.contains("[3, 0, 2]"), "{error}");
        assert!(FeatureMap::new(map().view(), 0, 4).is_err());
    }
}
