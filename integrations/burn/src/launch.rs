//! The part of a lens that Burn's trainings need: loggers, the tracked model, start and end.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Arc, PoisonError};

use burn::data::dataloader::DataLoader;
use burn::train::logger::{FileMetricLogger, MetricLogger};
use burn::train::{
    InferenceStep, Interruption, Learner, LearnerModel, LearningResult, SupervisedTraining,
    TrainStep,
};
use emberlens::run::{Run, Status};
use emberlens::{Error, ErrorKind, Result};

use crate::aggregates::AggregateLogger;
use crate::error::{LaunchError, LaunchFailure, Trained};
use crate::interrupt::Stop;
use crate::lens::Lens;
use crate::progress::EpochLogger;
use crate::session::Ending;
use crate::teller::{Teller, panic_message};
use crate::tracked::Tracked;

/// Trainings that Burn's `Learner` runs.
impl<M, I> Lens<M, I>
where
    M: LearnerModel,
    <M as InferenceStep>::Input: Clone,
    I: 'static,
{
    /// Burn's [`SupervisedTraining::new`], watched by this lens; see [`WithLens::with_lens`].
    pub fn training(
        &self,
        directory: impl AsRef<Path>,
        train: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
        valid: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
    ) -> SupervisedTraining<Tracked<M>> {
        SupervisedTraining::new(directory.as_ref(), train, valid).with_lens(self, directory)
    }

    /// Makes a training tell this lens of its epochs and aggregates.
    ///
    /// The training is then launched by [`Lens::launch`]; Burn's own `launch` stops at its first
    /// step with an error that says so, since nothing would be collected.
    ///
    /// `metric_logger` keeps working as the program's own; use this where it is not Burn's
    /// [`FileMetricLogger`].
    pub fn watch(
        &self,
        training: SupervisedTraining<Tracked<M>>,
        metric_logger: impl MetricLogger + 'static,
    ) -> SupervisedTraining<Tracked<M>> {
        self.session.prepare(training.interrupter());
        let board = &self.session.board;
        let own = self
            .progress_logger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        training
            .with_metric_logger(AggregateLogger::new(metric_logger, Arc::clone(board)))
            .with_progress_logger(EpochLogger::new(Arc::clone(board), own))
    }

    /// The model, wrapped so that the lens sees its training; give it to the learner.
    pub fn track(&self, model: M) -> Tracked<M> {
        let session = Arc::clone(&self.session);
        Tracked::new(model, session)
    }

    /// Burn's `training.launch(learner)`: trains, and collects along the way.
    ///
    /// The run is started before the first batch. At its end it is completed, or interrupted with
    /// the reason (Ctrl-C, an [`Interrupter`](burn::train::Interrupter), the flag that
    /// [`MetricsCollection::cancel`](emberlens::callback::MetricsCollection::cancel) was given), or failed with the error;
    /// a panic of the training passes through after the run was marked.
    ///
    /// # Errors
    /// A [`LaunchError`], which still has the trained model: `Training` when Burn stopped with an
    /// error of its own ([`LaunchError::callback_errors`] has those of callbacks that failed as well),
    /// `Emberlens` when the run could not be started or a callback failed (which stops the training,
    /// unless [`Lens::error_policy`] says otherwise).
    pub fn launch(
        mut self,
        training: SupervisedTraining<Tracked<M>>,
        learner: Learner<Tracked<M>>,
    ) -> Result<Trained<M>, LaunchError<M>> {
        let before = |error| LaunchError::before(LaunchFailure::Emberlens(error));
        self.check_learner(&learner).map_err(before)?;
        let run = self.start_run().map_err(before)?;
        self.plan.show_initial_model = self.collection.schedule_in_use().collects_before_training();
        // The program's own flag where it gave one: either stops a pass.
        let cancel = self.collection.cancel_flag().clone();
        let interrupter = training.interrupter();
        let teller = Teller {
            callbacks: self.take_callbacks(&run),
            interrupter: interrupter.clone(),
            error: None,
        };
        // Lives until the callbacks are done: the last pass can be stopped as well.
        let _stop = self
            .handle_ctrl_c
            .then(|| Stop::on_ctrl_c(interrupter, cancel));
        self.session.begin(teller, self.plan);
        match catch_unwind(AssertUnwindSafe(|| training.launch(learner))) {
            Ok(result) => self.conclude(run, result),
            Err(payload) => {
                self.conclude_panic(&run, &panic_message(payload.as_ref()));
                resume_unwind(payload)
            }
        }
    }

    fn check_learner(&self, learner: &Learner<Tracked<M>>) -> Result<()> {
        match learner.model().is_watched_by(&self.session) {
            true => Ok(()),
            false => Err(Error::invalid(
                "learner",
                "a model of another lens",
                "this lens would not see it train",
                "give Learner::new what track() of the same lens returns",
            )),
        }
    }

    fn conclude(
        &self,
        run: Run,
        result: LearningResult<Tracked<M>>,
    ) -> Result<Trained<M>, LaunchError<M>> {
        let model = result.model.into_inner();
        let mut interrupted = result.interrupted;
        let errors = self.session.finish(Ending {
            model: Some(model.clone()),
            interruption: interrupted.as_ref().map(reason),
            failure: result.error.as_ref().map(ToString::to_string),
        });
        let (stops, mut failures): (Vec<Error>, Vec<Error>) = errors
            .into_iter()
            .partition(|error| error.kind() == ErrorKind::Interrupted);
        if let (None, Some(stop)) = (&interrupted, stops.first()) {
            let reason = Some(stop.chain());
            interrupted = Some(Interruption { reason });
        }
        if result.error.is_some() || !failures.is_empty() {
            failures.extend(stops);
        }
        // The flag of the program may have been set when no pass was left to stop.
        if let (None, Status::Interrupted(reason)) = (&interrupted, run.status()) {
            let reason = Some(reason);
            interrupted = Some(Interruption { reason });
        }
        let (failure, beside) = match (result.error, failures.len()) {
            (Some(error), _) => (Some(LaunchFailure::Training(error)), failures),
            (None, 0 | 1) => (failures.pop().map(LaunchFailure::Emberlens), failures),
            (None, _) => {
                let several = Error::Several { problems: failures };
                (Some(LaunchFailure::Emberlens(several)), Vec::new())
            }
        };
        if let Some(failure) = failure {
            let error = LaunchError::new(failure, beside, run.clone(), model);
            settle_failed(&run, &error.to_string());
            return Err(error);
        }
        if run.status().is_active() {
            // No callback ended it.
            written(match &interrupted {
                Some(interruption) => run.interrupt(&reason(interruption)),
                None => run.complete(),
            });
        }
        Ok(Trained {
            model,
            renderer: result.renderer,
            interrupted,
            run,
        })
    }

    fn conclude_panic(&self, run: &Run, message: &str) {
        let failure = format!("the training panicked: {message}");
        let errors = self.session.finish(Ending {
            model: None,
            interruption: None,
            failure: Some(failure.clone()),
        });
        for error in errors {
            tracing::error!(error = %error.chain(), "a callback failed after a panic");
        }
        settle_failed(run, &failure);
    }
}

