//! A training that resumes from a checkpoint numbers its epochs as if it had never stopped.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::train::SupervisedTraining;
use burn::train::metric::LossMetric;
use common::*;
use emberlens::callback::{Event, Schedule};
// A line of the readme.
use emberlens::run::IfExists;
use emberlens::run::Status;
use emberlens_burn::{LaunchError, Lens, Tracked, Trained};

#[test]
fn epochs_follow_those_before_the_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let first = lens(root.path()).run_name("resumed");
    let prepared = training(&first, root.path())
        .metrics((LossMetric::new(),))
        .with_default_checkpointers()
        .num_epochs(2);
    let learner_of_first = learner(&first);
    first.launch(prepared, learner_of_first).unwrap();

    let recorder = Recorder::default();
    let second = lens(root.path())
        .run_name("resumed")
        .if_exists(IfExists::Reuse)
        .callback(recorder.clone());
    let prepared = training(&second, root.path())
        .metrics((LossMetric::new(),))
        .with_default_checkpointers()
        .checkpoint(2)
        .num_epochs(4);
    let learner_of_second = learner(&second);
    let trained = second.launch(prepared, learner_of_second).unwrap();

    let seen = recorder.events();
    assert_eq!(seen[0], (Event::TrainingStart, 2));
    assert_eq!(seen[1], (Event::TrainLoaderEnd, 2));
    assert_eq!(seen.last(), Some(&(Event::TrainingEnd, 3)));
    assert_eq!(recorder.seen()[0].total_epochs, 4);

    let reader = trained.run.reader().unwrap();
    assert_eq!(*reader.status(), Status::Completed);
    assert_eq!(
        reader.parameters()["total_epochs"],
        4,
        "and not the 2 of before"
    );
    assert_eq!(passes(&reader), both_splits(0..4));
    let scalars = reader.scalars().unwrap();
    let losses = scalars
        .iter()
        .filter(|scalar| scalar.name == "Loss" && scalar.split == "valid");
    let mut epochs: Vec<i64> = losses.filter_map(|scalar| scalar.epoch).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, [0, 1, 2, 3]);
}

/// Trains to `epochs` in all, from Burn's checkpoint of an epoch when there is one.
fn part_of(
    lens: Lens<Net, Item>,
    root: &Path,
    from: Option<usize>,
    epochs: usize,
) -> Result<Trained<Net>, LaunchError<Net>> {
    let prepared = training(&lens, root)
        .metrics((LossMetric::new(),))
        .with_default_checkpointers()
        .num_epochs(epochs);
    let prepared = match from {
        Some(epoch) => prepared.checkpoint(epoch),
        None => prepared,
    };
    let learner = learner(&lens);
    lens.launch(prepared, learner)
}

/// A part of the run `scheduled`; what was collected so far.
fn train(root: &Path, from: Option<usize>, epochs: usize) -> Vec<(String, i64, u64)> {
    let lens = lens(root)
        .run_name("scheduled")
        .if_exists(IfExists::Reuse)
        .schedule(Schedule::every(3).starting_at(1));
    let trained = part_of(lens, root, from, epochs).unwrap();
    passes(&trained.run.reader().unwrap())
}

#[test]
fn the_schedule_goes_on_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    // Epochs 1, 4, 7, ... and the last weights of each part.
    assert_eq!(train(root.path(), None, 3), both_splits([1, 2]));
    assert_eq!(train(root.path(), Some(3), 6), both_splits([1, 2, 4, 5]));
    // Nothing is left to train, and nothing is collected twice.
    assert_eq!(train(root.path(), Some(6), 6), both_splits([1, 2, 4, 5]));
}

#[rustfmt::skip] // one line for each of the readme's
fn named_as_in_the_readme(lens: Lens<Net, Item>) -> Lens<Net, Item> {
    lens
        .run_name("training-2") // the run that crashed, by its name in `emberlens ls`
        .if_exists(IfExists::Resume)
}

#[rustfmt::skip]
fn prepared_as_in_the_readme(
    training: SupervisedTraining<Tracked<Net>>,
) -> SupervisedTraining<Tracked<Net>> {
    training
        .with_default_checkpointers()
        .checkpoint(2) // two epochs are done
}

/// Lines without what ends a statement.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(|line| line.trim().trim_end_matches(';'))
}

