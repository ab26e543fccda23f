//! Several parameter sets, splits and tables: each reduction has coordinates and a model of its own,
//! and a sample that is fitted does not change who is placed.

#![allow(clippy::unwrap_used)]

use emberlens::embedding::{FitOn, Per};
use emberlens::reduce::{Pca, Projection, Reducer};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns, Table};
use ndarray::{Array2, Axis, Slice, arr1};

fn cloud(rows: usize, seed: usize) -> Array2<f32> {
    let value = |i: usize, j: usize| ((i * 7 + j * j * 5 + seed * (j + 3)) % 13) as f32;
    Array2::from_shape_fn((rows, 4), |(i, j)| value(i, j))
}

fn add(run: &Run, split: &str, epoch: i64, table: Option<&Table>, embeddings: &Array2<f32>) {
    let columns = Columns::new()
        .with(
            "example_id",
            (0..embeddings.nrows() as i64).collect::<Vec<_>>(),
        )
        .with("embedding", Column::embedding(embeddings.view()));
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, table, Some(at))
        .unwrap();
}

fn table(project: &Project, name: &str) -> Table {
    let columns = Columns::new().with("value", (0..40).collect::<Vec<i64>>());
    project.create_table(name, columns).unwrap()
}

/// Split `train` joins table `a`; `valid` and `test` join table `b`.
fn run_with_tables() -> (Run, Table, Table) {
    let project = Project::open("memory://", "side-by-side").unwrap();
    let (a, b) = (table(&project, "a"), table(&project, "b"));
    let run = project.run("cnn").start().unwrap();
    for epoch in 0..2 {
        let seed = epoch as usize;
        add(&run, "train", epoch, Some(&a), &cloud(30, seed));
        add(&run, "valid", epoch, Some(&b), &cloud(12, 5 + seed));
        add(&run, "test", epoch, Some(&b), &cloud(9, 9 + seed));
    }
    (run, a, b)
}

/// The coordinates that a PCA fitted to `fit` gives to `rows`.
fn expected(fit: &Array2<f32>, rows: &Array2<f32>) -> Array2<f32> {
    let pca = Pca::params().fit(fit.view()).unwrap();
    pca.transform(rows.view()).unwrap()
}

#[test]
fn every_parameter_set_has_a_table_and_a_model_of_its_own() {
    let (run, _, _) = run_with_tables();
    let (flat, deep) = (Pca::params(), Pca::params().dims(3));
    let both = run.reduction("embedding").with("flat", &flat);
    let reports = both.with("deep", &deep).reduce_all().unwrap();
    let names: Vec<&str> = reports.iter().map(|report| report.name.as_str()).collect();
    assert_eq!(names, ["embedding-flat", "embedding-deep"]);

    let reader = run.reader().unwrap();
    assert_eq!(reader.projections(), reports);
    for (name, dims) in [("embedding-flat", 2), ("embedding-deep", 3)] {
        let matrix = reader.projection(name).matrix().unwrap();
        assert_eq!(matrix.dim(), (2 * 51, dims));
        let model = &reader.projection(name).info().unwrap().models[0];
        let model = reader.projection_model(model).unwrap();
        let again = model.transform(cloud(30, 0).view()).unwrap();
        assert_eq!(matrix.slice_axis(Axis(0), Slice::from(..30)), again);
    }
    // Each as if it had been reduced alone.
    let alone = run.reduction("embedding").named("alone");
    alone.reduce(&deep).unwrap();
    let reader = run.reader().unwrap();
    assert_eq!(
        reader.projection("embedding-alone").matrix().unwrap(),
        reader.projection("embedding-deep").matrix().unwrap()
    );
}

#[test]
fn a_name_twice_and_no_parameters_are_errors() {
    let (run, _, _) = run_with_tables();
    let pca = Pca::params();
    let twice = run.reduction("embedding").with("a", &pca).with("A", &pca);
    let error = twice.reduce_all().unwrap_err();
    assert!(error.to_string().contains("two results have it"), "{error}");
    let error = run.reduction("embedding").reduce_all().unwrap_err();
    assert!(error.to_string().contains("add parameters"), "{error}");
    assert!(run.reader().unwrap().projections().is_empty());
}

