//! What is counted of one image, and its predictions as a nested column.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Int32Array};

use super::instance::{by_confidence, check};
use super::matching::{Similarities, Target, greedy, ignored_last};
use super::{ImageInstances, InstanceOptions, InstanceTask};
use crate::Result;
use crate::table::{Column, Columns, list_of_structs};

/// Per-image columns of boxes, masks or keypoints.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `boxes_predicted`, ... | list of struct | the predictions, the most confident first: geometry, `label` (i32), `confidence` (f32), `iou` (or `oks`, f32) |
/// | `tp`, `fp`, `fn` | i32 | predictions that are right, that are wrong, truths that none found, where labels must agree |
/// | `tp_relaxed`, `fp_relaxed`, `fn_relaxed` | i32 | the same whatever the labels |
///
/// The name and fields of the first column come from the task. `iou` is the largest similarity with
/// any truth of the image that is no crowd, 0 without one. Predictions below the options' confidence
/// and beyond the `max_per_image` most confident are left out of all columns. Matching is COCO's:
/// the most confident prediction chooses first among the truths that are at least `threshold` alike;
/// what lies in a crowd counts neither way.
///
/// # Shapes and units
/// One row for each image; coordinates in the unit and order that the column's role says.
///
/// # Errors
/// As [`InstanceOptions::check`]; `Invalid` for a label that is no class, a NaN confidence or geometry
/// that means nothing, naming image (its place in `images`), instance and value.
///
/// ```
/// use emberlens::metrics::{AxisAlignedBoxes, BBox, ImageInstances, InstanceOptions};
/// use emberlens::metrics::{PredictedInstance, TrueInstance, instance_columns};
/// use emberlens::table::{BoxFormat, CoordinateUnit};
/// let bbox = |x0: f64| BBox::new([x0, 0.0, x0 + 4.0, 4.0], BoxFormat::Xyxy);
/// let image = ImageInstances::new(
///     vec![TrueInstance::new(bbox(0.0), 0)],
///     vec![PredictedInstance::new(bbox(1.0), 1, 0.9)],
/// );
/// let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
/// let columns = instance_columns(&task, &[image], &InstanceOptions::new(2))?;
/// let batch = columns.into_batch("example")?;
/// // The place is right (IoU 0.6), the label is not.
/// assert_eq!(emberlens::table::values::<i32>(&batch, "tp")?, [0]);
/// assert_eq!(emberlens::table::values::<i32>(&batch, "tp_relaxed")?, [1]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn instance_columns<T: InstanceTask>(
    task: &T,
    images: &[ImageInstances<T::Truth, T::Predicted>],
    options: &InstanceOptions,
) -> Result<Columns> {
    options.check()?;
    let mut columns = ImageColumns::new(task, options);
    for (number, image) in images.iter().enumerate() {
        check(task, number, image, options.n_classes)?;
        columns.add(image, &similarities(task, image));
    }
    columns.finish()
}

/// How alike every prediction and every truth of an image are.
pub(super) fn similarities<T: InstanceTask>(
    task: &T,
    image: &ImageInstances<T::Truth, T::Predicted>,
) -> Similarities {
    Similarities::new(
        image.predicted.len(),
        image.truth.len(),
        |prediction, truth| {
            let (predicted, truth) = (&image.predicted[prediction], &image.truth[truth]);
            task.similarity(&predicted.geometry, truth)
        },
    )
}

/// The columns so far.
pub(super) struct ImageColumns<'a, T: InstanceTask> {
    task: &'a T,
    options: &'a InstanceOptions,
    lengths: Vec<usize>,
    geometry: Vec<&'a T::Predicted>,
    labels: Vec<i32>,
    confidences: Vec<f32>,
    best: Vec<f32>,
    strict: [Vec<i32>; 3],
    relaxed: [Vec<i32>; 3],
}

