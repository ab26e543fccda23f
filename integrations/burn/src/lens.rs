//! The front door: what to collect from a Burn training, and where to.

use std::sync::{Arc, Mutex};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::train::InferenceStep;
use burn::train::logger::TrainingProgressLogger;
use emberlens::Result;
use emberlens::callback::{Callback, ErrorPolicy, Join, MetricsCollection};
use emberlens::metrics::Reshape;
use emberlens::run::{IfExists, Project, Run};
use serde_json::Value;

use crate::dataset::{BatcherCollate, BurnDataset, DeviceSlot};
use crate::outputs::{BurnPrediction, OutputMetrics, OutputOptions, SampleMetrics};
use crate::session::{Plan, Session};
use crate::shared::{SharedCollector, SharedPredictor};

/// The batch that the model of a lens takes.
pub(crate) type Input<M> = <M as InferenceStep>::Input;
/// What the model of a lens gives for a batch.
pub(crate) type Output<M> = BurnPrediction<<M as InferenceStep>::Output>;

/// Makes the collector of the output's own columns.
pub(crate) type MakeCollector<M> = fn(OutputOptions) -> SharedCollector<Input<M>, Output<M>>;

/// Collects per-sample metrics of a Burn training; the one type that most programs need.
///
/// A plain Burn program changes in five lines: it imports the lens, makes it, lets it watch the
/// training ([`WithLens`](crate::WithLens)), [tracks](Lens::track) the model, and
/// [launches](Lens::launch) through it. Everything else keeps its place and its result.
///
/// ```
/// # use std::sync::Arc;
/// # use burn::data::{dataloader::{DataLoaderBuilder, batcher::Batcher}, dataset::InMemDataset};
/// # use burn::nn::{Linear, LinearConfig, loss::CrossEntropyLossConfig};
/// # use burn::optim::SgdConfig;
/// # use burn::prelude::*;
/// # use burn::train::*;
/// # #[derive(Module, Debug)] struct Net { layer: Linear }
/// # #[derive(Clone, Debug)] struct Batch { x: Tensor<2>, y: Tensor<1, Int> }
/// # #[derive(Clone)] struct ToBatch;
/// # impl Batcher<(f32, i64), Batch> for ToBatch {
/// #     fn batch(&self, items: Vec<(f32, i64)>, device: &Device) -> Batch {
/// #         let (x, y): (Vec<f32>, Vec<i64>) = items.into_iter().unzip();
/// #         let rows = x.len();
/// #         Batch {
/// #             x: Tensor::from_data(TensorData::new(x, [rows, 1]), device),
/// #             y: Tensor::from_data(TensorData::new(y, [rows]), device),
/// #         }
/// #     }
/// # }
/// # impl Net {
/// #     fn forward(&self, batch: Batch) -> ClassificationOutput {
/// #         let logits = self.layer.forward(batch.x);
/// #         let loss = CrossEntropyLossConfig::new().init(&logits.device());
/// #         let loss = loss.forward(logits.clone(), batch.y.clone());
/// #         ClassificationOutput::new(loss, logits, batch.y)
/// #     }
/// # }
/// # impl TrainStep for Net {
/// #     type Input = Batch; type Output = ClassificationOutput;
/// #     fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
/// #         let output = self.forward(batch);
/// #         TrainOutput::new(self, output.loss.backward(), output)
/// #     }
/// # }
/// # impl InferenceStep for Net {
/// #     type Input = Batch; type Output = ClassificationOutput;
/// #     fn step(&self, batch: Batch) -> ClassificationOutput { self.forward(batch) }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let artifacts = folder.path().join("artifacts");
/// # let runs = folder.path().join("runs");
/// # let project = emberlens::run::Project::open(&runs.to_string_lossy(), "signs")?;
/// # let numbers = (-8..8).map(|x| (x as f32, i64::from(x >= 0))).collect();
/// # let train_set = Arc::new(InMemDataset::new(numbers));
/// # let valid_set = Arc::new(InMemDataset::new(vec![(-3.5, 0), (2.5, 1)]));
/// # let train_loader = DataLoaderBuilder::new(ToBatch).batch_size(8).build(train_set.clone());
/// # let valid_loader = DataLoaderBuilder::new(ToBatch).batch_size(8).build(valid_set.clone());
/// # let model = Net { layer: LinearConfig::new(1, 2).init(&Device::flex().autodiff()) };
/// # let optimiser = SgdConfig::new().init();
/// # let rate = 0.1;
/// # let batcher = ToBatch;
/// use emberlens_burn::{Lens, WithLens};
///
/// let lens = Lens::in_project(&project, batcher, train_set, valid_set); // or Lens::new("signs", ..)
/// let training = SupervisedTraining::new(&artifacts, train_loader, valid_loader)
///     .with_lens(&lens, &artifacts)
///     # .with_application_logger(None)
///     .num_epochs(4);
/// let learner = Learner::new(lens.track(model), optimiser, rate);
/// let trained = lens.launch(training, learner)?;
/// assert_eq!(trained.run.reader()?.passes("default").len(), 8); // 2 splits at 4 epochs
/// # Ok(())
/// # }
/// ```
///
/// Every epoch is collected by default: one row per sample of both datasets, from the model's own
/// validation step in evaluation mode, with the columns of its output type ([`SampleMetrics`]) and
/// the embeddings of its [`Tap`](crate::Tap)s. The run lies in the project of the given name below
/// `EMBERLENS_ROOT`, else `./emberlens`.
///
/// # Two means of one loss
/// `valid_loss_avg` is the mean over the samples. Burn's own `Loss`, which stands beside it in the
/// scalars, is the mean over the batches: a last batch that is smaller weighs as much as the others.
/// They are equal where all batches have one size.
///
/// # What it leaves alone
/// The training computes the same numbers with and without a lens: no random number is drawn, the
/// model is only read, batches for collection are made by the lens's own copy of the batcher. Give
/// it the datasets before they are shuffled or sampled, and a batcher without shared random state.
pub struct Lens<M: InferenceStep, I> {
    pub(crate) session: Arc<Session<M>>,
    pub(crate) progress_logger: Mutex<Option<Box<dyn TrainingProgressLogger>>>,
    pub(crate) plan: Plan,
    pub(crate) handle_ctrl_c: bool,
    pub(crate) hyperparameters: Value,
    pub(crate) project: Project,
    pub(crate) run: Option<Run>,
    pub(crate) run_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) if_exists: IfExists,
    pub(crate) device: DeviceSlot,
    pub(crate) batcher: BatcherCollate<I, Input<M>>,
    pub(crate) splits: Vec<Split<I>>,
    pub(crate) output_options: OutputOptions,
    pub(crate) output_metrics: Option<MakeCollector<M>>,
    pub(crate) collectors: Vec<SharedCollector<Input<M>, Output<M>>>,
    pub(crate) predictor: Option<SharedPredictor<M, Input<M>, Output<M>>>,
    pub(crate) embeddings: bool,
    pub(crate) reshape: Reshape,
    pub(crate) collection: MetricsCollection<M>,
    pub(crate) callbacks: Vec<Box<dyn Callback<M>>>,
    pub(crate) error_policy: ErrorPolicy,
}

