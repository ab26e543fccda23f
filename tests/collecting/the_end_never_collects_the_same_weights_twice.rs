//! The collection runs exactly when the schedule says, and never twice on the same weights.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::callback::{
    Aggregate, Callback, Collectors, EmbeddingsMethod, Join, MetricsCollection, Schedule,
    TrainingContext,
};
use emberlens::run::{IfExists, Project, Run, Status};
use emberlens::table::{Column, Columns};
use ndarray::Array2;

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

fn collection(run: &Run, passes: &Arc<AtomicUsize>) -> MetricsCollection<f32> {
    let counter = passes.clone();
    let split = |collection: MetricsCollection<f32>, name: &str, counter: Arc<AtomicUsize>| {
        collection.split(
            name,
            vec![1.0_f32, 2.0, 4.0],
            Join::none(),
            |items: Vec<f32>| Ok(items),
            move |weight: &f32, batch: &Vec<f32>| {
                counter.fetch_add(1, Ordering::Relaxed);
                Ok(batch.iter().map(|x| x * weight).collect::<Vec<_>>())
            },
            Collectors::new()
                .prediction(|_: &Vec<f32>, output: &Vec<f32>| {
                    Ok(Columns::new().with("output", output.clone()))
                })
                .embedding(|batch: &Vec<f32>, output: &Vec<f32>| {
                    let rows = batch.iter().zip(output).flat_map(|(x, y)| [*x, *y, x * y]);
                    let matrix = Array2::from_shape_vec((batch.len(), 3), rows.collect()).unwrap();
                    Ok(Columns::new().with("embedding", Column::embedding(matrix.view())))
                }),
        )
    };
    let collection = MetricsCollection::new().run(run).embeddings(false);
    let collection = split(collection, "train", counter.clone());
    split(collection, "valid", counter)
}

/// A training of `total` epochs from `first` on; the weight is the number of epochs trained.
fn train(collection: &mut MetricsCollection<f32>, first: usize, total: usize) {
    let weights: Vec<f32> = (0..=total).map(|epoch| epoch as f32).collect();
    let at = |epoch: usize, trained: usize| TrainingContext {
        model: Some(&weights[trained]),
        ..TrainingContext::new(epoch, total)
    };
    collection.on_training_start(&at(first, first)).unwrap();
    for epoch in first..total {
        collection
            .on_train_loader_end(&at(epoch, epoch + 1))
            .unwrap();
        collection
            .on_validation_loader_end(&at(epoch, epoch + 1))
            .unwrap();
        collection.on_epoch_end(&at(epoch, epoch + 1)).unwrap();
    }
    let last = total.saturating_sub(1).max(first);
    collection.on_training_end(&at(last, total)).unwrap();
}

fn epochs(run: &Run, split: &str) -> Vec<i64> {
    let passes = run.reader().unwrap().passes("default");
    passes
        .iter()
        .filter(|pass| pass.split == split)
        .map(|pass| pass.epoch.unwrap())
        .collect()
}

#[test]
fn the_end_collects_only_weights_that_no_epoch_collected() {
    for (schedule, expected) in [
        (Schedule::every_epoch(), vec![0, 1, 2, 3, 4]),
        (Schedule::epochs([1, 4]), vec![1, 4]),
        (Schedule::epochs([1, 3]), vec![1, 3, 4]),
        (Schedule::epochs([1, 3]).at_training_end(false), vec![1, 3]),
        (Schedule::every(2), vec![0, 2, 4]),
        (Schedule::every(3), vec![0, 3, 4]),
        (Schedule::every(2).starting_at(1), vec![1, 3, 4]),
        (Schedule::no_epoch(), vec![4]),
        (Schedule::no_epoch().before_training(true), vec![-1, 4]),
        (
            Schedule::every_epoch().before_training(true),
            vec![-1, 0, 1, 2, 3, 4],
        ),
        (Schedule::epochs([70]), vec![4]),
    ] {
        let run = project().run("r").start().unwrap();
        let passes = Arc::new(AtomicUsize::new(0));
        let mut collection = collection(&run, &passes).schedule(schedule.clone());
        train(&mut collection, 0, 5);
        assert_eq!(epochs(&run, "train"), expected, "{schedule:?}");
        assert_eq!(epochs(&run, "valid"), expected, "{schedule:?}");
        assert_eq!(
            passes.load(Ordering::Relaxed),
            2 * expected.len(),
            "{schedule:?}"
        );
        assert_eq!(run.status(), Status::Completed);
        let reader = run.reader().unwrap();
        for &epoch in &expected {
            let output = reader
                .metrics("default")
                .split("train")
                .epoch(epoch)
                .values::<f32>("output");
            let weight = (epoch + 1) as f32;
            assert_eq!(
                output.unwrap(),
                [weight, 2.0 * weight, 4.0 * weight],
                "epoch {epoch}"
            );
        }
    }
}

