//! The six events of a training as values, and how one reaches a callback.

use super::{Callback, TrainingContext};
use crate::collect::guarded;
use crate::{Error, Result};

/// One moment of a training; see [`Callback`] for the loop and how often each fires.
///
/// ```
/// use emberlens::callback::Event;
/// assert_eq!(Event::ALL.len(), 6);
/// assert_eq!(Event::TrainLoaderEnd.name(), "on_train_loader_end");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// [`Callback::on_training_start`].
    TrainingStart,
    /// [`Callback::on_train_loader_end`].
    TrainLoaderEnd,
    /// [`Callback::on_validation_loader_end`].
    ValidationLoaderEnd,
    /// [`Callback::on_epoch_end`].
    EpochEnd,
    /// [`Callback::on_interrupted`].
    Interrupted,
    /// [`Callback::on_training_end`].
    TrainingEnd,
}

impl Event {
    /// Every event, in the order of a training that is interrupted.
    pub const ALL: [Self; 6] = [
        Self::TrainingStart,
        Self::TrainLoaderEnd,
        Self::ValidationLoaderEnd,
        Self::EpochEnd,
        Self::Interrupted,
        Self::TrainingEnd,
    ];

    /// The name of the callback's method.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrainingStart => "on_training_start",
            Self::TrainLoaderEnd => "on_train_loader_end",
            Self::ValidationLoaderEnd => "on_validation_loader_end",
            Self::EpochEnd => "on_epoch_end",
            Self::Interrupted => "on_interrupted",
            Self::TrainingEnd => "on_training_end",
        }
    }

    /// Calls the method of this event.
    ///
    /// # Errors
    /// What the callback returns; a panic passes through.
    pub fn deliver<M>(
        self,
        callback: &mut (impl Callback<M> + ?Sized),
        context: &TrainingContext<'_, M>,
    ) -> Result<()> {
        match self {
            Self::TrainingStart => callback.on_training_start(context),
            Self::TrainLoaderEnd => callback.on_train_loader_end(context),
            Self::ValidationLoaderEnd => callback.on_validation_loader_end(context),
            Self::EpochEnd => callback.on_epoch_end(context),
            Self::Interrupted => callback.on_interrupted(context),
            Self::TrainingEnd => callback.on_training_end(context),
        }
    }

    /// Calls the method of this event in a list, where [`Callback::end_training`] is the one of the
    /// end; a panic becomes an error, and every error names the callback.
    pub(super) fn deliver_guarded<M>(
        self,
        callback: &mut (impl Callback<M> + ?Sized),
        context: &TrainingContext<'_, M>,
    ) -> Result<()> {
        named(callback, self, |callback| match self {
            Self::TrainingEnd => callback.end_training(context),
            _ => self.deliver(callback, context),
        })
    }
}

/// [`Callback::close`] with the same care.
pub(super) fn close_guarded<M>(
    callback: &mut (impl Callback<M> + ?Sized),
    context: &TrainingContext<'_, M>,
) -> Result<()> {
    named(callback, Event::TrainingEnd, |callback| {
        callback.close(context)
    })
}

fn named<M, C: Callback<M> + ?Sized>(
    callback: &mut C,
    event: Event,
    call: impl FnOnce(&mut C) -> Result<()>,
) -> Result<()> {
    let name = callback.name().into_owned();
    guarded(|| format!("callback {name}"), || call(callback)).map_err(|error| match error {
        // A callback inside a list or a tuple has named itself already.
        Error::Callback { .. } | Error::Several { .. } => error,
        other => Error::Callback {
            callback: name,
            event: event.name(),
            source: Box::new(other),
        },
    })
}
