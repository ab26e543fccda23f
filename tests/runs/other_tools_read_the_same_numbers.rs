//! Promise: what Emberlens writes, other tools read, row for row and sum for sum.
//!
//! Runs where Python has the packages:
//! `python3 -m venv V && V/bin/pip install polars deltalake pyarrow duckdb`, then
//! `EMBERLENS_PYTHON=V/bin/python cargo test --test runs other_tools`.
//! `EMBERLENS_PROOF_ORACLES` (4) sets of how many kills and of how many power cuts they read the rest.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests may panic"
)]

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use emberlens::collect::Silent;
use emberlens::reduce::Pca;
use emberlens::run::{At, MetricsTableWriter, Project};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, DeltaTable, Role};
use emberlens_testkit::{Child, Cut, KillAt, PROJECT, RUN, Recorder, Said, Training, test_name};
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

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const POINT: &str = "EMBERLENS_TEST_CHILD_POINT";

fn oracles() -> usize {
    let asked = std::env::var("EMBERLENS_PROOF_ORACLES").ok();
    asked.map_or(4, |text| text.parse().unwrap())
}

fn training(number: i64, first_epoch: i64) -> Training {
    Training {
        number,
        first_epoch,
        epochs: 3,
        flushes: 3,
    }
}

/// The tables of a training's run that have rows.
fn tables_below(root: &Location) -> Vec<Location> {
    let Ok(reader) = Project::at(root.clone(), PROJECT).unwrap().open_run(RUN) else {
        return Vec::new();
    };
    let has_rows = |place: &Location| {
        DeltaTable::exists(place).unwrap() && {
            let table = DeltaTable::open(place.clone()).unwrap();
            table.snapshot().unwrap().row_count().unwrap() > 0
        }
    };
    let places = ["metrics/default", "scalars"].map(|table| reader.location().join(table));
    places.into_iter().filter(has_rows).collect()
}

#[test]
fn tables_of_a_run_that_was_killed_and_resumed_agree_in_every_tool() {
    if let Ok(root) = std::env::var(ROOT) {
        let kill = KillAt::new(std::env::var(POINT).unwrap().parse().unwrap());
        let root = Location::watched(Path::new(&root), Arc::new(kill)).unwrap();
        let said = &mut |said: Said| println!("\n{said}");
        return training(0, 0).train(&root, said).unwrap();
    }
    let Some(python) = python() else { return };
    let (mut tables, mut folders) = (Vec::new(), Vec::new());
    for number in 0..oracles() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let point = format!("any:{}:half", 60 + 37 * number % 160);
        let child = Child::start(
            &test_name(
                module_path!(),
                "tables_of_a_run_that_was_killed_and_resumed_agree_in_every_tool",
            ),
            &[(ROOT, root.clone()), (POINT, point)],
        );
        let (_, status) = child.unwrap().finish().unwrap();
        assert!(!status.success(), "it was not killed");
        let root = Location::open(&root).unwrap();
        // Every other one is left as it was.
        if number % 2 == 0 {
            training(1, 1).train(&root, &mut |_| {}).unwrap();
        }
        tables.extend(tables_below(&root));
        folders.push(folder);
    }
    assert!(tables.len() > oracles(), "{} tables", tables.len());
    all_same_everywhere(&python, &tables);
}

#[test]
fn tables_after_a_power_cut_agree_in_every_tool() {
    let Some(python) = python() else { return };
    let recorded = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let root = Location::watched(&recorded.path().join("root"), recorder.clone()).unwrap();
    for (number, first_epoch) in [(0, 0), (1, 2)] {
        let say = &mut |said| recorder.say(said);
        training(number, first_epoch).train(&root, say).unwrap();
    }
    let entries = recorder.entries_so_far();
    let (mut tables, mut folders) = (Vec::new(), Vec::new());
    for cut in Cut::sampled(&entries, 3, 2 * oracles()) {
        let folder = tempfile::tempdir().unwrap();
        cut.write(&entries, recorded.path(), folder.path()).unwrap();
        let root = folder.path().join("root").display().to_string();
        tables.extend(tables_below(&Location::open(&root).unwrap()));
        folders.push(folder);
    }
    assert!(tables.len() > oracles(), "{} tables", tables.len());
    all_same_everywhere(&python, &tables);
}

/// More commits than a log takes without a checkpoint, of two ranks.
const EPOCHS: i64 = 27;

#[test]
fn tables_of_ranks_checkpointed_compacted_and_vacuumed_agree_in_every_tool() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open(&folder.path().display().to_string(), "Digits").unwrap();
    let start = |rank| project.run("ddp").rank(rank, 2).start().unwrap();
    let runs = [start(0), start(1)];
    std::thread::scope(|scope| {
        for run in &runs {
            scope.spawn(move || {
                for epoch in 0..EPOCHS {
                    let mut writer = MetricsTableWriter::new(run).split("train").epoch(epoch);
                    writer.add_batch(metrics(20)).unwrap();
                    writer.finalize().unwrap();
                    run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
                    run.flush().unwrap();
                }
            });
        }
    });
    let [first, second] = &runs;
    second.complete().unwrap();
    first.complete().unwrap();
    let tables = ["metrics/default", "scalars"].map(|table| first.location().join(table));
    for table in &tables {
        let names = table.join("_delta_log").list_files().unwrap();
        assert!(
            names
                .iter()
                .any(|name| name.ends_with(".checkpoint.parquet"))
        );
    }
    let agree = || {
        let read = all_same_everywhere(&python, &tables);
        let rows = read.iter().map(|table| table["rows"].as_i64().unwrap());
        assert_eq!(rows.collect::<Vec<_>>(), [2 * 20 * EPOCHS, 2 * EPOCHS]);
    };
    agree();
    let reader = || project.open_run("ddp").unwrap();
    reader().compact(&Silent).unwrap();
    agree();
    let vacuum = reader().vacuum(Duration::ZERO).unwrap();
    assert!(!vacuum.files.is_empty());
    vacuum.delete(&Silent).unwrap();
    agree();
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
    all_same_everywhere(python, std::slice::from_ref(table)).remove(0)
}

/// As [`same_everywhere`], of several tables.
fn all_same_everywhere(python: &str, tables: &[Location]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop.py");
    let output = Command::new(python)
        .arg(script)
        .args(tables.iter().map(|table| table.local_path().unwrap()))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), tables.len());
    let compare = |(table, theirs): (&Location, Value)| {
        let snapshot = DeltaTable::open(table.clone()).unwrap().snapshot().unwrap();
        let ours = summary(&snapshot.read(None).unwrap());
        assert_eq!(ours["rows"], snapshot.row_count().unwrap());
        for tool in TOOLS {
            assert_eq!(theirs[tool], ours, "{tool} at {table}");
        }
        ours
    };
    tables.iter().zip(theirs).map(compare).collect()
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
