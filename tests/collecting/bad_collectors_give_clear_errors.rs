//! Wrong collectors, datasets and arguments give an error that names the value, the place and the
//! way out; odd but valid data gives a defined result.

#![allow(clippy::unwrap_used, clippy::panic, clippy::ptr_arg)]

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use emberlens::collect::{FnDataset, Loader, PassReport, collect_metrics};
use emberlens::metrics::{MetricsCollector, with_schema};
use emberlens::run::{Project, Run};
use emberlens::table::{Column, Columns, Role, role};
use emberlens::{Error, ErrorKind, Result};

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

fn run() -> Run {
    project().run("r").start().unwrap()
}

fn items(count: usize) -> Vec<f32> {
    (0..count).map(|index| index as f32).collect()
}

type Batch = Vec<f32>;

fn x(batch: &Batch, _: &()) -> Result<Columns> {
    Ok(Columns::new().with("x", batch.clone()))
}

/// One pass over 10 items in batches of 4 with `x` and another collector.
fn with(collector: impl MetricsCollector<Batch, ()> + Send + Sync + 'static) -> Result<PassReport> {
    collect_metrics(&items(10))
        .collector(x)
        .collector(collector)
        .without_table()
        .split("train")
        .loader(Loader::batch_size(4))
        .into_run(&run())
}

fn assert_says(error: &Error, kind: ErrorKind, parts: &[&str]) {
    let text = error.chain();
    assert_eq!(error.kind(), kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn a_panic_names_the_collector_and_the_batch() {
    let error = with(|batch: &Batch, _: &()| {
        assert!(batch[0] < 4.0, "index out of bounds: the len is 10");
        Ok(Columns::new().with("y", batch.clone()))
    })
    .unwrap_err();
    assert!(matches!(error, Error::Panicked { .. }));
    assert_says(
        &error,
        ErrorKind::UserCode,
        &["collector #2", "batch 1", "the len is 10"],
    );
}

#[test]
fn an_error_names_the_collector_and_the_batch() {
    let error = with(|batch: &Batch, _: &()| match batch.len() {
        4 => Ok(Columns::new().with("y", batch.clone())),
        _ => Err(Error::user("no labels")),
    })
    .unwrap_err();
    assert!(
        matches!(error, Error::Collector { batch: 2, .. }),
        "{error}"
    );
    assert!(
        error.chain().ends_with("on batch 2: no labels"),
        "{}",
        error.chain()
    );
}

#[test]
fn a_short_column_names_the_collector_and_both_lengths() {
    let error = with(|batch: &Batch, _: &()| {
        Ok(Columns::new()
            .with("y", batch.clone())
            .with("short", batch[1..].to_vec()))
    })
    .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Shape {
                expected: 4,
                found: 3,
                ..
            }
        ),
        "{error}"
    );
    assert_says(
        &error,
        ErrorKind::Invalid,
        &["`short`", "collector #2", "batch 0"],
    );
}

#[test]
fn one_column_from_two_collectors_names_both() {
    let error =
        with(|batch: &Batch, _: &()| Ok(Columns::new().with("X", batch.clone()))).unwrap_err();
    assert!(matches!(error, Error::DuplicateColumn { .. }), "{error}");
    assert_says(
        &error,
        ErrorKind::Invalid,
        &["`X`", "collector #1", "collector #2", "rename"],
    );
}

#[test]
fn a_column_of_the_pass_itself_cannot_be_emitted() {
    for name in ["example_id", "split", "epoch", "pass_id"] {
        let error = with(move |batch: &Batch, _: &()| Ok(Columns::new().with(name, batch.clone())))
            .unwrap_err();
        assert_says(
            &error,
            ErrorKind::Invalid,
            &[name, "the pass itself", "collector #2"],
        );
    }
}

#[test]
fn columns_that_change_between_batches_are_refused() {
    let text = with(|batch: &Batch, _: &()| {
        Ok(Columns::new().with(if batch[0] < 4.0 { "y" } else { "z" }, batch.clone()))
    })
    .unwrap_err();
    assert_eq!(text.kind(), ErrorKind::Invalid, "{text}");
    let text = with(|batch: &Batch, _: &()| {
        Ok(match batch[0] < 4.0 {
            true => Columns::new().with("y", batch.clone()),
            false => Columns::new().with("y", vec![1_i64; batch.len()]),
        })
    })
    .unwrap_err();
    assert_eq!(text.kind(), ErrorKind::Invalid, "{text}");
}

