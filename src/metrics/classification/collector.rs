//! The classification collector and where it takes scores and labels from.

use std::borrow::Cow;

use arrow_schema::Schema;
use ndarray::Array2;

use super::{ClassificationOptions, classification_columns};
use crate::Result;
use crate::metrics::{MetricsCollector, Prediction};
use crate::table::Columns;

/// Class scores of a batch with the true labels.
///
/// # Shapes and units
/// `scores` `[batch, classes]`, logits or probabilities; `labels` `[batch]`, class indices from 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// Logits or probabilities, `[batch, classes]`.
    pub scores: Array2<f32>,
    /// Class indices, `[batch]`.
    pub labels: Vec<i64>,
}

impl Labelled {
    /// Scores and labels; labels may be `u8`, `i32`, `i64` or whatever becomes an `i64`.
    pub fn new(scores: Array2<f32>, labels: impl IntoIterator<Item = impl Into<i64>>) -> Self {
        Self {
            scores,
            labels: labels.into_iter().map(Into::into).collect(),
        }
    }
}

/// Model outputs from which class scores and labels can be read.
///
/// Implement it once for an output type and [`Classification`] needs no closure. `B` is the batch,
/// for outputs that leave the labels there.
pub trait ClassScores<B> {
    /// Scores and labels of the batch.
    ///
    /// # Errors
    /// Whatever reading them back from the device may give.
    fn class_scores(&self, batch: &B) -> Result<Labelled>;
}

impl<B> ClassScores<B> for Labelled {
    fn class_scores(&self, _batch: &B) -> Result<Labelled> {
        Ok(self.clone())
    }
}

impl<B, O: ClassScores<B>> ClassScores<B> for Prediction<O> {
    fn class_scores(&self, batch: &B) -> Result<Labelled> {
        self.output.class_scores(batch)
    }
}

/// A collector reads the output itself, through a trait such as [`ClassScores`].
#[derive(Clone, Copy, Debug, Default)]
pub struct FromOutput;

/// A collector reads batch and output with a closure, see [`Classification::from_fn`].
#[derive(Clone, Copy, Debug)]
pub struct FromBatch<F>(pub(in crate::metrics) F);

/// Collects the columns of [`classification_columns`] from every batch.
///
/// # Shapes and units
/// See [`classification_columns`].
///
/// # Errors
/// `collect` returns what [`classification_columns`] returns, and errors of the closure.
///
/// ```
/// use emberlens::metrics::{Classification, Labelled, MetricsCollector};
/// use ndarray::{Array2, arr2};
///
/// struct Batch { digits: Vec<u8> }
/// let collector = Classification::logits(2)
///     .class_names(["even", "odd"])
///     .from_fn(|batch: &Batch, logits: &Array2<f32>| {
///         Ok(Labelled::new(logits.clone(), batch.digits.iter().map(|digit| digit % 2)))
///     });
/// let batch = Batch { digits: vec![4, 7, 8] };
/// let logits = arr2(&[[3.0, 1.0], [0.0, 2.0], [0.5, 1.5]]);
/// let columns = collector.collect(&batch, &logits)?;
/// assert_eq!(columns.rows(), Some(3));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Classification<S = FromOutput> {
    options: ClassificationOptions,
    source: S,
    compute_aggregates: bool,
}

impl Classification {
    /// From logits of `n_classes` classes.
    pub fn logits(n_classes: usize) -> Self {
        Self::with_options(ClassificationOptions::logits(n_classes))
    }

    /// From probabilities of `n_classes` classes.
    pub fn probabilities(n_classes: usize) -> Self {
        Self::with_options(ClassificationOptions::probabilities(n_classes))
    }

    /// From ready-made options.
    pub fn with_options(options: ClassificationOptions) -> Self {
        Self {
            options,
            source: FromOutput,
            compute_aggregates: true,
        }
    }

    /// Reads scores and labels with a closure; write its argument types out.
    pub fn from_fn<B, O, F>(self, scores: F) -> Classification<FromBatch<F>>
    where
        F: Fn(&B, &O) -> Result<Labelled>,
    {
        Classification {
            options: self.options,
            source: FromBatch(scores),
            compute_aggregates: self.compute_aggregates,
        }
    }
}

