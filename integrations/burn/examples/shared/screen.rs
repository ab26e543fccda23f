//! One line per epoch while Burn trains.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId, NumericEntry};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

/// Writes to the terminal at once; a reader that went away (`| head`) does not end the training.
pub fn say(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Draws one metric of a training, one line per epoch, in the unit that Burn gives it.
pub struct EpochLines {
    shown: &'static str,
    decimals: usize,
    unit: &'static str,
    names: BTreeMap<String, String>,
    mean: Mean,
    /// Samples of the split: done, and all.
    progress: (usize, usize),
    epoch: usize,
    started: Instant,
    is_line_open: bool,
}

#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl EpochLines {
    /// Shows the metric of this name with so many decimals.
    pub fn of(shown: &'static str, decimals: usize, unit: &'static str) -> Self {
        Self {
            shown,
            decimals,
            unit,
            names: BTreeMap::new(),
            mean: Mean::default(),
            progress: (0, 0),
            epoch: 0,
            started: Instant::now(),
            is_line_open: false,
        }
    }

    fn remember(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return;
        };
        let name = self.names.get(&key(&entry.metric_id));
        if name.is_none_or(|name| name != self.shown) {
            return;
        }
        match value {
            NumericEntry::Value(value) => self.mean.add(value, 1),
            NumericEntry::Aggregated {
                aggregated_value,
                count,
            } => self.mean.add(aggregated_value, count),
            NumericEntry::Final(value) => {
                self.mean = Mean {
                    sum: value,
                    count: 1,
                }
            }
        }
    }
}

impl Mean {
    fn add(&mut self, value: f64, count: usize) {
        self.sum += value * count as f64;
        self.count += count;
    }
}

fn key(id: &MetricId) -> String {
    format!("{id:?}")
}

impl TrainingProgressLogger for EpochLines {
    fn start(&mut self, _: usize, epoch: usize, _: Option<usize>, _: Option<&str>) {
        // Burn counts from 1, tables and schedules from 0.
        self.epoch = epoch.saturating_sub(1);
    }

    fn start_split(&mut self, split: &str, total: usize) {
        self.progress = (0, total);
        if !self.is_line_open {
            self.started = Instant::now();
            self.is_line_open = true;
            say(&format!("epoch {}", self.epoch));
        }
        say(&format!(
            "   {} {}",
            split.to_lowercase(),
            self.shown.to_lowercase()
        ));
    }

    fn update_split(&mut self, done: usize) {
        self.progress.0 = done;
    }

    fn end_split(&mut self) {
        let mean = std::mem::take(&mut self.mean);
        say(&format!(
            " {:.*}{}",
            self.decimals,
            mean.sum / mean.count as f64,
            self.unit
        ));
        let (done, total) = self.progress;
        if done < total {
            say(&format!(" (stopped after {done} of {total})"));
        }
    }

    fn update_epoch(&mut self, _: usize) {
        say(&format!(
            "   {:.1} s\n",
            self.started.elapsed().as_secs_f64()
        ));
        self.is_line_open = false;
        self.epoch += 1;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_line_open) {
            say("\n");
        }
    }

    fn log_event_training(&mut self, _: String) {}
}

impl MetricsRendererTraining for EpochLines {
    fn update_train(&mut self, state: MetricState) {
        self.remember(state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.remember(state);
    }
}

impl MetricsRenderer for EpochLines {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.names
            .insert(key(&definition.metric_id), definition.name.to_string());
    }
}

// Burn asks every renderer to draw evaluations too; the examples have none.
impl MetricsRendererEvaluation for EpochLines {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl EvaluationProgressLogger for EpochLines {
    fn start_global_progress(&mut self, _: usize) {}

    fn start_test(&mut self, _: &str, _: usize) {}

    fn update_test_progress(&mut self, _: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _: String) {}
}
