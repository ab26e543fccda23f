//! The evaluation by class over all images.

use std::sync::Arc;

use rayon::prelude::*;

use super::counts::{Counts, mean};
use super::{SegmentationOptions, SegmentedImage};
use crate::Result;
use crate::table::{Column, Columns, Role};

/// The evaluation of all classes over the pixels of all images.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentationEvaluation {
    /// Images seen.
    pub images: u64,
    /// One for each class, by index.
    pub classes: Vec<SegmentedClass>,
    /// Mean of the classes' IoU; `None` where none has one.
    pub mean_iou: Option<f64>,
    /// Share of pixels whose class is right; `None` without pixels that are not void.
    pub pixel_accuracy: Option<f64>,
    /// Mean of the classes' boundary IoU; `None` where none has one, or it was not asked for.
    pub mean_boundary_iou: Option<f64>,
    /// Whether boundaries were asked for.
    has_boundary: bool,
    class_names: Arc<[String]>,
}

/// The evaluation of one class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentedClass {
    /// The class.
    pub label: usize,
    /// Images with a pixel of the class.
    pub images: u64,
    /// Pixels of the class.
    pub pixels: u64,
    /// Pixels predicted to be of the class.
    pub predicted_pixels: u64,
    /// Intersection over union; `None` where both are empty.
    pub iou: Option<f64>,
    /// Share of the predicted pixels that are right.
    pub precision: Option<f64>,
    /// Share of the class's pixels that are found.
    pub recall: Option<f64>,
    /// Intersection over union of the pixels along boundaries; `None` where both are empty, or it was
    /// not asked for ([`SegmentationOptions::boundary`]).
    pub boundary_iou: Option<f64>,
}

/// Collects images for an evaluation by class; see [`evaluate_segmentation`] for all at once.
///
/// # Memory
/// Three counts for each class (six with boundaries), whatever the number of images.
#[derive(Clone, Debug)]
pub struct SegmentationEvaluator<'a> {
    options: &'a SegmentationOptions,
    counts: Counts,
    images: u64,
    images_of: Vec<u64>,
}

impl<'a> SegmentationEvaluator<'a> {
    /// No images yet.
    ///
    /// # Errors
    /// As [`SegmentationOptions::check`].
    pub fn new(options: &'a SegmentationOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            options,
            counts: Counts::new(options.n_classes),
            images: 0,
            images_of: vec![0; options.n_classes],
        })
    }

    /// Adds images, on all threads.
    ///
    /// # Errors
    /// As [`segmentation_columns`](super::segmentation_columns); images before the one at fault stay.
    pub fn add(&mut self, images: &[SegmentedImage]) -> Result<()> {
        // A few at a time: the counts of one image take memory for every class.
        for images in images.chunks(64) {
            let first = usize::try_from(self.images).unwrap_or(usize::MAX);
            let numbered = images.par_iter().enumerate();
            let counted: Vec<Result<Counts>> = numbered
                .map(|(at, image)| Counts::of(image, first + at, self.options))
                .collect();
            for counts in counted {
                self.add_counted(&counts?);
            }
        }
        Ok(())
    }

    pub(super) fn add_counted(&mut self, counts: &Counts) {
        self.counts.add(counts);
        self.images += 1;
        for (images, &pixels) in self.images_of.iter_mut().zip(&counts.truth) {
            *images += u64::from(pixels > 0);
        }
    }

    /// The evaluation of every class, also of those that were never seen.
    pub fn finish(self) -> SegmentationEvaluation {
        let (counts, iou) = (&self.counts, self.counts.iou());
        let of_boundary = counts.boundary_iou().unwrap_or_default();
        let class = |(label, &iou): (usize, &Option<f64>)| {
            let share = |of: u64| (of > 0).then(|| counts.right[label] as f64 / of as f64);
            SegmentedClass {
                label,
                images: self.images_of[label],
                pixels: counts.truth[label],
                predicted_pixels: counts.predicted[label],
                iou,
                precision: share(counts.predicted[label]),
                recall: share(counts.truth[label]),
                boundary_iou: of_boundary.get(label).copied().flatten(),
            }
        };
        SegmentationEvaluation {
            images: self.images,
            classes: iou.iter().enumerate().map(class).collect(),
            mean_iou: mean(&iou),
            pixel_accuracy: counts.accuracy(),
            mean_boundary_iou: mean(&of_boundary),
            has_boundary: self.options.boundary.is_some(),
            class_names: self.options.class_names.clone(),
        }
    }
}

/// Evaluates all pixels of all images by class.
///
/// [`SegmentationEvaluation::columns`] with [`Run::add_metrics`](crate::run::Run::add_metrics) puts it
/// into a run without a pass.
///
/// # Errors
/// As [`SegmentationOptions::check`] and [`SegmentationEvaluator::add`].
///
/// # Source
/// scikit-learn's `confusion_matrix` over the pixels that are not void.
pub fn evaluate_segmentation(
    images: &[SegmentedImage],
    options: &SegmentationOptions,
) -> Result<SegmentationEvaluation> {
    let mut evaluator = SegmentationEvaluator::new(options)?;
    evaluator.add(images)?;
    Ok(evaluator.finish())
}

impl SegmentationEvaluation {
    /// One row for each class: the fields of [`SegmentedClass`] by their names, `label` as a
    /// category, and `example_id`, which is the label too: such rows join no table. `boundary_iou` is
    /// among them where it was asked for.
    ///
    /// # Shapes and units
    /// Counts are i64, all other numbers f64 or null.
    pub fn columns(&self) -> Columns {
        let counts = |of: fn(&SegmentedClass) -> u64| -> Vec<i64> {
            self.classes.iter().map(|class| of(class) as i64).collect()
        };
        let numbers = |of: fn(&SegmentedClass) -> Option<f64>| -> Vec<Option<f64>> {
            self.classes.iter().map(of).collect()
        };
        let labels: Vec<i32> = self
            .classes
            .iter()
            .map(|class| class.label as i32)
            .collect();
        let category = Role::Category {
            names: self.class_names.clone(),
        };
        let ids = Column::from(counts(|class| class.label as u64)).role(Role::Id);
        let columns = Columns::new()
            .with("example_id", ids)
            .with("label", Column::from(labels).role(category))
            .with("images", counts(|class| class.images))
            .with("pixels", counts(|class| class.pixels))
            .with("predicted_pixels", counts(|class| class.predicted_pixels))
            .with("iou", numbers(|class| class.iou))
            .with("precision", numbers(|class| class.precision))
            .with("recall", numbers(|class| class.recall));
        match self.has_boundary {
            true => columns.with("boundary_iou", numbers(|class| class.boundary_iou)),
            false => columns,
        }
    }
}
