//! Burn's metric thread may be slow, die, wait for the training itself, or never have anything to
//! tell: the training goes on, and no aggregate is lost, doubled or given to another epoch.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use burn::tensor::TensorReadError;
use burn::train::logger::{InMemoryMetricLogger, MetricLogger};
use burn::train::metric::store::{Aggregate, Direction, EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{
    AccuracyMetric, LossMetric, Metric, MetricDefinition, MetricMetadata, MetricName, NumericEntry,
    SerializedEntry,
};
use burn::train::{MetricEarlyStoppingStrategy, StoppingCondition, SupervisedTraining};
use common::*;
use emberlens::callback::{Callback, Event, TrainingContext};
use emberlens::run::{Run, Status};
use emberlens_burn::{Tracked, WithLens};

/// How long the lens waits for an aggregate before it goes on without.
const LIMIT: Duration = Duration::from_secs(10);

/// What a metric logger of the program may do, beside keeping the values.
struct Logger<F> {
    kept: InMemoryMetricLogger,
    at_summary: F,
}

impl<F: FnMut(&EpochSummary) + Send> Logger<F> {
    fn new(at_summary: F) -> Self {
        Self {
            kept: InMemoryMetricLogger::default(),
            at_summary,
        }
    }
}

impl<F: FnMut(&EpochSummary) + Send> MetricLogger for Logger<F> {
    fn log(&mut self, update: MetricsUpdate, epoch: usize, split: &Split) {
        self.kept.log(update, epoch, split);
    }
    fn read_numeric(
        &mut self,
        name: &str,
        epoch: usize,
        split: &Split,
    ) -> Result<Vec<NumericEntry>, String> {
        self.kept.read_numeric(name, epoch, split)
    }
    fn log_metric_definition(&mut self, definition: MetricDefinition) {
        self.kept.log_metric_definition(definition);
    }
    fn log_epoch_summary(&mut self, summary: EpochSummary) {
        (self.at_summary)(&summary);
        self.kept.log_epoch_summary(summary);
    }
}

/// Name, split and epoch of the training's own scalars.
fn scalars(run: &Run) -> Vec<(String, String, i64)> {
    let scalars = run.reader().unwrap().scalars().unwrap().into_iter();
    let mut own: Vec<_> = scalars
        .filter(|one| matches!(one.name.as_str(), "Loss" | "Accuracy"))
        .map(|one| (one.name, one.split, one.epoch.unwrap()))
        .collect();
    own.sort();
    own
}

fn all_scalars(epochs: i64) -> Vec<(String, String, i64)> {
    let mut all = Vec::new();
    for name in ["Accuracy", "Loss"] {
        for split in ["train", "valid"] {
            all.extend((0..epochs).map(|epoch| (name.to_owned(), split.to_owned(), epoch)));
        }
    }
    all
}

fn bare(root: &std::path::Path) -> SupervisedTraining<Tracked<Net>> {
    SupervisedTraining::new(root.join("artifacts"), train_loader(), valid_loader())
        .with_application_logger(None)
        .metrics((LossMetric::new(), AccuracyMetric::new()))
}

#[test]
fn a_logger_slower_than_an_epoch_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = lens(root.path()).callback(recorder.clone());
    let slow = Logger::new(|_: &EpochSummary| std::thread::sleep(Duration::from_millis(200)));
    let training = lens.watch(bare(root.path()), slow).num_epochs(3);
    let learner = learner(&lens);
    let run = lens.launch(training, learner).unwrap().run;
    assert_eq!(scalars(&run), all_scalars(3));
    for seen in recorder.seen() {
        if seen.event == Event::TrainLoaderEnd {
            let own = format!("train/Loss/{}", seen.epoch);
            assert!(seen.aggregates.contains(&own), "{seen:?}");
        }
    }
}

