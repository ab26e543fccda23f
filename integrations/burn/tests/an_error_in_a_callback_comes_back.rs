//! A callback that fails or panics stops the training cleanly; the error and the model come back.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::train::TrainingError;
use burn::train::metric::LossMetric;
use common::*;
use emberlens::callback::{Callback, ErrorPolicy, Event, TrainingContext};
use emberlens::run::Status;
use emberlens::{Error, ErrorKind};
use emberlens_burn::{LaunchError, LaunchFailure, Lens};

#[derive(Clone, Copy, Debug)]
enum Fault {
    Error,
    Panic,
}

/// Fails at one event: of epoch 1, or outside the epochs.
struct Faulty(Fault, Event);

impl Faulty {
    fn at(&self, event: Event, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        let outside = matches!(event, Event::TrainingStart | Event::TrainingEnd);
        match self.0 {
            _ if self.1 != event || (context.epoch != 1 && !outside) => Ok(()),
            Fault::Error => Err(Error::user("the printer is on fire")),
            Fault::Panic => panic!("the printer is on fire"),
        }
    }
}

impl Callback<Net> for Faulty {
    fn on_training_start(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.at(Event::TrainingStart, context)
    }
    fn on_train_loader_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.at(Event::TrainLoaderEnd, context)
    }
    fn on_validation_loader_end(
        &mut self,
        context: &TrainingContext<'_, Net>,
    ) -> emberlens::Result<()> {
        self.at(Event::ValidationLoaderEnd, context)
    }
    fn on_epoch_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.at(Event::EpochEnd, context)
    }
    fn on_interrupted(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.at(Event::Interrupted, context)
    }
    fn on_training_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.at(Event::TrainingEnd, context)
    }
}

fn launch(
    fault: Fault,
    change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>,
) -> (tempfile::TempDir, LaunchError<Net>) {
    launch_at(Event::TrainLoaderEnd, fault, 4, change)
}

fn launch_at(
    event: Event,
    fault: Fault,
    epochs: usize,
    change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>,
) -> (tempfile::TempDir, LaunchError<Net>) {
    let root = tempfile::tempdir().unwrap();
    let lens = change(lens(root.path())).callback(Faulty(fault, event));
    let training = training(&lens, root.path())
        .metrics((LossMetric::new(),))
        .num_epochs(epochs);
    let learner = learner(&lens);
    let error = lens.launch(training, learner).unwrap_err();
    (root, error)
}

