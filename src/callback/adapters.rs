//! Optional, boxed, borrowed and grouped callbacks are callbacks.
//!
//! In a group every member sees the event, whatever happened to the members before it; the errors
//! of a group come out together.

use std::borrow::Cow;

use super::event::close_guarded;
use super::{Callback, Event, TrainingContext};
use crate::{Error, ErrorKind, Result};

/// The methods of a callback that passes every event but the end to one function of its own.
macro_rules! forward_events {
    ($deliver:expr) => {
        fn on_training_start(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
            $deliver(self, Event::TrainingStart, context)
        }

        fn on_train_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
            $deliver(self, Event::TrainLoaderEnd, context)
        }

        fn on_validation_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
            $deliver(self, Event::ValidationLoaderEnd, context)
        }

        fn on_epoch_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
            $deliver(self, Event::EpochEnd, context)
        }

        fn on_interrupted(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
            $deliver(self, Event::Interrupted, context)
        }
    };
}

macro_rules! pointer_callback {
    ($($pointer:ty),*) => {$(
        impl<M, C: Callback<M> + ?Sized> Callback<M> for $pointer {
            forward_events!(|own: &mut Self, event: Event, context| event.deliver(&mut **own, context));

            fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
                (**self).on_training_end(context)
            }

            fn end_training(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
                (**self).end_training(context)
            }

            fn close(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
                (**self).close(context)
            }

            fn name(&self) -> Cow<'_, str> {
                (**self).name()
            }
        }
    )*};
}
pointer_callback!(Box<C>, &mut C);

impl<M, C: Callback<M>> Callback<M> for Option<C> {
    forward_events!(|own: &mut Self, event: Event, context| match own {
        Some(callback) => event.deliver(callback, context),
        None => Ok(()),
    });

    fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.as_mut()
            .map_or(Ok(()), |own| own.on_training_end(context))
    }

    fn end_training(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.as_mut()
            .map_or(Ok(()), |own| own.end_training(context))
    }

    fn close(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.as_mut().map_or(Ok(()), |own| own.close(context))
    }

    fn name(&self) -> Cow<'_, str> {
        self.as_ref()
            .map_or(Cow::Borrowed("no callback"), Callback::name)
    }
}

/// Both halves of the end of a group that no list tells.
fn end_group<M>(group: &mut impl Callback<M>, context: &TrainingContext<'_, M>) -> Result<()> {
    let ended = group.end_training(context).err();
    let reason = ended.as_ref().map(Error::chain);
    let is_stop = ended
        .as_ref()
        .is_some_and(|error| error.kind() == ErrorKind::Interrupted);
    let (failure, stop) = match is_stop {
        true => (None, reason.as_deref()),
        false => (reason.as_deref(), None),
    };
    let closed = group.close(&TrainingContext {
        failure: context.failure.or(failure),
        interruption: context.interruption.or(stop),
        ..*context
    });
    Error::all(ended.into_iter().chain(closed.err()).collect())
}

impl<M, C: Callback<M>> Callback<M> for Vec<C> {
    forward_events!(|own: &mut Self, event: Event, context| {
        let mut errors = Vec::new();
        for callback in own {
            errors.extend(event.deliver_guarded(callback, context).err());
        }
        Error::all(errors)
    });

    fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        end_group(self, context)
    }

    fn end_training(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let end = |own| Event::TrainingEnd.deliver_guarded(own, context).err();
        Error::all(self.iter_mut().filter_map(end).collect())
    }

    fn close(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        let close = |own| close_guarded(own, context).err();
        Error::all(self.iter_mut().rev().filter_map(close).collect())
    }
}

macro_rules! tuple_callback {
    ($($member:ident : $position:tt),+; $($last_first:tt),+) => {
        impl<M, $($member: Callback<M>),+> Callback<M> for ($($member,)+) {
            forward_events!(|own: &mut Self, event: Event, context| {
                let mut errors = Vec::new();
                $(errors.extend(event.deliver_guarded(&mut own.$position, context).err());)+
                Error::all(errors)
            });

            fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
                end_group(self, context)
            }

            fn end_training(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
                let mut errors = Vec::new();
                $(errors.extend(Event::TrainingEnd.deliver_guarded(&mut self.$position, context).err());)+
                Error::all(errors)
            }

            fn close(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
                let mut errors = Vec::new();
                $(errors.extend(close_guarded(&mut self.$last_first, context).err());)+
                Error::all(errors)
            }
        }
    };
}
tuple_callback!(A: 0; 0);
tuple_callback!(A: 0, B: 1; 1, 0);
tuple_callback!(A: 0, B: 1, C: 2; 2, 1, 0);
tuple_callback!(A: 0, B: 1, C: 2, D: 3; 3, 2, 1, 0);
tuple_callback!(A: 0, B: 1, C: 2, D: 3, E: 4; 4, 3, 2, 1, 0);
tuple_callback!(A: 0, B: 1, C: 2, D: 3, E: 4, F: 5; 5, 4, 3, 2, 1, 0);
