//! Every event comes as often, in the order and with the epoch that the callback's documentation
//! says, whatever the training does.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataset::InMemDataset;
use burn::tensor::TensorReadError;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::metric::{
    AccuracyMetric, LossInput, LossMetric, Metric, MetricMetadata, MetricName, Numeric,
    NumericEntry, SerializedEntry,
};
use burn::train::{MetricEarlyStoppingStrategy, StoppingCondition, SupervisedTraining};
use common::*;
use emberlens::callback::{Event, Schedule};
use emberlens_burn::{Lens, Tracked};

/// The events of whole epochs, between the start and the end.
fn expected(epochs: usize) -> Vec<(Event, usize)> {
    let epoch = |epoch| {
        [
            (Event::TrainLoaderEnd, epoch),
            (Event::ValidationLoaderEnd, epoch),
            (Event::EpochEnd, epoch),
        ]
    };
    let mut events = vec![(Event::TrainingStart, 0)];
    events.extend((0..epochs).flat_map(epoch));
    events.push((Event::TrainingEnd, epochs - 1));
    events
}

fn record(
    change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>,
    prepare: impl FnOnce(SupervisedTraining<Tracked<Net>>) -> SupervisedTraining<Tracked<Net>>,
) -> Vec<Seen> {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = change(lens(root.path())).callback(recorder.clone());
    let training = prepare(training(&lens, root.path()).num_epochs(3));
    let learner = learner(&lens);
    lens.launch(training, learner).unwrap();
    recorder.seen()
}

fn events(seen: &[Seen]) -> Vec<(Event, usize)> {
    seen.iter().map(|seen| (seen.event, seen.epoch)).collect()
}

#[test]
fn a_plain_training() {
    let seen = record(
        |lens| lens,
        |training| training.metrics((LossMetric::new(), AccuracyMetric::new())),
    );
    assert_eq!(events(&seen), expected(3));
    assert!(seen.iter().all(|seen| seen.total_epochs == 3));

    let at = |event, epoch| {
        let found = |seen: &&Seen| seen.event == event && seen.epoch == epoch;
        seen.iter().find(found).unwrap()
    };
    let first = at(Event::TrainLoaderEnd, 0);
    assert_eq!(first.aggregates, ["train/Accuracy/0", "train/Loss/0"]);
    assert!(first.has_model && first.learning_rate == Some(LEARNING_RATE));
    let validated = at(Event::ValidationLoaderEnd, 0);
    assert_eq!(
        validated.aggregates[2..],
        ["valid/Accuracy/0", "valid/Loss/0"]
    );
    let end = at(Event::TrainingEnd, 2);
    assert_eq!(end.aggregates.len(), 3 * 2 * 2);
    assert!(end.has_model);
}

/// A loss that takes its time to compute, as metrics on a busy device do.
#[derive(Clone)]
struct SlowLoss(LossMetric);

impl Metric for SlowLoss {
    type Input = LossInput;

    fn name(&self) -> MetricName {
        self.0.name()
    }

