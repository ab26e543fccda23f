//! A stop, wherever it comes from, ends the run as `interrupted`; everything collected is kept.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use burn::data::dataset::{Dataset, DatasetError, InMemDataset};
use burn::module::Module;
use burn::tensor::TensorReadError;
use burn::train::metric::{LossMetric, Metric, MetricMetadata, MetricName, SerializedEntry};
use burn::train::{Interrupter, SupervisedTraining};
use common::*;
use emberlens::callback::{Event, Flow, Schedule, TrainingContext};
use emberlens::run::{IfExists, Project, RunReader, Status};
use emberlens::table::Columns;
use emberlens::{CancelFlag, ErrorKind};
use emberlens_burn::{BurnPrediction, Lens, Tracked};

/// A metric that asks for a stop at its `at`-th update.
#[derive(Clone)]
struct StopAt {
    interrupter: Interrupter,
    updates: Arc<AtomicUsize>,
    at: usize,
}

impl Metric for StopAt {
    type Input = ();

    fn name(&self) -> MetricName {
        Arc::new("Stop".to_owned())
    }

    fn update(&mut self, _: &(), _: &MetricMetadata) -> Result<SerializedEntry, TensorReadError> {
        if self.updates.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.interrupter.stop(Some("seen enough"));
        }
        Ok(SerializedEntry::new(String::new(), "0".into()))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(SerializedEntry::new(String::new(), "0".into()))
    }

    fn clear(&mut self) {}
}

fn interrupted(change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>) -> Vec<(Event, usize)> {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = change(lens(root.path())).callback(recorder.clone());
    let training = training(&lens, root.path()).num_epochs(50);
    let steps = TRAIN / BATCH;
    let stop = StopAt {
        interrupter: training.interrupter(),
        updates: Arc::default(),
        at: steps + 2,
    };
    let training = training.metric_train(stop).metrics((LossMetric::new(),));
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();

    let reason = trained.interrupted.unwrap().reason;
    assert_eq!(reason.as_deref(), Some("seen enough"));
    let reader = trained.run.reader().unwrap();
    assert_eq!(*reader.status(), Status::Interrupted("seen enough".into()));
    // The first epoch, and the weights in the middle of the second.
    assert_eq!(passes(&reader), both_splits([0, 1]));
    assert!(reader.incomplete_passes().is_empty());
    // Burn's own means over the steps before the stop are not the second epoch's.
    let burns = reader.scalars().unwrap();
    let burns = burns.iter().filter(|scalar| scalar.name == "Loss");
    let burns: Vec<_> = burns
        .map(|loss| (loss.split.as_str(), loss.epoch))
        .collect();
    assert_eq!(burns, [("train", Some(0)), ("valid", Some(0))]);
    for split in ["train", "valid"] {
        let rows = column(&reader, split, 0, "loss");
        assert!(rows.iter().all(|loss| loss.is_finite()));
        assert_ne!(rows, column(&reader, split, 1, "loss"), "other weights");
    }
    recorder.events()
}

#[test]
fn in_the_middle_of_an_epoch() {
    let expected = [
        (Event::TrainingStart, 0),
        (Event::TrainLoaderEnd, 0),
        (Event::ValidationLoaderEnd, 0),
        (Event::EpochEnd, 0),
        (Event::Interrupted, 1),
        (Event::TrainingEnd, 1),
    ];
    assert_eq!(interrupted(|lens| lens), expected);
    assert_eq!(interrupted(Lens::beside), expected);
}

#[test]
fn in_the_middle_of_a_validation() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = lens(root.path()).callback(recorder.clone());
    let stop = StopAt {
        interrupter: Interrupter::new(),
        updates: Arc::default(),
        at: 1,
    };
    // Each item is slow enough for the stop to come before the next one.
    let slow = Slow(valid_set(), Duration::from_millis(10));
    let loader = burn::data::dataloader::DataLoaderBuilder::new(ToBatch)
        .batch_size(BATCH / 2)
        .build(slow);
    let training = lens
        .training(root.path().join("artifacts"), train_loader(), loader)
        .with_application_logger(None)
        .with_interrupter(stop.interrupter.clone())
        .num_epochs(50)
        .metric_valid(stop);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    let expected = [
        (Event::TrainingStart, 0),
        (Event::TrainLoaderEnd, 0),
        (Event::Interrupted, 0),
        (Event::TrainingEnd, 0),
    ];
    assert_eq!(recorder.events(), expected, "the validation did not end");
    let reader = trained.run.reader().unwrap();
    assert!(matches!(reader.status(), Status::Interrupted(_)));
    assert_eq!(
        passes(&reader),
        both_splits([0]),
        "the same weights only once"
    );
}

