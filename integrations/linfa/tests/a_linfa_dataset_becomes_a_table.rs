//! A table made of a linfa dataset holds what the dataset holds, sample k in row k.
#![allow(clippy::unwrap_used)]

use emberlens::collect::collect_metrics;
use emberlens::run::Project;
use emberlens::table::{Columns, Role, Table};
use emberlens_linfa::{
    Batch, Classes, Samples, dataset_columns, embedding, feature_columns, feature_vectors,
};
use linfa::Dataset;
use linfa_ndarray::{Array1, Array2, Ix1, array};

fn table(columns: Columns) -> Table {
    let project = Project::open("memory://", "linfa").unwrap();
    project.create_table("data", columns).unwrap()
}

fn wines() -> Dataset<f32, usize, Ix1> {
    Dataset::new(array![[7.4, 0.7], [7.8, 0.9], [11.2, 0.3]], array![5, 3, 8])
        .with_feature_names(vec!["fixed acidity", "pH (20 °C)"])
        .with_weights(array![1.0, 0.0, 2.5])
}

#[test]
fn features_labels_and_weights_are_columns() {
    let wines = wines();
    let classes = Classes::of(&wines);
    let table = table(dataset_columns(&wines, &classes).unwrap());
    assert_eq!(
        table.column::<f32>("fixed_acidity").unwrap(),
        [7.4, 7.8, 11.2]
    );
    assert_eq!(table.column::<f32>("pH_20_°C").unwrap(), [0.7, 0.9, 0.3]);
    assert_eq!(table.column::<i32>("label").unwrap(), [1, 0, 2]);
    assert_eq!(table.category_names("label").unwrap(), ["3", "5", "8"]);
    assert_eq!(table.role("weight"), Some(Role::Weight));
    assert_eq!(table.weights().unwrap().unwrap(), [1.0, 0.0, 2.5]);
}

#[test]
fn without_names_and_weights_features_are_numbered() {
    let plain = Dataset::new(array![[1.0_f64, 2.0]], array![true]);
    let table = table(dataset_columns(&plain, &Classes::new([false, true])).unwrap());
    let names: Vec<_> = table
        .schema()
        .fields()
        .iter()
        .map(|field| field.name())
        .collect();
    assert_eq!(names, ["feature_0", "feature_1", "label"]);
    assert_eq!(table.column::<f64>("feature_1").unwrap(), [2.0]);
    assert_eq!(table.column::<i32>("label").unwrap(), [1]);
}

#[test]
fn many_features_are_one_vector() {
    let records = Array2::from_shape_fn((2, 33), |(row, column)| (row * 100 + column) as f64);
    let wide = Dataset::new(records, array!["a", "b"]);
    let table = table(dataset_columns(&wide, &Classes::of(&wide)).unwrap());
    let features = table.embedding("features").unwrap();
    assert_eq!(features.dim(), (2, 33));
    assert_eq!(features[(1, 32)], 132.0);
    assert_eq!(feature_columns(&wide).len(), 33);
    assert_eq!(feature_vectors(&wines()).unwrap().rows(), Some(3));
}

#[test]
fn a_label_outside_the_classes_is_named_with_its_sample() {
    let wines = wines();
    let classes = Classes::new([3, 5]);
    let table = dataset_columns(&wines, &classes).unwrap_err().to_string();
    assert!(table.contains("label of sample 2 = 8"), "{table}");
    let samples = Samples::labelled(&wines, &classes).unwrap_err().to_string();
    assert!(samples.contains("label of sample 2 = 8"), "{samples}");
    let names = Classes::of(&wines)
        .named(["bad", "good"])
        .unwrap_err()
        .to_string();
    assert!(names.contains("3, 5, 8"), "{names}");
}

#[test]
fn samples_of_weight_zero_can_be_left_out_of_a_pass() {
    let wines = wines();
    let classes = Classes::of(&wines);
    let project = Project::open("memory://", "linfa").unwrap();
    let table = project
        .create_table("wines", dataset_columns(&wines, &classes).unwrap())
        .unwrap();
    let run = project.run("features").start().unwrap();
    let samples = Samples::labelled(&wines, &classes).unwrap();
    collect_metrics(&samples)
        .collate(Batch::of)
        .collector(|batch: &Batch<f32>, (): &()| {
            Ok(Columns::new().with("features", embedding(batch.records.view())?))
        })
        .table(&table)
        .exclude_zero_weights(true)
        .into_run(&run)
        .unwrap();
    let rows = run.reader().unwrap().metrics("default").read().unwrap();
    assert_eq!(
        emberlens::table::values::<i64>(&rows, "example_id").unwrap(),
        [0, 2]
    );
    let features = emberlens::table::embedding(&rows, "features").unwrap();
    assert_eq!(features, ndarray::arr2(&[[7.4, 0.7], [11.2, 0.3]]));
}

#[test]
fn targets_of_a_regression_reach_the_collector_as_they_are() {
    let curve = Dataset::new(array![[0.0_f64], [1.0], [2.0]], array![0.5_f64, 1.5, 2.5]);
    let samples = Samples::with_targets(&curve).unwrap();
    let run = Project::open("memory://", "linfa")
        .unwrap()
        .run("curve")
        .start()
        .unwrap();
    let report = collect_metrics(&samples)
        .collate(Batch::of)
        .predictor(|batch: &Batch<f64, f64>| Ok(batch.records.column(0).to_owned()))
        .collector(|batch: &Batch<f64, f64>, predicted: &Array1<f64>| {
            let error = predicted.iter().zip(&batch.targets).map(|(p, t)| t - p);
            Ok(Columns::new().with("error", error.collect::<Vec<f64>>()))
        })
        .without_table()
        .split("train")
        .into_run(&run)
        .unwrap();
    assert_eq!(report.aggregate("train_error_avg"), Some(0.5));
}

#[test]
fn records_without_their_targets_are_refused() {
    let torn = Dataset::new(array![[1.0], [2.0]], array![0]);
    let error = Samples::with_targets(&torn).unwrap_err().to_string();
    assert!(error.contains("1 rows where 2"), "{error}");
}
