//! Promise: a name in a filter means one column, or is an error that names those that it may mean; and a
//! number that a column cannot hold compares as the number that it is, or is an error.

#![allow(clippy::unwrap_used)]

use emberlens::Error;
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns, Role, Table};

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

/// The reason and the way out of an error in a filter.
fn refusal(found: Result<Vec<u64>, Error>) -> String {
    match found.unwrap_err() {
        Error::Filter { reason, hint, .. } => format!("{reason}; {hint}"),
        other => other.to_string(),
    }
}

fn measured(run: &Run, table: &Table) {
    let columns = Columns::new()
        .with("example_id", vec![0_i64, 1, 2])
        .with("label", vec![1_i64, 1, 1])
        .with("loss", vec![0.5_f32, 1.5, 2.5]);
    let position = Position::new("train").epoch(0);
    run.add_metrics("default", columns, Some(table), Some(position))
        .unwrap();
}

#[test]
fn a_column_called_example_id_is_told_from_the_index() {
    let project = project();
    let columns = Columns::new()
        .with("example_id", vec![7_i64, 0, 2])
        .with("label", vec![0_i64, 1, 1]);
    let table = project.create_table("my pets", columns).unwrap();
    let error = refusal(table.rows_where("example_id = 0"));
    assert!(
        error.contains("`example_id` may mean two columns")
            && error.contains("write \"my pets\".example_id or row.example_id"),
        "{error}"
    );
    assert_eq!(table.rows_where("\"my pets\".example_id = 0").unwrap(), [1]);
    assert_eq!(table.rows_where("row.example_id = 0").unwrap(), [0]);
    assert_eq!(
        table
            .rows_where("row.example_id <> \"my pets\".Example_Id")
            .unwrap(),
        [0, 1]
    );

    let run = project.run("r").start().unwrap();
    measured(&run, &table);
    let reader = run.reader().unwrap();
    let rows = |filter: &str| reader.metrics("default").rows_where(&table, filter);
    let error = refusal(rows("example_id = 0 AND loss > 0"));
    assert!(
        error.contains("row.example_id or metrics.example_id"),
        "{error}"
    );
    assert_eq!(rows("row.example_id = 0").unwrap(), [0]);
    assert_eq!(rows("metrics.example_id = 2 AND loss > 2").unwrap(), [2]);
    assert_eq!(rows("\"my pets\".example_id = 2").unwrap(), [2]);
    assert_eq!(rows("\"my pets\".example_id = 7").unwrap(), [0]);

    // Without such a column the name alone is the index.
    let plain = Columns::new().with("label", vec![3_i64, 4]);
    let table = project.create_table("plain", plain).unwrap();
    assert_eq!(
        table
            .rows_where("example_id = 1 AND plain.example_id = 1")
            .unwrap(),
        [1]
    );
}

#[test]
fn a_table_called_metrics_is_told_from_the_metrics() {
    let project = project();
    let columns = Columns::new()
        .with("label", vec![0_i64, 1, 1])
        .with("metrics", vec![5_i64, 6, 7]);
    let table = project.create_table("Metrics", columns).unwrap();
    let run = project.run("r").start().unwrap();
    measured(&run, &table);
    let reader = run.reader().unwrap();
    let rows = |filter: &str| reader.metrics("default").rows_where(&table, filter);
    let error = refusal(rows("metrics.label = 0"));
    assert!(
        error.contains("`metrics.label` may mean two columns")
            && error.contains("write run.label or label"),
        "{error}"
    );
    assert_eq!(rows("label = 0").unwrap(), [0]);
    assert_eq!(rows("run.label = 1").unwrap(), [0, 1, 2]);
    assert_eq!(rows("label <> run.label").unwrap(), [0]);
    // What only one of them has needs nothing; a column of that name is no prefix.
    assert_eq!(rows("metrics.loss > 2").unwrap(), [2]);
    assert_eq!(rows("metrics = 6").unwrap(), [1]);
    assert_eq!(rows("metrics.metrics = 6").unwrap(), [1]);
    // Alone, the table is what it is called.
    assert_eq!(table.rows_where("metrics.label = 0").unwrap(), [0]);
}

#[test]
fn numbers_out_of_range_are_defined() {
    let label = Column::from(vec![0_i32, 1, i32::MAX]).role(Role::Category { names: [].into() });
    let columns = Columns::new()
        .with("label", label)
        .with("big", vec![i64::MAX, i64::MIN, 1 << 53])
        .with("loss", vec![f32::INFINITY, f32::MIN_POSITIVE, 0.0]);
    let table = project().create_table("t", columns).unwrap();
    let rows = |filter: &str| table.rows_where(filter);
    let none: [u64; 0] = [];
    assert_eq!(rows("label = 3000000000").unwrap(), none);
    assert_eq!(rows("label <> 3000000000").unwrap(), [0, 1, 2]);
    assert_eq!(
        rows("label < 3000000000 AND label IN (1, 3000000000)").unwrap(),
        [1]
    );
    // As i32, 4294967297 would be 1.
    assert_eq!(rows("label = 4294967297").unwrap(), none);
    assert_eq!(rows("big = 9223372036854775807").unwrap(), [0]);
    assert_eq!(rows("big = -9223372036854775808").unwrap(), [1]);
    for beyond in ["9223372036854775808", "-9223372036854775809", "1e30"] {
        for filter in [
            format!("big = {beyond}"),
            format!("label < {beyond}"),
            format!("big BETWEEN 0 AND {beyond}"),
            format!("big IN (1, {beyond})"),
        ] {
            let error = refusal(rows(&filter));
            assert!(
                error.contains("beyond the whole numbers of 64 bits"),
                "{filter}: {error}"
            );
        }
        assert_eq!(
            rows(&format!("loss <= {beyond} OR loss > 0"))
                .unwrap()
                .len(),
            if beyond.starts_with('-') { 2 } else { 3 }
        );
    }
    // As f32 these would be infinity and 0.
    assert_eq!(rows("loss = 1e39").unwrap(), none);
    assert_eq!(rows("loss > 1e39").unwrap(), [0]);
    assert_eq!(rows("loss = 1e-60").unwrap(), none);
    assert_eq!(rows("loss < 1e-60").unwrap(), [2]);
    assert_eq!(rows("loss IN (0, 1e39)").unwrap(), [2]);
}
