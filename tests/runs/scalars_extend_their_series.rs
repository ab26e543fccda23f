//! Logging a name again extends its series, also after the run was taken up again.

#![allow(clippy::unwrap_used)]

use emberlens::run::{At, IfExists, Project, Scalar};

fn series<'a>(scalars: &'a [Scalar], name: &str, split: &str) -> Vec<&'a Scalar> {
    scalars
        .iter()
        .filter(|scalar| scalar.name == name && scalar.split == split)
        .collect()
}

#[test]
fn repeated_names_extend_their_series_across_reopening() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(&root.path().display().to_string(), "p").unwrap();
    for first_epoch in [0, 3] {
        let run = project.run("r").if_exists(IfExists::Reuse).start().unwrap();
        for epoch in first_epoch..first_epoch + 3 {
            run.log(
                &[("loss", 1.0 / (epoch + 1) as f64), ("accuracy", 0.5)],
                At::epoch(epoch),
            )
            .unwrap();
            run.log_split("valid", &[("loss", 2.0)], At::epoch(epoch))
                .unwrap();
            run.log(&[("norm", 1.5)], At::axis()).unwrap();
            run.log_split("valid", &[("norm", 1.5)], At::axis())
                .unwrap();
        }
        run.log(&[("rate", 0.1)], At::iteration(first_epoch * 100))
            .unwrap();
    }
    let scalars = project.open_run("r").unwrap().scalars().unwrap();
    let losses = series(&scalars, "loss", "");
    assert_eq!(
        losses.iter().map(|s| s.epoch.unwrap()).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
    assert_eq!(losses[5].value, 1.0 / 6.0);
    for split in ["", "valid"] {
        let steps: Vec<_> = series(&scalars, "norm", split)
            .iter()
            .map(|s| s.step.unwrap())
            .collect();
        assert_eq!(
            steps,
            [0, 1, 2, 3, 4, 5],
            "one axis per series, going on after reopening"
        );
    }
    let rates: Vec<_> = series(&scalars, "rate", "")
        .iter()
        .map(|s| s.iteration)
        .collect();
    assert_eq!(rates, [Some(0), Some(300)]);
    assert_eq!(series(&scalars, "loss", "valid").len(), 6);
}

#[test]
fn the_axis_goes_on_after_explicit_steps() {
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    run.log(&[("x", 0.0)], At::step(41)).unwrap();
    run.log(&[("x", 1.0)], At::axis()).unwrap();
    run.log(&[("y", 1.0)], At::axis()).unwrap();
    let scalars = run.reader().unwrap().scalars().unwrap();
    let steps: Vec<_> = scalars.iter().map(|scalar| scalar.step).collect();
    assert_eq!(steps, [Some(41), Some(42), Some(0)]);
}

#[test]
fn a_flushed_value_is_seen_by_others_while_the_run_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().display().to_string();
    let run = Project::open(&root, "p").unwrap().run("r").start().unwrap();
    run.log(&[("loss", 1.0)], At::epoch(0)).unwrap();
    run.flush().unwrap();
    let elsewhere = Project::open(&root, "p").unwrap().open_run("r").unwrap();
    assert_eq!(elsewhere.scalars().unwrap().len(), 1);
}

#[test]
fn the_buffer_is_bounded_without_a_flush() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().display().to_string();
    let run = Project::open(&root, "p").unwrap().run("r").start().unwrap();
    for step in 0..10_500 {
        run.log(&[("loss", step as f64)], At::step(step)).unwrap();
    }
    let reader = Project::open(&root, "p").unwrap().open_run("r").unwrap();
    assert_eq!(
        reader.scalars().unwrap().len(),
        10_000,
        "written when the buffer was full"
    );
    run.complete().unwrap();
    let scalars = reader.scalars().unwrap();
    assert_eq!(scalars.len(), 10_500);
    assert!(
        scalars
            .iter()
            .enumerate()
            .all(|(row, scalar)| scalar.value == row as f64)
    );
}

#[test]
fn nan_and_infinities_are_kept_as_they_are() {
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let values = [
        ("a", f64::NAN),
        ("b", f64::INFINITY),
        ("c", f64::NEG_INFINITY),
        ("d", -0.0),
    ];
    run.log(&values, At::epoch(0)).unwrap();
    let scalars = run.reader().unwrap().scalars().unwrap();
    assert!(scalars[0].value.is_nan());
    assert_eq!(scalars[1].value, f64::INFINITY);
    assert_eq!(scalars[2].value, f64::NEG_INFINITY);
    assert!(scalars[3].value.is_sign_negative());
}

#[test]
fn many_threads_lose_no_value() {
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let run = run.clone();
            scope.spawn(move || {
                for step in 0..500 {
                    run.log(&[("shared", f64::from(thread))], At::axis())
                        .unwrap();
                    if step % 100 == 0 {
                        run.flush().unwrap();
                    }
                }
            });
        }
    });
    let scalars = run.reader().unwrap().scalars().unwrap();
    let mut steps: Vec<_> = scalars.iter().map(|scalar| scalar.step.unwrap()).collect();
    steps.sort_unstable();
    assert_eq!(steps, (0..2000).collect::<Vec<_>>());
}

#[test]
fn a_store_that_fails_is_told_and_loses_no_value() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(&root.path().display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    run.log(&[("loss", 1.0)], At::epoch(0)).unwrap();
    let blocked = run.location().local_path().unwrap().join("scalars");
    std::fs::write(&blocked, "not a folder").unwrap();
    let error = run.flush().unwrap_err();
    assert_eq!(error.kind(), emberlens::ErrorKind::Storage, "{error}");
    assert!(
        run.complete().is_err(),
        "a run does not complete over lost values"
    );
    std::fs::remove_file(&blocked).unwrap();
    run.log(&[("loss", 2.0)], At::epoch(1)).unwrap();
    run.complete().unwrap();
    let values: Vec<_> = project
        .open_run("r")
        .unwrap()
        .scalars()
        .unwrap()
        .iter()
        .map(|s| s.value)
        .collect();
    assert_eq!(values, [1.0, 2.0]);
}
