//! The columns that a collector declares are those of its rows, also where a split has no samples.
#![allow(clippy::unwrap_used)]

mod common;

use burn::train::ClassificationOutput;
use common::*;
use emberlens::metrics::with_schema;
use emberlens::run::Status;
use emberlens::table::Columns;
use emberlens_burn::{BurnPrediction, Lens};

type Prediction = BurnPrediction<ClassificationOutput>;

/// A lens that collects `brightness` of the validation set alone, and what `collect` adds to it.
fn bright(
    root: &std::path::Path,
    samples: usize,
    collect: fn(Columns) -> Columns,
) -> Lens<Net, Item> {
    let declared = Columns::new().with("brightness", Vec::<f32>::new());
    let collector = with_schema(
        declared.schema().unwrap(),
        move |batch: &Batch, _: &Prediction| {
            let sums = batch.features.clone().sum_dim(1).into_data();
            let sums: Vec<f32> = sums.iter().collect();
            Ok(collect(Columns::new().with("brightness", sums)))
        },
    );
    Lens::bare(&lens_project(root), ToBatch, train_set(), items(samples, 2))
        .embeddings(false)
        .validation_only(true)
        .collector(collector)
}

#[test]
fn a_split_without_samples_has_the_columns() {
    for samples in [0, 5] {
        let root = tempfile::tempdir().unwrap();
        let lens = bright(root.path(), samples, |columns| columns);
        let training = training(&lens, root.path()).num_epochs(1);
        let learner = learner(&lens);
        let run = lens.launch(training, learner).unwrap().run;
        assert_eq!(run.status(), Status::Completed);
        let reader = run.reader().unwrap();
        let expected = [("valid".to_owned(), 0, samples as u64)];
        assert_eq!(passes(&reader), expected);
        let brightness = reader.metrics("default").values::<f32>("brightness");
        assert_eq!(brightness.unwrap().len(), samples);
    }
}

#[test]
fn a_column_that_was_not_declared_is_an_error_with_its_name() {
    let root = tempfile::tempdir().unwrap();
    let lens = bright(root.path(), 5, |columns| {
        columns.with("darkness", vec![0.0_f32; 5])
    });
    let training = training(&lens, root.path()).num_epochs(1);
    let learner = learner(&lens);
    let error = lens.launch(training, learner).unwrap_err();
    assert!(error.to_string().contains("darkness"), "{error}");
    assert!(matches!(error.run().unwrap().status(), Status::Failed(_)));
}