/// A collector that says what it returns, and returns something else when asked to.
struct Typed {
    schema: Schema,
}

impl Typed {
    fn new(fields: &[(&str, DataType)]) -> Self {
        let fields = fields
            .iter()
            .map(|(name, kind)| Field::new(*name, kind.clone(), true));
        Self {
            schema: Schema::new(fields.collect::<Vec<_>>()),
        }
    }
}

impl MetricsCollector<Batch, ()> for Typed {
    fn collect(&self, batch: &Batch, _: &()) -> Result<Columns> {
        Ok(Columns::new().with("y", batch.clone()))
    }
    fn schema(&self) -> Option<Schema> {
        Some(self.schema.clone())
    }
    fn name(&self) -> std::borrow::Cow<'_, str> {
        "Typed".into()
    }
}

#[test]
fn a_collector_is_held_to_its_schema() {
    assert!(with(Typed::new(&[("y", DataType::Float32)])).is_ok());
    let error = with(Typed::new(&[("y", DataType::Int64)])).unwrap_err();
    assert_says(
        &error,
        ErrorKind::Invalid,
        &["`y`", "Int64", "Float32", "#2 `Typed`"],
    );
    let error = with(Typed::new(&[
        ("y", DataType::Float32),
        ("loss", DataType::Float32),
    ]))
    .unwrap_err();
    assert_says(&error, ErrorKind::Invalid, &["`loss`", "#2 `Typed`", "y"]);
    let error = with(Typed::new(&[])).unwrap_err();
    assert_says(&error, ErrorKind::Invalid, &["`y`", "#2 `Typed`", "schema"]);
}

#[test]
fn a_closure_is_held_to_the_schema_that_it_declares() {
    let loss = || {
        Columns::new()
            .with("y", Vec::<f32>::new())
            .schema()
            .unwrap()
    };
    let twice = |batch: &Batch, _: &()| Ok(Columns::new().with("y", batch.clone()));
    assert!(with(with_schema(loss(), twice)).is_ok());

    let wider = |batch: &Batch, _: &()| {
        let y: Vec<f64> = batch.iter().map(|y| f64::from(*y)).collect();
        Ok(Columns::new().with("y", y))
    };
    let error = with(with_schema(loss(), wider).named("wider")).unwrap_err();
    let chain = error.chain();
    for part in ["`y`", "Float64", "Float32", "`wider`"] {
        assert!(chain.contains(part), "{chain}");
    }
    let more = |batch: &Batch, _: &()| {
        Ok(Columns::new()
            .with("y", batch.clone())
            .with("z", batch.clone()))
    };
    let error = with(with_schema(loss(), more)).unwrap_err();
    assert_says(&error, ErrorKind::Invalid, &["`z`", "with_schema"]);
    let other = |batch: &Batch, _: &()| Ok(Columns::new().with("z", batch.clone()));
    let error = with(with_schema(loss(), other)).unwrap_err();
    assert_says(&error, ErrorKind::Invalid, &["`y`", "with_schema"]);
}

#[test]
fn a_dataset_that_fails_at_row_700_names_the_row_and_keeps_the_run_usable() {
    for workers in [0, 2] {
        let run = run();
        let dataset = FnDataset::new(1000, |index| match index {
            700 => Err(Error::user(std::io::Error::other("truncated PNG"))),
            other => Ok(other as f32),
        });
        let error = collect_metrics(&dataset)
            .collector(x)
            .without_table()
            .split("train")
            .epoch(0)
            .loader(Loader::batch_size(64).workers(workers))
            .into_run(&run)
            .unwrap_err();
        assert!(
            matches!(error, Error::Dataset { index: 700, .. }),
            "{error}"
        );
        assert_eq!(
            error.chain(),
            "the dataset of split `train` failed at index 700: truncated PNG"
        );
        let reader = run.reader().unwrap();
        assert!(reader.passes("default").is_empty());
        let incomplete = reader.incomplete_passes();
        assert_eq!(incomplete.len(), 1);
        assert!(incomplete[0].reason.as_ref().unwrap().contains("index 700"));

        let repaired = items(1000);
        let again = collect_metrics(&repaired)
            .collector(x)
            .without_table()
            .split("train")
            .epoch(0);
        assert_eq!(again.into_run(&run).unwrap().rows, 1000);
        let reader = run.reader().unwrap();
        assert_eq!(
            reader.metrics("default").values::<f32>("x").unwrap(),
            repaired
        );
        assert!(
            reader.incomplete_passes().is_empty(),
            "the complete pass replaced it"
        );
    }
}

