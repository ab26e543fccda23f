//! `reduce RUN -o FILE` learns from the same rows as `reduce RUN`, and places the same ones.

use std::fs::File;

use arrow_array::{Float32Array, RecordBatch};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns, values};
use ndarray::{Array2, ArrayView2, Axis, Slice};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::embedded::matrix;
use crate::example::Example;

fn start(example: &Example) -> Run {
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    project.run("odd").start().unwrap()
}

fn some(x: &Array2<f32>, from: usize, to: usize) -> ArrayView2<'_, f32> {
    x.slice_axis(Axis(0), Slice::from(from..to))
}

fn add(run: &Run, split: &str, epoch: i64, rows: usize, embedding: Column) {
    let ids: Vec<i64> = (0..rows as i64).collect();
    let columns = Columns::new().with("example_id", ids);
    let columns = columns.with("embedding", embedding);
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

/// Reduces into a file and in the run, and compares the two column by column.
fn compare(example: &Example, run: &Run, more: &[&str]) -> (serde_json::Value, RecordBatch) {
    run.complete().unwrap();
    let out = example.root().join("xy.parquet").display().to_string();
    let call = ["reduce", run.id(), "--method", "pca", "--quality"];
    let call = [&call[..], more].concat();
    let into_file = example.json(&[&call[..], &["-o", &out]].concat());
    let in_run = example.json(&call);
    for of in ["fitted_rows", "quality", "width"] {
        assert_eq!(into_file[of], in_run[of], "{of}");
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(out).unwrap()).unwrap();
    let file = builder.build().unwrap().next().unwrap().unwrap();
    let reader = run.reader().unwrap();
    let table = reader.projection("embedding-pca").read().unwrap();
    for name in ["x", "y"] {
        let places = |batch| Float32Array::from(values::<Option<f32>>(batch, name).unwrap());
        assert_eq!(places(&file), places(&table), "{name}");
    }
    for key in ["example_id", "epoch", "instance"] {
        assert_eq!(file.column_by_name(key), table.column_by_name(key), "{key}");
    }
    (into_file, file)
}

#[test]
fn a_pass_that_diverged_is_not_learnt_from() {
    let example = Example::new();
    let run = start(&example);
    let x = matrix();
    let lost = Array2::from_elem(x.dim(), f32::NAN);
    add(&run, "train", 0, 12, Column::embedding(x.view()));
    add(&run, "valid", 1, 7, Column::embedding(some(&x, 0, 7)));
    add(&run, "train", 1, 12, Column::embedding(lost.view()));
    let (report, _) = compare(&example, &run, &[]);
    assert_eq!(
        (&report["fitted_rows"], &report["rows"]),
        (&12.into(), &31.into())
    );
}

#[test]
fn a_sample_is_of_the_same_rows() {
    let example = Example::new();
    let run = start(&example);
    let mut x = matrix();
    x.row_mut(1).fill(f32::NAN);
    x.row_mut(4).fill(f32::INFINITY);
    add(&run, "train", 0, 12, Column::embedding(x.view()));
    for seed in ["0", "1", "2"] {
        let more = ["--fit-sample", "5", "--seed", seed];
        let (report, _) = compare(&example, &run, &more);
        assert_eq!(report["fitted_rows"], 5);
        std::fs::remove_file(example.root().join("xy.parquet")).unwrap();
    }
}

#[test]
fn every_instance_of_a_sample_has_coordinates() {
    let example = Example::new();
    let run = start(&example);
    let x = matrix();
    let samples = [some(&x, 0, 5), some(&x, 5, 5), some(&x, 5, 12)];
    let column = Column::instance_embeddings(&samples);
    add(&run, "train", 0, 3, column);
    let (report, file) = compare(&example, &run, &[]);
    assert_eq!(report["rows"], 12);
    let ids = values::<i64>(&file, "example_id").unwrap();
    assert_eq!(ids, [[0_i64; 5].as_slice(), &[2; 7]].concat());
    let numbers = values::<i64>(&file, "instance").unwrap();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6]);
}