#[test]
fn a_resumed_training_counts_on_and_repeats_nothing() {
    let project = project();
    let passes = Arc::new(AtomicUsize::new(0));
    let schedule = Schedule::every(2).before_training(true);
    {
        let run = project.run("r").start().unwrap();
        train(
            &mut collection(&run, &passes).schedule(schedule.clone()),
            0,
            3,
        );
        assert_eq!(epochs(&run, "train"), [-1, 0, 2]);
    }
    let run = project.run("r").if_exists(IfExists::Reuse).start().unwrap();
    passes.store(0, Ordering::Relaxed);
    train(
        &mut collection(&run, &passes).schedule(schedule.clone()),
        3,
        6,
    );
    assert_eq!(
        epochs(&run, "train"),
        [-1, 0, 2, 4, 5],
        "epoch 2 is the weights before epoch 3"
    );
    assert_eq!(passes.swap(0, Ordering::Relaxed), 4);
    train(&mut collection(&run, &passes).schedule(schedule), 6, 6);
    assert_eq!(
        passes.load(Ordering::Relaxed),
        0,
        "nothing was left to train"
    );
}

#[test]
fn a_resumed_run_says_how_many_epochs_it_has_now() {
    let project = project();
    let total = |run: &Run| run.reader().unwrap().parameters()["total_epochs"].clone();
    let run = project.run("r").start().unwrap();
    train(&mut collection(&run, &Arc::default()), 0, 3);
    assert_eq!(total(&run), 3);
    drop(run);
    let run = project.run("r").if_exists(IfExists::Reuse).start().unwrap();
    train(&mut collection(&run, &Arc::default()), 3, 10);
    assert_eq!(total(&run), 10);

    // What the program says of it stays.
    let own = serde_json::json!({"total_epochs": "until it converges"});
    let context = TrainingContext {
        hyperparameters: &own,
        ..TrainingContext::new(10, 12)
    };
    collection(&run, &Arc::default())
        .on_training_start(&context)
        .unwrap();
    assert_eq!(total(&run), "until it converges");
}

#[test]
fn a_training_of_no_epochs_collects_the_untrained_weights_once() {
    let run = project().run("r").start().unwrap();
    let passes = Arc::new(AtomicUsize::new(0));
    let schedule = Schedule::every_epoch().before_training(true);
    train(&mut collection(&run, &passes).schedule(schedule), 0, 0);
    assert_eq!(epochs(&run, "train"), [-1]);
}

#[test]
fn weights_that_no_step_changed_are_not_those_of_an_epoch() {
    for (before_training, first, known, expected) in [
        (false, 0, false, vec![]),
        (true, 0, false, vec![-1]),
        (false, 3, false, vec![2]),
        (true, 3, false, vec![2]),
        (false, 3, true, vec![2]),
    ] {
        let run = project().run("r").start().unwrap();
        let passes = Arc::new(AtomicUsize::new(0));
        let schedule = Schedule::every_epoch().before_training(before_training);
        let mut collection = collection(&run, &passes).schedule(schedule);
        if known {
            collection.collect_metrics_direct(&1.0, 2).unwrap();
        }
        let context = TrainingContext {
            model: Some(&1.0),
            untrained: true,
            ..TrainingContext::new(first, 5)
        };
        collection.on_training_start(&context).unwrap();
        // An integration says what it knows: the epoch that was under way may be the one before.
        collection
            .on_training_end(&TrainingContext {
                epoch: first.saturating_sub(1),
                ..context
            })
            .unwrap();
        assert_eq!(
            epochs(&run, "train"),
            expected,
            "{before_training} {first} {known}"
        );
        assert_eq!(passes.load(Ordering::Relaxed), 2 * expected.len());
    }
}

#[test]
fn validation_only_leaves_the_training_split_out() {
    let run = project().run("r").start().unwrap();
    let passes = Arc::new(AtomicUsize::new(0));
    train(&mut collection(&run, &passes).validation_only(true), 0, 2);
    assert!(epochs(&run, "train").is_empty());
    assert_eq!(epochs(&run, "valid"), [0, 1]);
}

