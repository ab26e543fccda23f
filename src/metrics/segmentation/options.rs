//! The images of a semantic segmentation, and what to compute of them.

use std::sync::Arc;

use ndarray::Array2;

use crate::table::Role;
use crate::{Error, Result};

/// The true and the predicted class of every pixel of one image.
///
/// # Shapes and units
/// Both `[height, width]`, class indices from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentedImage {
    /// What is there.
    pub truth: Array2<u16>,
    /// What the model sees.
    pub predicted: Array2<u16>,
}

impl SegmentedImage {
    /// The masks of one image.
    pub fn new(truth: Array2<u16>, predicted: Array2<u16>) -> Self {
        Self { truth, predicted }
    }
}

/// The parameters of [`segmentation_columns`](super::segmentation_columns),
/// [`evaluate_segmentation`](super::evaluate_segmentation) and
/// [`Segmentation`](super::Segmentation).
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentationOptions {
    pub(super) n_classes: usize,
    pub(super) class_names: Arc<[String]>,
    pub(super) void: Option<u16>,
    pub(super) masks: bool,
    pub(super) boundary: Option<f64>,
    prefix: String,
    suffix: String,
}

impl SegmentationOptions {
    /// `n_classes` classes, from 0; every pixel belongs to one.
    pub fn new(n_classes: usize) -> Self {
        Self {
            n_classes,
            class_names: Arc::default(),
            void: None,
            masks: true,
            boundary: None,
            prefix: String::new(),
            suffix: String::new(),
        }
    }

    /// Names of the classes by index, kept with the columns.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The value of pixels that belong to no class, often 255. Where the truth has it, a pixel is
    /// left out; where only the prediction has it, the pixel is missed.
    pub fn void(mut self, value: u16) -> Self {
        self.void = Some(value);
        self
    }

    /// Whether the predicted masks are stored (default: yes).
    pub fn masks(mut self, yes: bool) -> Self {
        self.masks = yes;
        self
    }

    /// Computes boundary IoU too: the IoU of the pixels within a distance of the edge of their class,
    /// which is this share of the image's diagonal and 1 pixel at least (default: not computed; 0.02 is
    /// usual).
    ///
    /// # Source
    /// Cheng, Girshick, Dollár, Berg, Kirillov, *Boundary IoU: Improving Object-Centric Image
    /// Segmentation Evaluation* (CVPR 2021).
    pub fn boundary(mut self, share: f64) -> Self {
        self.boundary = Some(share);
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

    /// Checks the parameters against each other.
    ///
    /// # Errors
    /// `Invalid` for no class, more than a pixel of 16 bits can tell apart, a number of class
    /// names other than the number of classes, or a boundary that is no share of the diagonal.
    pub fn check(&self) -> Result<()> {
        if self.n_classes == 0 || self.n_classes > 1 << 16 {
            return Err(Error::invalid(
                "n_classes",
                self.n_classes,
                "there are from 1 to 65536 classes",
                "count the classes that may occur, also those that do not",
            ));
        }
        if !self.class_names.is_empty() && self.class_names.len() != self.n_classes {
            return Err(Error::invalid(
                "class_names",
                format!("{} names", self.class_names.len()),
                format!("there are {} classes", self.n_classes),
                "name every class, by index",
            ));
        }
        if let Some(share) = self.boundary
            && !(share > 0.0 && share <= 1.0)
        {
            return Err(Error::invalid(
                "boundary",
                share,
                "it is a share of the image's diagonal, above 0 and at most 1",
                "0.02 is usual",
            ));
        }
        Ok(())
    }

    /// Whether every value that may occur fits 8 bits.
    pub(super) fn fits_bytes(&self) -> bool {
        self.n_classes <= 1 << 8 && self.void.is_none_or(|void| void <= 255)
    }

    pub(super) fn role(&self) -> Role {
        Role::ClassMask {
            names: self.class_names.clone(),
            void: self.void,
        }
    }

    pub(super) fn column_name(&self, name: &str) -> String {
        format!("{}{name}{}", self.prefix, self.suffix)
    }
}
