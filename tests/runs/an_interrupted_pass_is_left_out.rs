//! A pass that was stopped keeps its flushed rows, is recorded as abandoned, and no reader sees it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::CancelFlag;
use emberlens::callback::{
    Callback, Callbacks, Collectors, Flow, Join, MetricsCollection, TrainingContext,
};
use emberlens::collect::{Loader, collect_metrics};
use emberlens::run::{Project, Run, Status};
use emberlens::table::{Columns, DeltaTable};
use emberlens::{Error, ErrorKind};

fn run() -> Run {
    Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap()
}

fn rows_on_disk(run: &Run) -> u64 {
    let table = DeltaTable::open(run.stream_location("default").unwrap()).unwrap();
    table.snapshot().unwrap().row_count().unwrap()
}

#[test]
fn the_rows_before_the_stop_are_kept_and_the_pass_is_not_shown() {
    for workers in [0, 2] {
        let run = run();
        let items: Vec<i64> = (0..100).collect();
        let pass = |epoch: i64, flag: &CancelFlag, stop_at: i64| {
            let stopper = flag.clone();
            collect_metrics(&items)
                .collector(move |batch: &Vec<i64>, _: &()| {
                    if batch.contains(&stop_at) {
                        stopper.cancel();
                    }
                    Ok(Columns::new().with("x", batch.clone()))
                })
                .without_table()
                .split("train")
                .epoch(epoch)
                .cancel(flag)
                .loader(Loader::batch_size(10).workers(workers))
                .into_run(&run)
        };
        assert_eq!(pass(0, &CancelFlag::new(), -1).unwrap().rows, 100);
        let error = pass(1, &CancelFlag::new(), 35).unwrap_err();
        assert!(matches!(error, Error::Interrupted { .. }), "{error}");
        assert!(
            error.to_string().contains("train, epoch 1, after 40 rows"),
            "{error}"
        );
        assert_eq!(run.status(), Status::Running);

        assert_eq!(rows_on_disk(&run), 140, "flushed rows are kept");
        let reader = run.reader().unwrap();
        assert_eq!(reader.metrics("default").read().unwrap().num_rows(), 100);
        assert_eq!(
            reader
                .metrics("default")
                .epoch(1)
                .read()
                .unwrap()
                .num_rows(),
            0
        );
        let incomplete = reader.incomplete_passes();
        assert_eq!(incomplete.len(), 1);
        assert_eq!(
            (incomplete[0].split.as_str(), incomplete[0].epoch),
            ("train", Some(1))
        );
        assert!(
            incomplete[0]
                .reason
                .as_ref()
                .unwrap()
                .contains("interrupted")
        );
        let scalars = reader.scalars().unwrap();
        assert!(
            scalars.iter().all(|scalar| scalar.epoch == Some(0)),
            "no aggregates of a part"
        );

        assert_eq!(pass(1, &CancelFlag::new(), -1).unwrap().rows, 100);
        let reader = run.reader().unwrap();
        assert_eq!(
            reader
                .metrics("default")
                .epoch(1)
                .read()
                .unwrap()
                .num_rows(),
            100
        );
    }
}

#[test]
fn a_flag_that_is_set_already_stops_before_the_first_sample() {
    let run = run();
    let flag = CancelFlag::new();
    flag.cancel();
    let calls = AtomicUsize::new(0);
    let error = collect_metrics(&[1_i64, 2])
        .predictor(|_: &Vec<i64>| {
            calls.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .collector(|batch: &Vec<i64>, _: &()| Ok(Columns::new().with("x", batch.clone())))
        .without_table()
        .cancel(&flag)
        .into_run(&run)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert_eq!(calls.into_inner(), 0);
    assert!(run.reader().unwrap().passes("default").is_empty());
}

#[test]
fn ctrl_c_in_the_middle_of_a_pass_ends_the_training_as_interrupted() {
    let run = run();
    let flag = CancelFlag::new();
    let stopper = flag.clone();
    let collection = MetricsCollection::<i64>::new()
        .run(&run)
        .batch_size(10)
        .cancel(&flag)
        .split(
            "train",
            (0..100).collect::<Vec<i64>>(),
            Join::none(),
            |items: Vec<i64>| Ok(items),
            |_: &i64, batch: &Vec<i64>| Ok(batch.len()),
            Collectors::new().prediction(move |batch: &Vec<i64>, _: &usize| {
                if run_twice(batch) {
                    stopper.cancel();
                }
                Ok(Columns::new().with("x", batch.clone()))
            }),
        );
    let mut callbacks = Callbacks::new().with(collection);
    let at = |epoch| TrainingContext {
        model: Some(&1),
        ..TrainingContext::new(epoch, 5)
    };
    assert_eq!(callbacks.on_training_start(&at(0)), Flow::Continue);
    assert_eq!(callbacks.on_train_loader_end(&at(0)), Flow::Continue);
    assert_eq!(callbacks.on_epoch_end(&at(0)), Flow::Continue);
    assert_eq!(callbacks.on_train_loader_end(&at(1)), Flow::Stop);
    assert!(
        matches!(run.status(), Status::Interrupted(_)),
        "at once: {}",
        run.status()
    );
    let _ = callbacks.on_training_end(&at(1));
    assert_eq!(
        callbacks.finish().unwrap_err().kind(),
        ErrorKind::Interrupted
    );

    assert!(
        matches!(run.status(), Status::Interrupted(_)),
        "{}",
        run.status()
    );
    let reader = run.reader().unwrap();
    let epochs: Vec<_> = reader
        .passes("default")
        .iter()
        .map(|pass| pass.epoch)
        .collect();
    assert_eq!(epochs, [Some(0)]);
    assert_eq!(reader.incomplete_passes()[0].epoch, Some(1));
    assert!(rows_on_disk(&run) >= 130, "flushed rows are kept");
}

/// True from the second time that the batch with item 35 comes.
fn run_twice(batch: &[i64]) -> bool {
    static SEEN: AtomicUsize = AtomicUsize::new(0);
    batch.contains(&35) && SEEN.fetch_add(1, Ordering::Relaxed) == 1
}

#[test]
fn an_interruption_from_outside_is_the_run_s_reason() {
    let run = run();
    let mut collection = MetricsCollection::<i64>::new().run(&run).split(
        "train",
        vec![1_i64, 2],
        Join::none(),
        |items: Vec<i64>| Ok(items),
        |_: &i64, _: &Vec<i64>| Ok(()),
        Collectors::new()
            .prediction(|batch: &Vec<i64>, _: &()| Ok(Columns::new().with("x", batch.clone()))),
    );
    let context = TrainingContext {
        model: Some(&1),
        ..TrainingContext::new(0, 9)
    };
    collection.on_training_start(&context).unwrap();
    let reason = TrainingContext {
        interruption: Some("the time is up"),
        ..context
    };
    collection.on_interrupted(&reason).unwrap();
    collection.on_training_end(&context).unwrap();
    assert_eq!(run.status(), Status::Interrupted("the time is up".into()));
    let passes = run.reader().unwrap().passes("default");
    assert_eq!(
        passes.len(),
        1,
        "the final weights are collected all the same"
    );
}
