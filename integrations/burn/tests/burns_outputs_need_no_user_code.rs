//! Every output type of Burn gives per-sample columns, equal to closed forms.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::config::Config;
use burn::prelude::*;
use burn::train::{
    ClassificationOutput, MultiLabelClassificationOutput, RegressionOutput, SequenceOutput,
};
use common::*;
use emberlens::run::{Project, Status};
use emberlens::table::{Columns, Role};
use emberlens_burn::{OutputOptions, SampleMetrics};

fn floats(columns: &Columns, name: &str) -> Vec<f32> {
    let batch = columns.clone().into_batch("test").unwrap();
    emberlens::table::values::<f32>(&batch, name).unwrap()
}

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() < 1e-6,
            "{found} and {expected}"
        );
    }
}

fn zero() -> Tensor<1> {
    Tensor::zeros([1], &Device::flex())
}

#[test]
fn classification() {
    let device = Device::flex();
    let logits = Tensor::<2>::from_data([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]], &device);
    let labels = Tensor::<1, Int>::from_data([0, 2], &device);
    let output = ClassificationOutput::new(zero(), logits, labels);
    let columns = output.sample_columns(&OutputOptions::default()).unwrap();
    // -ln softmax: ln(e^2 + 2) - 2 and ln 3.
    let first = (2.0_f64.exp() + 2.0).ln() - 2.0;
    close(&floats(&columns, "loss"), &[first, 3.0_f64.ln()]);
    close(&floats(&columns, "accuracy"), &[1.0, 0.0]);
    let names = OutputOptions {
        class_names: ["a", "b", "c"].map(String::from).into(),
        ..OutputOptions::default()
    };
    let named = output.sample_columns(&names).unwrap();
    let role = named.get("predicted").unwrap().get_role();
    assert_eq!(role, Some(&Role::category(["a", "b", "c"])));
}

#[test]
fn classification_with_one_score() {
    let device = Device::flex();
    let labels = Tensor::<1, Int>::from_data([1, 0], &device);
    let logits = Tensor::<2>::from_data([[0.5], [0.5]], &device);
    let output = ClassificationOutput::new(zero(), logits, labels.clone());
    let columns = output.sample_columns(&OutputOptions::default()).unwrap();
    // Binary cross-entropy: ln(1 + e^-z) for class 1, ln(1 + e^z) for class 0.
    let expected = [(-0.5_f64).exp().ln_1p(), 0.5_f64.exp().ln_1p()];
    close(&floats(&columns, "loss"), &expected);

    let probabilities = Tensor::<2>::from_data([[0.25], [0.25]], &device);
    let output = ClassificationOutput::new(zero(), probabilities, labels);
    let options = OutputOptions {
        probabilities: true,
        ..OutputOptions::default()
    };
    let columns = output.sample_columns(&options).unwrap();
    close(
        &floats(&columns, "loss"),
        &[-(0.25_f64.ln()), -(0.75_f64.ln())],
    );
}

#[test]
fn regression() {
    let device = Device::flex();
    let output = RegressionOutput::new(
        zero(),
        Tensor::from_data([[1.5], [-1.0]], &device),
        Tensor::from_data([[1.0], [1.0]], &device),
    );
    let columns = output.sample_columns(&OutputOptions::default()).unwrap();
    close(&floats(&columns, "error"), &[0.5, -2.0]);
    close(&floats(&columns, "squared_error"), &[0.25, 4.0]);
}

#[test]
fn several_labels() {
    let device = Device::flex();
    let output = MultiLabelClassificationOutput::new(
        zero(),
        Tensor::from_data([[0.0, 0.0], [3.0, -3.0]], &device),
        Tensor::from_data([[1, 0], [1, 0]], &device),
    );
    let columns = output.sample_columns(&OutputOptions::default()).unwrap();
    // Mean binary cross-entropy: ln 2, and ln(1 + e^-3) for both labels.
    close(
        &floats(&columns, "loss"),
        &[2.0_f64.ln(), (-3.0_f64).exp().ln_1p()],
    );
}

#[test]
fn sequences() {
    let device = Device::flex();
    let logits = Tensor::<3>::zeros([1, 3, 4], &device);
    let targets = Tensor::<2, Int>::from_data([[1, 2, 0]], &device);
    let output = SequenceOutput::new(zero(), logits, None, targets);
    let options = OutputOptions {
        pad_token: Some(0),
        ..OutputOptions::default()
    };
    let columns = output.sample_columns(&options).unwrap();
    close(&floats(&columns, "loss"), &[4.0_f64.ln()]);
    close(&floats(&columns, "perplexity"), &[4.0]);
}

#[derive(Config, Debug)]
struct TrainingConfig {
    #[config(default = 0.01)]
    learning_rate: f64,
    layers: Vec<usize>,
}

#[test]
fn a_training_writes_them_with_embeddings_and_its_config() {
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path())
        .class_names(["left", "right", "top"])
        .hyperparameters(&TrainingConfig::new(vec![8]))
        .unwrap();
    let training = training(&lens, root.path()).num_epochs(2);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();

    let project = Project::open(root.path().join("runs").to_str().unwrap(), "tests").unwrap();
    let reader = project.open_run(trained.run.id()).unwrap();
    assert_eq!(*reader.status(), Status::Completed);
    assert_eq!(reader.parameters()["learning_rate"], 0.01);
    let scalars = reader.scalars().unwrap();
    let rates = scalars.iter().filter(|one| one.name == "learning_rate");
    assert!(rates.count() == 2);

    let rows = reader
        .metrics("default")
        .split("valid")
        .epoch(1)
        .read()
        .unwrap();
    let ids = emberlens::table::values::<i64>(&rows, "example_id").unwrap();
    assert_eq!(ids, (0..VALID as i64).collect::<Vec<_>>());
    let labels = emberlens::table::values::<i64>(&rows, "label").unwrap();
    assert!(
        labels
            .iter()
            .zip(&ids)
            .all(|(label, id)| *label == id % CLASSES as i64)
    );
    let embedding = emberlens::table::embedding(&rows, "embedding").unwrap();
    assert_eq!(embedding.dim(), (VALID, 8));
    // Behind a rectifier and in evaluation mode: nothing negative, nothing dropped and rescaled.
    assert!(embedding.iter().all(|value| *value >= 0.0));
}
