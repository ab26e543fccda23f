//! A training loop of the program's own tells the callbacks what Burn's learner would have told.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Output};

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::train::TrainStep;
use common::*;
use emberlens::callback::{Event, TrainingContext};
use emberlens::run::{Project, Run, RunReader, Status};
use emberlens_burn::Lens;
use serde_json::{Value, json};

const EPOCHS: usize = 3;

/// Event, epoch, and whether the model was shown.
type Told = Vec<(Event, usize, bool)>;

/// What was told, the passes and the parameters of the run.
type Outcome = (Told, Vec<(String, i64, u64)>, BTreeMap<String, Value>);

fn told(recorder: &Recorder) -> Told {
    let seen = recorder.seen().into_iter();
    seen.map(|seen| (seen.event, seen.epoch, seen.has_model))
        .collect()
}

fn by_the_learner() -> Outcome {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = configured(root.path(), &recorder);
    let training = training(&lens, root.path()).num_epochs(EPOCHS);
    let learner = learner(&lens);
    let run = lens.launch(training, learner).unwrap().run;
    assert_eq!(run.status(), Status::Completed);
    outcome(&recorder, &run)
}

/// The loop of the example `custom_loop`, on this problem.
fn by_hand() -> Outcome {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = configured(root.path(), &recorder);
    let (run, mut callbacks) = lens.into_callbacks().unwrap();
    let loader = train_loader().to_device(&device());
    let (mut model, mut optimiser) = (Net::new(&device()), optimiser());
    let _ = callbacks.on_training_start(&TrainingContext::new(0, EPOCHS));
    for epoch in 0..EPOCHS {
        for batch in loader.iter() {
            let gradients: GradientsParams = TrainStep::step(&model, batch.unwrap()).grads;
            model = optimiser.step(LEARNING_RATE, model, gradients);
        }
        let evaluated = model.valid();
        let context = TrainingContext {
            model: Some(&evaluated),
            ..TrainingContext::new(epoch, EPOCHS)
        };
        let _ = callbacks.on_train_loader_end(&context);
        let _ = callbacks.on_validation_loader_end(&context);
        let _ = callbacks.on_epoch_end(&context);
    }
    let _ = callbacks.on_training_end(&TrainingContext {
        model: Some(&model.valid()),
        ..TrainingContext::new(EPOCHS - 1, EPOCHS)
    });
    callbacks.finish().unwrap();
    assert_eq!(run.status(), Status::Completed);
    outcome(&recorder, &run)
}

fn outcome(recorder: &Recorder, run: &Run) -> Outcome {
    let reader = run.reader().unwrap();
    let parameters = reader.parameters().clone();
    (told(recorder), passes(&reader), parameters)
}

/// A lens that knows how the optimiser is set.
fn configured(root: &std::path::Path, recorder: &Recorder) -> Lens<Net, Item> {
    let values = json!({ "optimiser": { "learning_rate": LEARNING_RATE, "name": "adam" } });
    let lens = lens(root).callback(recorder.clone());
    lens.hyperparameters(&values).unwrap()
}

#[test]
fn as_burns_learner() {
    let by_the_learner = by_the_learner();
    assert_eq!(by_hand(), by_the_learner);
    let parameters = by_the_learner.2;
    assert_eq!(parameters["optimiser.learning_rate"], LEARNING_RATE);
    assert_eq!(parameters["total_epochs"], EPOCHS);
}

/// The example, and the run that it left.
fn example(root: &std::path::Path, arguments: &[&str]) -> (Output, RunReader) {
    let test = std::env::current_exe().unwrap();
    let name = format!("custom_loop{}", std::env::consts::EXE_SUFFIX);
    let example = test.ancestors().nth(2).unwrap().join("examples").join(name);
    let output = Command::new(example)
        .args(arguments)
        .env("EMBERLENS_ROOT", root)
        .output()
        .unwrap();
    let project = Project::open(root.to_str().unwrap(), "custom-loop").unwrap();
    (output, project.open_run("sine").unwrap())
}

#[test]
fn a_point_that_cannot_be_read_fails_the_run_of_the_example() {
    let root = tempfile::tempdir().unwrap();
    let (output, run) = example(root.path(), &["120"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("point 120 cannot be read"), "{errors}");
    match run.status() {
        Status::Failed(reason) => assert!(reason.contains("point 120"), "{reason}"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_example_runs_and_leaves_a_completed_run() {
    let root = tempfile::tempdir().unwrap();
    let (output, run) = example(root.path(), &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");

    assert_eq!(*run.status(), Status::Completed);
    assert_eq!(passes(&run).len(), 12, "6 epochs, 2 splits");
    assert_eq!(run.parameters()["learning_rate"], 0.01);
    // Every fiftieth point is wrong, and these eight are missed most.
    let missed = text
        .lines()
        .find_map(|line| line.strip_prefix("points missed most: "));
    let missed: Vec<usize> = serde_json::from_str(missed.unwrap()).unwrap();
    assert_eq!(missed.len(), 8);
    assert!(missed.iter().all(|point| point % 50 == 49), "{missed:?}");
}