#[test]
fn the_readme_resumes_the_run_that_it_names_and_no_other() {
    let readme = include_str!("../../../README.md");
    let (_, recipe) = readme.split_once("After a crash Burn goes on").unwrap();
    let (_, recipe) = recipe.split_once("```diff\n").unwrap();
    let (recipe, _) = recipe.split_once("```").unwrap();
    let added = lines(recipe).filter_map(|line| line.strip_prefix('+'));
    let added: Vec<&str> = added.map(str::trim).collect();
    assert_eq!(added.len(), 5, "{added:?}");
    assert!(added[1].starts_with("let lens = Lens::new("), "{added:?}");
    for line in added[..1].iter().chain(&added[2..]) {
        assert!(
            lines(include_str!("a_resumed_training_goes_on_counting.rs")).any(|own| own == *line)
        );
    }

    let root = tempfile::tempdir().unwrap();
    for epochs in [3, 2] {
        // Both are called `training` by the program, which does not know the other.
        let lens = lens(root.path());
        let prepared = training(&lens, root.path())
            .metrics((LossMetric::new(),))
            .with_default_checkpointers()
            .num_epochs(epochs);
        let learner = learner(&lens);
        lens.launch(prepared, learner).unwrap();
    }
    let lens = named_as_in_the_readme(lens(root.path()));
    let prepared = training(&lens, root.path()).metrics((LossMetric::new(),));
    let prepared = prepared_as_in_the_readme(prepared).num_epochs(4);
    let learner_of_it = learner(&lens);
    let resumed = lens.launch(prepared, learner_of_it).unwrap().run;

    let project = lens_project(root.path());
    let other = project.open_run("training").unwrap();
    assert_eq!(
        passes(&other),
        both_splits(0..3),
        "nothing of it is touched"
    );
    assert_eq!(project.runs().unwrap().len(), 2);
    let reader = resumed.reader().unwrap();
    assert_eq!(reader.name(), "training-2");
    assert_eq!(passes(&reader), both_splits(0..4));
}

/// A part of the run `crashed`.
fn part(root: &Path, from: Option<usize>, epochs: usize) -> Result<Trained<Net>, LaunchError<Net>> {
    let lens = lens(root).run_name("crashed").if_exists(IfExists::Resume);
    part_of(lens, root, from, epochs)
}

#[test]
fn a_checkpoint_that_is_not_there_fails_the_training_and_takes_nothing_back() {
    let root = tempfile::tempdir().unwrap();
    part(root.path(), None, 4).unwrap();
    // Burn keeps the last two.
    let resumed = AssertUnwindSafe(|| part(root.path(), Some(1), 4).is_ok());
    assert!(!catch_unwind(resumed).unwrap_or(false));
    let run = lens_project(root.path()).open_run("crashed").unwrap();
    assert_eq!(passes(&run), both_splits(0..4));
    let Status::Failed(reason) = run.status() else {
        panic!("{:?}", run.status());
    };
    assert!(reason.starts_with("the training panicked: "), "{reason}");
}

#[test]
fn epochs_after_the_checkpoint_are_replaced_and_those_before_it_stay() {
    let root = tempfile::tempdir().unwrap();
    let part = |from, epochs| {
        let run = part(root.path(), from, epochs).unwrap().run;
        run.reader().unwrap()
    };
    let first = part(None, 3);
    // The machine died in epoch 2, whose checkpoint is not to be trusted: back to that of epoch 1.
    let second = part(Some(2), 4);
    assert_eq!(second.id(), first.id());
    assert_eq!(passes(&second), both_splits(0..4));
    let ids = |reader: &emberlens::run::RunReader| -> Vec<String> {
        let of_train = reader
            .passes("default")
            .into_iter()
            .filter(|pass| pass.split == "train");
        of_train.map(|pass| pass.pass_id).collect()
    };
    assert_eq!(ids(&second)[..2], ids(&first)[..2], "epochs 0 and 1 stay");
    assert_ne!(ids(&second)[2], ids(&first)[2], "epoch 2 is collected anew");
    let scalars = second.scalars().unwrap();
    let losses = scalars
        .iter()
        .filter(|scalar| scalar.name == "Loss" && scalar.split == "train");
    let epochs: Vec<_> = losses.filter_map(|scalar| scalar.epoch).collect();
    assert_eq!(epochs, [0, 1, 2, 3], "every epoch has one loss");
}
