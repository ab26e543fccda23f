//! One training: finds its events from what the tracked model sees, and tells them in order.
//!
//! | event | found by |
//! |---|---|
//! | training start | first fork of the model to a device, else the first training step |
//! | training loader end | first evaluation copy or validation step after a training step |
//! | validation loader end, epoch end | first training step of the next epoch, else the end |
//! | training end, interruption | [`Session::finish`], called by the launch |
//!
//! Everything here runs on the threads that train. Burn's loggers only write to the [`Board`], and
//! every wait for them has a limit: no thread can wait for one that waits for it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::train::Interrupter;
use emberlens::Error;
use emberlens::callback::Event;

use crate::board::Board;
use crate::teller::{Relay, Teller, Told};
use crate::tracked::Watch;

/// How long to wait for Burn's metric thread before going on with what is known.
const SUMMARY_LIMIT: Duration = Duration::from_secs(10);

/// State shared by all copies of a tracked model; one for each training.
pub(crate) struct Session<M> {
    pub(crate) board: Arc<Board>,
    /// Set while the training runs; a tracked model outside of it is only a model.
    live: AtomicBool,
    started: AtomicBool,
    /// The optimiser ran: the weights are not those of the start any more.
    optimised: AtomicBool,
    /// It ran since the last training loader ended: they are not those of that epoch any more.
    changed: AtomicBool,
    /// A training loader ended and no training step followed yet.
    validating: AtomicBool,
    /// Threads that trained since the last event: validation on another one is no sign (a worker of
    /// a distributed training may be ahead).
    trained: Mutex<HashSet<ThreadId>>,
    /// The bits of the last base learning rate; NaN when there was none.
    learning_rate: AtomicU64,
    interrupter: OnceLock<Interrupter>,
    /// Trainings that were prepared for this lens, until it launches one.
    prepared: Mutex<Vec<Interrupter>>,
    script: Mutex<Option<Script<M>>>,
}

/// How far the training is, and whom to tell.
struct Script<M> {
    relay: Relay<M>,
    plan: Plan,
    /// 0-based epoch whose training loader ends next, once known.
    next_epoch: Option<usize>,
    /// The epoch that is being validated, with its weights.
    validated: Option<(usize, M)>,
}

/// What the lens asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plan {
    /// Show the initial weights to the callbacks, which initialises lazy parameters.
    pub(crate) show_initial_model: bool,
    /// Tell the callbacks on a thread beside the training.
    pub(crate) beside: bool,
}

/// How a training ended.
pub(crate) struct Ending<M> {
    /// The final weights in evaluation mode, unless the training lost them.
    pub(crate) model: Option<M>,
    pub(crate) interruption: Option<String>,
    pub(crate) failure: Option<String>,
}

impl<M> Session<M> {
    pub(crate) fn new() -> Self {
        Self {
            board: Arc::default(),
            live: AtomicBool::new(false),
            started: AtomicBool::new(false),
            optimised: AtomicBool::new(false),
            changed: AtomicBool::new(false),
            validating: AtomicBool::new(false),
            trained: Mutex::default(),
            learning_rate: AtomicU64::new(f64::NAN.to_bits()),
            interrupter: OnceLock::new(),
            prepared: Mutex::default(),
            script: Mutex::new(None),
        }
    }

    fn is_live(&self) -> bool {
        self.live.load(Ordering::Acquire)
    }

    fn trained(&self) -> MutexGuard<'_, HashSet<ThreadId>> {
        self.trained.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mark_thread(&self) {
        self.trained().insert(std::thread::current().id());
    }

    fn script(&self) -> MutexGuard<'_, Option<Script<M>>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepared(&self) -> MutexGuard<'_, Vec<Interrupter>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A training tells this session of its epochs; it has not begun.
    pub(crate) fn prepare(&self, interrupter: Interrupter) {
        self.prepared().push(interrupter);
    }

