//! The splits that a training collects: a dataset with what is needed to run a model on it.

use crate::CancelFlag;
use crate::Result;
use crate::collect::{
    BoxCollector, Collate, Loader, MapDataset, ModelPredictor, PassReport, Progress,
    collect_metrics,
};
use crate::metrics::{MetricsCollector, PassCollector};
use crate::run::Run;
use crate::table::{Columns, Table};

/// What a pass over one split is asked to do.
#[non_exhaustive]
#[derive(Clone, Copy)]
pub struct PassRequest<'a> {
    /// The run to write to.
    pub run: &'a Run,
    /// 0-based epoch; `None` outside a training.
    pub epoch: Option<i64>,
    /// The stream to write to.
    pub stream: &'a str,
    /// How to read the dataset.
    pub loader: &'a Loader,
    /// Whether the collectors of predictions run.
    pub predictions: bool,
    /// Whether the collectors of embeddings run.
    pub embeddings: bool,
    /// Whether samples of weight 0 are left out.
    pub exclude_zero_weights: bool,
    /// Whether aggregates go to the run's scalars.
    pub aggregates: bool,
    /// Parameters of the task, passed through as they were given.
    pub task_parameters: &'a serde_json::Value,
    /// The column with the images, if named.
    pub image_column: Option<&'a str>,
    /// The column with the labels, if named.
    pub label_column: Option<&'a str>,
    /// Stops the pass between two batches.
    pub cancel: &'a CancelFlag,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
}

/// One split that [`MetricsCollection`](super::MetricsCollection) collects.
pub trait SplitPass<M>: Send {
    /// The split's name.
    fn split(&self) -> &str;

    /// The table that its rows join to.
    fn table(&self) -> Option<&Table>;

    /// How many collectors run for this choice of predictions and embeddings.
    fn collectors(&self, predictions: bool, embeddings: bool) -> usize;

    /// Runs one pass over the split with this model.
    ///
    /// # Errors
    /// As [`CollectMetrics::collect`](crate::collect::CollectMetrics::collect).
    fn collect(&self, model: &M, request: &PassRequest<'_>) -> Result<PassReport>;
}

/// The rows of a table that the items of a split belong to.
///
/// Made from `&table` when item `i` is row `i`.
#[derive(Clone, Debug, Default)]
pub struct Join {
    table: Option<Table>,
    example_ids: Option<Vec<i64>>,
}

impl Join {
    /// No table; `example_id` is the dataset's index.
    pub fn none() -> Self {
        Self::default()
    }

    /// Item `i` of the dataset is row `example_ids[i]` of the table: a split of a larger table.
    pub fn rows(table: &Table, example_ids: impl Into<Vec<i64>>) -> Self {
        Self {
            table: Some(table.clone()),
            example_ids: Some(example_ids.into()),
        }
    }
}

impl From<&Table> for Join {
    fn from(table: &Table) -> Self {
        Self {
            table: Some(table.clone()),
            example_ids: None,
        }
    }
}

impl From<Option<&Table>> for Join {
    fn from(table: Option<&Table>) -> Self {
        table.map(Self::from).unwrap_or_default()
    }
}

/// What a collector is for; the options of the collection switch whole kinds off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Prediction,
    Embedding,
}

/// The collectors of one split, sorted into predictions and embeddings.
///
/// ```
/// use emberlens::callback::Collectors;
/// use emberlens::table::Columns;
/// let collectors = Collectors::<Vec<f32>, ()>::new().prediction(|batch: &Vec<f32>, _: &()| {
///     Ok(Columns::new().with("value", batch.clone()))
/// });
/// assert_eq!(collectors.len(), 1);
/// ```
pub struct Collectors<B, O> {
    all: Vec<(Kind, BoxCollector<'static, B, O>)>,
}

impl<B, O> Default for Collectors<B, O> {
    fn default() -> Self {
        Self { all: Vec::new() }
    }
}

impl<B, O> Collectors<B, O> {
    /// No collectors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a collector of predictions: losses, classes, scores.
    pub fn prediction(
        self,
        collector: impl MetricsCollector<B, O> + Send + Sync + 'static,
    ) -> Self {
        self.with(Kind::Prediction, Box::new(collector))
    }

    /// Adds a collector of embeddings.
    pub fn embedding(self, collector: impl MetricsCollector<B, O> + Send + Sync + 'static) -> Self {
        self.with(Kind::Embedding, Box::new(collector))
    }

    fn with(mut self, kind: Kind, collector: BoxCollector<'static, B, O>) -> Self {
        self.all.push((kind, collector));
        self
    }

    /// Number of collectors.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True without collectors.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn chosen(
        &self,
        predictions: bool,
        embeddings: bool,
    ) -> impl Iterator<Item = &BoxCollector<'static, B, O>> {
        self.all.iter().filter_map(move |(kind, collector)| {
            let on = match kind {
                Kind::Prediction => predictions,
                Kind::Embedding => embeddings,
            };
            on.then_some(collector)
        })
    }
}

/// A split made of a dataset, a collate function, a predictor and collectors.
pub(super) struct DatasetSplit<D, K, P, B, O> {
    pub(super) name: String,
    pub(super) dataset: D,
    pub(super) join: Join,
    pub(super) collate: K,
    pub(super) predictor: P,
    pub(super) collectors: Collectors<B, O>,
}

impl<M, D, K, P, B, O> SplitPass<M> for DatasetSplit<D, K, P, B, O>
where
    D: MapDataset + Send + Sync,
    K: Collate<D::Item, Batch = B> + Send + Sync,
    P: ModelPredictor<M, B, Output = O> + Send,
    B: Send,
{
    fn split(&self) -> &str {
        &self.name
    }

    fn table(&self) -> Option<&Table> {
        self.join.table.as_ref()
    }

    fn collectors(&self, predictions: bool, embeddings: bool) -> usize {
        self.collectors.chosen(predictions, embeddings).count()
    }

    fn collect(&self, model: &M, request: &PassRequest<'_>) -> Result<PassReport> {
        let chosen = self
            .collectors
            .chosen(request.predictions, request.embeddings);
        let collectors = chosen.map(|own| Box::new(Borrowed(&**own)) as BoxCollector<'_, B, O>);
        let (collate, predictor) = (&self.collate, &self.predictor);
        let pass = collect_metrics(&self.dataset)
            .collate(|items: Vec<D::Item>| collate.collate(items))
            .predictor(|batch: &B| predictor.predict(model, batch))
            .collectors(collectors.collect())
            .split(&self.name)
            .epoch(request.epoch)
            .stream(request.stream)
            .loader(request.loader.clone())
            .exclude_zero_weights(request.exclude_zero_weights)
            .aggregates(request.aggregates)
            .without_flush()
            .cancel(request.cancel)
            .progress(request.progress);
        let pass = match &self.join.table {
            Some(table) => pass.table(table),
            None => pass.without_table(),
        };
        match &self.join.example_ids {
            Some(ids) => pass.example_ids(ids.clone()),
            None => pass,
        }
        .into_run(request.run)
    }
}

/// A collector that belongs to a split and is lent to a pass.
struct Borrowed<'a, B, O>(&'a (dyn MetricsCollector<B, O> + Send + Sync));

impl<B, O> MetricsCollector<B, O> for Borrowed<'_, B, O> {
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        self.0.collect(batch, output)
    }

    fn schema(&self) -> Option<arrow_schema::Schema> {
        self.0.schema()
    }

    fn compute_aggregates(&self) -> bool {
        self.0.compute_aggregates()
    }

    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.0.name()
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        self.0.begin_pass()
    }
}
