//! Multi-label classification: every class is present or absent on its own.

use ndarray::{Array2, ArrayView2, Axis};

use super::ScoreKind;
use super::regression::float_lists;
use crate::table::Columns;
use crate::{Error, Result};

/// The parameters of [`multilabel_columns`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MultiLabelOptions {
    kind: ScoreKind,
    threshold: f32,
    probabilities: bool,
}

impl MultiLabelOptions {
    /// Scores are logits, one sigmoid per class.
    pub fn logits() -> Self {
        Self {
            kind: ScoreKind::Logits,
            threshold: 0.5,
            probabilities: true,
        }
    }

    /// Scores are probabilities, each in 0..=1.
    pub fn probabilities() -> Self {
        Self {
            kind: ScoreKind::Probabilities,
            ..Self::logits()
        }
    }

    /// Whether the probability of every class is stored (default: yes).
    pub fn probability_column(mut self, yes: bool) -> Self {
        self.probabilities = yes;
        self
    }

    /// The probability from which a class counts as predicted (default: 0.5).
    pub fn threshold(mut self, threshold: f32) -> Self {
        self.threshold = threshold;
        self
    }
}

/// Per-sample multi-label columns of one batch.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `loss` | f32 | binary cross-entropy, nats, mean over the classes |
/// | `hamming_loss` | f32 | fraction of classes that are wrong |
/// | `f1` | f32 | `2 tp / (2 tp + fp + fn)` |
/// | `jaccard` | f32 | `tp / (tp + fp + fn)` |
/// | `exact_match` | f32 | 1 when every class is right, else 0 |
/// | `probability` | list of f32 | the probability of every class, unless switched off |
///
/// `tp`, `fp` and `fn` count the classes of one sample. A sample without true and without predicted
/// classes is perfect: `f1` and `jaccard` are 1. A sample with a NaN score is NaN in every column but
/// `exact_match`, which is 0, and `probability`, where only that class is.
///
/// # Shapes and units
/// `scores` and `targets` `[batch, classes]`; targets are 0 or 1.
///
/// # Errors
/// `Invalid` when the shapes differ, there is no class, a target is neither 0 nor 1, a probability
/// is outside 0..=1, or the threshold is; the text names row, class and value.
///
/// ```
/// use emberlens::metrics::{MultiLabelOptions, multilabel_columns};
/// let (logits, targets) = (ndarray::arr2(&[[2.0_f32, -1.0, 0.5]]), ndarray::arr2(&[[1_i64, 0, 0]]));
/// let columns = multilabel_columns(logits.view(), targets.view(), &MultiLabelOptions::logits())?;
/// assert_eq!(columns.rows(), Some(1));
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Source
/// scikit-learn's `hamming_loss`, and `f1_score` and `jaccard_score` with `average="samples"` and
/// `zero_division=1`.
pub fn multilabel_columns(
    scores: ArrayView2<'_, f32>,
    targets: ArrayView2<'_, i64>,
    options: &MultiLabelOptions,
) -> Result<Columns> {
    check(&scores, &targets, options)?;
    let rows = scores.nrows();
    let [mut loss, mut hamming, mut f1, mut jaccard, mut exact] =
        [(); 5].map(|()| Vec::<f32>::with_capacity(rows));
    let mut probabilities = Array2::zeros(if options.probabilities {
        scores.dim()
    } else {
        (0, 0)
    });
    let samples = scores.axis_iter(Axis(0)).zip(targets.axis_iter(Axis(0)));
    for (row, (scores, targets)) in samples.enumerate() {
        let mut sample = Sample::default();
        for (class, (&score, &target)) in scores.iter().zip(&targets).enumerate() {
            let present = presence(row, class, target)?;
            if options.kind == ScoreKind::Probabilities && !(score.is_nan() || in_unit(score)) {
                return Err(Error::invalid(
                    format!("probability of row {row}, class {class}"),
                    score,
                    "a probability lies in 0..=1",
                    "for scores before the sigmoid use `logits`",
                ));
            }
            let probability = sample.add(score, present, options);
            if let Some(place) = probabilities.get_mut((row, class)) {
                *place = probability as f32;
            }
        }
        let classes = scores.len() as f64;
        let wrong = sample.false_positive + sample.false_negative;
        // The loss is NaN exactly when a score is.
        let defined = |value: f64| {
            if sample.loss.is_nan() {
                f32::NAN
            } else {
                value as f32
            }
        };
        loss.push((sample.loss / classes) as f32);
        hamming.push(defined(wrong / classes));
        f1.push(defined(ratio(2.0 * sample.true_positive, wrong)));
        jaccard.push(defined(ratio(sample.true_positive, wrong)));
        exact.push(if wrong == 0.0 && !sample.loss.is_nan() {
            1.0
        } else {
            0.0
        });
    }
    let mut columns = Columns::new()
        .with("loss", loss)
        .with("hamming_loss", hamming)
        .with("f1", f1)
        .with("jaccard", jaccard)
        .with("exact_match", exact);
    if options.probabilities {
        columns.push("probability", float_lists(probabilities.view()));
    }
    Ok(columns)
}