impl<'a, T: InstanceTask> ImageColumns<'a, T> {
    pub(super) fn new(task: &'a T, options: &'a InstanceOptions) -> Self {
        Self {
            task,
            options,
            lengths: Vec::new(),
            geometry: Vec::new(),
            labels: Vec::new(),
            confidences: Vec::new(),
            best: Vec::new(),
            strict: Default::default(),
            relaxed: Default::default(),
        }
    }

    /// Adds an image that was checked.
    pub(super) fn add(
        &mut self,
        image: &'a ImageInstances<T::Truth, T::Predicted>,
        similarities: &Similarities,
    ) {
        let sure = |confidence: f64| confidence >= self.options.confidence;
        let mut kept = by_confidence(&image.predicted, |prediction| sure(prediction.confidence));
        kept.truncate(self.options.max_per_image);
        self.lengths.push(kept.len());
        for &index in &kept {
            let prediction = &image.predicted[index];
            let truths = image.truth.iter().zip(similarities.row(index));
            let alike = truths.filter(|(truth, _)| !truth.crowd).map(|(_, &s)| s);
            self.geometry.push(&prediction.geometry);
            // Labels were checked to be below the number of classes, an i32.
            self.labels.push(prediction.label as i32);
            self.confidences.push(prediction.confidence as f32);
            self.best.push(alike.fold(0.0, f64::max) as f32);
        }
        let strict = self.count(image, similarities, &kept, true);
        let relaxed = self.count(image, similarities, &kept, false);
        for (column, value) in self.strict.iter_mut().zip(strict) {
            column.push(value);
        }
        for (column, value) in self.relaxed.iter_mut().zip(relaxed) {
            column.push(value);
        }
    }

    /// Right, wrong and missed.
    fn count(
        &self,
        image: &ImageInstances<T::Truth, T::Predicted>,
        similarities: &Similarities,
        kept: &[usize],
        labels_agree: bool,
    ) -> [i32; 3] {
        let targets: Vec<Target> = image
            .truth
            .iter()
            .map(|truth| Target {
                crowd: truth.crowd,
                ignored: truth.crowd || self.task.is_ignored(&truth.geometry),
            })
            .collect();
        // What has another label is as far away as can be.
        let pairs = Similarities::new(kept.len(), targets.len(), |prediction, truth| {
            let index = kept[prediction];
            let agree = image.predicted[index].label == image.truth[truth].label;
            if agree || !labels_agree {
                similarities.row(index)[truth]
            } else {
                0.0
            }
        });
        let (mut order, mut taken) = (Vec::new(), Vec::new());
        ignored_last(&targets, &mut order);
        let (mut right, mut neither) = (0, 0);
        greedy(
            &pairs,
            kept.len(),
            &targets,
            &order,
            self.options.threshold,
            &mut taken,
            |_, truth| {
                if targets[truth].ignored {
                    neither += 1;
                } else {
                    right += 1;
                }
            },
        );
        let there = targets.iter().filter(|target| !target.ignored).count();
        [right, kept.len() - right - neither, there - right].map(|count| count as i32)
    }

    pub(super) fn finish(self) -> Result<Columns> {
        let task = self.task;
        let mut fields = task.fields(&self.geometry)?;
        fields.push(("label", Arc::new(Int32Array::from(self.labels)) as ArrayRef));
        fields.push(("confidence", Arc::new(Float32Array::from(self.confidences))));
        let similarity = Arc::new(Float32Array::from(self.best));
        fields.push((task.similarity_name(), similarity));
        let lists = list_of_structs(fields, self.lengths, None)?;
        let role = task.role(self.options.class_names.clone());
        let mut columns = Columns::new().with(
            self.options.column_name(task.column()),
            Column::from_array(lists).role(role),
        );
        for (suffix, counts) in [("", self.strict), ("_relaxed", self.relaxed)] {
            for (name, counts) in ["tp", "fp", "fn"].into_iter().zip(counts) {
                let name = self.options.column_name(&format!("{name}{suffix}"));
                columns.push(name, counts);
            }
        }
        Ok(columns)
    }
}
