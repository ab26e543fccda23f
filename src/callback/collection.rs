//! The callback most people use: collects per-sample metrics of its splits while a model trains.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::Schedule;
use super::embeddings::{EmbeddingsMethod, EmbeddingsOptions};
use super::splits::{Collectors, DatasetSplit, Join, SplitPass};
use super::training::State;
use crate::CancelFlag;
use crate::Result;
use crate::collect::{Collate, Loader, MapDataset, ModelPredictor, Progress, Silent, Target};
use crate::run::{DEFAULT_STREAM, IfExists, Project, Run, to_json};

/// The split that [`MetricsCollection::validation_only`] leaves out, unless renamed.
const TRAIN: &str = "train";

/// Collects per-sample metrics of its splits at the scheduled epochs, and keeps the run.
///
/// At the start of a training it adopts the given or active run, or starts one by its names, and
/// logs the hyperparameters. When a training loader ends at a scheduled epoch it runs one pass over
/// every split. When loaders end it logs the training program's aggregates. At the end it collects
/// the final weights unless an epoch did, reduces embeddings by PaCMAP, and sets the run's status: completed,
/// interrupted, or failed with the reason.
///
/// ```
/// use emberlens::callback::{Callbacks, Collectors, Join, MetricsCollection, TrainingContext};
/// use emberlens::run::{Project, Status};
/// use emberlens::table::Columns;
///
/// let run = Project::open("memory://", "docs")?.run("line").start()?;
/// let collection = MetricsCollection::<f32>::new().run(&run).split(
///     "train",
///     vec![1.0_f32, 2.0],
///     Join::none(),
///     |items: Vec<f32>| Ok(items),
///     |slope: &f32, batch: &Vec<f32>| Ok(batch.iter().map(|x| slope * x).collect::<Vec<_>>()),
///     Collectors::new().prediction(|_: &Vec<f32>, output: &Vec<f32>| {
///         Ok(Columns::new().with("predicted", output.clone()))
///     }),
/// );
/// let mut callbacks = Callbacks::new().with(collection);
/// let context = TrainingContext { model: Some(&0.5), ..TrainingContext::new(0, 1) };
/// let _ = callbacks.on_training_start(&context);
/// let _ = callbacks.on_train_loader_end(&context);
/// let _ = callbacks.on_training_end(&context);
/// callbacks.finish()?;
/// assert_eq!(run.status(), Status::Completed);
/// assert_eq!(run.reader()?.metrics("default").values::<f32>("predicted")?, [0.5, 1.0]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub struct MetricsCollection<M> {
    pub(super) target: Target,
    pub(super) options: Options,
    pub(super) splits: Vec<Box<dyn SplitPass<M>>>,
    pub(super) state: State,
}

/// Everything that is not a run or a split.
pub(super) struct Options {
    pub(super) schedule: Schedule,
    pub(super) validation_only: bool,
    pub(super) train_split: String,
    pub(super) stream: String,
    pub(super) loader: Loader,
    pub(super) inference_chunk_size: Option<usize>,
    pub(super) task_parameters: Value,
    pub(super) predictions: bool,
    pub(super) embeddings: bool,
    pub(super) reduction: EmbeddingsOptions,
    pub(super) image_column: Option<String>,
    pub(super) label_column: Option<String>,
    pub(super) exclude_zero_weights: bool,
    pub(super) aggregates: bool,
    pub(super) cancel: CancelFlag,
    pub(super) progress: Arc<dyn Progress>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            validation_only: false,
            train_split: TRAIN.into(),
            stream: DEFAULT_STREAM.into(),
            loader: Loader::default(),
            inference_chunk_size: None,
            task_parameters: Value::Null,
            predictions: true,
            embeddings: true,
            reduction: EmbeddingsOptions::default(),
            image_column: None,
            label_column: None,
            exclude_zero_weights: false,
            aggregates: true,
            cancel: CancelFlag::new(),
            progress: Arc::new(Silent),
        }
    }
}

impl<M> Default for MetricsCollection<M> {
    fn default() -> Self {
        Self {
            target: Target::default(),
            options: Options::default(),
            splits: Vec::new(),
            state: State::default(),
        }
    }
}