/// Sums over the classes of one sample.
#[derive(Default)]
struct Sample {
    loss: f64,
    true_positive: f64,
    false_positive: f64,
    false_negative: f64,
}

impl Sample {
    /// Adds a class; returns its probability.
    fn add(&mut self, score: f32, present: bool, options: &MultiLabelOptions) -> f64 {
        let value = f64::from(score);
        let (loss, probability) = match options.kind {
            ScoreKind::Logits => {
                // ln(1 + e^-z) without overflow, where z is the logit of being right.
                let z = if present { value } else { -value };
                let loss = (-z).max(0.0) + (-z.abs()).exp().ln_1p();
                (if z.is_nan() { f64::NAN } else { loss }, sigmoid(value))
            }
            ScoreKind::Probabilities => {
                let right = if present {
                    value.ln()
                } else {
                    (-value).ln_1p()
                };
                (0.0 - right, value)
            }
        };
        self.loss += loss;
        match (probability >= f64::from(options.threshold), present) {
            (true, true) => self.true_positive += 1.0,
            (true, false) => self.false_positive += 1.0,
            (false, true) => self.false_negative += 1.0,
            (false, false) => {}
        }
        probability
    }
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn ratio(right: f64, wrong: f64) -> f64 {
    if right + wrong == 0.0 {
        1.0
    } else {
        right / (right + wrong)
    }
}

fn in_unit(value: f32) -> bool {
    (0.0..=1.0).contains(&value)
}

fn presence(row: usize, class: usize, target: i64) -> Result<bool> {
    match target {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::invalid(
            format!("target of row {row}, class {class}"),
            other,
            "a target of a multi-label classification is 0 or 1",
            "encode the labels as one 0 or 1 per class",
        )),
    }
}

