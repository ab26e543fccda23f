//! Ctrl-C: the first stops the trainings of this process cleanly, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use burn::train::Interrupter;
use emberlens::CancelFlag;

/// Exit status of a process that ended by Ctrl-C, as shells report it.
const EXIT_INTERRUPTED: i32 = 130;

// A signal belongs to the process, and a process takes one handler for it, once: this list is how
// several trainings share it.
static TRAININGS: OnceLock<Mutex<Vec<Weak<Stop>>>> = OnceLock::new();

/// What Ctrl-C stops; from its creation until it is dropped.
pub(crate) struct Stop {
    interrupter: Interrupter,
    pass: CancelFlag,
    asked: AtomicBool,
}

impl Stop {
    /// Lets Ctrl-C stop a training and the pass that it may be in.
    ///
    /// When the program has a handler of its own, that one stays in charge.
    pub(crate) fn on_ctrl_c(interrupter: Interrupter, pass: CancelFlag) -> Arc<Self> {
        let stop = Arc::new(Self {
            interrupter,
            pass,
            asked: AtomicBool::new(false),
        });
        let trainings = TRAININGS.get_or_init(|| {
            if let Err(error) = ctrlc::set_handler(handle) {
                tracing::warn!(%error, "Ctrl-C keeps the handler that it has");
            }
            Mutex::default()
        });
        let mut trainings = trainings.lock().unwrap_or_else(PoisonError::into_inner);
        trainings.retain(|training| training.strong_count() > 0);
        trainings.push(Arc::downgrade(&stop));
        stop
    }

    /// Asks for the stop; false when it was asked before.
    fn ask(&self) -> bool {
        let first = !self.asked.swap(true, Ordering::AcqRel);
        if first {
            self.interrupter.stop(Some("Ctrl-C"));
            self.pass.cancel();
        }
        first
    }
}

/// Runs on a thread of the `ctrlc` crate, not in the signal's context, so that it may lock.
fn handle() {
    let trainings: Vec<Arc<Stop>> = TRAININGS
        .get()
        .map(|list| list.lock().unwrap_or_else(PoisonError::into_inner))
        .map(|list| list.iter().filter_map(Weak::upgrade).collect())
        .unwrap_or_default();
    let stopped = trainings.iter().filter(|training| training.ask()).count();
    if stopped == 0 {
        // Nothing is left to stop: what a program without a handler would do.
        std::process::exit(EXIT_INTERRUPTED);
    }
    tracing::warn!("stopping after this step; Ctrl-C again ends the program at once");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ctrl_c_stops_every_training_that_lives_and_no_other() {
        let (first, second, gone) = (Interrupter::new(), Interrupter::new(), Interrupter::new());
        let pass = CancelFlag::new();
        let _first = Stop::on_ctrl_c(first.clone(), pass.clone());
        let _second = Stop::on_ctrl_c(second.clone(), CancelFlag::new());
        drop(Stop::on_ctrl_c(gone.clone(), CancelFlag::new()));
        handle();
        assert!(first.should_stop() && second.should_stop() && pass.is_cancelled());
        assert_eq!(first.get_message().as_deref(), Some("Ctrl-C"));
        assert!(!gone.should_stop());
    }
}
