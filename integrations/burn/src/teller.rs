//! Tells the callbacks about the training: on the thread that trains, or beside it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use burn::module::Module;
use burn::train::Interrupter;
use emberlens::Error;
use emberlens::callback::{Callbacks, Event, Flow, TrainingContext};

use crate::board::Notes;

/// One event with everything that the callbacks are told; owned, so that it can change threads.
pub(crate) struct Told<M> {
    pub(crate) event: Event,
    pub(crate) epoch: usize,
    /// No step was taken yet.
    pub(crate) untrained: bool,
    pub(crate) notes: Notes,
    pub(crate) learning_rate: Option<f64>,
    /// In evaluation mode.
    pub(crate) model: Option<M>,
    pub(crate) interruption: Option<String>,
    pub(crate) failure: Option<String>,
}

/// The callbacks of a training and what they need around them.
pub(crate) struct Teller<M> {
    pub(crate) callbacks: Callbacks<M>,
    pub(crate) interrupter: Interrupter,
    /// An error of our own: a panic outside the callbacks, a thread that did not start.
    pub(crate) error: Option<Error>,
}

impl<M: Module> Teller<M> {
    /// Calls the callbacks; when they ask for a stop, the training is told to.
    pub(crate) fn tell(&mut self, told: &Told<M>) {
        let delivered = catch_unwind(AssertUnwindSafe(|| self.deliver(told)));
        match delivered {
            Ok(Flow::Continue) => {}
            Ok(Flow::Stop) => self.stop(told.event),
            Err(payload) => {
                self.fail(Error::Panicked {
                    who: format!("the model during {}", told.event.name()),
                    message: panic_message(payload.as_ref()),
                });
                self.stop(told.event);
            }
        }
    }

    fn deliver(&mut self, told: &Told<M>) -> Flow {
        self.callbacks.dispatch(
            told.event,
            &TrainingContext {
                epoch: told.epoch,
                starting_epoch: told
                    .notes
                    .starting_epoch
                    .map(|epoch| epoch.saturating_sub(1)),
                untrained: told.untrained,
                total_epochs: told.notes.total_epochs.unwrap_or(told.epoch + 1),
                split_totals: &told.notes.split_totals,
                aggregates: &told.notes.aggregates,
                learning_rate: told.learning_rate,
                model: told.model.as_ref(),
                interruption: told.interruption.as_deref(),
                failure: told.failure.as_deref(),
                ..TrainingContext::new(told.epoch, told.epoch + 1)
            },
        )
    }

    fn stop(&self, event: Event) {
        // A reason that is there already, such as Ctrl-C, says more than ours.
        if !self.interrupter.should_stop() {
            let reason = format!("a callback asked for a stop in {}", event.name());
            self.interrupter.stop(Some(&reason));
        }
    }

    /// Whether something failed; a stop on request is no failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some() || self.callbacks.failure().is_some()
    }

    /// All errors so far, oldest first.
    pub(crate) fn take_errors(&mut self) -> Vec<Error> {
        let mut errors = self.callbacks.take_errors();
        errors.extend(self.error.take());
        errors
    }

    /// Keeps the first error.
    pub(crate) fn fail(&mut self, error: Error) {
        tracing::error!(error = %error.chain(), "Emberlens failed beside its callbacks");
        self.error.get_or_insert(error);
    }
}

/// The message of a caught panic.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Where events go: to the callbacks at once, or through a thread of their own.
pub(crate) struct Relay<M> {
    teller: Arc<Mutex<Teller<M>>>,
    beside: Option<(SyncSender<Told<M>>, JoinHandle<()>)>,
}

/// Events that may wait: the end of validation and of the epoch. The next epoch's model then waits
/// for the collection of this one, so that no more than two copies of the weights wait.
const WAITING_EVENTS: usize = 2;

impl<M: Module + 'static> Relay<M> {
    pub(crate) fn new(teller: Teller<M>) -> Self {
        Self {
            teller: Arc::new(Mutex::new(teller)),
            beside: None,
        }
    }

    pub(crate) fn tell(&self, told: Told<M>) {
        match &self.beside {
            None => lock(&self.teller).tell(&told),
            // `Teller::tell` lets no panic through, so the thread lives as long as the sender.
            Some((events, _)) => drop(events.send(told)),
        }
    }

    /// From now on events are told on a thread beside the training.
    pub(crate) fn move_beside(&mut self) {
        if self.beside.is_some() {
            return;
        }
        let (events, received) = sync_channel::<Told<M>>(WAITING_EVENTS);
        let teller = Arc::clone(&self.teller);
        let spawned = std::thread::Builder::new()
            .name("emberlens-collection".into())
            .spawn(move || received.iter().for_each(|told| lock(&teller).tell(&told)));
        match spawned {
            Ok(thread) => self.beside = Some((events, thread)),
            Err(error) => {
                tracing::warn!(%error, "no thread for collecting beside the training: it will wait");
            }
        }
    }

    /// Waits for the events that are under way; later ones are told at once again.
    pub(crate) fn come_back(&mut self) {
        if let Some((events, thread)) = self.beside.take() {
            drop(events);
            if let Err(payload) = thread.join() {
                lock(&self.teller).fail(Error::Panicked {
                    who: "the collection thread".into(),
                    message: panic_message(payload.as_ref()),
                });
            }
        }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Teller<M>) -> T) -> T {
        look(&mut lock(&self.teller))
    }
}

fn lock<M>(teller: &Mutex<Teller<M>>) -> MutexGuard<'_, Teller<M>> {
    teller.lock().unwrap_or_else(PoisonError::into_inner)
}
