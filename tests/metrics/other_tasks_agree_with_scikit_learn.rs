//! The columns of regression, multi-label classification and sequences equal scikit-learn's values,
//! perplexities those of torchmetrics 1.9 (`tests/inputs/torchmetrics_values.py`).
//!
//! scikit-learn 1.9.1, NumPy 2.4.6; the snippet stands at each test.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use emberlens::Result;
use emberlens::metrics::{
    MultiLabelOptions, SequenceOptions, multilabel_columns, regression_columns, sequence_columns,
};
use ndarray::{Array2, Array3, arr2, arr3};

fn assert_close(batch: &RecordBatch, column: &str, expected: &[f64]) {
    let found = batch[column].as_primitive::<Float32Type>();
    assert_eq!(found.len(), expected.len(), "{column}");
    for (row, (&found, &expected)) in found.values().iter().zip(expected).enumerate() {
        let tolerance = 2e-7 * expected.abs().max(1.0);
        assert!(
            (f64::from(found) - expected).abs() <= tolerance,
            "{column}, row {row}: {found} is not {expected}"
        );
    }
}

/// ```python
/// from sklearn.metrics import mean_absolute_error, mean_squared_error
/// p = np.array([[1.5, -2.], [0., 4.], [3.25, 3.]]); t = np.array([[1., -1.], [.5, 1.], [3.25, 3.]])
/// [((p[i] - t[i]).mean(), mean_absolute_error(t[i], p[i]), mean_squared_error(t[i], p[i]))
///  for i in range(3)]
/// mean_absolute_error(t, p, multioutput='raw_values'), mean_squared_error(t, p, multioutput='raw_values')
/// ```
#[test]
fn regression_agrees() -> Result<()> {
    let predictions = arr2(&[[1.5_f32, -2.0], [0.0, 4.0], [3.25, 3.0]]);
    let targets = arr2(&[[1.0_f32, -1.0], [0.5, 1.0], [3.25, 3.0]]);
    let batch = regression_columns(predictions.view(), targets.view())?.into_batch("test")?;
    assert_close(&batch, "error", &[-0.25, 1.25, 0.0]);
    assert_close(&batch, "absolute_error", &[0.75, 1.75, 0.0]);
    assert_close(&batch, "squared_error", &[0.625, 4.625, 0.0]);
    // The means over the samples, for each target.
    let mean = |name: &str, target: usize| {
        let lists = batch[name].as_list::<i32>();
        let of = |row: usize| lists.value(row).as_primitive::<Float32Type>().value(target);
        (0..3).map(|row| f64::from(of(row))).sum::<f64>() / 3.0
    };
    for (target, error, absolute, squared) in [
        (0, 0.0, 1.0 / 3.0, 0.16666666666666666),
        (1, 2.0 / 3.0, 4.0 / 3.0, 3.3333333333333335),
    ] {
        for (name, expected) in [
            ("error_by_target", error),
            ("absolute_error_by_target", absolute),
            ("squared_error_by_target", squared),
        ] {
            let found = mean(name, target);
            assert!((found - expected).abs() < 1e-12, "{name} {target}: {found}");
        }
    }
    Ok(())
}

/// ```python
/// from sklearn.metrics import f1_score, hamming_loss, jaccard_score, log_loss
/// s = np.array([[1.5, -2., .25], [-.5, -1., -3.], [3., 2., -.75], [-1., .5, -.25]])
/// t = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0]])
/// p = 1 / (1 + np.exp(-s)); h = (p >= .5).astype(int); p[0]
/// bce = lambda i, j: log_loss([t[i, j]], [[1 - p[i, j], p[i, j]]], labels=[0, 1])
/// [np.mean([bce(i, j) for j in range(3)]) for i in range(4)]
/// [hamming_loss(t[[i]], h[[i]]) for i in range(4)]
/// [f1_score(t[[i]], h[[i]], average='samples', zero_division=1) for i in range(4)]
/// [jaccard_score(t[[i]], h[[i]], average='samples', zero_division=1) for i in range(4)]
/// ```
#[test]
fn multilabel_agrees() -> Result<()> {
    let scores = arr2(&[
        [1.5_f32, -2.0, 0.25],
        [-0.5, -1.0, -3.0],
        [3.0, 2.0, -0.75],
        [-1.0, 0.5, -0.25],
    ]);
    let targets = arr2(&[[1_i64, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0]]);
    let batch = multilabel_columns(scores.view(), targets.view(), &MultiLabelOptions::logits())?
        .into_batch("test")?;
    assert_close(
        &batch,
        "loss",
        &[
            0.384760236302,
            0.611975341091,
            0.437462122911,
            0.621092697192,
        ],
    );
    assert_close(&batch, "hamming_loss", &[1.0 / 3.0; 4]);
    assert_close(&batch, "f1", &[0.666666666667, 0.0, 0.8, 0.0]);
    assert_close(&batch, "jaccard", &[0.5, 0.0, 0.666666666667, 0.0]);
    assert_close(&batch, "exact_match", &[0.0; 4]);
    let first = batch["probability"].as_list::<i32>().value(0);
    let expected = [0.8175744761936437, 0.11920292202211757, 0.5621765008857981];
    for (found, expected) in first
        .as_primitive::<Float32Type>()
        .values()
        .iter()
        .zip(expected)
    {
        assert!((f64::from(*found) - expected).abs() < 1e-7);
    }
    Ok(())
}