#[test]
fn a_logger_that_waits_for_the_training_is_not_waited_for_for_ever() {
    struct Tell(Arc<AtomicBool>);
    impl Callback<Net> for Tell {
        fn on_train_loader_end(&mut self, _: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
            self.0.store(true, Ordering::SeqCst);
            Ok(())
        }
    }
    let root = tempfile::tempdir().unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let recorder = Recorder::default();
    let lens = lens(root.path())
        .callback(Tell(Arc::clone(&told)))
        .callback(recorder.clone());
    // Says nothing of the first epoch before the callbacks were told of its end.
    let stubborn = Logger::new(move |_: &EpochSummary| {
        let started = Instant::now();
        while !told.load(Ordering::SeqCst) {
            assert!(started.elapsed() < 6 * LIMIT, "the training waits for ever");
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    // In front of the lens's own, so that it holds that one up as well.
    let training = bare(root.path()).with_metric_logger(stubborn);
    let training = training
        .with_lens(&lens, root.path().join("artifacts"))
        .num_epochs(2);
    let learner = learner(&lens);
    let run = lens.launch(training, learner).unwrap().run;
    assert_eq!(scalars(&run), all_scalars(2), "late, and not lost");
    let epochs: Vec<usize> = recorder
        .events()
        .into_iter()
        .filter_map(|(event, epoch)| (event == Event::TrainLoaderEnd).then_some(epoch))
        .collect();
    assert_eq!(epochs, [0, 1]);
    assert_eq!(passes(&run.reader().unwrap()), both_splits([0, 1]));
}

#[test]
fn nothing_is_waited_for_when_no_metric_is_registered() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let training = training(&lens, root.path()).num_epochs(3);
    let learner = learner(&lens);
    let started = Instant::now();
    let run = lens.launch(training, learner).unwrap().run;
    assert!(started.elapsed() < LIMIT);
    assert_eq!(passes(&run.reader().unwrap()), both_splits(0..3));
}

/// A metric that panics when the training split of the first epoch is summed up.
#[derive(Clone)]
struct Panics;

impl Metric for Panics {
    type Input = ();

    fn name(&self) -> MetricName {
        Arc::new("Panics".to_owned())
    }
    fn update(&mut self, _: &(), _: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        Ok(SerializedEntry::new(String::new(), "0".into()))
    }
    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        // The training thread has begun to wait for the summary by now.
        std::thread::sleep(Duration::from_millis(300));
        panic!("no such mean")
    }
    fn clear(&mut self) {}
}

#[test]
fn a_metric_thread_that_dies_is_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let training = training(&lens, root.path()).metric_train(Panics);
    let learner = learner(&lens);
    let project = lens_project(root.path());
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        lens.launch(training, learner).map(drop)
    }));
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    assert!(outcome.is_err(), "it is the program's panic");
    match project.open_run("training").unwrap().status() {
        Status::Failed(reason) => assert!(reason.contains("no such mean"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lens_that_is_told_of_a_training_twice_counts_once() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = lens(root.path()).callback(recorder.clone());
    let artifacts = root.path().join("artifacts");
    let training = lens
        .training(&artifacts, train_loader(), valid_loader())
        .with_lens(&lens, &artifacts)
        .with_application_logger(None)
        .metrics((LossMetric::new(), AccuracyMetric::new()))
        // As after a checkpoint: the lens must still hear with which epoch Burn begins.
        .checkpoint(2)
        .num_epochs(4);
    let learner = learner(&lens);
    let run = lens.launch(training, learner).unwrap().run;
    assert_eq!(recorder.events()[0], (Event::TrainingStart, 2));
    let expected: Vec<_> = all_scalars(4)
        .into_iter()
        .filter(|(_, _, epoch)| *epoch >= 2)
        .collect();
    assert_eq!(scalars(&run), expected);
}

#[test]
fn loggers_of_the_program_get_everything_and_stop_it_early() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let (own, other) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let counted = Arc::clone(&own);
    let noted = Arc::clone(&other);
    let counter = Logger::new(move |_: &EpochSummary| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let notes = Logger::new(move |summary: &EpochSummary| {
        let line = (summary.split.to_string(), summary.epoch_number);
        noted.lock().unwrap().push(line);
    });
    let never_better = MetricEarlyStoppingStrategy::new(
        &LossMetric::new(),
        Aggregate::Mean,
        Direction::Highest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 1 },
    );
    let training = lens
        .watch(bare(root.path()).with_metric_logger(counter), notes)
        .early_stopping(never_better)
        .num_epochs(9);
    let learner = learner(&lens);
    let run = lens.launch(training, learner).unwrap().run;
    let lines = other.lock().unwrap().clone();
    let epochs = lines.len() / 2;
    assert!(epochs < 9, "it was stopped early");
    assert_eq!(lines[..2], [("train".into(), 1), ("valid".into(), 1)]);
    assert_eq!(own.load(Ordering::SeqCst), lines.len());
    assert_eq!(scalars(&run), all_scalars(epochs as i64));
    assert_eq!(*run.reader().unwrap().status(), Status::Completed);
}
