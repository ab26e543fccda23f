//! Optional, boxed, borrowed and grouped callbacks are callbacks.
//!
//! In a group every member sees the event, whatever happened to the members before it; the errors
//! of a group come out together.

use std::borrow::Cow;

use super::{Callback, Event, TrainingContext};
use crate::{Error, Result};

/// The six methods of a callback that passes every event to one function of its own.
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

        fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
            $deliver(self, Event::TrainingEnd, context)
        }
    };
}

macro_rules! pointer_callback {
    ($($pointer:ty),*) => {$(
        impl<M, C: Callback<M> + ?Sized> Callback<M> for $pointer {
            forward_events!(|own: &mut Self, event: Event, context| event.deliver(&mut **own, context));

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

    fn name(&self) -> Cow<'_, str> {
        self.as_ref()
            .map_or(Cow::Borrowed("no callback"), Callback::name)
    }
}

impl<M, C: Callback<M>> Callback<M> for Vec<C> {
    forward_events!(|own: &mut Self, event: Event, context| {
        let mut errors = Vec::new();
        for callback in own {
            errors.extend(event.deliver_guarded(callback, context).err());
        }
        Error::all(errors)
    });
}

macro_rules! tuple_callback {
    ($($member:ident : $position:tt),+) => {
        impl<M, $($member: Callback<M>),+> Callback<M> for ($($member,)+) {
            forward_events!(|own: &mut Self, event: Event, context| {
                let mut errors = Vec::new();
                $(errors.extend(event.deliver_guarded(&mut own.$position, context).err());)+
                Error::all(errors)
            });
        }
    };
}
tuple_callback!(A: 0);
tuple_callback!(A: 0, B: 1);
tuple_callback!(A: 0, B: 1, C: 2);
tuple_callback!(A: 0, B: 1, C: 2, D: 3);
tuple_callback!(A: 0, B: 1, C: 2, D: 3, E: 4);
tuple_callback!(A: 0, B: 1, C: 2, D: 3, E: 4, F: 5);
