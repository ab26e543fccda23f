//! The builder that collects per-sample metrics of a dataset in one pass.

use super::collate::{Collate, Items};
use super::constant::Constant;
use super::dataset::{MapDataset, Transformed};
use super::gather::BoxCollectors;
use super::loader::Loader;
use super::pass::{Parts, run_pass};
use super::predictor::Predictor;
use super::preprocess::NoPredictor;
use super::report::PassReport;
use super::settings::Settings;
use super::target::{Origin, Target, end_run};
use crate::CancelFlag;
use crate::Result;
use crate::metrics::MetricsCollector;
use crate::progress::Progress;
use crate::run::{IfExists, Project, Run};
use crate::table::Table;

/// Begins the collection of per-sample metrics of a dataset.
///
/// One inference pass runs all collectors and writes one metrics table. Say first what happens to
/// the data (`transform`, `collate`, `predictor`), then add the collectors, then the rest in any
/// order, and end with [`CollectMetrics::into_run`] or [`CollectMetrics::collect`].
///
/// ```
/// use emberlens::collect::{Loader, collect_metrics};
/// use emberlens::run::Project;
/// use emberlens::table::Columns;
///
/// let run = Project::open("memory://", "docs")?.run("squares").start()?;
/// let dataset = vec![1.0_f32, 2.0, 3.0];
/// let report = collect_metrics(&dataset)
///     .predictor(|batch: &Vec<f32>| Ok(batch.iter().map(|x| x * x).collect::<Vec<_>>()))
///     .collector(|batch: &Vec<f32>, output: &Vec<f32>| {
///         let error = batch.iter().zip(output).map(|(x, y)| (x - y).abs()).collect::<Vec<_>>();
///         Ok(Columns::new().with("error", error))
///     })
///     .without_table()
///     .split("train")
///     .epoch(0)
///     .loader(Loader::batch_size(2))
///     .into_run(&run)?;
/// assert_eq!(report.rows, 3);
/// assert_eq!(report.aggregate("train_error_max"), Some(6.0));
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn collect_metrics<D: MapDataset + ?Sized>(
    dataset: &D,
) -> CollectMetrics<'_, &D, Items, NoPredictor, NoCollectors> {
    CollectMetrics {
        dataset,
        collate: Items,
        predictor: NoPredictor,
        collectors: NoCollectors,
        settings: Settings::default(),
        target: Target::default(),
    }
}

/// A collection that has no collector yet: its data may still change their type.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCollectors;

/// A collection being described; made by [`collect_metrics`].
#[must_use = "nothing is collected before into_run or collect"]
pub struct CollectMetrics<'a, D, K, P, S> {
    dataset: D,
    collate: K,
    predictor: P,
    collectors: S,
    settings: Settings<'a>,
    target: Target,
}

impl<'a, D: MapDataset, K, P> CollectMetrics<'a, D, K, P, NoCollectors> {
    /// Sends every item through a transform of its own for collection, for example one without
    /// augmentation.
    pub fn transform<T, F>(
        self,
        transform: F,
    ) -> CollectMetrics<'a, Transformed<D, F>, K, P, NoCollectors>
    where
        F: Fn(D::Item) -> Result<T>,
    {
        self.with(|dataset, collate, predictor| {
            (Transformed::new(dataset, transform), collate, predictor)
        })
    }

    /// Makes batches of items; without it a batch is a `Vec` of items.
    pub fn collate<C>(self, collate: C) -> CollectMetrics<'a, D, C, P, NoCollectors>
    where
        C: Collate<D::Item>,
    {
        self.with(|dataset, _, predictor| (dataset, collate, predictor))
    }

    /// Runs a model on every batch; without it the collectors' output is `()`.
    ///
    /// A hook before the model (moving to a device, normalising) is a
    /// [`Preprocess`](super::Preprocess).
    pub fn predictor<Q>(self, predictor: Q) -> CollectMetrics<'a, D, K, Q, NoCollectors>
    where
        K: Collate<D::Item>,
        Q: Predictor<K::Batch>,
    {
        self.with(|dataset, collate, _| (dataset, collate, predictor))
    }

    /// Adds the first collector.
    pub fn collector<C>(
        self,
        collector: C,
    ) -> CollectMetrics<'a, D, K, P, BoxCollectors<'a, K::Batch, P::Output>>
    where
        K: Collate<D::Item>,
        P: Predictor<K::Batch>,
        C: MetricsCollector<K::Batch, P::Output> + Send + Sync + 'a,
    {
        self.collectors(vec![Box::new(collector)])
    }

    /// Sets all collectors at once.
    pub fn collectors(
        self,
        collectors: BoxCollectors<'a, K::Batch, P::Output>,
    ) -> CollectMetrics<'a, D, K, P, BoxCollectors<'a, K::Batch, P::Output>>
    where
        K: Collate<D::Item>,
        P: Predictor<K::Batch>,
    {
        CollectMetrics {
            dataset: self.dataset,
            collate: self.collate,
            predictor: self.predictor,
            collectors,
            settings: self.settings,
            target: self.target,
        }
    }

    fn with<E, C, Q>(
        self,
        change: impl FnOnce(D, K, P) -> (E, C, Q),
    ) -> CollectMetrics<'a, E, C, Q, NoCollectors> {
        let (dataset, collate, predictor) = change(self.dataset, self.collate, self.predictor);
        CollectMetrics {
            dataset,
            collate,
            predictor,
            collectors: NoCollectors,
            settings: self.settings,
            target: self.target,
        }
    }
}

