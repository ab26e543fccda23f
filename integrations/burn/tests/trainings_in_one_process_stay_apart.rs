//! Several trainings in one thread, and at once, write runs of their own.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::train::metric::LossMetric;
use common::*;
use emberlens::run::{Project, Run, Status, active};

fn train(root: &std::path::Path, epochs: usize) -> Run {
    let lens = lens(root);
    let training = training(&lens, root)
        .metrics((LossMetric::new(),))
        .num_epochs(epochs);
    let learner = learner(&lens);
    lens.launch(training, learner).unwrap().run
}

fn check(run: &Run, epochs: i64) {
    let reader = run.reader().unwrap();
    assert_eq!(*reader.status(), Status::Completed);
    assert_eq!(passes(&reader), both_splits(0..epochs));
    let scalars = reader.scalars().unwrap();
    let losses = scalars
        .iter()
        .filter(|one| one.name == "Loss" && one.split == "train");
    assert_eq!(losses.count() as i64, epochs);
}

#[test]
fn one_after_another() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (train(root.path(), 2), train(root.path(), 3));
    assert_ne!(first.id(), second.id());
    assert_eq!(second.name(), "training-2");
    check(&first, 2);
    check(&second, 3);
}

#[test]
fn at_once() {
    let threads: Vec<_> = (1..4)
        .map(|epochs| {
            std::thread::spawn(move || {
                let root = tempfile::tempdir().unwrap();
                check(&train(root.path(), epochs), epochs as i64);
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn an_explicit_run_is_used_and_contradictions_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(root.path().join("runs").to_str().unwrap(), "tests").unwrap();
    let run = project.run("mine").start().unwrap();

    let named = lens(root.path()).run(&run).run_name("another");
    let prepared = training(&named, root.path());
    let learner_of_named = learner(&named);
    let error = named.launch(prepared, learner_of_named).unwrap_err();
    assert!(error.to_string().contains("`mine`"), "{error}");

    let run = project.run("mine").start().unwrap();
    let given = lens(root.path()).run(&run).description("by hand");
    let prepared = training(&given, root.path()).num_epochs(1);
    let learner_of_given = learner(&given);
    let trained = given.launch(prepared, learner_of_given).unwrap();
    assert_eq!(trained.run.id(), run.id());
    assert_eq!(trained.run.description().as_deref(), Some("by hand"));
    assert!(
        active::get().is_none(),
        "nothing became active behind the program's back"
    );
}