#[test]
fn the_training_s_own_aggregates_are_logged_once_each() {
    let run = project().run("r").start().unwrap();
    let mut collection = collection(&run, &Arc::default())
        .schedule(Schedule::no_epoch())
        .aggregates(false);
    let aggregate = |split: &str, epoch: usize, value: f64| Aggregate {
        name: "Loss".into(),
        split: split.into(),
        epoch,
        value,
    };
    let all = [
        aggregate("train", 0, 0.9),
        aggregate("valid", 0, 0.8),
        aggregate("train", 1, 0.7),
        aggregate("valid", 1, 0.6),
    ];
    let totals = BTreeMap::from([("train".to_owned(), 3)]);
    let parameters = serde_json::json!({"optimiser": {"rate": 0.1}});
    let at = |epoch, known| TrainingContext {
        model: Some(&1.0),
        aggregates: &all[..known],
        split_totals: &totals,
        hyperparameters: &parameters,
        learning_rate: Some(0.1),
        ..TrainingContext::new(epoch, 2)
    };
    collection.on_training_start(&at(0, 0)).unwrap();
    collection.on_train_loader_end(&at(0, 1)).unwrap();
    collection.on_validation_loader_end(&at(0, 2)).unwrap();
    collection.on_epoch_end(&at(0, 2)).unwrap();
    collection.on_train_loader_end(&at(1, 3)).unwrap();
    collection.on_training_end(&at(1, 4)).unwrap();

    let reader = run.reader().unwrap();
    let scalars = reader.scalars().unwrap();
    let losses: Vec<_> = scalars
        .iter()
        .filter(|scalar| scalar.name == "Loss")
        .map(|scalar| (scalar.split.as_str(), scalar.epoch, scalar.value))
        .collect();
    assert_eq!(
        losses,
        [
            ("train", Some(0), 0.9),
            ("valid", Some(0), 0.8),
            ("train", Some(1), 0.7),
            ("valid", Some(1), 0.6)
        ]
    );
    let rates = scalars
        .iter()
        .filter(|scalar| scalar.name == "learning_rate");
    assert_eq!(
        rates.map(|scalar| scalar.epoch).collect::<Vec<_>>(),
        [Some(0), Some(1)]
    );
    assert_eq!(reader.parameters()["optimiser.rate"], 0.1);
}

#[test]
fn embeddings_are_reduced_when_they_were_collected() {
    for (method, expected) in [
        (EmbeddingsMethod::default(), Some("embedding-pacmap")),
        (EmbeddingsMethod::Umap, Some("embedding-umap")),
        (EmbeddingsMethod::Pca, Some("embedding-pca")),
        (EmbeddingsMethod::None, None),
    ] {
        let run = project().run("r").start().unwrap();
        let passes = Arc::new(AtomicUsize::new(0));
        let mut collection = collection(&run, &passes)
            .embeddings(true)
            .embeddings_method(method);
        train(&mut collection, 0, 2);
        assert_eq!(run.status(), Status::Completed);
        let reader = run.reader().unwrap();
        let made = reader.projections().iter().map(|info| info.name.as_str());
        assert_eq!(made.collect::<Vec<_>>(), Vec::from_iter(expected));
    }
}

#[test]
fn a_model_that_a_scheduled_moment_does_not_have_is_an_error() {
    let run = project().run("r").start().unwrap();
    let mut collection = collection(&run, &Arc::default());
    collection
        .on_training_start(&TrainingContext::new(0, 1))
        .unwrap();
    let error = collection
        .on_train_loader_end(&TrainingContext::new(0, 1))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("on_train_loader_end needs the model"),
        "{error}"
    );
    assert!(
        matches!(run.status(), Status::Failed(_)),
        "{}",
        run.status()
    );
}

#[test]
fn metrics_are_collected_without_a_training_too() {
    let project = project();
    let passes = Arc::new(AtomicUsize::new(0));
    let run = project.run("given").start().unwrap();
    let mut given = collection(&run, &passes);
    let reports = given.collect_metrics_direct(&2.0, 9).unwrap();
    let collected: Vec<_> = reports
        .iter()
        .map(|report| (&*report.split, report.epoch))
        .collect();
    assert_eq!(collected, [("train", Some(9)), ("valid", Some(9))]);
    assert_eq!(run.status(), Status::Running, "a given run goes on");

    let mut own = MetricsCollection::<f32>::new()
        .project(&project)
        .run_name("own")
        .split(
            "train",
            vec![1.0_f32],
            Join::none(),
            |items: Vec<f32>| Ok(items),
            |weight: &f32, _: &Vec<f32>| Ok(*weight),
            Collectors::new().prediction(|batch: &Vec<f32>, output: &f32| {
                Ok(Columns::new().with("output", vec![*output; batch.len()]))
            }),
        );
    own.collect_metrics_direct(&3.0, None).unwrap();
    let reader = project.open_run("own").unwrap();
    assert_eq!(reader.status(), &Status::Completed);
    assert_eq!(
        reader.metrics("default").values::<f32>("output").unwrap(),
        [3.0]
    );
}
