//! The list of callbacks that a training calls, and what their errors do to it.

use std::fmt;

use serde_json::Value;

use super::event::close_guarded;
use super::{Callback, Event, TrainingContext};
use crate::{Error, ErrorKind, Result};

/// What an error in a callback does to the training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The training stops cleanly after this event; the error is returned at the end.
    #[default]
    StopTraining,
    /// The training goes on; the error is returned at the end. A collection leaves out its last pass and
    /// the reduction then: the training failed.
    CarryToEnd,
}

/// What the training has to do after an event.
#[must_use = "a callback may ask for a stop"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop training cleanly; then call [`Callbacks::on_training_end`] and [`Callbacks::finish`].
    Stop,
}

/// An ordered list of callbacks with one policy for their errors.
///
/// Whoever owns the training loop calls the methods in the order that [`Callback`] documents. Every
/// callback sees every event, also after another one failed; a panic is caught and counts as an
/// error. Errors are kept in order until [`Callbacks::finish`]. At the end of the training the
/// callbacks are told of the first of them as [`TrainingContext::failure`], before what that says.
/// The end has two halves: all callbacks end their work, then all are [closed](Callback::close), so
/// that a run is completed only when no callback failed.
///
/// [`ErrorKind::Interrupted`] always stops the training and is no failure.
///
/// ```
/// # use emberlens::callback::{Callback, Callbacks, ErrorPolicy, Flow, TrainingContext};
/// # use emberlens::{Error, Result};
/// struct Picky;
/// impl Callback<()> for Picky {
///     fn on_epoch_end(&mut self, context: &TrainingContext<'_, ()>) -> Result<()> {
///         if context.epoch == 1 { Err(Error::user("enough")) } else { Ok(()) }
///     }
/// }
/// let mut callbacks = Callbacks::new().with(Picky);
/// let context = TrainingContext::<()>::new(1, 5);
/// assert_eq!(callbacks.on_epoch_end(&context), Flow::Stop);
/// assert!(callbacks.on_training_end(&context) == Flow::Stop && callbacks.finish().is_err());
/// ```
pub struct Callbacks<M> {
    callbacks: Vec<Box<dyn Callback<M>>>,
    policy: ErrorPolicy,
    hyperparameters: Value,
    errors: Vec<Error>,
}

impl<M> Default for Callbacks<M> {
    fn default() -> Self {
        Self {
            callbacks: Vec::new(),
            policy: ErrorPolicy::default(),
            hyperparameters: Value::Null,
            errors: Vec::new(),
        }
    }
}

impl<M> Callbacks<M> {
    /// No callbacks; errors stop the training.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a callback at the end of the list.
    pub fn with(mut self, callback: impl Callback<M> + 'static) -> Self {
        self.push(callback);
        self
    }

    /// Adds a callback in place.
    pub fn push(&mut self, callback: impl Callback<M> + 'static) {
        self.callbacks.push(Box::new(callback));
    }

    /// Sets what an error does.
    pub fn policy(mut self, policy: ErrorPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Hyperparameters that the callbacks are told of at every event whose
    /// [context](TrainingContext::hyperparameters) has none; [`to_json`](crate::run::to_json) makes
    /// such values.
    pub fn hyperparameters(mut self, values: Value) -> Self {
        self.hyperparameters = values;
        self
    }

    /// Number of callbacks.
    pub fn len(&self) -> usize {
        self.callbacks.len()
    }

    /// True without callbacks.
    pub fn is_empty(&self) -> bool {
        self.callbacks.is_empty()
    }

    /// The errors so far, oldest first.
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// Training is about to start.
    pub fn on_training_start(&mut self, context: &TrainingContext<'_, M>) -> Flow {
        self.dispatch(Event::TrainingStart, context)
    }

    /// The training loader of an epoch is exhausted.
    pub fn on_train_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Flow {
        self.dispatch(Event::TrainLoaderEnd, context)
    }

    /// The validation loader of an epoch is exhausted.
    pub fn on_validation_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Flow {
        self.dispatch(Event::ValidationLoaderEnd, context)
    }

    /// An epoch is over.
    pub fn on_epoch_end(&mut self, context: &TrainingContext<'_, M>) -> Flow {
        self.dispatch(Event::EpochEnd, context)
    }

    /// Training was stopped early, without an error.
    pub fn on_interrupted(&mut self, context: &TrainingContext<'_, M>) -> Flow {
        self.dispatch(Event::Interrupted, context)
    }

    /// Training is over; call it also after a failure or a stop.
    pub fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Flow {
        self.dispatch(Event::TrainingEnd, context)
    }

    /// Calls the method of `event` on every callback.
    ///
    /// The answer is [`Flow::Stop`] from the first error that stops onwards, at every event.
    pub fn dispatch(&mut self, event: Event, context: &TrainingContext<'_, M>) -> Flow {
        let failure = match event {
            Event::TrainingEnd => all_of(self.failure(), context.failure),
            _ => context.failure.map(str::to_owned),
        };
        let told = TrainingContext {
            failure: failure.as_deref(),
            hyperparameters: match context.hyperparameters {
                Value::Null => &self.hyperparameters,
                given => given,
            },
            ..*context
        };
        for callback in &mut self.callbacks {
            let outcome = event.deliver_guarded(callback.as_mut(), &told);
            keep(&mut self.errors, event, outcome);
        }
        if event == Event::TrainingEnd {
            close(&mut self.callbacks, &mut self.errors, &told);
        }
        self.flow()
    }

    /// The first error that is a failure, with its causes on one line.
    pub fn failure(&self) -> Option<String> {
        first(&self.errors, false)
    }

    /// Whether the training goes on.
    pub fn flow(&self) -> Flow {
        let stops = |error: &Error| {
            self.policy == ErrorPolicy::StopTraining || error.kind() == ErrorKind::Interrupted
        };
        if self.errors.iter().any(stops) {
            Flow::Stop
        } else {
            Flow::Continue
        }
    }

    /// Takes the errors out, oldest first.
    pub fn take_errors(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.errors)
    }