impl<M> fmt::Debug for MetricsCollection<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let splits: Vec<_> = self.splits.iter().map(|split| split.split()).collect();
        f.debug_struct("MetricsCollection")
            .field("target", &self.target)
            .field("splits", &splits)
            .field("schedule", &self.options.schedule)
            .finish_non_exhaustive()
    }
}

/// Which run.
impl<M> MetricsCollection<M> {
    /// No splits; every epoch and the end are collected.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes to this run instead of the active one.
    pub fn run(mut self, run: &Run) -> Self {
        self.target.run = Some(run.clone());
        self
    }

    /// The project of the run to start; an error when the run in use belongs to another.
    pub fn project(mut self, project: &Project) -> Self {
        self.target.project = Some(project.clone());
        self
    }

    /// Like [`MetricsCollection::project`], by name in the default root.
    pub fn project_name(mut self, name: impl Into<String>) -> Self {
        self.target.project_name = Some(name.into());
        self
    }

    /// The name of the run to start; an error when the run in use has another.
    pub fn run_name(mut self, name: impl Into<String>) -> Self {
        self.target.run_name = Some(name.into());
        self
    }

    /// The description of the run; an error when the run in use has another.
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

/// What is collected.
impl<M> MetricsCollection<M> {
    /// Adds a split: a dataset, the rows it joins to (`&table` or [`Join::none`]), how items become
    /// a batch, how the model runs on one, and what is collected.
    pub fn split<D, K, P>(
        mut self,
        name: impl Into<String>,
        dataset: D,
        join: impl Into<Join>,
        collate: K,
        predictor: P,
        collectors: Collectors<K::Batch, P::Output>,
    ) -> Self
    where
        D: MapDataset + Send + Sync + 'static,
        K: Collate<D::Item> + Send + Sync + 'static,
        K::Batch: Send + 'static,
        P: ModelPredictor<M, K::Batch> + Send + 'static,
        P::Output: 'static,
    {
        self.splits.push(Box::new(DatasetSplit {
            name: name.into(),
            dataset,
            join: join.into(),
            collate,
            predictor,
            collectors,
        }));
        self
    }

    /// Adds a split that runs its own pass.
    pub fn split_pass(mut self, split: impl SplitPass<M> + 'static) -> Self {
        self.splits.push(Box::new(split));
        self
    }

    /// When to collect.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.options.schedule = schedule;
        self
    }

    /// The schedule, as it is set.
    pub fn schedule_in_use(&self) -> &Schedule {
        &self.options.schedule
    }

    /// Collects at exactly these 0-based epochs (and at the end, unless that is off).
    pub fn collection_epochs(mut self, epochs: impl IntoIterator<Item = usize>) -> Self {
        let old = &self.options.schedule;
        self.options.schedule = Schedule::epochs(epochs)
            .before_training(old.collects_before_training())
            .at_training_end(old.collects_at_training_end());
        self
    }

    /// Whether the weights before the first batch are collected (default no).
    pub fn collect_before_training(mut self, collect: bool) -> Self {
        self.options.schedule = self.options.schedule.before_training(collect);
        self
    }

    /// Whether the final weights are collected unless an epoch did (default yes).
    pub fn collect_at_training_end(mut self, collect: bool) -> Self {
        self.options.schedule = self.options.schedule.at_training_end(collect);
        self
    }

    /// Leaves out the training split (default no).
    pub fn validation_only(mut self, only: bool) -> Self {
        self.options.validation_only = only;
        self
    }

    /// The name of the training split (default `train`).
    pub fn train_split(mut self, name: impl Into<String>) -> Self {
        self.options.train_split = name.into();
        self
    }

    /// The stream to write to (default `default`).
    pub fn stream(mut self, stream: impl Into<String>) -> Self {
        self.options.stream = stream.into();
        self
    }

    /// Whether collectors of predictions run (default yes).
    pub fn predictions(mut self, collect: bool) -> Self {
        self.options.predictions = collect;
        self
    }

