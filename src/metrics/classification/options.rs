//! What to compute for a classification, and how to name it.

use std::sync::Arc;

use crate::metrics::ScoreKind;
use crate::table::Role;
use crate::{Error, Result};

/// The parameters of [`classification_columns`](super::classification_columns) and of the
/// collector [`Classification`](super::Classification).
///
/// ```
/// use emberlens::metrics::ClassificationOptions;
/// let options = ClassificationOptions::logits(3).class_names(["cat", "dog", "bird"]).top_k(2);
/// assert_eq!(options.n_classes(), 3);
/// assert!(options.check().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationOptions {
    pub(super) kind: ScoreKind,
    pub(super) n_classes: usize,
    pub(super) class_names: Arc<[String]>,
    pub(super) top_k: Option<usize>,
    pub(super) label: bool,
    prefix: String,
    suffix: String,
}

impl ClassificationOptions {
    /// Scores are logits of `n_classes` classes.
    pub fn logits(n_classes: usize) -> Self {
        Self::new(ScoreKind::Logits, n_classes)
    }

    /// Scores are probabilities of `n_classes` classes.
    pub fn probabilities(n_classes: usize) -> Self {
        Self::new(ScoreKind::Probabilities, n_classes)
    }

    fn new(kind: ScoreKind, n_classes: usize) -> Self {
        Self {
            kind,
            n_classes,
            class_names: Arc::default(),
            top_k: None,
            label: false,
            prefix: String::new(),
            suffix: String::new(),
        }
    }

    /// Names of the classes by index, kept with the columns `predicted` and `label`.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// As [`ClassificationOptions::class_names`], without a copy: for options made anew per batch.
    pub fn shared_class_names(mut self, names: Arc<[String]>) -> Self {
        self.class_names = names;
        self
    }

    /// Adds `top_<k>_accuracy` and `top_<k>_predicted` (default: neither).
    pub fn top_k(mut self, k: usize) -> Self {
        self.top_k = Some(k);
        self
    }

    /// Adds the column `label`, for data that is not joined to a table (default: no).
    pub fn label_column(mut self, yes: bool) -> Self {
        self.label = yes;
        self
    }

    /// Put before every column name.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Put after every column name.
    pub fn suffix(mut self, suffix: impl Into<String>) -> Self {
        self.suffix = suffix.into();
        self
    }

    /// Number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// What the scores are.
    pub fn kind(&self) -> ScoreKind {
        self.kind
    }

    /// Checks the parameters against each other.
    ///
    /// # Errors
    /// `Invalid` for fewer than two classes, a number of class names other than the number of
    /// classes, or a k outside `1..=n_classes`.
    pub fn check(&self) -> Result<()> {
        if self.n_classes < 2 || i32::try_from(self.n_classes).is_err() {
            return Err(Error::invalid(
                "n_classes",
                self.n_classes,
                "a classification has from 2 to 2147483647 classes",
                "for one sigmoid score p pass two probabilities, 1 - p and p",
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
        match self.top_k {
            Some(k) if k == 0 || k > self.n_classes => Err(Error::invalid(
                "top_k",
                k,
                format!("there are {} classes", self.n_classes),
                format!("pass a k from 1 to {}", self.n_classes),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn column_name(&self, name: &str) -> String {
        format!("{}{name}{}", self.prefix, self.suffix)
    }

    pub(super) fn category(&self) -> Role {
        Role::Category {
            names: self.class_names.clone(),
        }
    }
}
