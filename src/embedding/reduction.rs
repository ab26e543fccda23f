//! `Run::reduction`: what is to be reduced, on which rows, and what becomes of the vectors.

use super::fit::{Fit, ParameterSet};
use super::groups::{Filter, Per};
use super::sample::Bound;
use super::source::FitOn;
use crate::CancelFlag;
use crate::progress::{Progress, Silent};
use crate::reduce::{Projection, Reducer, Watch};
use crate::run::{ProjectionInfo, Run};
use crate::{Error, Result};

/// A reduction of one embedding column, to be configured; made by [`Run::reduction`].
///
/// ```
/// use emberlens::embedding::FitOn;
/// use emberlens::reduce::Pca;
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
/// let report = run
///     .reduction("embedding")
///     .fit_on(FitOn::LatestPass("train"))
///     .fit_sample(10_000)
///     .named("overview")
///     .reduce(&Pca::params().dims(2))?;
/// assert_eq!((report.name.as_str(), report.rows), ("embedding-overview", 2));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone)]
pub struct Reduction<'a> {
    pub(super) run: &'a Run,
    pub(super) column: &'a str,
    pub(super) stream: Option<&'a str>,
    pub(super) fit_on: FitOn<'a>,
    pub(super) bound: Option<usize>,
    pub(super) sample_seed: u64,
    pub(super) per: Per,
    pub(super) filter: Filter,
    pub(super) name: Option<String>,
    pub(super) sets: Vec<ParameterSet<'a>>,
    pub(super) keep_vectors: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: Option<&'a CancelFlag>,
}

impl Run {
    /// Reduces an embedding column: fits on one pass and places all passes, splits and epochs.
    ///
    /// Writes the table `projections/<column>-<method>` (`example_id`, `split`, `epoch`, `pass_id`,
    /// then `x`, `y`, `z`, or `x0`, `x1`, ... beyond three coordinates) in one commit, so that
    /// readers see all of it or nothing, and the fitted projection
    /// `models/<column>-<method>-<ulid>.bin`. Reducing again replaces the rows of the table;
    /// earlier ones stay readable as its earlier version. The run shows as `reducing` meanwhile and
    /// gets its status back afterwards. [`RunReader::projection`](crate::run::RunReader::projection)
    /// reads the coordinates; [`Run::reduction`] has more options.
    ///
    /// A row whose embedding holds NaN or an infinity is not learnt from; it stands in the table
    /// with null coordinates and is counted in `rows_not_finite`. Where all rows of the pass to fit
    /// on are so (a training that diverged), the pass before it is fitted.
    ///
    /// A column of lists of vectors (`list<list<f32>>`, one vector for each instance of a sample)
    /// gives one row per instance, numbered from 0 in the column `instance`; a stream whose rows
    /// carry an integer column `instance` themselves keeps their numbers.
    ///
    /// # Shapes and units
    /// Coordinates are f32 in the units of the method.
    ///
    /// # Memory
    /// The embeddings of the pass that is fitted, and one batch of the others at a time.
    ///
    /// # Errors
    /// `MissingColumn` for a column that no stream has, `InvalidArgument` for one that several
    /// have, `NotFound` without a complete pass to fit on, `NonFinite` naming split, epoch and
    /// example when no finite row is left, and those of [`Reducer::fit`]. After an error the run's
    /// metrics, and an earlier reduction, are as they were.
    pub fn reduce_embeddings(
        &self,
        column: &str,
        reducer: &impl Reducer,
        fit_on: FitOn<'_>,
    ) -> Result<ProjectionInfo> {
        self.reduction(column).fit_on(fit_on).reduce(reducer)
    }

    /// Places an embedding column by a projection that was fitted elsewhere: the coordinates of
    /// this run can be compared with those of the run that fitted it.
    ///
    /// `model_url` is the address of the projection's file, as the producer's
    /// [`ProjectionModel::url`](crate::run::ProjectionModel) has it: relative to the project that
    /// both runs belong to, or a URL. It is recorded as an input. More options, and a projection in
    /// memory: [`Reduction::apply`].
    ///
    /// # Errors
    /// `NotFound` without that file, `Corrupt` for one that is damaged, `InvalidArgument` for
    /// embeddings of another width, and as [`Run::reduce_embeddings`].
    pub fn apply_projection(&self, column: &str, model_url: &str) -> Result<ProjectionInfo> {
        self.reduction(column).apply_url(model_url)
    }

    /// A reduction with more options than [`Run::reduce_embeddings`].
    pub fn reduction<'a>(&'a self, column: &'a str) -> Reduction<'a> {
        Reduction {
            run: self,
            column,
            stream: None,
            fit_on: FitOn::Latest,
            bound: None,
            sample_seed: 0,
            per: Per::Run,
            filter: Filter::default(),
            name: None,
            sets: Vec::new(),
            keep_vectors: true,
            progress: &Silent,
            cancel: None,
        }
    }
}

/// What is reduced.
impl<'a> Reduction<'a> {
    /// Names the stream, where several have the column.
    pub fn stream(mut self, stream: &'a str) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Only passes over this split are fitted and placed.
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.filter.split = Some(split.into());
        self
    }

