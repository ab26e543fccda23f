//! Burn's own aggregates (loss, accuracy, ...) per epoch and split, read beside its file logger.

use std::collections::HashMap;
use std::sync::Arc;

use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, NumericMetricUpdate, Split};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use emberlens::callback::Aggregate;

use crate::board::Board;

/// A metric logger that passes everything on and notes the last value of every numeric metric.
///
/// It decorates Burn's [`FileMetricLogger`](burn::train::logger::FileMetricLogger) (or any other),
/// because `with_metric_logger` replaces the default one, and because Burn reads values back from
/// the first logger. [`Lens::training`](crate::Lens::training) installs it.
pub(crate) struct AggregateLogger<L> {
    inner: L,
    board: Arc<Board>,
    names: HashMap<MetricId, String>,
    latest: HashMap<(Split, MetricId), f64>,
}

impl<L> AggregateLogger<L> {
    pub(crate) fn new(inner: L, board: Arc<Board>) -> Self {
        board.write(|notes| notes.metric_loggers += 1);
        Self {
            inner,
            board,
            names: HashMap::new(),
            latest: HashMap::new(),
        }
    }

    /// The aggregates of a split whose epoch ended, by name.
    fn finished(&mut self, split: &Split, epoch: usize) -> Vec<Aggregate> {
        let names = &self.names;
        let mut finished: Vec<Aggregate> = self
            .latest
            .extract_if(|(own, _), _| own == split)
            .filter_map(|((_, id), value)| {
                Some(Aggregate {
                    name: names.get(&id)?.clone(),
                    split: split.to_string(),
                    epoch,
                    value,
                })
            })
            .collect();
        finished.sort_by(|one, other| one.name.cmp(&other.name));
        finished
    }
}

/// The value over the epoch so far: Burn sends the final one last, when a metric has one.
fn epoch_value(update: &NumericMetricUpdate) -> Option<f64> {
    match (&update.numeric_entry, &update.running_entry) {
        (Some(NumericEntry::Final(value)), _) => Some(*value),
        (_, Some(running)) => Some(running.current()),
        (Some(value), None) => Some(value.current()),
        (None, None) => None,
    }
}

impl<L: MetricLogger> MetricLogger for AggregateLogger<L> {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        for numeric in &update.entries_numeric {
            if let Some(value) = epoch_value(numeric) {
                let key = (split.clone(), numeric.entry.metric_id.clone());
                self.latest.insert(key, value);
            }
        }
        self.inner.log(update, epoch, split);
    }

    fn read_numeric(
        &mut self,
        name: &str,
        epoch: usize,
        split: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        self.inner.read_numeric(name, epoch, split)
    }

    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.names
            .insert(definition.metric_id.clone(), definition.name.to_string());
        self.inner.log_metric_definition(definition);
    }

    fn log_epoch_summary(&mut self, summary: EpochSummary) {
        let epoch = summary.epoch_number;
        let finished = self.finished(&summary.split, epoch.saturating_sub(1));
        self.board.write(|notes| {
            let seen = match summary.split {
                Split::Train => &mut notes.train_summary,
                Split::Valid => &mut notes.valid_summary,
                Split::Test(_) => return,
            };
            // A second logger, when the lens was told of the training twice, has the same to say.
            if seen.is_none_or(|seen| seen < epoch) {
                *seen = Some(epoch);
                notes.aggregates.extend(finished);
            }
        });
        self.inner.log_epoch_summary(summary);
    }
}

impl<L> Drop for AggregateLogger<L> {
    fn drop(&mut self) {
        // Burn's store thread is gone, perhaps by a panic: nobody shall wait for it.
        self.board
            .write(|notes| notes.metric_loggers = notes.metric_loggers.saturating_sub(1));
    }
}