    /// Ends the list: `Ok` when no callback ever failed.
    ///
    /// # Errors
    /// The error, or [`Error::Several`] with all of them, oldest first.
    pub fn finish(mut self) -> Result<()> {
        Error::all(self.take_errors())
    }
}

fn close<M>(
    callbacks: &mut [Box<dyn Callback<M>>],
    errors: &mut Vec<Error>,
    context: &TrainingContext<'_, M>,
) {
    for callback in callbacks.iter_mut().rev() {
        let failure = first(errors, false);
        let stop = first(errors, true);
        let told = TrainingContext {
            failure: context.failure.or(failure.as_deref()),
            interruption: context.interruption.or(stop.as_deref()),
            ..*context
        };
        let outcome = close_guarded(callback.as_mut(), &told);
        keep(errors, Event::TrainingEnd, outcome);
    }
}

/// What failed first and what ended the training, unless one tells the other.
fn all_of(first: Option<String>, last: Option<&str>) -> Option<String> {
    match (first, last) {
        (Some(first), Some(last)) if last.contains(&first) => Some(last.to_owned()),
        (Some(first), Some(last)) if !first.contains(last) => Some(format!("{first}; {last}")),
        (first, last) => first.or(last.map(str::to_owned)),
    }
}

/// Keeps the error; those of a group one by one, as if its members were in the list themselves.
fn keep(errors: &mut Vec<Error>, event: Event, outcome: Result<()>) {
    match outcome {
        Ok(()) => {}
        Err(Error::Several { problems }) => problems
            .into_iter()
            .for_each(|problem| keep(errors, event, Err(problem))),
        Err(error) => {
            tracing::error!(event = event.name(), error = %error.chain(), "callback failed");
            errors.push(error);
        }
    }
}

/// The first error that asks for a stop, or the first that is a failure.
fn first(errors: &[Error], stop: bool) -> Option<String> {
    let mut errors = errors.iter();
    errors
        .find(|error| (error.kind() == ErrorKind::Interrupted) == stop)
        .map(Error::chain)
}

impl<M> fmt::Debug for Callbacks<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .callbacks
            .iter()
            .map(|callback| callback.name())
            .collect();
        f.debug_struct("Callbacks")
            .field("callbacks", &names)
            .field("policy", &self.policy)
            .field("errors", &self.errors)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(fn() -> Error);

    impl Callback<()> for Failing {
        fn on_epoch_end(&mut self, _: &TrainingContext<'_, ()>) -> Result<()> {
            Err(self.0())
        }
    }

    fn stop() -> Failing {
        Failing(|| Error::Interrupted {
            during: "an epoch".into(),
            kept: "all is kept",
        })
    }

    fn failure() -> Failing {
        Failing(|| Error::user("out of luck"))
    }

    #[test]
    fn a_stop_in_a_group_hides_no_failure() {
        let lists = [
            Callbacks::new().with(stop()).with(failure()),
            Callbacks::new().with((stop(), failure())),
            Callbacks::new().with(vec![stop(), failure()]),
            Callbacks::new().with((stop(), (stop(), failure()))),
        ];
        for list in lists {
            let mut list = list.policy(ErrorPolicy::CarryToEnd);
            let context = TrainingContext::new(0, 1);
            assert_eq!(list.on_epoch_end(&context), Flow::Stop);
            assert!(list.failure().unwrap().contains("out of luck"));
            assert_eq!(list.finish().unwrap_err().kind(), ErrorKind::UserCode);
        }
    }
}
