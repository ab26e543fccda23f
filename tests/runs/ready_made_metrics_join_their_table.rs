//! `add_metrics`: columns join a table row by row or by `example_id`, or the call is an error.

#![allow(clippy::unwrap_used)]

use emberlens::Error;
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Columns, Table};

fn start() -> (Run, Table) {
    let project = Project::open("memory://", "p").unwrap();
    let table = project
        .create_table(
            "letters",
            Columns::new().with("letter", vec!["a", "b", "c"]),
        )
        .unwrap();
    (project.run("r").start().unwrap(), table)
}

fn losses(values: &[f32]) -> Columns {
    Columns::new().with("loss", values.to_vec())
}

#[test]
fn as_many_rows_as_the_table_join_row_by_row() {
    let (run, table) = start();
    let at = Position::new("train").epoch(2);
    let written = run
        .add_metrics("default", losses(&[0.1, 0.2, 0.3]), Some(&table), Some(at))
        .unwrap();
    assert_eq!(written.iter().map(|file| file.rows).sum::<u64>(), 3);
    assert!(
        run.location().join(&written[0].url).read().unwrap().len() as u64 == written[0].size_bytes
    );
    let reader = run.reader().unwrap();
    let ids: Vec<i64> = reader
        .metrics("default")
        .split("train")
        .epoch(2)
        .values("example_id")
        .unwrap();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(reader.inputs()[0].url, "tables/letters");
    let reopened = reader.input_table(&reader.inputs()[0]).unwrap();
    assert_eq!(reopened.row_count(), 3);
}

#[test]
fn other_rows_need_their_ids() {
    let (run, table) = start();
    let error = run
        .add_metrics("default", losses(&[0.1, 0.2]), Some(&table), None)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                expected: 3,
                found: 2,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("example_id"), "{error}");
    let columns = losses(&[0.1, 0.2]).with("example_id", vec![2_i64, 0]);
    run.add_metrics("default", columns, Some(&table), None)
        .unwrap();
    let ids: Vec<i64> = run
        .reader()
        .unwrap()
        .metrics("default")
        .values("example_id")
        .unwrap();
    assert_eq!(ids, [2, 0]);
}

#[test]
fn ids_beyond_the_table_and_missing_tables_are_errors() {
    let (run, table) = start();
    let beyond = losses(&[0.1]).with("example_id", vec![3_i64]);
    let error = run
        .add_metrics("default", beyond, Some(&table), None)
        .unwrap_err();
    assert!(error.to_string().contains("example_id 3"), "{error}");
    let error = run
        .add_metrics("default", losses(&[0.1, 0.2, 0.3]), None, None)
        .unwrap_err();
    assert!(matches!(error, Error::MissingColumn { .. }), "{error}");
    assert!(
        run.add_metrics("default", Columns::new(), Some(&table), None)
            .is_err()
    );
    let reader = run.reader().unwrap();
    assert!(
        reader.passes("default").is_empty(),
        "a refused call leaves no rows"
    );
    let reasons: Vec<Option<String>> = reader
        .incomplete_passes()
        .iter()
        .map(|pass| pass.reason.clone())
        .collect();
    assert!(
        reasons.iter().all(|reason| reason
            .as_ref()
            .is_some_and(|reason| reason.contains("example_id 3"))),
        "{reasons:?}"
    );
}

#[test]
fn a_local_disk_holds_the_same() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(&root.path().display().to_string(), "p").unwrap();
    let letters = Columns::new().with("letter", vec!["a", "b"]);
    let table = project.create_table("letters", letters).unwrap();
    let run = project.run("r").input(&table).start().unwrap();
    for epoch in 0..2 {
        let at = Position::new("train").epoch(epoch);
        run.add_metrics("Per Letter", losses(&[0.5, 1.5]), Some(&table), Some(at))
            .unwrap();
    }
    run.complete().unwrap();
    let reader = project.open_run("r").unwrap();
    assert_eq!(reader.streams(), ["Per Letter"]);
    let losses: Vec<f32> = reader.metrics("Per Letter").values("loss").unwrap();
    assert_eq!(losses, [0.5, 1.5, 0.5, 1.5]);
    let input = reader.input_table(&reader.inputs()[0]).unwrap();
    assert_eq!(input.column::<String>("letter").unwrap(), ["a", "b"]);
}
