//! Sequence prediction: one class per token, summed up per sequence.

use ndarray::{ArrayView2, ArrayView3, Axis};

use super::scores::Distribution;
use crate::table::Columns;
use crate::{Error, Result};

/// The parameters of [`sequence_columns`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceOptions {
    pad_token: Option<i64>,
}

impl SequenceOptions {
    /// Every token counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokens whose target is this id are left out.
    pub fn pad_token(mut self, id: i64) -> Self {
        self.pad_token = Some(id);
        self
    }
}

/// Per-sequence columns of one batch.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `loss` | f32 | cross-entropy of a token, nats, mean over the tokens that count |
/// | `perplexity` | f32 | `exp(loss)` |
/// | `token_accuracy` | f32 | fraction of those tokens whose prediction is the target |
/// | `tokens` | i32 | number of tokens that count |
///
/// A sequence of padding only has 0 tokens and null in the other columns. A token whose logits
/// define no distribution (a NaN) makes `loss` and `perplexity` NaN and counts as wrong. The loss
/// of a corpus is the mean of `loss` weighted by `tokens`.
///
/// # Shapes and units
/// `logits` `[batch, length, vocabulary]`; `targets` `[batch, length]`, token ids from 0;
/// `predictions` `[batch, length]`, for decoders whose prediction is not the largest logit.
///
/// # Errors
/// `Invalid` when the shapes do not fit together, or a target that is not padding is outside the
/// vocabulary; the text names row, position and value.
///
/// ```
/// use emberlens::metrics::{SequenceOptions, sequence_columns};
/// let logits = ndarray::Array3::<f32>::zeros((2, 5, 100));
/// let targets = ndarray::arr2(&[[4_i64, 8, 0, 0, 0], [7, 7, 7, 7, 7]]);
/// let options = SequenceOptions::new().pad_token(0);
/// let columns = sequence_columns(logits.view(), targets.view(), None, &options)?;
/// assert_eq!(columns.rows(), Some(2));
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Source
/// Perplexity: Jelinek, Mercer, Bahl, Baker, *Perplexity* (JASA 62, 1977).
pub fn sequence_columns(
    logits: ArrayView3<'_, f32>,
    targets: ArrayView2<'_, i64>,
    predictions: Option<ArrayView2<'_, i64>>,
    options: &SequenceOptions,
) -> Result<Columns> {
    check_shapes(&logits, &targets, predictions.as_ref())?;
    let rows = targets.nrows();
    let [mut loss, mut perplexity, mut accuracy] = [(); 3].map(|()| Vec::with_capacity(rows));
    let mut tokens = Vec::with_capacity(rows);
    let logits = logits.as_standard_layout();
    for (row, sequence) in logits.axis_iter(Axis(0)).enumerate() {
        let (mut total, mut right, mut count) = (0.0_f64, 0_i32, 0_i32);
        for (position, scores) in sequence.axis_iter(Axis(0)).enumerate() {
            let target = targets[[row, position]];
            if options.pad_token == Some(target) {
                continue;
            }
            let scores = scores.to_slice().unwrap_or_default();
            let class = token(row, position, target, scores.len())?;
            let distribution = Distribution::from_logits(scores);
            total += distribution.map_or(f64::NAN, |d| d.cross_entropy(class));
            let predicted = match &predictions {
                Some(given) => Some(given[[row, position]]),
                None => distribution.map(|d| d.predicted() as i64),
            };
            right += i32::from(predicted == Some(target));
            count += 1;
        }
        let mean = |sum: f64| (count > 0).then(|| sum / f64::from(count));
        loss.push(mean(total).map(|value| value as f32));
        perplexity.push(mean(total).map(|value| value.exp() as f32));
        accuracy.push(mean(f64::from(right)).map(|value| value as f32));
        tokens.push(count);
    }
    Ok(Columns::new()
        .with("loss", loss)
        .with("perplexity", perplexity)
        .with("token_accuracy", accuracy)
        .with("tokens", tokens))
}

fn token(row: usize, position: usize, target: i64, vocabulary: usize) -> Result<usize> {
    usize::try_from(target)
        .ok()
        .filter(|&class| class < vocabulary)
        .ok_or_else(|| {
            Error::invalid(
                format!("target of row {row}, position {position}"),
                target,
                format!("token ids lie in 0..{vocabulary}"),
                "name the id of padding with `pad_token`",
            )
        })
}