impl<'a, D, K, P, S> CollectMetrics<'a, D, K, P, S> {
    /// Joins the rows to a table: item `i` of the dataset is row `i` of the table.
    pub fn table(mut self, table: &Table) -> Self {
        self.settings.table = Some(table.clone());
        self
    }

    /// Joins the rows to the table at a URL.
    pub fn foreign_table_url(mut self, url: impl Into<String>) -> Self {
        self.settings.foreign_table_url = Some(url.into());
        self
    }

    /// Says that there is no table; `example_id` is the dataset's index.
    pub fn without_table(mut self) -> Self {
        self.settings.without_table = true;
        self
    }

    /// The table row of every item, for a dataset that is a part of its table; repeats are allowed.
    pub fn example_ids(mut self, ids: impl Into<Vec<i64>>) -> Self {
        self.settings.example_ids = Some(ids.into());
        self
    }

    /// Names the split (default: none).
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.settings.split = split.into();
        self
    }

    /// Sets the 0-based epoch (default: none); -1 stands for the weights before the first epoch.
    pub fn epoch(mut self, epoch: impl Into<Option<i64>>) -> Self {
        self.settings.epoch = epoch.into();
        self
    }

    /// Names the stream (default: `default`).
    pub fn stream(mut self, stream: impl Into<String>) -> Self {
        self.settings.stream = stream.into();
        self
    }

    /// Adds a column with one value for the whole pass.
    pub fn constant(mut self, name: impl Into<String>, value: impl Into<Constant>) -> Self {
        self.settings.constants.push((name.into(), value.into()));
        self
    }

    /// Leaves out samples whose weight in the table is 0 (default: no).
    pub fn exclude_zero_weights(mut self, exclude: bool) -> Self {
        self.settings.exclude_zero_weights = exclude;
        self
    }

    /// Whether aggregates go to the run's scalars (default: yes).
    pub fn aggregates(mut self, compute: bool) -> Self {
        self.settings.aggregates = compute;
        self
    }

    /// Leaves the aggregates in the run's buffer: whoever calls flushes it after several passes.
    pub(crate) fn without_flush(mut self) -> Self {
        self.settings.flush_scalars = false;
        self
    }

    /// Sets how the dataset is read (default: batches of 64 on the calling thread).
    pub fn loader(mut self, loader: Loader) -> Self {
        self.settings.loader = loader;
        self
    }

    /// Stops the pass between two batches once the flag is set.
    pub fn cancel(mut self, flag: &CancelFlag) -> Self {
        self.settings.cancel = flag.clone();
        self
    }

    /// Reports progress in samples.
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.settings.progress = progress;
        self
    }

    /// Writes to this run instead of the active one.
    pub fn run(mut self, run: &Run) -> Self {
        self.target.run = Some(run.clone());
        self
    }

    /// The project of a run that is started when there is no explicit and no active one.
    pub fn project(mut self, project: &Project) -> Self {
        self.target.project = Some(project.clone());
        self
    }

    /// Like [`CollectMetrics::project`], by name in the default root.
    pub fn project_name(mut self, name: impl Into<String>) -> Self {
        self.target.project_name = Some(name.into());
        self
    }

    /// The name of a run that is started when there is no explicit and no active one.
    pub fn run_name(mut self, name: impl Into<String>) -> Self {
        self.target.run_name = Some(name.into());
        self
    }

    /// The description of the run.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.target.description = Some(text.into());
        self
    }

    /// What happens when a run of that name exists (default: a new name).
    pub fn if_exists(mut self, choice: IfExists) -> Self {
        self.target.if_exists = choice;
        self
    }
}

impl<'a, D, K, P, B, O> CollectMetrics<'a, D, K, P, BoxCollectors<'a, B, O>>
where
    D: MapDataset + Sync,
    K: Collate<D::Item, Batch = B> + Sync,
    P: Predictor<B, Output = O>,
    B: Send,
{
    /// Adds another collector.
    pub fn collector(mut self, collector: impl MetricsCollector<B, O> + Send + Sync + 'a) -> Self {
        self.collectors.push(Box::new(collector));
        self
    }

    /// Runs the pass and writes it to `run`; see [`CollectMetrics::collect`].
    ///
    /// # Errors
    /// As [`CollectMetrics::collect`].
    pub fn into_run(self, run: &Run) -> Result<PassReport> {
        self.run(run).collect()
    }

    /// Runs the pass and writes it: to the given run, else to the active one, else to a new one,
    /// which is ended with the pass.
    ///
    /// The run's status is `collecting` meanwhile. The pass shows to readers when this returns `Ok`.
    ///
    /// # Memory
    /// The writer's buffer and the loader's batches, whatever the number of samples.
    ///
    /// # Errors
    /// `Invalid` for wrong arguments, all of them at once; `UserCode` when the dataset, the
    /// predictor or a collector fails or panics; `Interrupted` when the flag was set; `Storage` when
    /// writing fails. After an error the rows written so far are kept, the pass is recorded as
    /// abandoned, and readers leave it out; after one of a second stream's last record, or of the
    /// aggregates, which are written when the pass is complete, it stays.
    pub fn collect(mut self) -> Result<PassReport> {
        let plan = self
            .settings
            .check(self.dataset.len(), self.collectors.len())?;
        let (run, origin) = self.target.resolve()?;
        let parts = Parts {
            dataset: &self.dataset,
            collate: &self.collate,
            predictor: &mut self.predictor,
            collectors: self.collectors.iter().map(|own| &**own as _).collect(),
        };
        let outcome = run_pass(&self.settings, &plan, &run, parts);
        if origin == Origin::Created {
            let ended = end_run(&run, outcome.as_ref().err());
            return outcome.and_then(|report| ended.map(|()| report));
        }
        outcome
    }
}
