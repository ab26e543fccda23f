//! The rows of a pass join to one table, said once and checked before the model runs; all wrong
//! arguments are reported together.

#![allow(clippy::unwrap_used, clippy::panic, clippy::ptr_arg)]

use emberlens::collect::{Loader, collect_metrics};
use emberlens::run::Project;
use emberlens::table::{Columns, Table};
use emberlens::{Error, ErrorKind, Result};

type Batch = Vec<f32>;

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

fn items(count: usize) -> Vec<f32> {
    (0..count).map(|index| index as f32).collect()
}

fn table(project: &Project, rows: i64) -> Table {
    let columns = Columns::new().with("x", (0..rows).collect::<Vec<_>>());
    project.create_table("data", columns).unwrap()
}

fn x(batch: &Batch, _: &()) -> Result<Columns> {
    Ok(Columns::new().with("x", batch.clone()))
}

fn assert_says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let text = error.chain();
    assert_eq!(error.kind(), kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn the_join_must_be_said_once() {
    let project = project();
    let table = table(&project, 10);
    let run = project.run("r").start().unwrap();
    let items = items(10);
    let pass = || collect_metrics(&items).collector(x).split("train");

    let error = pass().into_run(&run).unwrap_err();
    assert_says(
        &error,
        ErrorKind::Invalid,
        &["table", ".foreign_table_url", "without_table"],
    );
    let error = pass()
        .table(&table)
        .foreign_table_url(table.url())
        .into_run(&run)
        .unwrap_err();
    assert_says(
        &error,
        ErrorKind::Invalid,
        &["data", &table.url(), "keep one of"],
    );
    let error = pass()
        .table(&table)
        .without_table()
        .into_run(&run)
        .unwrap_err();
    assert_says(
        &error,
        ErrorKind::Invalid,
        &["without_table", "keep one of"],
    );
    assert!(pass().table(&table).into_run(&run).is_ok());
    assert!(
        run.reader().unwrap().incomplete_passes().is_empty(),
        "no refused pass was begun"
    );
}

#[test]
fn a_foreign_table_url_is_opened_and_its_absence_reported() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let project = Project::open(root, "p").unwrap();
    let table = table(&project, 10);
    let run = project.run("r").start().unwrap();
    let items = items(10);
    let pass = || collect_metrics(&items).collector(x).split("train");
    let url = table.url();
    assert_eq!(
        pass().foreign_table_url(&url).into_run(&run).unwrap().rows,
        10
    );
    assert_eq!(
        run.reader().unwrap().passes("default")[0]
            .table
            .as_ref()
            .unwrap()
            .name,
        "data"
    );
    let error = pass()
        .foreign_table_url(format!("{url}-gone"))
        .into_run(&run)
        .unwrap_err();
    assert_says(&error, ErrorKind::NotFound, &["data-gone"]);
}

#[test]
fn a_dataset_of_another_length_than_its_table_names_both() {
    let project = project();
    let table = table(&project, 10);
    let run = project.run("r").start().unwrap();
    for count in [9, 11] {
        let items = items(count);
        let error = collect_metrics(&items)
            .collector(x)
            .table(&table)
            .into_run(&run)
            .unwrap_err();
        let said = format!("{count} items");
        assert_says(
            &error,
            ErrorKind::Invalid,
            &[&said, "10 rows", "`data`", "example_ids"],
        );
    }
    let three = items(3);
    let error = collect_metrics(&three)
        .collector(x)
        .table(&table)
        .example_ids([0, 10, 1])
        .into_run(&run)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::ExampleId {
                value: 10,
                row: 1,
                rows: 10,
                ..
            }
        ),
        "{error}"
    );
    let error = collect_metrics(&three)
        .collector(x)
        .table(&table)
        .example_ids([0])
        .into_run(&run)
        .unwrap_err();
    assert_says(&error, ErrorKind::Invalid, &["1 ids", "3 items"]);
}

#[test]
fn all_wrong_arguments_are_reported_together() {
    let error = collect_metrics(&items(4))
        .collectors(Vec::new())
        .loader(Loader::batch_size(4).shuffle(true))
        .exclude_zero_weights(true)
        .constant("epoch", 3_i64)
        .constant("rate", 0.1_f64)
        .constant("Rate", 0.2_f64)
        .without_table()
        .into_run(&project().run("r").start().unwrap())
        .unwrap_err();
    assert!(
        matches!(&error, Error::Several { problems } if problems.len() == 5),
        "{error}"
    );
    assert_says(
        &error,
        ErrorKind::Invalid,
        &[
            "shuffle = true",
            "collectors = 0",
            "exclude_zero_weights",
            "`epoch`",
            "`Rate`",
        ],
    );
    let table_without_weights = {
        let project = project();
        let table = table(&project, 4);
        let run = project.run("r").start().unwrap();
        let items = items(4);
        collect_metrics(&items)
            .collector(x)
            .table(&table)
            .exclude_zero_weights(true)
            .into_run(&run)
            .unwrap_err()
    };
    assert_says(
        &table_without_weights,
        ErrorKind::Invalid,
        &["`data`", "weight"],
    );
}