fn check(
    scores: &ArrayView2<'_, f32>,
    targets: &ArrayView2<'_, i64>,
    options: &MultiLabelOptions,
) -> Result<()> {
    if scores.dim() != targets.dim() || scores.ncols() == 0 {
        return Err(Error::invalid(
            "scores",
            format!("{:?}", scores.shape()),
            format!("the targets have the shape {:?}", targets.shape()),
            "both are [batch, classes] with one class or more",
        ));
    }
    if !in_unit(options.threshold) {
        return Err(Error::invalid(
            "threshold",
            options.threshold,
            "a class is predicted from a probability in 0..=1",
            "for a threshold t on logits pass its sigmoid",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float32Type;
    use ndarray::arr2;

    use super::*;

    fn value(batch: &RecordBatch, name: &str) -> f32 {
        batch[name].as_primitive::<Float32Type>().value(0)
    }

    fn of(scores: [f32; 2], targets: [i64; 2], options: MultiLabelOptions) -> Result<RecordBatch> {
        let (scores, targets) = (arr2(&[scores]), arr2(&[targets]));
        multilabel_columns(scores.view(), targets.view(), &options)?.into_batch("x")
    }

    #[test]
    fn logits_and_their_sigmoids_agree() {
        let logits = of([0.75, -1.25], [1, 1], MultiLabelOptions::logits()).unwrap();
        let sigmoids = [0.75, -1.25].map(|x| sigmoid(x) as f32);
        let sigmoids = of(sigmoids, [1, 1], MultiLabelOptions::probabilities()).unwrap();
        assert!((value(&logits, "loss") - value(&sigmoids, "loss")).abs() < 1e-6);
        assert_eq!(value(&logits, "f1"), value(&sigmoids, "f1"));
        let probability = |batch: &RecordBatch| batch["probability"].as_list::<i32>().value(0);
        assert_eq!(&probability(&logits), &probability(&sigmoids));
        let given = sigmoid(0.75) as f32;
        assert_eq!(
            probability(&logits).as_primitive::<Float32Type>().value(0),
            given
        );
    }

    #[test]
    fn probabilities_can_be_left_out() {
        let options = MultiLabelOptions::logits().probability_column(false);
        let batch = of([0.75, -1.25], [1, 1], options).unwrap();
        assert!(batch.column_by_name("probability").is_none());
    }

    #[test]
    fn extreme_logits_do_not_overflow() {
        let batch = of([1000.0, -1000.0], [0, 1], MultiLabelOptions::logits()).unwrap();
        assert_eq!(value(&batch, "loss"), 1000.0);
        let sure = of([1000.0, -1000.0], [1, 0], MultiLabelOptions::logits()).unwrap();
        assert_eq!(
            (value(&sure, "loss"), value(&sure, "exact_match")),
            (0.0, 1.0)
        );
    }

    #[test]
    fn nothing_true_and_nothing_predicted_is_perfect() {
        let batch = of([-1.0, -1.0], [0, 0], MultiLabelOptions::logits()).unwrap();
        assert_eq!(
            ["f1", "jaccard", "exact_match"].map(|n| value(&batch, n)),
            [1.0; 3]
        );
    }

    #[test]
    fn the_threshold_is_on_the_probability() {
        let options = MultiLabelOptions::probabilities().threshold(0.75);
        let batch = of([0.7, 0.75], [0, 1], options).unwrap();
        assert_eq!(value(&batch, "exact_match"), 1.0);
        let text = of([0.7, 0.8], [0, 1], options.threshold(1.5))
            .unwrap_err()
            .to_string();
        assert!(text.contains("threshold = 1.5"), "{text}");
    }

    #[test]
    fn a_nan_score_is_a_result() {
        let batch = of([f32::NAN, 3.0], [0, 1], MultiLabelOptions::logits()).unwrap();
        assert!(
            ["loss", "hamming_loss", "f1", "jaccard"]
                .iter()
                .all(|n| value(&batch, n).is_nan())
        );
        assert_eq!(value(&batch, "exact_match"), 0.0);
    }

    #[test]
    fn wrong_values_are_named() {
        let text = of([0.0, 0.0], [0, 2], MultiLabelOptions::logits())
            .unwrap_err()
            .to_string();
        assert!(text.contains("row 0, class 1 = 2"), "{text}");
        let text = of([1.5, 0.0], [0, 1], MultiLabelOptions::probabilities())
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("row 0, class 0 = 1.5") && text.contains("logits"),
            "{text}"
        );
        let error = multilabel_columns(
            arr2(&[[0.0_f32]]).view(),
            arr2(&[[0_i64, 1]]).view(),
            &MultiLabelOptions::logits(),
        );
        assert!(error.unwrap_err().to_string().contains("[1, 2]"));
    }
}