/// ```python
/// from scipy.special import softmax
/// from sklearn.metrics import log_loss
/// l = np.array([[[1., 0., -1.], [.5, 2., 0.], [0., 0., 3.]], [[0., 1., 0.], [2., 1., 0.], [5., 5., 5.]]])
/// y = np.array([[1, 2, 0], [1, 2, 1]])  # 0 is padding
/// for i in range(2):
///     k = y[i] != 0
///     loss = log_loss(y[i][k], softmax(l[i][k], 1), labels=range(3))
///     print(loss, np.exp(loss), (l[i][k].argmax(1) == y[i][k]).mean(), k.sum())
///     print(log_loss(y[i], softmax(l[i], 1), labels=range(3)))  # without padding
/// ```
#[test]
fn sequences_agree() -> Result<()> {
    let logits = arr3(&[
        [[1.0_f32, 0.0, -1.0], [0.5, 2.0, 0.0], [0.0, 0.0, 3.0]],
        [[0.0, 1.0, 0.0], [2.0, 1.0, 0.0], [5.0, 5.0, 5.0]],
    ]);
    let targets = arr2(&[[1_i64, 2, 0], [1, 2, 1]]);
    let padded = SequenceOptions::new().pad_token(0);
    let batch =
        sequence_columns(logits.view(), targets.view(), None, &padded)?.into_batch("test")?;
    assert_close(&batch, "loss", &[1.8569808383367636, 1.3525543223481804]);
    assert_close(
        &batch,
        "perplexity",
        &[6.404371719455289, 3.8672912336651453],
    );
    assert_close(&batch, "token_accuracy", &[0.0, 1.0 / 3.0]);
    assert_eq!(
        batch["tokens"].as_primitive::<Int32Type>().values(),
        &[2, 3]
    );
    let whole = sequence_columns(logits.view(), targets.view(), None, &SequenceOptions::new())?
        .into_batch("test")?;
    assert_close(&whole, "loss", &[2.269628211031496, 1.3525543223481804]);
    Ok(())
}

#[test]
fn perplexities_are_those_of_torchmetrics() -> Result<()> {
    let text = include_str!("../inputs/torchmetrics.json");
    let document: serde_json::Value = serde_json::from_str(text).map_err(emberlens::Error::user)?;
    let given = &document["sequences"];
    let read = |name: &str| given[name].as_array().cloned().unwrap_or_default();
    let logits: Vec<Vec<Vec<f32>>> =
        serde_json::from_value(given["logits"].clone()).map_err(emberlens::Error::user)?;
    let targets: Vec<Vec<i64>> =
        serde_json::from_value(given["targets"].clone()).map_err(emberlens::Error::user)?;
    let logits = Array3::from_shape_fn((4, 7, 6), |(row, place, token)| logits[row][place][token]);
    let targets = Array2::from_shape_fn((4, 7), |(row, place)| targets[row][place]);
    let options = SequenceOptions::new().pad_token(0);
    let batch =
        sequence_columns(logits.view(), targets.view(), None, &options)?.into_batch("test")?;
    let expected: Vec<f64> = read("perplexity")
        .iter()
        .filter_map(|value| value.as_f64())
        .collect();
    assert_close(&batch, "perplexity", &expected);
    // Of all: the losses weighted by their tokens.
    let losses = batch["loss"].as_primitive::<Float32Type>();
    let tokens = batch["tokens"].as_primitive::<Int32Type>();
    let pairs = losses.values().iter().zip(tokens.values());
    let sum: f64 = pairs
        .map(|(loss, tokens)| f64::from(*loss) * f64::from(*tokens))
        .sum();
    let count: i32 = tokens.values().iter().sum();
    let all = (sum / f64::from(count)).exp();
    let expected = given["all"].as_f64().unwrap_or_default();
    assert!(
        (all - expected).abs() < 1e-5 * expected,
        "{all} is not {expected}"
    );
    Ok(())
}
