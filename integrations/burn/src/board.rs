//! What Burn's own threads told about a training, for the thread that trains to read.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use emberlens::callback::Aggregate;

/// Shared between the thread that trains and Burn's metric and progress loggers.
///
/// Loggers only write here and never wait, so whoever waits for them cannot wait for ever.
#[derive(Debug, Default)]
pub(crate) struct Board {
    notes: Mutex<Notes>,
    changed: Condvar,
}

/// Epochs are 1-based here, as Burn counts them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// Epochs that the training is configured for.
    pub(crate) total_epochs: Option<usize>,
    /// The first epoch that runs: above 1 after a checkpoint.
    pub(crate) starting_epoch: Option<usize>,
    /// Samples per split.
    pub(crate) split_totals: BTreeMap<String, usize>,
    /// Samples of the current split that are done.
    pub(crate) processed: usize,
    /// The last epoch whose training summary came.
    pub(crate) train_summary: Option<usize>,
    /// The last epoch whose validation summary came.
    pub(crate) valid_summary: Option<usize>,
    /// All aggregates, oldest first; their epochs are 0-based.
    pub(crate) aggregates: Vec<Aggregate>,
    /// Metric loggers that are there to bring summaries; a program may have registered two.
    pub(crate) metric_loggers: usize,
    /// Progress loggers that are there to bring the epochs.
    pub(crate) progress_loggers: usize,
    /// Burn's metric thread ended after it had begun: by the end of the training or by a panic.
    pub(crate) is_over: bool,
}

impl Board {
    /// The notes, also when a thread died while it held them: every note is complete in itself.
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Notes) -> T) -> T {
        read(&self.lock())
    }

    pub(crate) fn write(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until `ready` is true, at most for `limit`; returns the notes as they are then.
    ///
    /// Burn's metric thread lags behind the training by what its metrics take to compute.
    pub(crate) fn wait(&self, limit: Duration, ready: impl Fn(&Notes) -> bool) -> Notes {
        let notes = self.lock();
        let (notes, _) = self
            .changed
            .wait_timeout_while(notes, limit, |notes| !ready(notes))
            .unwrap_or_else(PoisonError::into_inner);
        notes.clone()
    }
}

impl Notes {
    /// Whether the training summary of this 1-based epoch came, or will never come.
    pub(crate) fn has_train_summary(&self, epoch: Option<usize>) -> bool {
        has(self.train_summary, epoch) || self.brings_no_summary()
    }

    /// Whether the validation summary of this 1-based epoch came, or will never come.
    pub(crate) fn has_valid_summary(&self, epoch: usize) -> bool {
        has(self.valid_summary, Some(epoch)) || self.brings_no_summary()
    }

    /// Leaves out the aggregates of what a stop cut short: training from the 0-based epoch
    /// `untrained` on, and the validation of the 0-based epoch `unvalidated`.
    pub(crate) fn drop_partial_aggregates(&mut self, untrained: usize, unvalidated: Option<usize>) {
        self.aggregates
            .retain(|aggregate| match aggregate.split.as_str() {
                "train" => aggregate.epoch < untrained,
                "valid" => Some(aggregate.epoch) != unvalidated,
                _ => true,
            });
    }

    /// Whether the starting epoch is known, or will never be.
    pub(crate) fn has_start(&self) -> bool {
        self.starting_epoch.is_some() || self.progress_loggers == 0
    }

    fn brings_no_summary(&self) -> bool {
        self.metric_loggers == 0 || self.is_over
    }
}

fn has(summary: Option<usize>, epoch: Option<usize>) -> bool {
    summary.is_some_and(|seen| epoch.is_none_or(|wanted| seen >= wanted))
}