/// One more setting of Burn's [`SupervisedTraining`]: a lens that watches it.
pub trait WithLens<M: InferenceStep>: Sized {
    /// Makes this training tell `lens` of its epochs and aggregates.
    ///
    /// Metrics are logged to files in `directory` as without a lens; give it the directory of the
    /// training. A progress logger of the program goes to [`Lens::progress_logger`], because Burn
    /// keeps only the last one; a lens that is not told of epochs counts them itself.
    fn with_lens<I>(self, lens: &Lens<M, I>, directory: impl AsRef<Path>) -> Self
    where
        M::Input: Clone,
        I: 'static;
}

impl<M: LearnerModel> WithLens<M> for SupervisedTraining<Tracked<M>> {
    fn with_lens<I>(self, lens: &Lens<M, I>, directory: impl AsRef<Path>) -> Self
    where
        <M as InferenceStep>::Input: Clone,
        I: 'static,
    {
        lens.watch(self, FileMetricLogger::new(directory))
    }
}

fn reason(interruption: &Interruption) -> String {
    let reason = interruption.reason.clone();
    reason.unwrap_or_else(|| "stopped without a reason".to_owned())
}

/// Ends a run that no callback failed: when the collection failed before it adopted the run, or
/// something failed after the collection had ended it.
fn settle_failed(run: &Run, reason: &str) {
    if !matches!(run.status(), Status::Failed(_)) {
        written(run.fail(reason));
    }
}

fn written(status: Result<()>) {
    if let Err(error) = status {
        tracing::error!(error = %error.chain(), "the run's status could not be written");
    }
}
