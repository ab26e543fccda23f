//! What is seen of every class, image by image: outcomes of predictions under all of COCO's settings.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::evaluation::{ClassEvaluation, Evaluation};
use super::instance::{by_confidence, check};
use super::matching::{Similarities, Target, greedy, ignored_last};
use super::{ImageInstances, InstanceOptions, InstanceTask};
use crate::Result;

/// COCO's similarity thresholds, as NumPy's `linspace(.5, .95, 10)` gives them.
pub(super) const THRESHOLDS: [f64; 10] = [
    0.5,
    0.55,
    0.6,
    0.65,
    0.7,
    0.75,
    0.8,
    0.85,
    0.899_999_999_999_999_9,
    0.95,
];

/// COCO's ranges of areas in square pixels: all, small, medium, large. Both ends belong to a range.
pub(super) const AREAS: [(f64, f64); 4] =
    [(0.0, 1e10), (0.0, 1024.0), (1024.0, 9216.0), (9216.0, 1e10)];

/// Images that one thread takes at a time.
const CHUNK: usize = 64;

/// The outcome of one prediction in one area range; one bit for each threshold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) matched: u16,
    pub(super) ignored: u16,
}

/// What was seen of one class. Predictions stand in the order of the images and, within one, by
/// falling confidence.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) confidence: Vec<f64>,
    /// The prediction's place within its image and class, from 0.
    pub(super) place: Vec<u32>,
    /// For every prediction, one for each area range.
    pub(super) outcomes: Vec<Outcome>,
    /// Truths that count, by area range.
    pub(super) instances: [u64; AREAS.len()],
    /// Images with a truth that counts.
    pub(super) images: u64,
}

impl Seen {
    fn append(&mut self, mut other: Self) {
        self.confidence.append(&mut other.confidence);
        self.place.append(&mut other.place);
        self.outcomes.append(&mut other.outcomes);
        for (own, new) in self.instances.iter_mut().zip(other.instances) {
            *own += new;
        }
        self.images += other.images;
    }
}

/// Collects images for an evaluation by class; see [`evaluate`] for all at once.
///
/// # Memory
/// 12 bytes for each prediction and 4 for each of its area ranges, of which pixels have four. The
/// images themselves are not kept.
///
/// ```
/// use emberlens::metrics::{AxisAlignedBoxes, BBox, Evaluator, ImageInstances, InstanceOptions};
/// use emberlens::metrics::{PredictedInstance, TrueInstance};
/// use emberlens::table::{BoxFormat, CoordinateUnit};
/// let (task, options) = (AxisAlignedBoxes::new(CoordinateUnit::Pixels), InstanceOptions::new(1));
/// let at = |x: f64| BBox::new([x, 0.0, 10.0, 10.0], BoxFormat::Xywh);
/// let mut evaluator = Evaluator::new(&task, &options)?;
/// evaluator.add(&[ImageInstances::new(
///     vec![TrueInstance::new(at(0.0), 0)],
///     vec![PredictedInstance::new(at(1.0), 0, 0.9), PredictedInstance::new(at(50.0), 0, 0.3)],
/// )])?;
/// let cat = &evaluator.finish().classes[0];
/// // The intersection is 90, the union 110: right up to a threshold of 0.8, seven of the ten.
/// assert!((cat.ap.unwrap() - 0.7).abs() < 1e-12);
/// assert_eq!(cat.best_f1, Some(1.0));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Debug)]
pub struct Evaluator<'a, T> {
    task: &'a T,
    options: &'a InstanceOptions,
    classes: Vec<Seen>,
    images: usize,
}

impl<'a, T: InstanceTask> Evaluator<'a, T> {
    /// No images yet.
    ///
    /// # Errors
    /// As [`InstanceOptions::check`].
    pub fn new(task: &'a T, options: &'a InstanceOptions) -> Result<Self> {
        options.check()?;
        Ok(Self {
            task,
            options,
            classes: vec![Seen::default(); options.n_classes],
            images: 0,
        })
    }

    /// Adds images, on all threads; predictions of equal confidence stand in the order of the images.
    ///
    /// # Errors
    /// `Invalid` for an image with a label that is no class, a NaN confidence or geometry that means
    /// nothing; the text names image (counted over all calls), instance and value. The images of the
    /// call are then left out.
    pub fn add(&mut self, images: &[ImageInstances<T::Truth, T::Predicted>]) -> Result<()> {
        let (task, options, first) = (self.task, self.options, self.images);
        let chunks = images.par_chunks(CHUNK).enumerate().map(|(chunk, images)| {
            let mut classes = BTreeMap::new();
            for (number, image) in (first + chunk * CHUNK..).zip(images) {
                check(task, number, image, options.n_classes)?;
                see_image(task, image, options, &mut classes, |prediction, truth| {
                    let (predicted, truth) = (&image.predicted[prediction], &image.truth[truth]);
                    task.similarity(&predicted.geometry, truth)
                });
            }
            Ok(classes)
        });
        // Collected before any is looked at, so that the first image at fault is the one named.
        let chunks: Vec<Result<_>> = chunks.collect();
        let chunks: Vec<_> = chunks.into_iter().collect::<Result<_>>()?;
        for (class, seen) in chunks.into_iter().flatten() {
            self.classes[class].append(seen);
        }
        self.images += images.len();
        Ok(())
    }

