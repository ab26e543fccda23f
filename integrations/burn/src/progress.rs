//! How many epochs a training has, and with which one it begins.

use std::sync::Arc;

use burn::train::logger::TrainingProgressLogger;

use crate::board::Board;

/// A progress logger that notes the epochs and the number of samples, and passes everything on.
///
/// Burn keeps one progress logger: a program that has its own hands it to
/// [`Lens::progress_logger`](crate::Lens::progress_logger) instead of Burn's builder.
pub(crate) struct EpochLogger {
    board: Arc<Board>,
    next: Option<Box<dyn TrainingProgressLogger>>,
    has_started: bool,
}

impl EpochLogger {
    pub(crate) fn new(board: Arc<Board>, next: Option<Box<dyn TrainingProgressLogger>>) -> Self {
        board.write(|notes| notes.progress_loggers += 1);
        Self {
            board,
            next,
            has_started: false,
        }
    }
}

impl Drop for EpochLogger {
    fn drop(&mut self) {
        // The training is over, or Burn's metric thread died by a panic: nobody shall wait for what
        // it will not bring. One that never started was replaced by another.
        self.board.write(|notes| {
            notes.progress_loggers = notes.progress_loggers.saturating_sub(1);
            notes.is_over |= self.has_started;
        });
    }
}

impl TrainingProgressLogger for EpochLogger {
    fn start(
        &mut self,
        total_epochs: usize,
        starting_epoch: usize,
        total_items: Option<usize>,
        label: Option<&str>,
    ) {
        self.has_started = true;
        self.board.write(|notes| {
            notes.total_epochs = Some(total_epochs);
            notes.starting_epoch = Some(starting_epoch);
        });
        if let Some(next) = &mut self.next {
            next.start(total_epochs, starting_epoch, total_items, label);
        }
    }

    fn update_epoch(&mut self, epoch: usize) {
        if let Some(next) = &mut self.next {
            next.update_epoch(epoch);
        }
    }

    fn start_split(&mut self, split: &str, total_items: usize) {
        self.board.write(|notes| {
            notes.split_totals.insert(split.to_owned(), total_items);
            notes.processed = 0;
        });
        if let Some(next) = &mut self.next {
            next.start_split(split, total_items);
        }
    }

    fn update_split(&mut self, items_processed: usize) {
        self.board.write(|notes| notes.processed = items_processed);
        if let Some(next) = &mut self.next {
            next.update_split(items_processed);
        }
    }

    fn end_split(&mut self) {
        if let Some(next) = &mut self.next {
            next.end_split();
        }
    }

    fn end(&mut self) {
        if let Some(next) = &mut self.next {
            next.end();
        }
    }

    fn log_event_training(&mut self, event: String) {
        if let Some(next) = &mut self.next {
            next.log_event_training(event);
        }
    }
}
