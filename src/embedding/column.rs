//! Reading the embeddings of a run as reductions read them, without changing the run.

use arrow_array::RecordBatch;
use ndarray::Array2;

use super::rows::Rows;
use super::sample::Bound;
use super::source::{FitOn, Source};
use crate::run::{PassRecord, RunReader};
use crate::{CancelFlag, Error, Result};

/// An embedding column of a run; made by [`RunReader::embedding_column`].
pub struct EmbeddingColumn<'a> {
    source: Source<'a>,
    cancel: Option<&'a CancelFlag>,
}

/// The rows that a projection is learnt from.
#[derive(Clone, Debug)]
pub struct RowsToFit {
    /// The pass that they belong to.
    pub pass: PassRecord,
    /// `[rows, width]`, all finite.
    pub embeddings: Array2<f32>,
    /// The number of each within the rows of the pass that have an embedding, from 0, ascending.
    pub ordinals: Vec<u64>,
}

/// Some rows that have an embedding.
#[derive(Clone, Debug)]
pub struct EmbeddingRows {
    /// `example_id`, `split`, `epoch`, `pass_id`, and `instance` where samples have several.
    pub keys: RecordBatch,
    /// `[rows, width]`
    pub embeddings: Array2<f32>,
    /// Whether all values of the row are finite.
    pub finite: Vec<bool>,
}

impl RunReader {
    /// An embedding column, found and read as [`Run::reduce_embeddings`] finds and reads it.
    ///
    /// `stream` is needed where several streams have the column.
    ///
    /// ```
    /// use emberlens::embedding::FitOn;
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::{Column, Columns};
    /// use ndarray::arr2;
    ///
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// let embeddings = arr2(&[[0.0_f32, 0.0, 1.0], [3.0, 4.0, 1.0]]);
    /// let columns = Columns::new()
    ///     .with("example_id", vec![0_i64, 1])
    ///     .with("embedding", Column::embedding(embeddings.view()));
    /// run.add_metrics("default", columns, None, Some(Position::new("train").epoch(0)))?;
    ///
    /// let reader = run.reader()?;
    /// let column = reader.embedding_column("embedding", None)?;
    /// let chosen = column.rows_to_fit(FitOn::Latest, None)?;
    /// assert_eq!((chosen.pass.split.as_str(), chosen.embeddings), ("train", embeddings));
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound` for a stream that the run does not have, `MissingColumn` for a column that no
    /// stream has, `InvalidArgument` for one that several have, `Schema` for one of another type.
    ///
    /// [`Run::reduce_embeddings`]: crate::run::Run::reduce_embeddings
    pub fn embedding_column<'a>(
        &'a self,
        column: &'a str,
        stream: Option<&str>,
    ) -> Result<EmbeddingColumn<'a>> {
        Ok(EmbeddingColumn {
            source: Source::find(self, column, stream)?,
            cancel: None,
        })
    }
}

impl<'a> EmbeddingColumn<'a> {
    /// The stream that has the column.
    pub fn stream(&self) -> &str {
        self.source.stream()
    }

    /// Reading stops soon after the flag is set.
    pub fn cancel(mut self, flag: &'a CancelFlag) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// The rows to learn a projection from: those that [`Run::reduce_embeddings`] learns from.
    ///
    /// `sample` bounds their number; its second number is the seed that chooses them, as in
    /// [`Reduction::fit_sample`] and [`Reduction::sample_seed`].
    ///
    /// # Memory
    /// The rows; two times as many for a sample.
    ///
    /// # Errors
    /// `NotFound` without a complete pass to fit on, `NonFinite` when no row of them is finite,
    /// `InvalidArgument` for passes without embeddings and for a sample of no rows; `Interrupted`.
    ///
    /// [`Run::reduce_embeddings`]: crate::run::Run::reduce_embeddings
    /// [`Reduction::fit_sample`]: super::Reduction::fit_sample
    /// [`Reduction::sample_seed`]: super::Reduction::sample_seed
    pub fn rows_to_fit(
        &self,
        fit_on: FitOn<'_>,
        sample: Option<(usize, u64)>,
    ) -> Result<RowsToFit> {
        let bound = sample.map(|(rows, seed)| Bound::new(rows, seed));
        let check = || check(self.cancel);
        let passes = self.source.passes();
        let (pass, sample) = self
            .source
            .to_fit(&passes, fit_on, bound.transpose()?, &check)?;
        Ok(RowsToFit {
            pass,
            embeddings: sample.embeddings,
            ordinals: sample.ordinals,
        })
    }

    /// The rows of one pass that have an embedding.
    ///
    /// # Memory
    /// One batch at a time.
    ///
    /// # Errors
    /// `Storage` and `Corrupt`, also of each batch; `Interrupted` for a batch.
    pub fn of_pass(
        &self,
        pass: &PassRecord,
    ) -> Result<impl Iterator<Item = Result<EmbeddingRows>> + use<'a>> {
        Ok(checked(self.source.of_pass(pass)?, self.cancel))
    }

    /// The rows of all complete passes that have an embedding, in the order they were written.
    ///
    /// # Memory
    /// One batch at a time.
    ///
    /// # Errors
    /// As [`EmbeddingColumn::of_pass`].
    pub fn all(&self) -> Result<impl Iterator<Item = Result<EmbeddingRows>> + use<'a>> {
        Ok(checked(self.source.all(None)?, self.cancel))
    }
}

fn checked(
    batches: impl Iterator<Item = Result<Rows>>,
    cancel: Option<&CancelFlag>,
) -> impl Iterator<Item = Result<EmbeddingRows>> {
    batches.map(move |rows| {
        check(cancel)?;
        let rows = rows?;
        Ok(EmbeddingRows {
            keys: rows.keys,
            embeddings: rows.embeddings,
            finite: rows.finite,
        })
    })
}

fn check(cancel: Option<&CancelFlag>) -> Result<()> {
    match cancel {
        Some(flag) if flag.is_cancelled() => Err(Error::Interrupted {
            during: "reading embeddings".into(),
            kept: "nothing was changed",
        }),
        _ => Ok(()),
    }
}
