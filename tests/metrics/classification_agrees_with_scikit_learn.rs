//! The classification columns equal what scikit-learn and SciPy compute, sample by sample.
//!
//! scikit-learn 1.9.1, NumPy 2.4.6; printed with 12 digits by:
//!
//! ```python
//! import numpy as np
//! from scipy.special import log_softmax, softmax
//! from scipy.stats import entropy
//! from sklearn.metrics import log_loss, top_k_accuracy_score
//! x = np.array([[2.0, 1.0, 0.1, -1.0], [-3.0, 0.5, 0.4, 0.3], [0.0, 0.0, 0.0, 0.0],
//!               [90.0, -90.0, 10.0, 0.0], [-1.5, 2.25, 2.0, 0.125]])
//! y = np.array([0, 3, 2, 1, 2])
//! p = softmax(x, 1)
//! loss = [log_loss([t], p[[i]], labels=range(4)) for i, t in enumerate(y)]  # row 3 clipped at eps
//! loss[3] = -log_softmax(x, 1)[3, 1]                                        # so SciPy gives it
//! predicted, accuracy, confidence = p.argmax(1), p.argmax(1) == y, p.max(1)
//! true_probability = p[range(5), y]
//! others = p.copy(); others[range(5), y] = -1
//! margin = true_probability - others.max(1)
//! normalised = entropy(p, axis=1, base=4)
//! top_2 = [top_k_accuracy_score([t], x[[i]], k=2, labels=range(4)) for i, t in enumerate(y)]
//! ```
//!
//! Row 2 holds four equal scores; scikit-learn's top k breaks such ties by the highest index and we
//! by the lowest, as argmax does, so its `top_2` is not compared.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use emberlens::Result;
use emberlens::metrics::{ClassificationOptions, classification_columns};
use ndarray::{Array2, arr2};

fn columns(
    scores: &Array2<f32>,
    labels: &[i64],
    options: &ClassificationOptions,
) -> Result<RecordBatch> {
    classification_columns(scores.view(), labels, options)?.into_batch("test")
}

fn assert_close(batch: &RecordBatch, column: &str, expected: &[f64]) {
    let found = batch[column].as_primitive::<Float32Type>();
    assert_eq!(found.len(), expected.len(), "{column}");
    for (row, (&found, &expected)) in found.values().iter().zip(expected).enumerate() {
        // Half a unit in the last place of f32, and the rounding of the f32 inputs.
        let tolerance = 2e-7 * expected.abs().max(1.0);
        assert!(
            (f64::from(found) - expected).abs() <= tolerance,
            "{column}, row {row}: {found} is not {expected}"
        );
    }
}

#[test]
fn logits_agree() -> Result<()> {
    let scores = arr2(&[
        [2.0, 1.0, 0.1, -1.0],
        [-3.0, 0.5, 0.4, 0.3],
        [0.0, 0.0, 0.0, 0.0],
        [90.0, -90.0, 10.0, 0.0],
        [-1.5, 2.25, 2.0, 0.125],
    ]);
    let labels = [0, 3, 2, 1, 2];
    let batch = columns(&scores, &labels, &ClassificationOptions::logits(4).top_k(2))?;
    assert_close(
        &batch,
        "loss",
        &[
            0.44931300238,
            1.21296926761,
            1.38629436112,
            180.0,
            0.903237008325,
        ],
    );
    assert_eq!(
        batch["predicted"].as_primitive::<Int32Type>().values(),
        &[0, 1, 0, 0, 1]
    );
    assert_close(&batch, "accuracy", &[1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_close(
        &batch,
        "confidence",
        &[0.638066351148, 0.363139119942, 0.25, 1.0, 0.520358642343],
    );
    assert_close(
        &batch,
        "true_probability",
        &[0.638066351148, 0.297313165142, 0.25, 0.0, 0.405255718134],
    );
    assert_close(
        &batch,
        "margin",
        &[0.403334858457, -0.0658259547998, 0.0, -1.0, -0.115102924208],
    );
    assert_close(
        &batch,
        "entropy",
        &[0.692978935119, 0.824983927241, 1.0, 0.0, 0.672661340364],
    );
    let untied = arrow_select::filter::filter_record_batch(
        &batch,
        &vec![true, true, false, true, true].into(),
    );
    let untied = untied.map_err(emberlens::Error::user)?;
    assert_close(&untied, "top_2_accuracy", &[1.0, 0.0, 0.0, 1.0]);
    Ok(())
}

/// `q = np.array([[.7, .2, .1], [.05, .05, .9], [.3, .4, .3]]); t = np.array([0, 1, 1])`, then
/// `[log_loss([a], q[[i]], labels=range(3)) for i, a in enumerate(t)]`, `entropy(q, axis=1, base=3)`.
#[test]
fn probabilities_agree() -> Result<()> {
    let scores = arr2(&[[0.7, 0.2, 0.1], [0.05, 0.05, 0.9], [0.3, 0.4, 0.3]]);
    let batch = columns(
        &scores,
        &[0, 1, 1],
        &ClassificationOptions::probabilities(3),
    )?;
    assert_close(
        &batch,
        "loss",
        &[0.356674943939, 2.99573227355, 0.916290731874],
    );
    assert_eq!(
        batch["predicted"].as_primitive::<Int32Type>().values(),
        &[0, 2, 1]
    );
    assert_close(&batch, "confidence", &[0.7, 0.9, 0.4]);
    assert_close(&batch, "true_probability", &[0.7, 0.05, 0.4]);
    assert_close(&batch, "margin", &[0.5, -0.85, 0.1]);
    assert_close(
        &batch,
        "entropy",
        &[0.729846699162, 0.358996249647, 0.991159471432],
    );
    Ok(())
}
