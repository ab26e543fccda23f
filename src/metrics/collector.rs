//! The trait that turns (batch, model output) into per-sample columns.

use std::borrow::Cow;

use arrow_schema::Schema;

use crate::Result;
use crate::table::Columns;

/// Turns one batch and the model's output on it into named columns, one value per sample.
///
/// A closure `Fn(&Batch, &Output) -> Result<Columns>` is a collector; write the argument types out.
/// A collector keeps no state between batches: every value belongs to one sample. What only the
/// whole split tells comes from a [`PassCollector`], which it makes anew for every pass.
///
/// ```
/// use emberlens::metrics::MetricsCollector;
/// use emberlens::table::Columns;
/// let squares = |batch: &Vec<f32>, _output: &()| {
///     Ok(Columns::new().with("square", batch.iter().map(|x| x * x).collect::<Vec<_>>()))
/// };
/// let columns = MetricsCollector::collect(&squares, &vec![2.0, 3.0], &()).unwrap();
/// assert_eq!(columns.rows(), Some(2));
/// ```
pub trait MetricsCollector<B, O> {
    /// The columns of one batch; each has as many rows as the batch has samples.
    ///
    /// # Errors
    /// Any error ends the pass with [`crate::Error::Collector`]; what was flushed stays. Wrap
    /// errors of your own with [`crate::Error::user`]. A panic is caught and reported the same way.
    fn collect(&self, batch: &B, output: &O) -> Result<Columns>;

    /// The columns that `collect` will return, when known before the first batch.
    ///
    /// With a schema the names and types of every batch are checked against it; without one the
    /// first batch decides. An empty dataset gets its columns from here.
    fn schema(&self) -> Option<Schema> {
        None
    }

    /// Whether the pass aggregates this collector's numeric columns (default: yes).
    fn compute_aggregates(&self) -> bool {
        true
    }

    /// The name shown in errors.
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(std::any::type_name::<Self>())
    }

    /// What takes this collector's place for one pass and has rows of its own when that ends
    /// (default: nothing does). Whoever wraps a collector passes this on.
    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        None
    }
}

/// A collector that also sums a pass up: rows of classes, a confusion matrix.
///
/// One lives from the beginning of a pass to its end. What it has then, or after each batch, goes to a
/// second stream, at the split and epoch of the pass, with its constants. A pass that fails or is
/// interrupted has none of it that readers see. Where the stream of the pass is not `default`, its name
/// comes first: `teacher_per_class`. In a training of several ranks every rank sums up the samples that
/// it saw: its rows are a part of that stream, and nothing adds them up.
pub trait PassCollector<B, O> {
    /// The stream of the rows, another than that of the pass and of other collectors, for passes into
    /// the stream `default`.
    fn stream(&self) -> &str;

    /// As [`MetricsCollector::collect`].
    ///
    /// # Errors
    /// As [`MetricsCollector::collect`].
    fn collect(&mut self, batch: &B, output: &O) -> Result<Columns>;

    /// As [`PassCollector::collect`], with the `example_id` of every sample of the batch; this is what a
    /// pass calls (default: calls `collect`).
    ///
    /// # Errors
    /// As [`MetricsCollector::collect`].
    fn collect_examples(&mut self, _example_ids: &[i64], batch: &B, output: &O) -> Result<Columns> {
        self.collect(batch, output)
    }

    /// Rows of the second stream that are ready after a batch, so that they need not wait in memory for
    /// the end of the pass (default: none). All of a pass have the same columns.
    ///
    /// # Errors
    /// As [`MetricsCollector::collect`].
    fn take_rows(&mut self) -> Result<Columns> {
        Ok(Columns::new())
    }

    /// Whether `example_id` of the second stream is that of the pass, so that its rows join to the same
    /// table (default: no).
    fn joins_table(&self) -> bool {
        false
    }

    /// The last rows of the second stream; without columns there are none. `example_id` may name what they are about (a class); without
    /// it rows are numbered.
    ///
    /// Before a pass it is asked of one that saw no batch, for the names of the columns: a constant of
    /// such a name is told before the model runs.
    ///
    /// # Errors
    /// Any error ends the pass with [`crate::Error::Collector`].
    fn finish(self: Box<Self>) -> Result<Columns>;
}

impl<B, O, F> MetricsCollector<B, O> for F
where
    F: Fn(&B, &O) -> Result<Columns>,
{
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        self(batch, output)
    }
}

impl<B, O> MetricsCollector<B, O> for Box<dyn MetricsCollector<B, O> + Send + Sync + '_> {
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        self.as_ref().collect(batch, output)
    }

    fn schema(&self) -> Option<Schema> {
        self.as_ref().schema()
    }

    fn compute_aggregates(&self) -> bool {
        self.as_ref().compute_aggregates()
    }

    fn name(&self) -> Cow<'_, str> {
        self.as_ref().name()
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        self.as_ref().begin_pass()
    }
}