    /// Only passes that join to the table of this address, at any revision, are fitted and placed.
    pub fn table(mut self, url: impl AsRef<str>) -> Self {
        let url = url.as_ref().trim_end_matches('/');
        self.filter.table = Some(self.run.project().relative(url));
        self
    }

    /// Fits one projection for each split or table (default: one for all rows).
    pub fn per(mut self, per: Per) -> Self {
        self.per = per;
        self
    }

    /// Whether the vectors stay in the metrics (default yes).
    ///
    /// Without them the metrics take far less room and can be reduced again only from the earlier
    /// version of their table, which keeps them until it is vacuumed. One commit sets the column to
    /// null in the rows that were placed, after the coordinates are safe; the column stays in the
    /// schema, since later passes may write it again.
    pub fn keep_vectors(mut self, keep: bool) -> Self {
        self.keep_vectors = keep;
        self
    }
}

/// How it is learnt and what it is called.
impl<'a> Reduction<'a> {
    /// Sets the pass that the projection is learnt from.
    pub fn fit_on(mut self, fit_on: FitOn<'a>) -> Self {
        self.fit_on = fit_on;
        self
    }

    /// Learns from at most this many rows of that pass, chosen by [`Reduction::sample_seed`]; the
    /// others are placed by the projection like those of every other pass.
    ///
    /// # Memory
    /// Bounds what is read of the pass to two times as many rows.
    pub fn fit_sample(mut self, rows: usize) -> Self {
        self.bound = Some(rows);
        self
    }

    /// The seed that the sample is chosen by (default 0); the same seed chooses the same rows.
    pub fn sample_seed(mut self, seed: u64) -> Self {
        self.sample_seed = seed;
        self
    }

    /// Names the result `<column>-<name>` instead of `<column>-<method>`: reductions of one column
    /// by several parameters stand side by side.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds parameters for [`Reduction::reduce_all`], with the name of their result.
    pub fn with(mut self, name: impl Into<String>, reducer: &'a impl Reducer) -> Self {
        self.sets.push((Some(name.into()), reducer as &dyn Fit));
        self
    }

    /// Reports progress: the stages of the fit, then one unit per row placed.
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Stops soon after the flag is set; everything is left as it was.
    pub fn cancel(mut self, flag: &'a CancelFlag) -> Self {
        self.cancel = Some(flag);
        self
    }
}

/// The work.
impl Reduction<'_> {
    /// Fits, places, writes and records; see [`Run::reduce_embeddings`].
    ///
    /// # Errors
    /// Those of [`Run::reduce_embeddings`]; `InvalidArgument` for a name whose folder the
    /// coordinates of another column or stream have; `Interrupted` when the flag was set.
    pub fn reduce(self, reducer: &impl Reducer) -> Result<ProjectionInfo> {
        one(self.work(&[(self.name.clone(), reducer)])?)
    }

    /// Reduces by every parameter set that [`Reduction::with`] added: each gets a table of
    /// coordinates and a model of its own.
    ///
    /// The embeddings are read once for all of them. Nothing is published before the last one has
    /// placed its rows.
    ///
    /// # Errors
    /// Those of [`Reduction::reduce`]; `InvalidArgument` without parameters and for a name that is
    /// given twice.
    pub fn reduce_all(self) -> Result<Vec<ProjectionInfo>> {
        self.work(&self.sets)
    }

    /// Places the column by a projection in memory, of which the run keeps a copy.
    ///
    /// # Errors
    /// Those of [`Reduction::reduce`], and of [`Projection::transform`].
    pub fn apply(self, model: &dyn Projection) -> Result<ProjectionInfo> {
        one(self.place_by(model, None)?)
    }

    /// Places the column by the projection in a file; see [`Run::apply_projection`].
    ///
    /// # Errors
    /// Those of [`Run::apply_projection`].
    pub fn apply_url(self, model_url: &str) -> Result<ProjectionInfo> {
        let model = super::apply::open(self.run, model_url)?;
        one(self.place_by(model.as_ref(), Some(model_url))?)
    }

    pub(super) fn watch(&self) -> Watch<'_> {
        let watch = Watch::default().progress(self.progress);
        match self.cancel {
            Some(flag) => watch.cancel(flag),
            None => watch,
        }
    }

    pub(super) fn check_cancelled(&self) -> Result<()> {
        match self.cancel {
            Some(flag) if flag.is_cancelled() => Err(Error::Interrupted {
                during: format!("the reduction of `{}`", self.column),
                kept: "nothing was changed",
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn bound(&self) -> Result<Option<Bound>> {
        self.bound
            .map(|rows| Bound::new(rows, self.sample_seed))
            .transpose()
    }
}

fn one(mut reports: Vec<ProjectionInfo>) -> Result<ProjectionInfo> {
    reports.pop().ok_or_else(nothing_to_do)
}

/// The error for a reduction without parameters.
pub(super) fn nothing_to_do() -> Error {
    Error::invalid(
        "parameters",
        "(none)",
        "there is nothing to reduce by",
        "add parameters with `with`",
    )
}
