//! Rows whose embedding holds NaN or an infinity stand in the table with null coordinates, are
//! counted, are not learnt from, and do not stop a reduction.

#![allow(clippy::unwrap_used)]

use emberlens::embedding::FitOn;
use emberlens::reduce::{Pca, Projection, Reducer};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns};
use ndarray::{Array2, Axis};

fn start() -> Run {
    let project = Project::open("memory://", "not-finite").unwrap();
    project.run("cnn").start().unwrap()
}

fn add(run: &Run, split: &str, epoch: i64, embeddings: &Array2<f32>) {
    let columns = Columns::new()
        .with(
            "example_id",
            (0..embeddings.nrows() as i64).collect::<Vec<_>>(),
        )
        .with("embedding", Column::embedding(embeddings.view()));
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

fn cloud(rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 3), |(i, j)| ((i * 7 + j * j * 5) % 11) as f32)
}

#[test]
fn they_are_null_in_the_table_counted_and_not_learnt_from() {
    let run = start();
    let mut train = cloud(20);
    train[[4, 1]] = f32::NAN;
    let mut valid = cloud(6);
    valid[[0, 0]] = f32::NEG_INFINITY;
    add(&run, "train", 0, &train);
    add(&run, "valid", 0, &valid);
    let report = run
        .reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    assert_eq!((report.rows, report.rows_not_finite), (24, 2));
    assert_eq!(report.fitted_on().unwrap().rows, 19);

    let reader = run.reader().unwrap();
    assert_eq!(reader.projections()[0].rows_not_finite, 2, "the run tells");
    let x: Vec<Option<f32>> = reader
        .projection("embedding-pca")
        .split("train")
        .values("x")
        .unwrap();
    let nulls: Vec<usize> = (0..20).filter(|&row| x[row].is_none()).collect();
    assert_eq!(nulls, [4]);
    let matrix = reader.projection("embedding-pca").matrix().unwrap();
    assert!(matrix[[4, 0]].is_nan() && matrix[[20, 1]].is_nan());

    // The projection is that of the finite rows.
    let finite: Vec<usize> = (0..20).filter(|&row| row != 4).collect();
    let finite = train.select(Axis(0), &finite);
    let expected = Pca::params().fit(finite.view()).unwrap();
    let expected = expected.transform(finite.view()).unwrap();
    let placed: Vec<f32> = x.into_iter().flatten().collect();
    assert_eq!(placed, expected.column(0).to_vec());
}

#[test]
fn a_last_pass_without_a_finite_row_leaves_the_fit_to_the_one_before() {
    let run = start();
    add(&run, "train", 0, &cloud(9));
    add(&run, "train", 1, &Array2::from_elem((9, 3), f32::NAN));
    let report = run
        .reduce_embeddings("embedding", &Pca::params(), FitOn::LatestPass("train"))
        .unwrap();
    assert_eq!(report.fitted_on().unwrap().epoch, Some(0));
    assert_eq!((report.rows, report.rows_not_finite), (9, 9));
}
