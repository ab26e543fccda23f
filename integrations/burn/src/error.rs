//! What a launch returns: a trained model, or an error that still has it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::train::renderer::MetricsRenderer;
use burn::train::{Interruption, TrainingError};
use emberlens::run::Run;
use emberlens::{Error, ErrorKind};

/// A training that ended without an error; the fields of Burn's `LearningResult` and the run.
#[non_exhaustive]
pub struct Trained<M> {
    /// The model with the learned weights, in validation mode, not tracked any more.
    pub model: M,
    /// The renderer, for follow-up training and evaluation.
    pub renderer: Box<dyn MetricsRenderer>,
    /// The stop, when the training was interrupted.
    pub interrupted: Option<Interruption>,
    /// The run that was written.
    pub run: Run,
}

impl<M: fmt::Debug> fmt::Debug for Trained<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trained")
            .field("model", &self.model)
            .field("interrupted", &self.interrupted)
            .field("run", &self.run.id())
            .finish_non_exhaustive()
    }
}

/// Why a launch failed.
#[non_exhaustive]
#[derive(Debug)]
pub enum LaunchFailure {
    /// Burn stopped the training: its data, a metric, a worker or a checkpoint failed.
    Training(Arc<TrainingError>),
    /// A callback failed, or the run could not be started or written.
    Emberlens(Error),
}

/// A launch that failed; the weights trained so far are not lost with it.
///
/// The run, once it was started, is `failed` with the same reason.
pub struct LaunchError<M> {
    inner: Box<Inner<M>>,
}

/// Behind a pointer, because a model can be large and an error should be small.
struct Inner<M> {
    failure: LaunchFailure,
    callback_errors: Vec<Error>,
    run: Option<Run>,
    // A model is `Send` but not `Sync`; errors are expected to be both.
    model: Mutex<Option<M>>,
}

impl<M> LaunchError<M> {
    pub(crate) fn new(
        failure: LaunchFailure,
        callback_errors: Vec<Error>,
        run: Run,
        model: M,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                failure,
                callback_errors,
                run: Some(run),
                model: Mutex::new(Some(model)),
            }),
        }
    }

    /// Nothing was trained yet.
    pub(crate) fn before(failure: LaunchFailure) -> Self {
        Self {
            inner: Box::new(Inner {
                failure,
                callback_errors: Vec::new(),
                run: None,
                model: Mutex::new(None),
            }),
        }
    }

    /// Why.
    pub fn failure(&self) -> &LaunchFailure {
        &self.inner.failure
    }

    /// Errors of callbacks in a training that Burn stopped, oldest first; they too are in the text of
    /// this error and in the reason of the run. Empty where [`LaunchError::failure`] has them.
    pub fn callback_errors(&self) -> &[Error] {
        &self.inner.callback_errors
    }

    /// What the caller can do about it; a training that Burn stopped is the caller's code.
    pub fn kind(&self) -> ErrorKind {
        match &self.inner.failure {
            LaunchFailure::Training(_) => ErrorKind::UserCode,
            LaunchFailure::Emberlens(error) => error.kind(),
        }
    }

    /// The run, if it was started.
    pub fn run(&self) -> Option<&Run> {
        self.inner.run.as_ref()
    }

    /// The model with the weights trained so far, in validation mode; `None` when the training did
    /// not begin.
    pub fn into_model(self) -> Option<M> {
        let model = self.inner.model.into_inner();
        model.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> fmt::Display for LaunchError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.failure {
            LaunchFailure::Training(error) => write!(f, "the training failed: {error}")?,
            // With its causes: many programs print only the outermost error.
            LaunchFailure::Emberlens(error) => f.write_str(&error.chain())?,
        }
        let beside = self.inner.callback_errors.iter();
        beside
            .map(Error::chain)
            .try_for_each(|error| write!(f, "; {error}"))
    }
}

impl<M> fmt::Debug for LaunchError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaunchError")
            .field("failure", &self.inner.failure)
            .field("callback_errors", &self.inner.callback_errors)
            .field("run", &self.inner.run.as_ref().map(Run::id))
            .finish_non_exhaustive()
    }
}

impl<M> std::error::Error for LaunchError<M> {}
