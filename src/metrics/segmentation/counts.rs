//! Pixels by class: right, predicted, true.

use ndarray::Zip;

use super::boundary::{boundary, width};
use super::{SegmentationOptions, SegmentedImage};
use crate::{Error, Result};

/// Pixels of every class among those whose truth is not void.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// On the diagonal of the confusion matrix.
    pub(super) right: Vec<u64>,
    /// Sums over the other of its axes: predicted to be of the class, whatever they are.
    pub(super) predicted: Vec<u64>,
    /// Of the class, whatever they are predicted to be.
    pub(super) truth: Vec<u64>,
    /// The same of the pixels along boundaries, where these are asked for.
    pub(super) boundary: Option<Box<Counts>>,
}

impl Counts {
    pub(super) fn new(n_classes: usize) -> Self {
        let [right, predicted, truth] = [(); 3].map(|()| vec![0; n_classes]);
        Self {
            right,
            predicted,
            truth,
            boundary: None,
        }
    }

    /// Counts one image; `number` is for errors.
    pub(super) fn of(
        image: &SegmentedImage,
        number: usize,
        options: &SegmentationOptions,
    ) -> Result<Self> {
        let SegmentedImage { truth, predicted } = image;
        let size = |(height, width): (usize, usize)| format!("{height} x {width}");
        if truth.dim() != predicted.dim() || truth.is_empty() {
            return Err(Error::invalid(
                format!("prediction of image {number}"),
                size(predicted.dim()),
                format!("its truth has {}", size(truth.dim())),
                "give both the size of the image, one pixel or more",
            ));
        }
        let class = |value: u16| (options.void != Some(value)).then_some(usize::from(value));
        let mut counts = Self::new(options.n_classes);
        let mut fits = true;
        Zip::from(truth)
            .and(predicted)
            .for_each(|&truth, &predicted| {
                let (truth, predicted) = (class(truth), class(predicted));
                let known =
                    |class: Option<usize>| class.is_none_or(|class| class < options.n_classes);
                fits &= known(truth) && known(predicted);
                if let (true, Some(truth)) = (fits, truth) {
                    counts.truth[truth] += 1;
                    if let Some(predicted) = predicted {
                        counts.predicted[predicted] += 1;
                        counts.right[truth] += u64::from(truth == predicted);
                    }
                }
            });
        if !fits {
            return Err(unknown_class(image, number, options));
        }
        if let Some(share) = options.boundary {
            let distance = width(truth.dim(), share);
            counts.boundary = Some(Box::new(Self::along_boundaries(image, distance, options)));
        }
        Ok(counts)
    }

    /// Counts the pixels within a distance of the edges of their classes; those whose truth is void are
    /// left out here too, and make an edge.
    fn along_boundaries(
        image: &SegmentedImage,
        distance: usize,
        options: &SegmentationOptions,
    ) -> Self {
        let mut counts = Self::new(options.n_classes);
        let [of_truth, of_predicted] =
            [&image.truth, &image.predicted].map(|mask| boundary(mask.view(), distance));
        Zip::from(&image.truth)
            .and(&image.predicted)
            .and(&of_truth)
            .and(&of_predicted)
            .for_each(|&truth, &predicted, &is_true, &is_predicted| {
                if options.void == Some(truth) {
                    return;
                }
                let class = usize::from(truth);
                counts.truth[class] += u64::from(is_true);
                if is_predicted && options.void != Some(predicted) {
                    counts.predicted[usize::from(predicted)] += 1;
                    counts.right[class] += u64::from(is_true && truth == predicted);
                }
            });
        counts
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (own, new) in [
            (&mut self.right, &other.right),
            (&mut self.predicted, &other.predicted),
            (&mut self.truth, &other.truth),
        ] {
            own.iter_mut().zip(new).for_each(|(own, new)| *own += new);
        }
        match (&mut self.boundary, &other.boundary) {
            (Some(own), Some(new)) => own.add(new),
            (own @ None, Some(new)) => *own = Some(new.clone()),
            (_, None) => {}
        }
    }

    /// Intersection over union of every class; `None` where nothing is of the class or predicted so.
    pub(super) fn iou(&self) -> Vec<Option<f64>> {
        let classes = self.right.iter().zip(&self.predicted).zip(&self.truth);
        let iou = classes.map(|((&right, &predicted), &truth)| {
            let union = predicted + truth - right;
            (union > 0).then(|| right as f64 / union as f64)
        });
        iou.collect()
    }

    /// Boundary IoU of every class, where it is asked for.
    pub(super) fn boundary_iou(&self) -> Option<Vec<Option<f64>>> {
        self.boundary.as_ref().map(|boundary| boundary.iou())
    }

    /// Share of the pixels that are right; `None` without pixels.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let pixels: u64 = self.truth.iter().sum();
        let right: u64 = self.right.iter().sum();
        (pixels > 0).then(|| right as f64 / pixels as f64)
    }
}

/// The mean of what is known.
pub(super) fn mean(values: &[Option<f64>]) -> Option<f64> {
    let known = || values.iter().flatten();
    let count = known().count();
    (count > 0).then(|| known().sum::<f64>() / count as f64)
}

/// Names the first pixel with a value that is no class.
fn unknown_class(image: &SegmentedImage, number: usize, options: &SegmentationOptions) -> Error {
    let unknown =
        |value: u16| options.void != Some(value) && usize::from(value) >= options.n_classes;
    let masks = [("truth", &image.truth), ("prediction", &image.predicted)];
    let mut found = masks.iter().flat_map(|(kind, mask)| {
        let pixels = mask.indexed_iter();
        pixels.filter_map(move |(place, &value)| unknown(value).then_some((*kind, place, value)))
    });
    let (kind, (row, column), value) = found.next().unwrap_or(("truth", (0, 0), 0));
    Error::invalid(
        format!("{kind} of image {number}, row {row}, column {column}"),
        value,
        format!("the classes are 0..{}", options.n_classes),
        "name the value of pixels without a class with `void`",
    )
}
