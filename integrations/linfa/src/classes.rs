//! The classes of a classification: from linfa's labels to class indices and names.

use std::fmt::Display;

use emberlens::metrics::{Classification, ScoreKind};
use emberlens::table::Role;
use emberlens::{Error, Result};
use linfa::dataset::{AsSingleTargets, DatasetBase, Label, Records};

/// The labels of a classification in ascending order; a label's place is its class index.
///
/// linfa's labels are whatever the data holds (`3..=8`, `"good"`, `true`), the library's are
/// indices from 0 with names. One `Classes` for the table, the collector and the scores keeps them
/// the same everywhere: make it of all data, not of a split that may lack a class.
///
/// ```
/// use emberlens_linfa::Classes;
/// let quality = Classes::new(["good", "bad", "good"]);
/// assert_eq!(quality.labels(), ["bad", "good"]);
/// assert_eq!(quality.index(&"good"), Some(1));
///
/// let iris = Classes::of(&linfa_datasets::iris()).named(["setosa", "versicolor", "virginica"])?;
/// assert_eq!(iris.names()[iris.index(&2).unwrap()], "virginica");
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes<L> {
    labels: Vec<L>,
    names: Vec<String>,
}

impl<L: Label + Display> Classes<L> {
    /// The distinct ones of these labels, each named as it prints.
    pub fn new(labels: impl IntoIterator<Item = L>) -> Self {
        let mut labels: Vec<L> = labels.into_iter().collect();
        labels.sort_unstable();
        labels.dedup();
        let names = labels.iter().map(ToString::to_string).collect();
        Self { labels, names }
    }

    /// The distinct labels of a dataset.
    pub fn of<R: Records>(dataset: &DatasetBase<R, impl AsSingleTargets<Elem = L>>) -> Self {
        Self::new(dataset.targets.as_single_targets().iter().cloned())
    }

    /// Names the classes, in ascending order of their labels.
    ///
    /// # Errors
    /// `Invalid` for another number of names than of classes.
    pub fn named(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.labels.len() {
            return Err(Error::invalid(
                "names",
                names.join(", "),
                format!("the classes are {}", self.names.join(", ")),
                "name every class, in that order",
            ));
        }
        self.names = names;
        Ok(self)
    }
}

impl<L: Label> Classes<L> {
    /// The labels by class index.
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// The names by class index.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True when there are no classes.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The class index of a label.
    pub fn index(&self, label: &L) -> Option<usize> {
        self.labels.binary_search(label).ok()
    }

    /// The role of a column of class indices.
    pub fn role(&self) -> Role {
        Role::category(self.names.iter().cloned())
    }

    /// The collector of scores of that kind, see [`Classes::probabilities`] and
    /// [`Classes::logits`].
    pub fn collector(&self, scores: ScoreKind) -> Classification {
        let collector = match scores {
            ScoreKind::Logits => Classification::logits(self.len()),
            ScoreKind::Probabilities => Classification::probabilities(self.len()),
        };
        collector.class_names(self.names.iter().cloned())
    }

    /// The class index of a label that must be one; `what` is named in errors.
    pub(crate) fn class(&self, what: impl FnOnce() -> String, label: &L) -> Result<usize> {
        self.index(label).ok_or_else(|| {
            Error::invalid(
                what(),
                format!("{label:?}"),
                format!("the classes are {:?}", self.labels),
                "make the classes of all labels that there are",
            )
        })
    }

    /// The class indices of labels that must be some; `what` and the place are named in errors.
    pub(crate) fn indices<'l>(
        &self,
        what: &str,
        labels: impl IntoIterator<Item = &'l L>,
    ) -> Result<Vec<usize>>
    where
        L: 'l,
    {
        let labels = labels.into_iter().enumerate();
        labels
            .map(|(place, label)| self.class(|| format!("{what} {place}"), label))
            .collect()
    }
}
