//! From a lens to the callbacks of a training.

use burn::module::Module;
use burn::train::InferenceStep;
use emberlens::Result;
use emberlens::callback::{Callbacks, Collectors};
use emberlens::run::{Run, active};

use crate::lens::{Input, Lens, Output};
use crate::outputs::TapEmbeddings;
use crate::predictor::StepPredictor;
use crate::shared::SharedPredictor;

/// The name of the run when none is given.
const RUN_NAME: &str = "training";

/// The callbacks, for trainings that Burn's `Learner` does not run.
impl<M, I> Lens<M, I>
where
    M: InferenceStep + Module + 'static,
    M::Input: Clone,
    I: 'static,
{
    /// Starts the run and returns it with the callbacks, for a training loop of your own.
    ///
    /// Call them as [`Callback`](emberlens::callback::Callback) shows, with `model.valid()` as the model; the example
    /// `custom_loop` does. They log the hyperparameters of the lens when the training starts, unless the context has some.
    ///
    /// A loop that ends by an error tells it in
    /// [`TrainingContext::failure`](emberlens::callback::TrainingContext::failure) at `on_training_end`, and the run ends
    /// as `failed`; one that leaves without that call leaves it `interrupted`, with no reason of its own.
    ///
    /// Nothing here listens to Ctrl-C. A flag of the program stops the pass that is under way between two batches:
    /// the event then answers [`Flow::Stop`](emberlens::callback::Flow::Stop), and the run ends as `interrupted`. Rows
    /// that were flushed are kept.
    ///
    /// ```no_run
    /// # use emberlens::{CancelFlag, Result, callback::Callbacks, run::Run};
    /// # use emberlens_burn::Lens;
    /// # fn callbacks<M, I: 'static>(lens: Lens<M, I>) -> Result<(Run, Callbacks<M>)>
    /// # where M: burn::train::InferenceStep + burn::module::Module + 'static, M::Input: Clone {
    /// let stop = CancelFlag::new(); // a clone of it goes to the handler, which calls `cancel()`
    /// lens.configure(|collection| collection.cancel(&stop)).into_callbacks()
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` when names contradict the run in use; `Storage` when the root is not writable.
    pub fn into_callbacks(mut self) -> Result<(Run, Callbacks<M>)> {
        let run = self.start_run()?;
        let callbacks = self.take_callbacks(&run);
        Ok((run, callbacks))
    }

    /// The explicit run, else the active one, else a new one.
    pub(crate) fn start_run(&mut self) -> Result<Run> {
        if let Some(run) = self.run.take().or_else(active::get) {
            // These names were given, so they must be those of the run in use.
            let mut collection = std::mem::take(&mut self.collection).project(&self.project);
            if let Some(name) = &self.run_name {
                collection = collection.run_name(name);
            }
            if let Some(description) = &self.description {
                collection = collection.description(description);
            }
            self.collection = collection;
            return Ok(run);
        }
        let name = self.run_name.as_deref().unwrap_or(RUN_NAME);
        let mut builder = self.project.run(name).if_exists(self.if_exists);
        if let Some(description) = &self.description {
            builder = builder.description(description);
        }
        for tag in &self.tags {
            builder = builder.tag(tag);
        }
        builder.start()
    }

    /// The callbacks in order: the device, the collection, those of the program.
    pub(crate) fn take_callbacks(&mut self, run: &Run) -> Callbacks<M> {
        let mut collection = std::mem::take(&mut self.collection).run(run);
        for split in std::mem::take(&mut self.splits) {
            let collectors = self.build_collectors();
            let predictor = self.predictor.clone().unwrap_or_else(|| {
                SharedPredictor::new(StepPredictor::new().hidden_layers(self.embeddings))
            });
            collection = collection.split(
                split.name,
                split.dataset,
                split.join,
                self.batcher.clone(),
                predictor,
                collectors,
            );
        }
        let callbacks = Callbacks::new()
            .policy(self.error_policy)
            .hyperparameters(std::mem::take(&mut self.hyperparameters))
            .with(self.device.clone())
            .with(collection);
        let own = std::mem::take(&mut self.callbacks);
        own.into_iter().fold(callbacks, Callbacks::with)
    }

    fn build_collectors(&self) -> Collectors<Input<M>, Output<M>> {
        let mut collectors = Collectors::new();
        if let Some(output_metrics) = self.output_metrics {
            collectors = collectors.prediction(output_metrics(self.output_options.clone()));
        }
        for collector in &self.collectors {
            collectors = collectors.prediction(collector.clone());
        }
        if self.embeddings {
            collectors = collectors.embedding(TapEmbeddings::new().reshape(self.reshape.clone()));
        }
        collectors
    }
}