impl<S> Classification<S> {
    /// Names of the classes by index, kept with the column `predicted`.
    pub fn class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.map_options(|options| options.class_names(names))
    }

    /// Adds `top_<k>_accuracy` and `top_<k>_predicted` (default: neither).
    pub fn top_k(self, k: usize) -> Self {
        self.map_options(|options| options.top_k(k))
    }

    /// Adds the column `label`, for data that is not joined to a table (default: no).
    pub fn label_column(self, yes: bool) -> Self {
        self.map_options(|options| options.label_column(yes))
    }

    /// Put before every column name, for models with several heads.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.map_options(|options| options.prefix(prefix))
    }

    /// Put after every column name.
    pub fn suffix(self, suffix: impl Into<String>) -> Self {
        self.map_options(|options| options.suffix(suffix))
    }

    /// Whether the pass aggregates these columns (default: yes).
    pub fn compute_aggregates(mut self, yes: bool) -> Self {
        self.compute_aggregates = yes;
        self
    }

    /// The parameters.
    pub fn options(&self) -> &ClassificationOptions {
        &self.options
    }

    fn map_options(
        mut self,
        change: impl FnOnce(ClassificationOptions) -> ClassificationOptions,
    ) -> Self {
        self.options = change(self.options);
        self
    }

    fn columns_of(&self, labelled: &Labelled) -> Result<Columns> {
        classification_columns(labelled.scores.view(), &labelled.labels, &self.options)
    }

    /// The columns of an empty batch; none when the parameters are wrong, which the first batch
    /// then reports.
    fn known_schema(&self) -> Option<Schema> {
        let scores = Array2::zeros((0, self.options.n_classes()));
        let columns = classification_columns(scores.view(), &[], &self.options).ok()?;
        let batch = columns.into_batch("Classification").ok()?;
        Some(batch.schema().as_ref().clone())
    }
}

impl<B, O: ClassScores<B>> MetricsCollector<B, O> for Classification<FromOutput> {
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        self.columns_of(&output.class_scores(batch)?)
    }

    fn schema(&self) -> Option<Schema> {
        self.known_schema()
    }

    fn compute_aggregates(&self) -> bool {
        self.compute_aggregates
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("Classification")
    }
}

impl<B, O, F> MetricsCollector<B, O> for Classification<FromBatch<F>>
where
    F: Fn(&B, &O) -> Result<Labelled>,
{
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        self.columns_of(&(self.source.0)(batch, output)?)
    }

    fn schema(&self) -> Option<Schema> {
        self.known_schema()
    }

    fn compute_aggregates(&self) -> bool {
        self.compute_aggregates
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("Classification")
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;
    use crate::Error;

    fn loss<B, O>(collector: &impl MetricsCollector<B, O>, batch: &B, output: &O) -> Columns {
        collector.collect(batch, output).unwrap()
    }

    #[test]
    fn outputs_predictions_and_closures_give_the_same_columns() {
        let labelled = Labelled::new(arr2(&[[1.0_f32, 0.0], [0.0, 2.0]]), [1_i32, 1]);
        let prediction = Prediction {
            output: labelled.clone(),
            hidden: Default::default(),
        };
        let direct = loss(&Classification::logits(2), &(), &labelled);
        let nested = loss(&Classification::logits(2), &(), &prediction);
        let closure =
            Classification::logits(2).from_fn(|labels: &Vec<u8>, scores: &Array2<f32>| {
                Ok(Labelled::new(scores.clone(), labels.iter().copied()))
            });
        let closure = loss(&closure, &vec![1, 1], &labelled.scores);
        let batches = [direct, nested, closure].map(|columns| columns.into_batch("x").unwrap());
        assert_eq!(batches[0], batches[1]);
        assert_eq!(batches[0], batches[2]);
    }

    #[test]
    fn the_schema_is_that_of_the_batches() {
        let collector = Classification::logits(2)
            .top_k(1)
            .prefix("a_")
            .label_column(true);
        let labelled = Labelled::new(arr2(&[[1.0_f32, 0.0]]), [1_i64]);
        let batch = loss(&collector, &(), &labelled).into_batch("x").unwrap();
        let schema = MetricsCollector::<(), Labelled>::schema(&collector);
        assert_eq!(schema.as_ref(), Some(batch.schema().as_ref()));
    }

    #[test]
    fn aggregates_can_be_turned_off_before_and_after_the_closure() {
        type Scores = fn(&(), &Labelled) -> Result<Labelled>;
        let read: Scores = |(), output| Ok(output.clone());
        let before = Classification::logits(2)
            .compute_aggregates(false)
            .from_fn(read);
        let after = Classification::logits(2)
            .from_fn(read)
            .compute_aggregates(false);
        let default = Classification::logits(2).from_fn(read);
        let on = |c: &Classification<FromBatch<Scores>>| MetricsCollector::compute_aggregates(c);
        assert_eq!(
            (on(&before), on(&after), on(&default)),
            (false, false, true)
        );
    }

    #[test]
    fn an_error_of_the_closure_is_passed_on() {
        let collector = Classification::logits(2)
            .from_fn(|(): &(), (): &()| Err::<Labelled, _>(Error::user("device lost")));
        let error = MetricsCollector::collect(&collector, &(), &()).unwrap_err();
        assert_eq!(error.to_string(), "device lost");
    }
}
