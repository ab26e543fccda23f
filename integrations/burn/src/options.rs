//! Everything that can be set on a lens.

use std::sync::PoisonError;

use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::train::InferenceStep;
use burn::train::logger::TrainingProgressLogger;
use emberlens::Result;
use emberlens::callback::{Callback, ErrorPolicy, Join, MetricsCollection, Schedule};
use emberlens::collect::ModelPredictor;
use emberlens::metrics::{MetricsCollector, Reshape};
use emberlens::run::{IfExists, Run, to_json};
use serde::Serialize;

use crate::dataset::BurnDataset;
use crate::lens::{Input, Lens, Output, Split};
use crate::outputs::OutputOptions;
use crate::shared::{SharedCollector, SharedPredictor};

/// Which run.
impl<M: InferenceStep, I> Lens<M, I> {
    /// Writes to this run, which keeps its name; without it the process's active run is used, and
    /// without that a new run is started.
    pub fn run(mut self, run: &Run) -> Self {
        self.run = Some(run.clone());
        self
    }

    /// The name of the run to start (default `training`).
    pub fn run_name(mut self, name: impl Into<String>) -> Self {
        self.run_name = Some(name.into());
        self
    }

    /// Says in words what the run is for.
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Adds a tag to the run that is started.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// What happens when a run of that name exists; [`IfExists::Resume`] goes on with one for a
    /// training that resumes from a checkpoint: what the run holds from the checkpoint's epoch on is
    /// replaced, and an older process that still writes it is fenced. Name that run exactly, see there:
    /// by default the second one of a project is `training-2`.
    pub fn if_exists(mut self, choice: IfExists) -> Self {
        self.if_exists = choice;
        self
    }

    /// Records these values with the run: a Burn `Config`, or anything else that serde serialises.
    ///
    /// # Errors
    /// `Invalid` for what JSON cannot hold.
    pub fn hyperparameters(mut self, values: &impl Serialize) -> Result<Self> {
        self.hyperparameters = to_json(values)?;
        Ok(self)
    }
}

/// What is collected.
impl<M, I> Lens<M, I>
where
    M: InferenceStep + Module + 'static,
    M::Input: Clone,
{
    /// The table that the training dataset's items are rows of: `&table`, or
    /// [`Join::rows`] when the dataset is a part of it.
    pub fn train_table(self, join: impl Into<Join>) -> Self {
        self.join("train", join)
    }

    /// The table that the validation dataset's items are rows of.
    pub fn valid_table(self, join: impl Into<Join>) -> Self {
        self.join("valid", join)
    }

    fn join(mut self, split: &str, join: impl Into<Join>) -> Self {
        if let Some(own) = self.splits.iter_mut().find(|own| own.name == split) {
            own.join = join.into();
        }
        self
    }

    /// Adds a split, for example a test set.
    pub fn split(
        mut self,
        name: impl Into<String>,
        dataset: impl Dataset<I> + 'static,
        join: impl Into<Join>,
    ) -> Self {
        self.splits.push(Split {
            name: name.into(),
            dataset: BurnDataset::new(dataset),
            join: join.into(),
        });
        self
    }

    /// Adds a collector of predictions; a closure `Fn(&Batch, &BurnPrediction<Output>)` is one.
    pub fn collector(
        mut self,
        collector: impl MetricsCollector<Input<M>, Output<M>> + Send + Sync + 'static,
    ) -> Self {
        self.collectors.push(SharedCollector::new(collector));
        self
    }

    /// Predicts with this instead of the model's validation step.
    pub fn predictor(
        mut self,
        predictor: impl ModelPredictor<M, Input<M>, Output = Output<M>> + Send + Sync + 'static,
    ) -> Self {
        self.predictor = Some(SharedPredictor::new(predictor));
        self
    }

    /// Names of the classes by index (classification).
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.output_options.class_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// The outputs are probabilities and not logits (classification, multi-label).
    pub fn probabilities(mut self) -> Self {
        self.output_options.probabilities = true;
        self
    }

    /// All options of the output's own columns.
    pub fn output_options(mut self, options: OutputOptions) -> Self {
        self.output_options = options;
        self
    }

    /// Whether the layers that taps show are collected (default yes).
    pub fn embeddings(mut self, collect: bool) -> Self {
        self.embeddings = collect;
        self
    }

    /// How the activations of a tap become one vector per sample (default: mean over trailing
    /// dimensions).
    pub fn embeddings_reshape(mut self, reshape: Reshape) -> Self {
        self.reshape = reshape;
        self
    }

    /// When to collect (default: every epoch, and final weights that no epoch collected).
    ///
    /// Collecting before the training initialises lazy parameters at that moment instead of in the
    /// first training step. Models with a random layer, such as dropout, before a lazy parameter
    /// then draw their random numbers in another order than without it; every other schedule
    /// leaves the training as it is, bit for bit.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.collection = self.collection.schedule(schedule);
        self
    }

    /// Samples per batch of a collection pass (default 64).
    pub fn batch_size(mut self, samples: usize) -> Self {
        self.collection = self.collection.batch_size(samples);
        self
    }

    /// Leaves out the training dataset (default no).
    pub fn validation_only(mut self, only: bool) -> Self {
        self.collection = self.collection.validation_only(only);
        self
    }

    /// Sets any other option of the collection; its run and splits are the lens's. A cancel flag that
    /// is given here stops a pass, and so does Ctrl-C.
    ///
    /// ```no_run
    /// # use emberlens_burn::{Lens, SampleMetrics};
    /// # fn options<M, I>(lens: Lens<M, I>) -> Lens<M, I>
    /// # where M: burn::train::InferenceStep + burn::module::Module + 'static, M::Input: Clone {
    /// lens.configure(|collection| collection.exclude_zero_weights(true).embeddings_dims(3))
    /// # }
    /// ```
    pub fn configure(
        mut self,
        change: impl FnOnce(MetricsCollection<M>) -> MetricsCollection<M>,
    ) -> Self {
        self.collection = change(self.collection);
        self
    }
}

/// How the training is watched.
impl<M: InferenceStep, I> Lens<M, I> {
    /// Adds a callback; it is told after the collection.
    pub fn callback(mut self, callback: impl Callback<M> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// What an error in a callback does (default: it stops the training).
    pub fn error_policy(mut self, policy: ErrorPolicy) -> Self {
        self.error_policy = policy;
        self
    }

    /// Collects on a copy of the weights beside the next epoch instead of making it wait.
    ///
    /// When a collection takes longer than an epoch, the training waits for it, so that copies of
    /// the weights do not pile up. The numbers are the same either way. Recommended for distributed
    /// training, where the other workers would wait for the one that collects.
    pub fn beside(mut self) -> Self {
        self.plan.beside = true;
        self
    }

    /// Whether Ctrl-C (and a request to terminate) stops the training cleanly, and a second one the
    /// program (default yes). A handler that the program has already stays in charge.
    pub fn handle_ctrl_c(mut self, handle: bool) -> Self {
        self.handle_ctrl_c = handle;
        self
    }

    /// A progress logger of the program: Burn keeps only one, and the lens needs it to know the
    /// number of epochs.
    pub fn progress_logger(self, logger: impl TrainingProgressLogger + 'static) -> Self {
        let mut slot = self
            .progress_logger
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Box::new(logger));
        drop(slot);
        self
    }
}
