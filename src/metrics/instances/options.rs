//! What is counted of an image, and what of all images.

use std::sync::Arc;

use crate::{Error, Result};

/// More would be a mistake: memory for all of them is taken before the first image.
const MOST_CLASSES: usize = 1 << 20;

/// The parameters of [`instance_columns`](super::instance_columns), [`evaluate`](super::evaluate)
/// and [`InstanceCollector`](super::InstanceCollector).
///
/// The IoU threshold, the confidence and `max_per_image` are for what is counted of one image. Average
/// precision needs predictions of every confidence and takes COCO's ten thresholds instead.
///
/// ```
/// use emberlens::metrics::InstanceOptions;
/// let options = InstanceOptions::new(2).class_names(["cat", "dog"]).confidence(0.25);
/// assert!(options.check().is_ok());
/// assert!(InstanceOptions::new(0).check().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceOptions {
    pub(super) n_classes: usize,
    pub(super) class_names: Arc<[String]>,
    pub(super) threshold: f64,
    pub(super) confidence: f64,
    pub(super) max_per_image: usize,
    pub(super) max_per_class: usize,
    prefix: String,
    suffix: String,
}

impl InstanceOptions {
    /// `n_classes` classes, labelled from 0; at most 2^20.
    pub fn new(n_classes: usize) -> Self {
        Self {
            n_classes,
            class_names: Arc::default(),
            threshold: 0.5,
            confidence: 0.0,
            max_per_image: 100,
            max_per_class: 100,
            prefix: String::new(),
            suffix: String::new(),
        }
    }

    /// Names of the classes by label, kept with the columns.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The similarity (IoU, OKS) from which a prediction of an image is right (default: 0.5).
    pub fn threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// The confidence from which predictions are stored, counted for an image, and counted in the
    /// precision and recall of a class (default: 0). Average precision takes all.
    pub fn confidence(mut self, confidence: f64) -> Self {
        self.confidence = confidence;
        self
    }

    /// The most predictions of one image that are stored and counted for it, the most confident
    /// ones (default: 100).
    pub fn max_per_image(mut self, count: usize) -> Self {
        self.max_per_image = count;
        self
    }

    /// The most predictions of one class in one image that average precision takes, the most
    /// confident ones: COCO's last `maxDets` (default: 100; COCO's for keypoints is 20).
    pub fn max_per_class(mut self, count: usize) -> Self {
        self.max_per_class = count;
        self
    }

    /// Put before every column name of the images.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Put after every column name of the images.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Checks the parameters against each other.
    ///
    /// # Errors
    /// `Invalid` for no class or more than 2^20, a number of class names other than the number of classes, a
    /// threshold outside 0..=1 (0 itself matches what does not touch), or a NaN confidence.
    pub fn check(&self) -> Result<()> {
        if self.n_classes == 0 || self.n_classes > MOST_CLASSES {
            return Err(Error::invalid(
                "n_classes",
                self.n_classes,
                format!("there are from 1 to {MOST_CLASSES} classes"),
                "count the labels that may occur, also those that do not",
            ));
        }
        if !self.class_names.is_empty() && self.class_names.len() != self.n_classes {
            return Err(Error::invalid(
                "class_names",
                format!("{} names", self.class_names.len()),
                format!("there are {} classes", self.n_classes),
                "name every class, by label",
            ));
        }
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            return Err(Error::invalid(
                "threshold",
                self.threshold,
                "a similarity is above 0 and at most 1",
                "0.5 is usual",
            ));
        }
        if self.confidence.is_nan() {
            return Err(Error::invalid(
                "confidence",
                self.confidence,
                "nothing is above NaN",
                "0 counts every prediction",
            ));
        }
        Ok(())
    }

    pub(super) fn column_name(&self, name: &str) -> String {
        format!("{}{name}{}", self.prefix, self.suffix)
    }
}