    /// Adds one image that was checked, whose similarities are known.
    pub(super) fn add_known(
        &mut self,
        image: &ImageInstances<T::Truth, T::Predicted>,
        similarities: &Similarities,
    ) {
        let mut classes = BTreeMap::new();
        see_image(
            self.task,
            image,
            self.options,
            &mut classes,
            |prediction, truth| similarities.row(prediction)[truth],
        );
        for (class, seen) in classes {
            self.classes[class].append(seen);
        }
        self.images += 1;
    }

    /// The evaluation of every class, also of those that were never seen.
    pub fn finish(self) -> Evaluation {
        let areas = areas_of(self.task);
        let classes = self.classes.par_iter().enumerate();
        Evaluation {
            images: self.images as u64,
            classes: classes
                .map(|(label, seen)| ClassEvaluation::of(label, seen, areas, self.options))
                .collect(),
            class_names: self.options.class_names.clone(),
        }
    }
}

/// Evaluates images by class: average precision and its relatives as COCO defines them.
///
/// See [`Evaluation`] for what comes out. [`Evaluation::columns`] with
/// [`Run::add_metrics`](crate::run::Run::add_metrics) puts it into a run without a pass.
///
/// # Errors
/// As [`InstanceOptions::check`] and [`Evaluator::add`].
///
/// # Source
/// Lin et al., *Microsoft COCO: Common Objects in Context* (2014); `cocoeval.py` of pycocotools 2.0
/// settles ties, crowds, area ranges and interpolation.
pub fn evaluate<T: InstanceTask>(
    task: &T,
    images: &[ImageInstances<T::Truth, T::Predicted>],
    options: &InstanceOptions,
) -> Result<Evaluation> {
    let mut evaluator = Evaluator::new(task, options)?;
    evaluator.add(images)?;
    Ok(evaluator.finish())
}

/// Number of area ranges that mean something for the task.
fn areas_of<T: InstanceTask>(task: &T) -> usize {
    if task.has_pixel_areas() {
        AREAS.len()
    } else {
        1
    }
}

/// Matches one image class by class.
fn see_image<T: InstanceTask>(
    task: &T,
    image: &ImageInstances<T::Truth, T::Predicted>,
    options: &InstanceOptions,
    classes: &mut BTreeMap<usize, Seen>,
    similarity: impl Fn(usize, usize) -> f64,
) {
    let mut predictions = by_confidence(&image.predicted, |_| true);
    predictions.sort_by_key(|&index| image.predicted[index].label);
    let mut truths: Vec<usize> = (0..image.truth.len()).collect();
    truths.sort_by_key(|&index| image.truth[index].label);
    let (mut predictions, mut truths) = (predictions.as_slice(), truths.as_slice());
    while let Some(label) = [
        predictions.first().map(|&at| image.predicted[at].label),
        truths.first().map(|&at| image.truth[at].label),
    ]
    .into_iter()
    .flatten()
    .min()
    {
        let ours = predictions.partition_point(|&at| image.predicted[at].label == label);
        let theirs = truths.partition_point(|&at| image.truth[at].label == label);
        let (of_class, true_of_class);
        (of_class, predictions) = predictions.split_at(ours);
        (true_of_class, truths) = truths.split_at(theirs);
        // Labels were checked, so none is left out here.
        let Ok(class) = usize::try_from(label) else {
            continue;
        };
        let of_class = &of_class[..ours.min(options.max_per_class)];
        let pairs = Similarities::new(of_class.len(), theirs, |prediction, truth| {
            similarity(of_class[prediction], true_of_class[truth])
        });
        let seen = classes.entry(class).or_default();
        see_class(task, image, (of_class, true_of_class), &pairs, seen);
    }
}

/// Matches the instances of one class in one image, under every area range and threshold.
fn see_class<T: InstanceTask>(
    task: &T,
    image: &ImageInstances<T::Truth, T::Predicted>,
    (predictions, truths): (&[usize], &[usize]),
    similarities: &Similarities,
    seen: &mut Seen,
) {
    let areas = areas_of(task);
    let first = seen.outcomes.len();
    seen.outcomes
        .resize(first + predictions.len() * areas, Outcome::default());
    for (place, &prediction) in (0..).zip(predictions) {
        seen.confidence.push(image.predicted[prediction].confidence);
        seen.place.push(place);
    }
    let (mut order, mut taken, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for (area, &(least, most)) in AREAS.iter().enumerate().take(areas) {
        let outside = |size: f64| size < least || size > most;
        targets.clear();
        targets.extend(truths.iter().map(|&truth| {
            let truth = &image.truth[truth];
            let size = truth
                .area
                .unwrap_or_else(|| task.truth_area(&truth.geometry));
            Target {
                crowd: truth.crowd,
                ignored: truth.crowd || task.is_ignored(&truth.geometry) || outside(size),
            }
        }));
        let counted = targets.iter().filter(|target| !target.ignored).count() as u64;
        seen.instances[area] += counted;
        if area == 0 {
            seen.images += u64::from(counted > 0);
        }
        ignored_last(&targets, &mut order);
        let outcomes = &mut seen.outcomes[first..];
        for (bit, &threshold) in THRESHOLDS.iter().enumerate() {
            greedy(
                similarities,
                predictions.len(),
                &targets,
                &order,
                threshold,
                &mut taken,
                |prediction, truth| {
                    let outcome = &mut outcomes[prediction * areas + area];
                    outcome.matched |= 1 << bit;
                    outcome.ignored |= u16::from(targets[truth].ignored) << bit;
                },
            );
        }
        for (place, &prediction) in predictions.iter().enumerate() {
            if outside(task.predicted_area(&image.predicted[prediction].geometry)) {
                let outcome = &mut outcomes[place * areas + area];
                outcome.ignored |= !outcome.matched;
            }
        }
    }
}