    /// Stops trainings that began without a launch: nothing of them would be collected.
    fn refuse_unlaunched(&self) {
        for interrupter in self.prepared().drain(..) {
            interrupter.fail(DatasetError::new(Error::invalid(
                "training",
                "launched without its lens",
                "nothing of it would be collected",
                "call `lens.launch(training, learner)` instead of `training.launch(learner)`",
            )));
        }
    }

    fn should_stop(&self) -> bool {
        self.interrupter.get().is_some_and(Interrupter::should_stop)
    }

    fn learning_rate(&self) -> Option<f64> {
        let rate = f64::from_bits(self.learning_rate.load(Ordering::Acquire));
        (!rate.is_nan()).then_some(rate)
    }
}

impl<M: Module + 'static> Session<M> {
    /// The training is about to be launched.
    pub(crate) fn begin(&self, teller: Teller<M>, plan: Plan) {
        // A session is launched once: the lens is consumed by it.
        let _ = self.interrupter.set(teller.interrupter.clone());
        self.prepared().clear();
        *self.script() = Some(Script {
            relay: Relay::new(teller),
            plan,
            next_epoch: None,
            validated: None,
        });
        self.live.store(true, Ordering::Release);
    }

    /// Tells the start, once; `model` is shown when the plan says so. `failure` is why it comes to nothing.
    fn start(&self, model: Option<&M>, failure: Option<&str>) {
        if self.started.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(script) = self.script().as_mut() {
            let notes = self.board.wait(SUMMARY_LIMIT, |notes| notes.has_start());
            script.next_epoch = notes.starting_epoch.map(|epoch| epoch.saturating_sub(1));
            let model = model.filter(|_| script.plan.show_initial_model);
            let told = self.told(Event::TrainingStart, script.next_epoch.unwrap_or(0));
            script.relay.tell(Told {
                model: model.map(Module::valid),
                failure: failure.map(str::to_owned),
                ..told
            });
        }
    }

    /// The weights of an epoch are final; `model` is in evaluation mode.
    fn end_train_loader(&self, model: &M) {
        self.trained().clear();
        self.changed.store(false, Ordering::Release);
        let mut script = self.script();
        let Some(script) = script.as_mut() else {
            return;
        };
        self.end_epoch(script);
        let awaited = script.next_epoch.map(|epoch| epoch + 1);
        let notes = self
            .board
            .wait(SUMMARY_LIMIT, |notes| notes.has_train_summary(awaited));
        // Burn's own number where it is known; it cannot be ahead of this thread.
        let epoch = match notes.train_summary {
            Some(seen) if awaited.is_none_or(|awaited| seen >= awaited) => seen.saturating_sub(1),
            _ => script.next_epoch.unwrap_or(0),
        };
        script.next_epoch = Some(epoch + 1);
        if script.plan.beside {
            script.relay.move_beside();
        }
        let told = self.told(Event::TrainLoaderEnd, epoch);
        script.relay.tell(Told {
            model: Some(model.clone()),
            ..told
        });
        script.validated = Some((epoch, model.clone()));
        self.validating.store(true, Ordering::Release);
    }

    /// Tells the end of the validation and of the epoch, if they were not told.
    fn end_epoch(&self, script: &mut Script<M>) {
        let Some((epoch, model)) = script.validated.take() else {
            return;
        };
        self.board
            .wait(SUMMARY_LIMIT, |notes| notes.has_valid_summary(epoch + 1));
        for event in [Event::ValidationLoaderEnd, Event::EpochEnd] {
            script.relay.tell(Told {
                model: Some(model.clone()),
                ..self.told(event, epoch)
            });
        }
    }

    fn told(&self, event: Event, epoch: usize) -> Told<M> {
        Told {
            event,
            epoch,
            untrained: !self.optimised.load(Ordering::Acquire),
            notes: self.board.read(Clone::clone),
            learning_rate: self.learning_rate(),
            model: None,
            interruption: None,
            failure: None,
        }
    }

    /// Tells what is left to tell after the training, and returns what went wrong in the callbacks.
    ///
    /// A training that ended in the middle of an epoch ends with that epoch's number, so that its
    /// weights are not taken for those of the epoch before. One that ended before its first step says
    /// that its weights are untrained.
    pub(crate) fn finish(&self, mut ending: Ending<M>) -> Vec<Error> {
        self.start(None, ending.failure.as_deref());
        self.live.store(false, Ordering::Release);
        let Some(mut script) = self.script().take() else {
            return Vec::new();
        };
        let cut_short = ending.interruption.is_some() || ending.failure.is_some();
        let validated = self.board.read(|notes| {
            let total = notes.split_totals.get("valid");
            total.is_some_and(|&total| notes.processed >= total)
        });
        let next_epoch = script.next_epoch.unwrap_or(0);
        if cut_short {
            // Burn sums up what it has when it stops; a mean over a part is not the epoch's.
            let part = script.validated.as_ref().filter(|_| !validated);
            let unfinished = part.map(|(epoch, _)| *epoch);
            self.board
                .write(|notes| notes.drop_partial_aggregates(next_epoch, unfinished));
        }
        if !cut_short || validated {
            self.end_epoch(&mut script);
        }
        script.relay.come_back();
        // Where gradients are accumulated an epoch may have begun that changed nothing yet.
        let unchanged =
            self.optimised.load(Ordering::Acquire) && !self.changed.load(Ordering::Acquire);
        let epoch = match self.trained().is_empty() || unchanged {
            true => next_epoch.saturating_sub(1),
            false => next_epoch,
        };
        if script.relay.with(|teller| teller.has_failed()) {
            // The stop was the failure's doing: no interruption.
            ending.interruption = None;
        }
        if ending.interruption.is_some() {
            script.relay.tell(Told {
                interruption: ending.interruption.clone(),
                model: ending.model.clone(),
                ..self.told(Event::Interrupted, epoch)
            });
        }
        let own_failure = script
            .relay
            .with(|teller| teller.error.as_ref().map(Error::chain));
        script.relay.tell(Told {
            model: ending.model,
            interruption: ending.interruption,
            failure: match (own_failure, ending.failure) {
                (Some(own), Some(burns)) => Some(format!("{own}; {burns}")),
                (own, burns) => own.or(burns),
            },
            ..self.told(Event::TrainingEnd, epoch)
        });
        script.relay.with(Teller::take_errors)
    }
}

