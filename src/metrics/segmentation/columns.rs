//! Columns of every image.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};

use super::counts::{Counts, mean};
use super::{SegmentationOptions, SegmentedImage, class_mask_to_png};
use crate::table::{Column, Columns};
use crate::{Error, Result};

/// Per-image columns of a semantic segmentation.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `mask_predicted` | bytes | the predicted classes, a grey PNG of 8 bits, or of 16 where a class or the void is beyond 255 |
/// | `iou` | list of f32 | intersection over union of every class, null where neither truth nor prediction has the class |
/// | `mean_iou` | f32 | mean of those that are not null; null where all are |
/// | `pixel_accuracy` | f32 | share of pixels whose class is right; null where all are void |
/// | `boundary_iou`, `mean_boundary_iou` | as `iou`, `mean_iou` | with [`SegmentationOptions::boundary`]: the same of the pixels along boundaries |
///
/// Pixels whose truth is void are left out of all numbers, and stay in the mask.
///
/// # Shapes and units
/// One row for each image.
///
/// # Errors
/// As [`SegmentationOptions::check`]; `Invalid` for masks of different size or without pixels, and
/// for a value that is neither a class nor the void, naming image, pixel and value.
///
/// ```
/// use emberlens::metrics::{SegmentationOptions, SegmentedImage, segmentation_columns};
/// let image = SegmentedImage::new(ndarray::arr2(&[[0, 1], [1, 255]]), ndarray::arr2(&[[0, 1], [0, 0]]));
/// let columns = segmentation_columns(&[image], &SegmentationOptions::new(2).void(255))?;
/// let accuracy = emberlens::table::values::<f32>(&columns.into_batch("example")?, "pixel_accuracy")?;
/// assert_eq!(accuracy, [2.0 / 3.0]);
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Source
/// scikit-learn's `jaccard_score` with `average=None` and `accuracy_score` over the pixels; boundaries
/// as in Cheng et al., *Boundary IoU* (CVPR 2021), with OpenCV's erosion.
pub fn segmentation_columns(
    images: &[SegmentedImage],
    options: &SegmentationOptions,
) -> Result<Columns> {
    options.check()?;
    let counts = images.iter().enumerate();
    let counts: Result<Vec<Counts>> = counts
        .map(|(number, image)| Counts::of(image, number, options))
        .collect();
    columns_of(images, &counts?, options)
}

/// The columns of images that were counted.
pub(super) fn columns_of(
    images: &[SegmentedImage],
    counts: &[Counts],
    options: &SegmentationOptions,
) -> Result<Columns> {
    let mut columns = Columns::new();
    if options.masks {
        let png = |image: &SegmentedImage| {
            class_mask_to_png(image.predicted.view(), options.fits_bytes())
        };
        let masks: Vec<Vec<u8>> = images.iter().map(png).collect::<Result<_>>()?;
        columns.push(
            options.column_name("mask_predicted"),
            Column::from(masks).role(options.role()),
        );
    }
    let ious: Vec<Vec<Option<f64>>> = counts.iter().map(Counts::iou).collect();
    let numbers = |of: fn(&Counts) -> Option<f64>| -> Vec<Option<f32>> {
        counts
            .iter()
            .map(|one| of(one).map(|value| value as f32))
            .collect()
    };
    columns.push(
        options.column_name("iou"),
        lists("iou", &ious, options.n_classes)?,
    );
    columns.push(
        options.column_name("mean_iou"),
        numbers(|one| mean(&one.iou())),
    );
    columns.push(
        options.column_name("pixel_accuracy"),
        numbers(Counts::accuracy),
    );
    if options.boundary.is_some() {
        let of_boundary = |one: &Counts| one.boundary_iou().unwrap_or_default();
        let ious: Vec<Vec<Option<f64>>> = counts.iter().map(of_boundary).collect();
        columns.push(
            options.column_name("boundary_iou"),
            lists("boundary_iou", &ious, options.n_classes)?,
        );
        columns.push(
            options.column_name("mean_boundary_iou"),
            numbers(|one| mean(&one.boundary_iou()?)),
        );
    }
    Ok(columns)
}

/// A list of `n_classes` values for each image.
fn lists(name: &str, ious: &[Vec<Option<f64>>], n_classes: usize) -> Result<Column> {
    let all = ious.len().saturating_mul(n_classes);
    if i32::try_from(all).is_err() {
        return Err(Error::invalid(
            name,
            format!("{} x {n_classes} values", ious.len()),
            "one batch holds fewer than 2^31 of them",
            "pass fewer images at a time",
        ));
    }
    let values: Float32Array = ious
        .iter()
        .flatten()
        .map(|iou| iou.map(|iou| iou as f32))
        .collect();
    let element = Arc::new(Field::new("element", DataType::Float32, true));
    let offsets = OffsetBuffer::from_repeated_length(n_classes, ious.len());
    let lists: ArrayRef = Arc::new(ListArray::new(element, offsets, Arc::new(values), None));
    Ok(Column::from_array(lists))
}