    /// Whether collectors of embeddings run (default yes).
    pub fn embeddings(mut self, collect: bool) -> Self {
        self.options.embeddings = collect;
        self
    }

    /// Dimensions that embeddings are reduced to (default 2).
    pub fn embeddings_dims(mut self, dims: usize) -> Self {
        self.options.reduction.dims = dims;
        self
    }

    /// How embeddings are reduced at the end of a training (default PaCMAP), for all collected
    /// epochs and splits by one projection; see [`Run::reduce_embeddings`].
    pub fn embeddings_method(mut self, method: EmbeddingsMethod) -> Self {
        self.options.reduction.method = method;
        self
    }

    /// The seed of the reduction, and of the sample it learns from (default 0).
    pub fn embeddings_seed(mut self, seed: u64) -> Self {
        self.options.reduction.seed = seed;
        self
    }

    /// Learns the projection from at most this many samples of the last pass over the training
    /// split; the others are placed by it (default all).
    pub fn embeddings_fit_sample(mut self, samples: usize) -> Self {
        self.options.reduction.fit_sample = Some(samples);
        self
    }

    /// Also lays out every epoch near the one before, with this penalty on movement, by PaCMAP:
    /// see [`Reduction::reduce_aligned`](crate::embedding::Reduction::reduce_aligned).
    pub fn embeddings_aligned(mut self, penalty: f32) -> Self {
        self.options.reduction.aligned = Some(penalty);
        self
    }

    /// Whether the vectors stay in the metrics after they were reduced (default yes).
    pub fn keep_embeddings(mut self, keep: bool) -> Self {
        self.options.reduction.keep = keep;
        self
    }

    /// Leaves out samples whose weight in the table is 0 (default no).
    pub fn exclude_zero_weights(mut self, exclude: bool) -> Self {
        self.options.exclude_zero_weights = exclude;
        self
    }

    /// Whether aggregates of the collected columns go to the run's scalars (default yes).
    pub fn aggregates(mut self, compute: bool) -> Self {
        self.options.aggregates = compute;
        self
    }

    /// The column with the images, which every table must have: recorded with the run as
    /// `collection.image_column` and handed to every split.
    pub fn image_column(mut self, name: impl Into<String>) -> Self {
        self.options.image_column = Some(name.into());
        self
    }

    /// The column with the labels, which every table must have: recorded with the run as
    /// `collection.label_column`, where rankings look it up, and handed to every split.
    pub fn label_column(mut self, name: impl Into<String>) -> Self {
        self.options.label_column = Some(name.into());
        self
    }
}

/// How it is collected.
impl<M> MetricsCollection<M> {
    /// How datasets are read.
    pub fn loader(mut self, loader: Loader) -> Self {
        self.options.loader = loader;
        self
    }

    /// Samples per batch (default 64); the same as setting it on the loader.
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.options.loader = self.options.loader.with_batch_size(samples);
        self
    }

    /// The most samples that the model gets in one call, where that is less than the batch size.
    pub fn inference_chunk_size(mut self, samples: usize) -> Self {
        self.options.inference_chunk_size = Some(samples);
        self
    }

    /// Parameters of the task: recorded with the run under `task` and handed to every split as
    /// [`to_json`] makes them.
    ///
    /// # Errors
    /// `Invalid` for what JSON cannot hold.
    pub fn task_parameters(mut self, parameters: &impl Serialize) -> Result<Self> {
        self.options.task_parameters = to_json(parameters)?;
        Ok(self)
    }

    /// Stops a pass between two batches once the flag is set; the run becomes `interrupted`. A training is
    /// stopped by that pass: one that collects nothing goes on, and is not collected at its end.
    pub fn cancel(mut self, flag: &CancelFlag) -> Self {
        self.options.cancel = flag.clone();
        self
    }

    /// The flag that stops a pass: that of [`MetricsCollection::cancel`], else one of its own.
    pub fn cancel_flag(&self) -> &CancelFlag {
        &self.options.cancel
    }

    /// Reports the progress of every pass.
    pub fn progress(mut self, progress: Arc<dyn Progress>) -> Self {
        self.options.progress = progress;
        self
    }
}