    fn update(
        &mut self,
        loss: &LossInput,
        metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        std::thread::sleep(Duration::from_millis(15));
        self.0.update(loss, metadata)
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        std::thread::sleep(Duration::from_millis(60));
        self.0.compute()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Numeric for SlowLoss {
    fn value(&self) -> Option<NumericEntry> {
        self.0.value()
    }
    fn running_value(&self) -> Option<NumericEntry> {
        self.0.running_value()
    }
    fn final_value(&self) -> NumericEntry {
        self.0.final_value()
    }
}

#[test]
fn aggregates_are_complete_although_burn_computes_them_late() {
    let seen = record(
        |lens| lens,
        |training| training.metrics((SlowLoss(LossMetric::new()),)),
    );
    assert_eq!(events(&seen), expected(3));
    for seen in seen {
        let epochs = seen.epoch;
        let complete = match seen.event {
            Event::TrainingStart => 0,
            Event::TrainLoaderEnd => 2 * epochs + 1,
            _ => 2 * epochs + 2,
        };
        assert_eq!(seen.aggregates.len(), complete, "{:?} {epochs}", seen.event);
    }
}

#[test]
fn beside_the_training_and_without_metrics() {
    let seen = record(Lens::beside, |training| training);
    assert_eq!(events(&seen), expected(3));
    assert!(seen.iter().all(|seen| seen.aggregates.is_empty()));
}

#[test]
fn the_initial_weights_are_shown_when_the_schedule_asks() {
    let shown = |change: fn(Lens<Net, Item>) -> Lens<Net, Item>| {
        let seen = record(change, |training| training);
        assert_eq!(events(&seen), expected(3));
        seen[0].has_model
    };
    assert!(!shown(|lens| lens));
    assert!(shown(|lens| {
        lens.schedule(Schedule::every_epoch().before_training(true))
    }));
    assert!(shown(|lens| {
        lens.configure(|collection| collection.collect_before_training(true))
    }));
    // The last word counts.
    assert!(!shown(|lens| {
        lens.schedule(Schedule::every_epoch().before_training(true))
            .configure(|collection| collection.collect_before_training(false))
    }));
}

#[test]
fn gradients_accumulated_for_longer_than_an_epoch() {
    let seen = record(|lens| lens, |training| training.grads_accumulation(1000));
    assert_eq!(events(&seen), expected(3));
}

#[test]
fn early_stopping_is_the_normal_end_of_a_shorter_training() {
    let never_better = MetricEarlyStoppingStrategy::new(
        &LossMetric::new(),
        Aggregate::Mean,
        Direction::Highest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 1 },
    );
    let seen = record(
        |lens| lens,
        |training| {
            let training = training.metrics((LossMetric::new(),)).num_epochs(9);
            training.early_stopping(never_better)
        },
    );
    let epochs = seen
        .iter()
        .filter(|seen| seen.event == Event::EpochEnd)
        .count();
    assert!(epochs < 9, "{epochs}");
    assert_eq!(events(&seen), expected(epochs));
}

#[test]
fn a_training_without_validation_samples() {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = lens(root.path())
        .configure(|collection| collection.train_split("train"))
        .callback(recorder.clone());
    let nothing = DataLoaderBuilder::new(ToBatch)
        .batch_size(BATCH)
        .build(InMemDataset::new(Vec::<Item>::new()));
    let training = lens
        .training(root.path().join("artifacts"), train_loader(), nothing)
        .with_application_logger(None)
        .num_epochs(2);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    assert_eq!(recorder.events(), expected(2));
    assert_eq!(passes(&trained.run.reader().unwrap()), both_splits([0, 1]));
}

#[test]
fn a_progress_logger_of_the_program_does_not_hide_the_epochs() {
    struct Own;
    impl burn::train::logger::TrainingProgressLogger for Own {
        fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}
        fn update_epoch(&mut self, _: usize) {}
        fn start_split(&mut self, _: &str, _: usize) {}
        fn update_split(&mut self, _: usize) {}
        fn end_split(&mut self) {}
        fn end(&mut self) {}
        fn log_event_training(&mut self, _: String) {}
    }
    // Handed to the lens, and (against the documentation) to Burn's builder.
    let seen = record(|lens| lens.progress_logger(Own), |training| training);
    assert_eq!(events(&seen), expected(3));
    assert_eq!(seen[0].total_epochs, 3);
    let seen = record(|lens| lens, |training| training.with_progress_logger(Own));
    assert_eq!(events(&seen), expected(3));
}

#[test]
fn two_trainings_at_once_do_not_hear_each_other() {
    let threads: Vec<_> = (0..2)
        .map(|_| std::thread::spawn(|| events(&record(|lens| lens, |training| training))))
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), expected(3));
    }
}
