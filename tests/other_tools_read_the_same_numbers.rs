//! Promise: what Emberlens writes, other tools read, row for row and sum for sum.
//!
//! Runs where Python has the packages:
//! `python3 -m venv V && V/bin/pip install polars deltalake pyarrow duckdb`, then
//! `EMBERLENS_PYTHON=V/bin/python cargo test --test other_tools_read_the_same_numbers`.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use emberlens::reduce::Pca;
use emberlens::run::{At, MetricsTableWriter, Project};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, DeltaTable, Role};
use ndarray::Array2;
use serde_json::{Value, json};

const TOOLS: [&str; 4] = ["polars", "deltalake", "pyarrow", "duckdb"];

/// Dyadic values: every sum is exact, whatever the order in which a tool adds.
fn dyadic(row: usize) -> f32 {
    (row * 37 % 1024) as f32 / 64.0
}

#[test]
fn metrics_scalars_and_tables_agree_in_every_tool() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Without spaces: polars 2.1 does not find even its own tables in a folder with a space.
    let project = Project::open(&folder.path().display().to_string(), "Digits").unwrap();
    let table = Columns::new()
        .with(
            "label",
            Column::from((0..500).map(|row| row % 10).collect::<Vec<i32>>()),
        )
        .with(
            "image",
            (0..500)
                .map(|row| vec![row as u8; 5])
                .collect::<Vec<Vec<u8>>>(),
        );
    let table = project.create_table("ink", table).unwrap();
    let run = project.run("cnn").input(&table).start().unwrap();
    for epoch in 0..3 {
        run.log(&[("loss", 0.5), ("rate", f64::NAN)], At::epoch(epoch))
            .unwrap();
        for (split, rows) in [("train", 500), ("valid", 120)] {
            let writer = MetricsTableWriter::new(&run).split(split).epoch(epoch);
            let mut writer = writer.foreign_table(&table);
            writer.add_batch(metrics(rows)).unwrap();
            writer.finalize().unwrap();
        }
    }
    run.complete().unwrap();

    let metrics = run.stream_location("default").unwrap();
    assert_eq!(same_everywhere(&python, &metrics)["rows"], 3 * (500 + 120));
    assert_eq!(
        same_everywhere(&python, &run.location().join("scalars"))["rows"],
        6
    );
    assert_eq!(
        same_everywhere(&python, &project.tables().join("ink"))["rows"],
        500
    );
}

#[test]
fn coordinates_and_metrics_without_their_vectors_agree_in_every_tool() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open(&folder.path().display().to_string(), "Digits").unwrap();
    let run = project.run("cnn").start().unwrap();
    for (split, rows) in [("train", 60), ("valid", 20)] {
        let mut writer = MetricsTableWriter::new(&run).split(split).epoch(0);
        writer.add_batch(metrics(rows)).unwrap();
        writer.finalize().unwrap();
    }
    let reduction = run.reduction("embedding").split("train");
    let pca = Pca::params().dims(2);
    reduction.keep_vectors(false).reduce(&pca).unwrap();
    let metrics = same_everywhere(&python, &run.stream_location("default").unwrap());
    assert_eq!(metrics["rows"], 80);
    let kept: f32 = (0..20)
        .flat_map(|row| (0..16).map(move |c| dyadic(row + c)))
        .sum();
    assert_eq!(metrics["columns"]["embedding"]["sum"], f64::from(kept));
}

/// Columns of every kind; NaN, infinities and nulls among them.
fn metrics(rows: usize) -> Columns {
    let mut losses: Vec<f32> = (0..rows).map(dyadic).collect();
    losses[3] = f32::NAN;
    losses[4] = f32::INFINITY;
    losses[5] = f32::NEG_INFINITY;
    let embedding = Array2::from_shape_fn((rows, 16), |(row, column)| dyadic(row + column));
    let best: Vec<Option<f64>> = (0..rows)
        .map(|row| (row % 7 != 0).then(|| f64::from(dyadic(row))))
        .collect();
    Columns::new()
        .with("example_id", (0..rows as i64).collect::<Vec<_>>())
        .with("loss", losses)
        .with(
            "predicted",
            Column::from(vec![3_i32; rows]).role(Role::category(["é", "b", "c", "d"])),
        )
        .with("best", best)
        .with("note", vec!["naïve"; rows])
        .with("embedding", Column::embedding(embedding.view()))
}

/// Compares all tools with the library and returns the library's summary.
fn same_everywhere(python: &str, table: &Location) -> Value {
    let path = table.local_path().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&path)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let snapshot = DeltaTable::open(table.clone()).unwrap().snapshot().unwrap();
    let ours = summary(&snapshot.read(None).unwrap());
    assert_eq!(ours["rows"], snapshot.row_count().unwrap());
    for tool in TOOLS {
        assert_eq!(theirs[tool], ours, "{tool} at {}", path.display());
    }
    ours
}

/// The same summary as that of `interop.py`, of what the library reads.
fn summary(batch: &RecordBatch) -> Value {
    let mut columns = serde_json::Map::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let values: ArrayRef = match field.data_type() {
            DataType::List(_) => array.as_list::<i32>().values().clone(),
            _ => array.clone(),
        };
        if !values.data_type().is_numeric() {
            continue;
        }
        let values = arrow_cast::cast(&values, &DataType::Float64).unwrap();
        let values = values.as_primitive::<Float64Type>();
        let numbers: Vec<f64> = values.iter().flatten().collect();
        let count = |of: fn(&f64) -> bool| numbers.iter().filter(|value| of(value)).count();
        let finite = numbers.iter().filter(|value| value.is_finite());
        let summary = json!({
            "sum": finite.sum::<f64>(),
            "nan": count(|value| value.is_nan()),
            "infinite": count(|value| value.is_infinite()),
            "null": values.null_count(),
        });
        columns.insert(field.name().clone(), summary);
    }
    json!({ "rows": batch.num_rows(), "columns": columns })
}

/// An interpreter that has the tools; without one the test says loudly that it was skipped.
fn python() -> Option<String> {
    let named = std::env::var("EMBERLENS_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let import = format!("import {}", TOOLS.join(", "));
    let found = Command::new(&python).args(["-c", &import]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(
        named.is_none(),
        "EMBERLENS_PYTHON={python} cannot `{import}`"
    );
    // Past the capture of the test harness: a skipped promise should be seen.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {}: {python} cannot `{import}`; its head says how to run it",
        file!()
    );
    None
}