fn check((_root, error): (tempfile::TempDir, LaunchError<Net>), epochs: std::ops::Range<i64>) {
    let text = error.to_string();
    assert!(text.contains("the printer is on fire"), "{text}");
    assert!(text.contains("on_train_loader_end"), "{text}");
    assert_eq!(error.kind(), ErrorKind::UserCode);
    let run = error.run().unwrap();
    match run.status() {
        Status::Failed(reason) => assert!(reason.contains("the printer is on fire"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(passes(&run.reader().unwrap()), both_splits(epochs));
    assert!(error.into_model().is_some(), "the weights are not lost");
}

#[test]
fn an_error_stops_the_training() {
    check(launch(Fault::Error, |lens| lens), 0..2);
}

#[test]
fn so_does_a_panic() {
    check(launch(Fault::Panic, |lens| lens), 0..2);
}

#[test]
fn an_error_can_wait_for_the_end() {
    let carried = |lens: Lens<Net, Item>| lens.error_policy(ErrorPolicy::CarryToEnd);
    check(launch(Fault::Error, carried), 0..4);
}

#[test]
fn the_run_fails_with_the_reason_whatever_event_it_was() {
    for event in Event::ALL {
        if event == Event::Interrupted {
            continue; // the test below
        }
        for (fault, policy) in [
            (Fault::Error, ErrorPolicy::StopTraining),
            (Fault::Panic, ErrorPolicy::CarryToEnd),
        ] {
            let (_root, error) = launch_at(event, fault, 2, |lens| lens.error_policy(policy));
            let text = error.to_string();
            assert!(text.contains(event.name()), "{text}");
            let status = error.run().unwrap().status();
            assert_eq!(status, Status::Failed(text), "{event:?} {fault:?}");
        }
    }
}

#[test]
fn an_error_at_an_interruption_fails_the_run_too() {
    for fault in [Fault::Error, Fault::Panic] {
        let root = tempfile::tempdir().unwrap();
        let interrupter = burn::train::Interrupter::new();
        let stop = interrupter.clone();
        let lens = lens(root.path())
            .callback(AtEpoch(1, move || stop.stop(Some("seen enough"))))
            .callback(Faulty(fault, Event::Interrupted));
        let training = training(&lens, root.path())
            .with_interrupter(interrupter)
            .num_epochs(4);
        let learner = learner(&lens);
        let error = lens.launch(training, learner).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("on_interrupted"), "{text}");
        assert_eq!(error.run().unwrap().status(), Status::Failed(text));
    }
}

/// Does something when the training loader of an epoch has ended.
struct AtEpoch<F>(usize, F);

impl<F: FnMut() + Send> Callback<Net> for AtEpoch<F> {
    fn on_train_loader_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        if context.epoch == self.0 {
            (self.1)();
        }
        Ok(())
    }
}

#[test]
fn an_error_beside_the_training_comes_back_too() {
    let (_root, error) = launch(Fault::Error, Lens::beside);
    assert!(error.to_string().contains("the printer is on fire"));
    assert!(matches!(error.run().unwrap().status(), Status::Failed(_)));
}

/// The error of a training whose data break, with a lens that was changed.
fn launch_broken(
    change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>,
) -> (tempfile::TempDir, LaunchError<Net>) {
    use burn::data::dataloader::DataLoaderBuilder;
    use burn::data::dataset::{Dataset, DatasetError};

    /// Cannot be read from its thirtieth item on.
    struct Broken;
    impl Dataset<Item> for Broken {
        fn get(&self, index: usize) -> Result<Item, DatasetError> {
            match index < 30 {
                true => train_set().get(index),
                false => Err(DatasetError::new(std::io::Error::other("the disk is gone"))),
            }
        }
        fn len(&self) -> usize {
            TRAIN
        }
    }

    let root = tempfile::tempdir().unwrap();
    let lens = change(lens(root.path()));
    let broken = DataLoaderBuilder::new(ToBatch)
        .batch_size(BATCH)
        .build(Broken);
    let training = lens
        .training(root.path().join("artifacts"), broken, valid_loader())
        .with_application_logger(None)
        .num_epochs(2);
    let learner = learner(&lens);
    let error = lens.launch(training, learner).unwrap_err();
    (root, error)
}

#[test]
fn an_error_of_burn_fails_the_run_with_its_reason() {
    let (_root, error) = launch_broken(|lens| lens);
    assert!(error.callback_errors().is_empty());
    let LaunchFailure::Training(cause) = error.failure() else {
        panic!("{error:?}");
    };
    assert!(matches!(**cause, TrainingError::Dataset(_)));
    match error.run().unwrap().status() {
        Status::Failed(reason) => assert!(reason.contains("the disk is gone"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert!(error.into_model().is_some());
}

#[test]
fn an_error_of_burn_hides_none_of_a_callback() {
    let (_root, error) = launch_broken(|lens| {
        lens.error_policy(ErrorPolicy::CarryToEnd)
            .callback(Faulty(Fault::Error, Event::TrainingStart))
            .callback(Faulty(Fault::Panic, Event::TrainingEnd))
    });
    assert!(matches!(error.failure(), LaunchFailure::Training(_)));
    let parts = [
        "the disk is gone",
        "failed in on_training_start: the printer is on fire",
        "failed in on_training_end",
    ];
    let text = error.to_string();
    let places = parts.map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}")));
    assert!(places.is_sorted(), "{text}");
    let callbacks: Vec<String> = error.callback_errors().iter().map(Error::chain).collect();
    assert_eq!(callbacks.len(), 2, "{callbacks:?}");
    match error.run().unwrap().status() {
        Status::Failed(reason) => {
            let first = reason.find(parts[1]).unwrap();
            assert!(first < reason.find(parts[0]).unwrap(), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_of_the_training_passes_through_a_failed_run() {
    use burn::data::dataloader::DataLoaderBuilder;
    use burn::data::dataloader::batcher::Batcher;
    use burn::tensor::Device;
    use emberlens::run::Project;

    struct Panics;
    impl Batcher<Item, Batch> for Panics {
        fn batch(&self, _: Vec<Item>, _: &Device) -> Batch {
            panic!("no batches today")
        }
    }

    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let loader = DataLoaderBuilder::new(Panics)
        .batch_size(BATCH)
        .build(train_set());
    let training = lens
        .training(root.path().join("artifacts"), loader, valid_loader())
        .with_application_logger(None);
    let learner = learner(&lens);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        lens.launch(training, learner).map(drop)
    }));
    assert!(outcome.is_err(), "it is the program's panic");
    let project = Project::open(root.path().join("runs").to_str().unwrap(), "tests").unwrap();
    match project.open_run("training").unwrap().status() {
        Status::Failed(reason) => assert!(reason.contains("no batches today"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_model_of_another_lens_is_refused_before_anything_happens() {
    let root = tempfile::tempdir().unwrap();
    let (one, other) = (lens(root.path()), lens(root.path()));
    let training = training(&one, root.path());
    let error = one.launch(training, learner(&other)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("track()"), "{error}");
    assert!(error.run().is_none());
}
