//! The callback trait and the loop that it sees.

use std::borrow::Cow;

use super::TrainingContext;
use crate::Result;

/// Watches a training; never changes it.
///
/// ```text
/// on_training_start                       once, before the first batch
/// for epoch in first..total:              0-based
///     for batch in train_loader: ...
///     on_train_loader_end                 once per epoch; `model` is set
///     for batch in validation_loader: ...
///     on_validation_loader_end            once per epoch, after the validation aggregates are known
///     on_epoch_end                        once per epoch
/// on_interrupted                          at most once, when stopped early without an error
/// on_training_end                         once, always last, also after a failure; `model` is set
///                                         unless the training lost it
/// ```
///
/// Every method does nothing by default. An error does not vanish: the list of callbacks reports it,
/// and by its policy training stops cleanly or the error is returned at the end.
pub trait Callback<M>: Send {
    /// Training is about to start.
    fn on_training_start(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// The training loader of an epoch is exhausted; the weights of this epoch are final.
    fn on_train_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// The validation loader of an epoch is exhausted.
    fn on_validation_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// An epoch is over.
    fn on_epoch_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Training was stopped early, without an error.
    fn on_interrupted(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// Training is over.
    fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// The first half of the end, which a list of callbacks calls in place of `on_training_end`: the
    /// work that is left (default: calls `on_training_end`). Whoever wraps a callback passes this on.
    fn end_training(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.on_training_end(context)
    }

    /// The second half, after every callback of the list has ended its work: what is to be told when
    /// it is known how all of it ended (default: nothing). Whoever wraps a callback passes this on.
    ///
    /// `failure` is the first error of any callback, and `interruption` the first request for a stop.
    /// The callback that was added last is closed first.
    fn close(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let _ = context;
        Ok(())
    }

    /// The name shown in errors.
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(std::any::type_name::<Self>())
    }
}