/// One dataset that is collected.
pub(crate) struct Split<I> {
    pub(crate) name: String,
    pub(crate) dataset: BurnDataset<I>,
    pub(crate) join: Join,
}

/// Making one.
impl<M, I> Lens<M, I>
where
    M: InferenceStep + Module + 'static,
    M::Input: Clone,
    I: 'static,
{
    /// A lens on a model whose output has columns of its own: Burn's classification, regression,
    /// sequence and multi-label outputs, and whatever implements [`SampleMetrics`].
    ///
    /// The splits are called `train` and `valid`, as Burn calls them. Runs go to the project
    /// `project`.
    ///
    /// # Errors
    /// `Invalid` for a project name that is empty, and for a root that is no address.
    pub fn new(
        project: &str,
        batcher: impl Batcher<I, Input<M>> + 'static,
        train: impl Dataset<I> + 'static,
        valid: impl Dataset<I> + 'static,
    ) -> Result<Self>
    where
        <M as InferenceStep>::Output: SampleMetrics,
    {
        let project = Project::open_default(project)?;
        Ok(Self::in_project(&project, batcher, train, valid))
    }

    /// Like [`Lens::new`], in a project of your choice.
    pub fn in_project(
        project: &Project,
        batcher: impl Batcher<I, Input<M>> + 'static,
        train: impl Dataset<I> + 'static,
        valid: impl Dataset<I> + 'static,
    ) -> Self
    where
        <M as InferenceStep>::Output: SampleMetrics,
    {
        Self {
            output_metrics: Some(|options| SharedCollector::new(OutputMetrics::new(options))),
            ..Self::bare(project, batcher, train, valid)
        }
    }

    /// A lens on a model of any output; add collectors with [`Lens::collector`].
    pub fn bare(
        project: &Project,
        batcher: impl Batcher<I, Input<M>> + 'static,
        train: impl Dataset<I> + 'static,
        valid: impl Dataset<I> + 'static,
    ) -> Self {
        let device = DeviceSlot::default();
        let split = |name: &str, dataset| Split {
            name: name.to_owned(),
            dataset,
            join: Join::none(),
        };
        Self {
            session: Arc::new(Session::new()),
            progress_logger: Mutex::new(None),
            plan: Plan::default(),
            handle_ctrl_c: true,
            hyperparameters: Value::Null,
            project: project.clone(),
            run: None,
            run_name: None,
            description: None,
            tags: Vec::new(),
            if_exists: IfExists::default(),
            batcher: BatcherCollate::new(batcher, device.clone()),
            device,
            splits: vec![
                split("train", BurnDataset::new(train)),
                split("valid", BurnDataset::new(valid)),
            ],
            output_options: OutputOptions {
                label_column: true,
                ..OutputOptions::default()
            },
            output_metrics: None,
            collectors: Vec::new(),
            predictor: None,
            embeddings: true,
            reshape: Reshape::default(),
            collection: MetricsCollection::new(),
            callbacks: Vec::new(),
            error_policy: ErrorPolicy::default(),
        }
    }
}