#[test]
fn a_projection_per_table_is_learnt_from_the_passes_that_join_it() {
    let (run, a, b) = run_with_tables();
    let reduction = run.reduction("embedding").per(Per::Table);
    let report = reduction.reduce(&Pca::params()).unwrap();
    assert_eq!(report.rows, 2 * 51);
    let tables: Vec<_> = report
        .models
        .iter()
        .map(|model| {
            let fitted = model.fitted_on.clone().unwrap();
            (model.table.clone().unwrap(), fitted.split, fitted.epoch)
        })
        .collect();
    // Table `b` has no training pass: the latest pass of any split is fitted.
    assert_eq!(
        tables,
        [
            ("tables/a".to_owned(), "train".to_owned(), Some(1)),
            ("tables/b".to_owned(), "test".to_owned(), Some(1)),
        ]
    );
    let reader = run.reader().unwrap();
    let placed = |split: &str| {
        let coordinates = reader.projection("embedding-pca").split(split).epoch(0);
        coordinates.matrix().unwrap()
    };
    assert_eq!(placed("train"), expected(&cloud(30, 1), &cloud(30, 0)));
    assert_eq!(placed("valid"), expected(&cloud(9, 10), &cloud(12, 5)));

    for (of, rows) in [(&a, 60), (&b, 42)] {
        let only = run.reduction("embedding").table(of.url()).named(of.name());
        assert_eq!(only.reduce(&Pca::params()).unwrap().rows, rows);
    }
    let none = run.reduction("embedding").table("memory:///elsewhere");
    let error = none.reduce(&Pca::params()).unwrap_err();
    assert!(error.to_string().contains("none to reduce"), "{error}");
}

#[test]
fn a_projection_per_split_and_a_single_split() {
    let (run, _, _) = run_with_tables();
    let reduction = run.reduction("embedding").per(Per::Split);
    let report = reduction.reduce(&Pca::params()).unwrap();
    let splits: Vec<_> = report.models.iter().map(|m| m.split.clone()).collect();
    assert_eq!(
        splits,
        ["train", "valid", "test"].map(|split| Some(split.to_owned()))
    );
    let reader = run.reader().unwrap();
    let valid = reader.projection("embedding-pca").split("valid").epoch(0);
    assert_eq!(
        valid.matrix().unwrap(),
        expected(&cloud(12, 6), &cloud(12, 5))
    );
    let only = run.reduction("embedding").split("valid").named("valid");
    let report = only.reduce(&Pca::params()).unwrap();
    assert_eq!((report.rows, report.passes), (24, 2));
    let reader = run.reader().unwrap();
    assert_eq!(
        reader
            .projection("embedding-valid")
            .epoch(0)
            .matrix()
            .unwrap(),
        expected(&cloud(12, 6), &cloud(12, 5))
    );
}

#[test]
fn a_sample_is_fitted_and_everybody_is_placed() {
    let project = Project::open("memory://", "sample").unwrap();
    let run = project.run("cnn").start().unwrap();
    let embeddings = cloud(200, 1);
    add(&run, "train", 0, None, &embeddings);
    let sampled = |seed: u64| {
        let reduction = run.reduction("embedding").fit_sample(50).sample_seed(seed);
        let report = reduction.reduce(&Pca::params()).unwrap();
        assert_eq!((report.rows, report.fitted_on().unwrap().rows), (200, 50));
        let reader = run.reader().unwrap();
        let model = reader.projection_model(&report.models[0]).unwrap();
        let placed = reader.projection("embedding-pca").matrix().unwrap();
        // PCA gives the rows of the fit the same coordinates as `transform`.
        assert_eq!(placed, model.transform(embeddings.view()).unwrap());
        placed
    };
    assert_eq!(sampled(7), sampled(7), "the same seed, the same sample");
    assert_ne!(sampled(7), sampled(8));

    // A bound that is not reached changes nothing.
    let reduction = run.reduction("embedding").fit_sample(200);
    let report = reduction.reduce(&Pca::params()).unwrap();
    assert_eq!(report.fitted_on().unwrap().rows, 200);
    let reader = run.reader().unwrap();
    let placed = reader.projection("embedding-pca").matrix().unwrap();
    let all = expected(&embeddings, &embeddings);
    assert_eq!(placed.index_axis(Axis(0), 0), all.index_axis(Axis(0), 0));
    assert_eq!(arr1(&[placed.len()]), arr1(&[all.len()]));
}

#[test]
fn a_pass_that_is_named_is_fitted() {
    let (run, _, _) = run_with_tables();
    let pass = run
        .reader()
        .unwrap()
        .latest_pass("default", "valid")
        .unwrap();
    let fit_on = FitOn::Pass(&pass.pass_id);
    let report = run
        .reduce_embeddings("embedding", &Pca::params(), fit_on)
        .unwrap();
    assert_eq!(report.fitted_on().unwrap().pass_id, pass.pass_id);
}