fn check_shapes(
    logits: &ArrayView3<'_, f32>,
    targets: &ArrayView2<'_, i64>,
    predictions: Option<&ArrayView2<'_, i64>>,
) -> Result<()> {
    let (batch, length, _) = logits.dim();
    let fits = |tokens: &ArrayView2<'_, i64>| tokens.dim() == (batch, length);
    let wrong = match predictions {
        _ if !fits(targets) => ("targets", targets),
        Some(given) if !fits(given) => ("predictions", given),
        _ => return Ok(()),
    };
    Err(Error::invalid(
        wrong.0,
        format!("{:?}", wrong.1.shape()),
        format!("the logits have the shape {:?}", logits.shape()),
        "logits are [batch, length, vocabulary], targets and predictions [batch, length]",
    ))
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float32Type, Int32Type};
    use arrow_array::{Array, RecordBatch};
    use ndarray::{Array2, Array3, arr2};

    use super::*;

    fn f32_of(batch: &RecordBatch, name: &str, row: usize) -> f32 {
        batch[name].as_primitive::<Float32Type>().value(row)
    }

    #[test]
    fn uniform_logits_have_the_perplexity_of_their_vocabulary() {
        let targets = arr2(&[[1_i64, 4, 2]]);
        let columns = sequence_columns(
            Array3::zeros((1, 3, 5)).view(),
            targets.view(),
            None,
            &SequenceOptions::new(),
        );
        let batch = columns.unwrap().into_batch("x").unwrap();
        assert!((f32_of(&batch, "perplexity", 0) - 5.0).abs() < 1e-5);
        assert_eq!(batch["tokens"].as_primitive::<Int32Type>().value(0), 3);
    }

    #[test]
    fn padding_alone_is_null() {
        let options = SequenceOptions::new().pad_token(-1);
        let targets = arr2(&[[-1_i64, -1], [1, -1]]);
        let columns = sequence_columns(
            Array3::zeros((2, 2, 3)).view(),
            targets.view(),
            None,
            &options,
        );
        let batch = columns.unwrap().into_batch("x").unwrap();
        for name in ["loss", "perplexity", "token_accuracy"] {
            assert!(batch[name].is_null(0) && batch[name].is_valid(1), "{name}");
        }
        assert_eq!(
            batch["tokens"].as_primitive::<Int32Type>().values(),
            &[0, 1]
        );
    }

    #[test]
    fn given_predictions_decide_the_accuracy_only() {
        let (targets, given) = (arr2(&[[1_i64, 2]]), arr2(&[[1_i64, 0]]));
        let logits = Array3::zeros((1, 2, 3));
        let of = |predictions| {
            let columns = sequence_columns(
                logits.view(),
                targets.view(),
                predictions,
                &SequenceOptions::new(),
            );
            columns.unwrap().into_batch("x").unwrap()
        };
        let (own, other) = (of(None), of(Some(given.view())));
        assert_eq!(f32_of(&own, "token_accuracy", 0), 0.0);
        assert_eq!(f32_of(&other, "token_accuracy", 0), 0.5);
        assert_eq!(f32_of(&own, "loss", 0), f32_of(&other, "loss", 0));
    }

    #[test]
    fn a_nan_token_is_a_wrong_token() {
        let logits = ndarray::arr3(&[[[f32::NAN, 0.0], [0.0, 1.0]]]);
        let columns = sequence_columns(
            logits.view(),
            arr2(&[[0_i64, 1]]).view(),
            None,
            &SequenceOptions::new(),
        );
        let batch = columns.unwrap().into_batch("x").unwrap();
        assert!(f32_of(&batch, "loss", 0).is_nan() && f32_of(&batch, "perplexity", 0).is_nan());
        assert_eq!(f32_of(&batch, "token_accuracy", 0), 0.5);
    }

    #[test]
    fn wrong_values_are_named() {
        let logits = Array3::zeros((1, 2, 3));
        let text = |targets: Array2<i64>, predictions: Option<Array2<i64>>| {
            let predictions = predictions.as_ref().map(|given| given.view());
            let options = SequenceOptions::new();
            let result = sequence_columns(logits.view(), targets.view(), predictions, &options);
            result.unwrap_err().to_string()
        };
        let beyond = text(arr2(&[[0, 3]]), None);
        assert!(
            beyond.contains("row 0, position 1 = 3") && beyond.contains("pad_token"),
            "{beyond}"
        );
        let short = text(arr2(&[[0]]), None);
        assert!(
            short.contains("targets = [1, 1]") && short.contains("[1, 2, 3]"),
            "{short}"
        );
        let given = text(arr2(&[[0, 0]]), Some(arr2(&[[0]])));
        assert!(given.contains("predictions = [1, 1]"), "{given}");
    }
}
