use std::fs::File;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};
use emberlens::run::{Project, RunReader, Status};
use emberlens::table::values;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::embedded;
use crate::example::{Example, stderr};

fn open(example: &Example, run: &str) -> RunReader {
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    project.open_run(run).unwrap()
}

fn read(path: &str) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().next().unwrap().unwrap()
}

#[test]
fn without_a_file_the_run_keeps_the_projection_and_its_status() {
    let example = Example::new();
    let id = embedded::run(&example);
    let report = example.json(&["reduce", &id, "--method", "pca", "--quality"]);
    assert_eq!(report["projection"], "embedding-pca");
    // 12 of train and 4 of valid, at two epochs.
    assert_eq!(
        (&report["rows"], &report["fitted_rows"]),
        (&32.into(), &12.into())
    );
    assert!(report["quality"]["trustworthiness"].as_f64().unwrap() > 0.5);
    // The table's labels are those of the two groups: most of a row's five neighbours have its own.
    let of_embeddings = &report["quality"]["neighbor_accuracy_of_embeddings"];
    assert_eq!(of_embeddings.as_f64(), Some(1.0));
    let reader = open(&example, &id);
    assert_eq!(reader.status(), &Status::Completed);
    let info = &reader.projections()[0];
    assert_eq!((info.rows, info.rows_without_embedding), (32, 2));
    let output = example.emberlens(&["reduce", &id, "--method", "pca"]);
    assert!(
        stderr(&output).contains("2 rows have no embedding"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn with_a_file_the_run_stays_as_it_is_and_the_coordinates_are_the_same() {
    let example = Example::new();
    let id = embedded::run(&example);
    let updated = open(&example, &id).updated_us();
    let out = example.root().join("xy.parquet").display().to_string();
    example.json(&["reduce", &id, "--method", "pca", "-o", &out]);
    let reader = open(&example, &id);
    assert!(reader.projections().is_empty() && reader.updated_us() == updated);
    let file = read(&out);
    example.json(&["reduce", &id, "--method", "pca"]);
    let reader = open(&example, &id);
    let table = reader.projection("embedding-pca").read().unwrap();
    for column in ["split", "pass_id"] {
        let texts = |batch| values::<Option<String>>(batch, column).unwrap();
        assert_eq!(texts(&file), texts(&table));
    }
    for column in ["x", "y"] {
        let places = |batch| values::<Option<f32>>(batch, column).unwrap();
        assert_eq!(places(&file), places(&table), "{column}");
    }
    assert_eq!(
        file.column_by_name("example_id"),
        table.column_by_name("example_id")
    );
}

#[test]
fn rows_that_are_not_finite_have_no_coordinates() {
    let example = Example::new();
    // Every other embedding of this run holds NaN.
    let out = example.root().join("xy.parquet").display().to_string();
    example.json(&["reduce", "cnn", "--method", "pca", "-o", &out]);
    let file = read(&out);
    let x = file
        .column_by_name("x")
        .unwrap()
        .as_primitive::<Float32Type>();
    assert_eq!((x.len(), x.null_count()), (12, 6));
}

#[test]
fn a_model_of_one_run_places_another() {
    let example = Example::new();
    let id = embedded::run(&example);
    let model = example.root().join("m.bin").display().to_string();
    example.json(&["reduce", &id, "--method", "pca", "--save", &model]);
    let places = || {
        let batch = open(&example, &id)
            .projection("embedding-pca")
            .read()
            .unwrap();
        values::<f32>(&batch, "x").unwrap()
    };
    let before = places();
    let report = example.json(&["reduce", &id, "--with", &model]);
    assert_eq!(report["fitted_rows"], serde_json::Value::Null);
    assert_eq!(places(), before);
}

#[test]
fn a_run_that_is_being_written_is_left_alone() {
    let example = Example::new();
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    let run = project.run("busy").start().unwrap();
    let output = example.emberlens(&["reduce", run.id(), "--method", "pca"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("-o"), "{}", stderr(&output));
}

#[test]
fn measures_without_classes_are_printed_where_the_table_is_gone() {
    let example = Example::new();
    let id = embedded::run(&example);
    std::fs::remove_dir_all(example.root().join("digits/tables")).unwrap();
    let output = example.emberlens(&["reduce", &id, "--method", "pca", "--quality", "--json"]);
    let text = crate::example::stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("measured without classes"), "{text}");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["quality"]["neighbor_recall"].is_number());
    assert!(report["quality"]["neighbor_accuracy"].is_null());
}