/// A lens whose collector sets the flag that the program gave, in the pass over `train` of epoch 1.
fn cancels_itself(root: &std::path::Path) -> (Lens<Net, Item>, CancelFlag) {
    let flag = CancelFlag::new();
    let seen = AtomicUsize::new(0);
    let stop = flag.clone();
    let lens = lens(root)
        .batch_size(BATCH)
        .configure(|collection| collection.cancel(&flag))
        .collector(move |batch: &Batch, _: &BurnPrediction<_>| {
            let rows = batch.labels.dims()[0];
            if seen.fetch_add(rows, Ordering::SeqCst) == TRAIN + VALID + BATCH {
                stop.cancel();
            }
            Ok(Columns::new().with("zero", vec![0_i64; rows]))
        });
    (lens, flag)
}

fn check_cancelled(reader: &RunReader, flag: &CancelFlag) {
    assert!(flag.is_cancelled());
    let status = reader.status();
    assert!(matches!(status, Status::Interrupted(_)), "{status:?}");
    assert_eq!(passes(reader), both_splits([0]));
    let incomplete = reader.incomplete_passes();
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0].epoch, Some(1));
}

#[test]
fn by_the_flag_of_the_program_in_the_middle_of_a_pass() {
    let root = tempfile::tempdir().unwrap();
    let (lens, flag) = cancels_itself(root.path());
    let training = training(&lens, root.path())
        .metrics((LossMetric::new(),))
        .num_epochs(4);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    assert!(trained.interrupted.is_some());
    check_cancelled(&trained.run.reader().unwrap(), &flag);
}

#[test]
fn by_the_flag_of_the_program_in_a_loop_by_hand() {
    let root = tempfile::tempdir().unwrap();
    let (lens, flag) = cancels_itself(root.path());
    let (run, mut callbacks) = lens.into_callbacks().unwrap();
    let model = Net::new(&device()).valid();
    let at = |epoch| TrainingContext {
        model: Some(&model),
        ..TrainingContext::new(epoch, 4)
    };
    assert_eq!(callbacks.on_training_start(&at(0)), Flow::Continue);
    assert_eq!(callbacks.on_train_loader_end(&at(0)), Flow::Continue);
    assert_eq!(callbacks.on_train_loader_end(&at(1)), Flow::Stop);
    let _ = callbacks.on_training_end(&at(1));
    let error = callbacks.finish().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    check_cancelled(&run.reader().unwrap(), &flag);
}

#[test]
fn by_the_flag_of_the_program_where_no_pass_is_left_to_stop() {
    let root = tempfile::tempdir().unwrap();
    let flag = CancelFlag::new();
    flag.cancel();
    let lens = lens(root.path())
        .schedule(Schedule::no_epoch())
        .configure(|collection| collection.cancel(&flag));
    let training = training(&lens, root.path()).num_epochs(2);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    let reason = trained.interrupted.unwrap().reason.unwrap();
    assert_eq!(trained.run.status(), Status::Interrupted(reason));
}

#[test]
fn before_the_first_step_of_a_later_epoch() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let training = training(&lens, root.path()).num_epochs(3);
    let stop = StopAt {
        interrupter: training.interrupter(),
        updates: Arc::default(),
        at: TRAIN / BATCH + 1,
    };
    let training = training.metric_train(stop).grads_accumulation(3);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    assert!(trained.interrupted.is_some());
    // The weights are those of epoch 0 still, which the run has.
    assert_eq!(passes(&trained.run.reader().unwrap()), both_splits([0]));
}

/// A stop that is there before the launch; Burn looks for one after each batch.
fn stopped_at_once(
    root: &std::path::Path,
    prepare: impl FnOnce(SupervisedTraining<Tracked<Net>>) -> SupervisedTraining<Tracked<Net>>,
) -> RunReader {
    let lens = lens(root);
    let training = prepare(training(&lens, root).num_epochs(3));
    training.interrupter().stop(None);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    assert!(trained.interrupted.is_some());
    let reader = trained.run.reader().unwrap();
    assert!(matches!(reader.status(), Status::Interrupted(_)));
    reader
}

#[test]
fn after_the_first_batch() {
    let root = tempfile::tempdir().unwrap();
    let reader = stopped_at_once(root.path(), |training| training);
    assert_eq!(passes(&reader), both_splits([0]), "one step was taken");
}

#[test]
fn before_the_first_step() {
    let root = tempfile::tempdir().unwrap();
    let reader = stopped_at_once(root.path(), |training| training.grads_accumulation(1000));
    // Weights that no step has changed are not those of epoch 0, and nobody asked for them.
    assert_eq!(passes(&reader), []);
}