impl<M: Module + 'static> Watch<M> for Session<M> {
    fn forked(&self, model: &M) {
        if self.is_live() {
            self.start(Some(model), None);
        }
    }

    fn stepping(&self, model: &M) {
        if self.is_live() {
            self.start(Some(model), None);
            // In `step` too: when gradients are accumulated for longer than an epoch, the optimiser
            // may not run in it.
            self.mark_thread();
            if self.validating.swap(false, Ordering::AcqRel)
                && let Some(script) = self.script().as_mut()
            {
                self.end_epoch(script);
            }
        } else {
            self.refuse_unlaunched();
        }
    }

    fn optimising(&self, learning_rate: f64) {
        if self.is_live() {
            self.mark_thread();
            self.optimised.store(true, Ordering::Release);
            self.changed.store(true, Ordering::Release);
            self.learning_rate
                .store(learning_rate.to_bits(), Ordering::Release);
        }
    }

    fn evaluating(&self, model: &M) {
        // After a stop Burn makes this copy of half-trained weights, for the result.
        if self.is_live() && !self.should_stop() && !self.trained().is_empty() {
            self.end_train_loader(model);
        }
    }

    fn inferring(&self, model: &M) {
        if self.is_live() && self.trained().contains(&std::thread::current().id()) {
            self.end_train_loader(model);
        }
    }
}