#[test]
fn an_empty_dataset_is_a_complete_pass_without_rows() {
    let run = run();
    let empty: Vec<f32> = Vec::new();
    let report = collect_metrics(&empty)
        .collector(x)
        .without_table()
        .split("train")
        .into_run(&run)
        .unwrap();
    assert_eq!((report.rows, report.rows_per_second), (0, 0.0));
    assert!(report.aggregates.is_empty());
    let reader = run.reader().unwrap();
    assert_eq!(reader.passes("default")[0].rows, 0);
    assert!(reader.incomplete_passes().is_empty());
}

#[test]
fn an_empty_dataset_gets_its_columns_from_the_schemas() {
    let run = run();
    let empty: Vec<f32> = Vec::new();
    let report = collect_metrics(&empty)
        .collector(Typed::new(&[("y", DataType::Float32)]))
        .without_table()
        .split("train")
        .into_run(&run)
        .unwrap();
    assert_eq!(report.rows, 0);
    let batch = run.reader().unwrap().metrics("default").read().unwrap();
    assert_eq!(batch.num_rows(), 0);
    assert!(batch.schema_ref().field_with_name("y").is_ok());
}

#[test]
fn an_empty_dataset_gets_the_columns_and_roles_that_closures_declare() {
    let run = run();
    let empty: Vec<f32> = Vec::new();
    let kind = Column::from(Vec::<i32>::new()).role(Role::category(["low", "high"]));
    let schema = Columns::new().with("kind", kind).schema().unwrap();
    let kinds = |batch: &Batch, _: &()| {
        let kind: Vec<i32> = batch.iter().map(|y| i32::from(*y > 0.5)).collect();
        Ok(Columns::new().with("kind", kind))
    };
    for (epoch, dataset) in [(0, empty), (1, items(3))] {
        collect_metrics(&dataset)
            .collector(with_schema(schema.clone(), kinds))
            .without_table()
            .epoch(epoch)
            .into_run(&run)
            .unwrap();
        let batch = run.reader().unwrap().metrics("default").read().unwrap();
        assert_eq!(batch.num_rows(), dataset.len());
        let field = batch.schema().field_with_name("kind").unwrap().clone();
        assert_eq!(role(&field), Some(Role::category(["low", "high"])));
    }
}

#[test]
fn one_sample_is_enough() {
    let run = run();
    let report = collect_metrics(&[7.0_f32])
        .collector(x)
        .without_table()
        .split("train")
        .loader(Loader::batch_size(64).workers(4))
        .into_run(&run)
        .unwrap();
    assert_eq!(report.rows, 1);
    assert_eq!(report.aggregate("train_x_avg"), Some(7.0));
    assert_eq!(report.aggregate("train_x_std"), Some(0.0));
}

#[test]
fn losses_that_are_not_finite_are_stored_and_counted_apart() {
    let run = run();
    let losses = [
        1.0_f32,
        f32::NAN,
        3.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
    ];
    let report = collect_metrics(&losses)
        .collector(|batch: &Batch, _: &()| Ok(Columns::new().with("loss", batch.clone())))
        .without_table()
        .split("train")
        .loader(Loader::batch_size(2))
        .into_run(&run)
        .unwrap();
    for (name, value) in [
        ("train_loss_avg", 2.0),
        ("train_loss_min", 1.0),
        ("train_loss_max", 3.0),
        ("train_loss_nan_count", 2.0),
        ("train_loss_inf_count", 2.0),
    ] {
        assert_eq!(report.aggregate(name), Some(value), "{name}");
    }
    let stored = run
        .reader()
        .unwrap()
        .metrics("default")
        .values::<f32>("loss")
        .unwrap();
    let bits = |values: &[f32]| {
        values
            .iter()
            .map(|value| value.to_bits())
            .collect::<Vec<_>>()
    };
    assert_eq!(bits(&stored), bits(&losses));
}

#[test]
fn a_collate_function_that_fails_names_its_first_item() {
    let dataset = Arc::new(items(10));
    let error = collect_metrics(&dataset)
        .collate(|items: Vec<f32>| match items.len() {
            4 => Ok(items),
            _ => Err(Error::user("ragged batch")),
        })
        .collector(x)
        .without_table()
        .split("train")
        .loader(Loader::batch_size(4).workers(1))
        .into_run(&run())
        .unwrap_err();
    assert_eq!(
        error.chain(),
        "the dataset of split `train` failed at index 8: ragged batch"
    );
}
