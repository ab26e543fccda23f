//! What a callback is told at every event.

use std::collections::BTreeMap;

/// One aggregate value of the training program: a loss or an accuracy over a whole loader.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The metric's name as the training program calls it.
    pub name: String,
    /// `train`, `valid`, ...
    pub split: String,
    /// 0-based epoch.
    pub epoch: usize,
    /// The value.
    pub value: f64,
}

/// The state of a training at one event.
///
/// `M` is the model type of the training framework; the library only hands it through.
#[derive(Debug)]
pub struct TrainingContext<'a, M> {
    /// 0-based epoch that the event belongs to; at training start the first one that will run.
    pub epoch: usize,
    /// The 0-based epoch that the training began with: above 0 when it goes on from a checkpoint.
    /// `None` where the framework does not tell; a resumed run is then not gone on with.
    pub starting_epoch: Option<usize>,
    /// No step was taken since the training started: the weights are those that it started with. At
    /// the end they are then collected only if they came from a checkpoint and the run has no rows of
    /// them; those before epoch 0 are collected where the schedule asks for it.
    pub untrained: bool,
    /// Epochs that the training is configured for.
    pub total_epochs: usize,
    /// Samples per split, where known.
    pub split_totals: &'a BTreeMap<String, usize>,
    /// All aggregates so far, oldest first.
    pub aggregates: &'a [Aggregate],
    /// The current learning rate, where known.
    pub learning_rate: Option<f64>,
    /// The model in evaluation mode; `None` where the framework does not show it at this event.
    pub model: Option<&'a M>,
    /// Hyperparameters of the training, a JSON object such as [`to_json`](crate::run::to_json)
    /// makes; nested values are flattened with dots.
    pub hyperparameters: &'a serde_json::Value,
    /// Why the training was interrupted, at `on_interrupted`.
    pub interruption: Option<&'a str>,
    /// The error that ended the training, at `on_training_end`.
    pub failure: Option<&'a str>,
}

// By hand: a derive would ask `M` to be `Clone` and `Copy`, and only a reference to it is here.
impl<M> Clone for TrainingContext<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for TrainingContext<'_, M> {}

impl<M> TrainingContext<'_, M> {
    /// A context that knows the epochs only, of a training that begins with this one; set the other
    /// fields with `..`.
    ///
    /// ```
    /// use emberlens::callback::TrainingContext;
    /// let context = TrainingContext { model: Some(&"weights"), ..TrainingContext::new(0, 10) };
    /// assert_eq!(context.total_epochs, 10);
    /// ```
    pub fn new(epoch: usize, total_epochs: usize) -> Self {
        static NO_TOTALS: BTreeMap<String, usize> = BTreeMap::new();
        static NO_HYPERPARAMETERS: serde_json::Value = serde_json::Value::Null;
        Self {
            epoch,
            starting_epoch: Some(epoch),
            untrained: false,
            total_epochs,
            split_totals: &NO_TOTALS,
            aggregates: &[],
            learning_rate: None,
            model: None,
            hyperparameters: &NO_HYPERPARAMETERS,
            interruption: None,
            failure: None,
        }
    }
}