#[test]
fn before_the_first_step_after_a_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let part = |name: &str, from: Option<usize>| {
        let lens = lens(root.path()).run_name(name).if_exists(IfExists::Resume);
        let prepared = training(&lens, root.path())
            .metrics((LossMetric::new(),))
            .with_default_checkpointers()
            .num_epochs(2 + from.unwrap_or(0));
        let prepared = match from {
            Some(epoch) => prepared.checkpoint(epoch).grads_accumulation(1000),
            None => prepared,
        };
        if from.is_some() {
            prepared.interrupter().stop(Some("not today"));
        }
        let learner = learner(&lens);
        let run = lens.launch(prepared, learner).unwrap().run;
        let reader = run.reader().unwrap();
        (passes(&reader), reader.status().clone())
    };
    assert_eq!(part("first", None).0, both_splits([0, 1]));
    let stopped = Status::Interrupted("not today".into());
    let expected = (both_splits([0, 1]), stopped.clone());
    assert_eq!(part("first", Some(2)), expected, "the run has them");
    let expected = (both_splits([1]), stopped);
    assert_eq!(part("another", Some(2)), expected, "this one has not");
}

/// Items that take their time, so that there is a moment for a signal.
struct Slow(Arc<InMemDataset<Item>>, Duration);

impl Dataset<Item> for Slow {
    fn get(&self, index: usize) -> Result<Item, DatasetError> {
        std::thread::sleep(self.1);
        self.0.get(index)
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Where the child below writes, and how long its items take; set by the tests that start it.
const CHILD_ROOT: &str = "EMBERLENS_TEST_CHILD";
const CHILD_PAUSE_MS: &str = "EMBERLENS_TEST_PAUSE_MS";

/// Not a test of its own: a training in a process that gets signals.
#[test]
fn a_training_for_the_signal_tests() {
    let Some(root) = std::env::var_os(CHILD_ROOT) else {
        return;
    };
    let root = std::path::Path::new(&root);
    let pause = std::env::var(CHILD_PAUSE_MS).unwrap().parse().unwrap();
    let slow = |set| Slow(set, Duration::from_millis(pause));
    let lens = Lens::in_project(
        &project(root),
        ToBatch,
        slow(train_set()),
        slow(valid_set()),
    );
    let training = training(&lens, root).num_epochs(1000);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    assert!(trained.interrupted.is_some());
}

fn project(root: &std::path::Path) -> Project {
    Project::open(root.join("runs").to_str().unwrap(), "tests").unwrap()
}

/// A process with the training above, ended with the test that started it.
#[cfg(unix)]
struct Child(std::process::Child);

#[cfg(unix)]
impl Child {
    fn start(root: &std::path::Path, pause_ms: u64) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_training_for_the_signal_tests", "--nocapture"])
            .env(CHILD_ROOT, root)
            .env(CHILD_PAUSE_MS, pause_ms.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    /// Waits until the run of the process is as `ready` wants it.
    fn wait_for(&mut self, root: &std::path::Path, ready: impl Fn(&RunReader) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let reader = || project(root).open_run("training");
        while !reader().is_ok_and(|reader| ready(&reader)) {
            assert!(Instant::now() < deadline, "the training did not get there");
            assert!(self.0.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn interrupt(&self) {
        let pid = self.0.id().to_string();
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.unwrap().success());
    }
}

#[cfg(unix)]
impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(unix)]
#[test]
fn by_a_signal_in_the_middle_of_a_pass() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Child::start(root.path(), 10);
    // Both passes of the first epoch are there, and the first of the second: the next one is under
    // way or soon will be.
    child.wait_for(root.path(), |reader| passes(reader).len() >= 3);
    child.interrupt();
    let status = child.0.wait().unwrap();
    assert!(
        status.success(),
        "the program ends as it wants to: {status}"
    );

    let reader = project(root.path()).open_run("training").unwrap();
    let status = reader.status();
    assert!(matches!(status, Status::Interrupted(_)), "{status:?}");
    let complete = passes(&reader);
    assert!(complete.len() >= 3);
    assert_eq!(complete[..2], both_splits([0]));
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_the_program_at_once() {
    let root = tempfile::tempdir().unwrap();
    // An item takes longer than the test: the first signal waits for it, the second does not.
    let mut child = Child::start(root.path(), 60_000);
    child.wait_for(root.path(), |reader| *reader.status() == Status::Collecting);
    child.interrupt();
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        child.0.try_wait().unwrap().is_none(),
        "one signal is a request"
    );
    child.interrupt();
    let status = child.0.wait().unwrap();
    assert_eq!(status.code(), Some(130));
}
