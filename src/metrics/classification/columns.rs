//! From scores and labels of a batch to columns.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_schema::{DataType, Field};
use ndarray::{ArrayView2, Axis};

use super::ClassificationOptions;
use crate::metrics::scores::{Distribution, ScoreKind, top_k};
use crate::table::{Column, Columns, Role};
use crate::{Error, Result};

/// How far the sum of the probabilities of a sample may be from 1: what bfloat16 loses, and more.
const SUM_TOLERANCE: f64 = 5e-3;

/// Per-sample classification columns of one batch.
///
/// | column | type | meaning |
/// |---|---|---|
/// | `loss` | f32 | cross-entropy `-ln p(label)`, nats; infinite when the label has probability 0 |
/// | `predicted` | i32 | most probable class, the lowest index among equals |
/// | `accuracy` | f32 | 1 when `predicted` is the label, else 0 |
/// | `confidence` | f32 | probability of the predicted class |
/// | `true_probability` | f32 | probability of the label |
/// | `margin` | f32 | probability of the label minus that of the best other class; negative when wrong |
/// | `entropy` | f32 | entropy of the distribution divided by `ln(n_classes)`, 0 to 1 |
/// | `top_<k>_accuracy` | f32 | with `top_k`: 1 when the label is among the k most probable classes |
/// | `top_<k>_predicted` | list of i32 | with `top_k`: those classes, most probable first |
/// | `label` | i32 | with `label_column`: the label |
///
/// Scores that define no distribution (a NaN, a logit of plus infinity, all minus infinity) are a
/// result, not an error: the row has NaN in every probability and in the loss, an accuracy of 0,
/// and null for `predicted` and `top_<k>_predicted`. Probabilities are divided by their sum.
///
/// # Shapes and units
/// `scores` `[batch, n_classes]`; `labels` `[batch]`, class indices from 0.
///
/// # Errors
/// `Invalid` for parameters that [`ClassificationOptions::check`] refuses, another number of
/// classes or labels, a label outside the classes, probabilities that are negative or do not sum to
/// 1 within 0.005; the text names the row and the value.
///
/// ```
/// use emberlens::metrics::{ClassificationOptions, classification_columns};
/// let scores = ndarray::arr2(&[[2.0_f32, 0.0], [1.0, 1.0]]);
/// let columns = classification_columns(scores.view(), &[0, 1], &ClassificationOptions::logits(2))?;
/// assert_eq!(columns.rows(), Some(2));
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Source
/// The formulas stand at [`Distribution`].
pub fn classification_columns(
    scores: ArrayView2<'_, f32>,
    labels: &[i64],
    options: &ClassificationOptions,
) -> Result<Columns> {
    options.check()?;
    check_shapes(&scores, labels, options)?;
    let mut rows = Rows::with_capacity(labels.len(), options);
    let scores = scores.as_standard_layout();
    for (index, (row, &label)) in scores.axis_iter(Axis(0)).zip(labels).enumerate() {
        let row = row.to_slice().unwrap_or_default();
        let label = class_index(index, label, options.n_classes)?;
        if options.kind == ScoreKind::Probabilities {
            check_probabilities(index, row)?;
        }
        rows.push(row, label, options);
    }
    Ok(rows.finish(options))
}

fn check_shapes(
    scores: &ArrayView2<'_, f32>,
    labels: &[i64],
    options: &ClassificationOptions,
) -> Result<()> {
    if scores.ncols() != options.n_classes {
        return Err(Error::invalid(
            "n_classes",
            options.n_classes,
            format!("the output has {} scores per sample", scores.ncols()),
            "pass the number of classes of the model",
        ));
    }
    if scores.nrows() != labels.len() {
        return Err(Error::Shape {
            column: "label".into(),
            expected: scores.nrows(),
            found: labels.len(),
            place: "classification: one label per row of scores".into(),
        });
    }
    Ok(())
}

fn class_index(row: usize, label: i64, n_classes: usize) -> Result<usize> {
    usize::try_from(label)
        .ok()
        .filter(|&class| class < n_classes)
        .ok_or_else(|| {
            Error::invalid(
                format!("label of row {row}"),
                label,
                format!("class indices lie in 0..{n_classes}"),
                "map labels to indices from 0, and leave unlabelled samples out (weight 0)",
            )
        })
}

/// NaN passes: it is a result that the columns show.
fn check_probabilities(row: usize, values: &[f32]) -> Result<()> {
    const HINT: &str = "for scores before the softmax use `logits`";
    if let Some(class) = values.iter().position(|&value| value < 0.0) {
        return Err(Error::invalid(
            format!("probability of row {row}, class {class}"),
            values.get(class).copied().unwrap_or_default(),
            "a probability is not negative",
            HINT,
        ));
    }
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(Error::invalid(
            format!("sum of the probabilities of row {row}"),
            sum,
            "the probabilities of a sample sum to 1",
            HINT,
        ));
    }
    Ok(())
}

/// The columns while they grow.
struct Rows {
    label: Vec<i32>,
    loss: Vec<f32>,
    predicted: Vec<Option<i32>>,
    accuracy: Vec<f32>,
    confidence: Vec<f32>,
    true_probability: Vec<f32>,
    margin: Vec<f32>,
    entropy: Vec<f32>,
    top: Option<Top>,
}

/// The columns of the top k, with the scratch that finds them.
struct Top {
    k: usize,
    accuracy: Vec<f32>,
    predicted: ListBuilder<Int32Builder>,
    order: Vec<usize>,
}

impl Rows {
    fn with_capacity(rows: usize, options: &ClassificationOptions) -> Self {
        Self {
            label: Vec::with_capacity(if options.label { rows } else { 0 }),
            loss: Vec::with_capacity(rows),
            predicted: Vec::with_capacity(rows),
            accuracy: Vec::with_capacity(rows),
            confidence: Vec::with_capacity(rows),
            true_probability: Vec::with_capacity(rows),
            margin: Vec::with_capacity(rows),
            entropy: Vec::with_capacity(rows),
            top: options.top_k.map(|k| Top::with_capacity(rows, k)),
        }
    }

    fn push(&mut self, scores: &[f32], label: usize, options: &ClassificationOptions) {
        let distribution = Distribution::from_scores(scores, options.kind);
        let value = |of: fn(&Distribution<'_>, usize) -> f64| {
            distribution
                .as_ref()
                .map_or(f32::NAN, |d| of(d, label) as f32)
        };
        let predicted = distribution.as_ref().map(Distribution::predicted);
        self.loss.push(value(|d, label| d.cross_entropy(label)));
        self.predicted.push(predicted.map(index_i32));
        self.accuracy.push(flag(predicted == Some(label)));
        self.confidence.push(value(|d, _| d.confidence()));
        self.true_probability
            .push(value(|d, label| d.probability(label)));
        self.margin.push(value(|d, label| d.margin(label)));
        self.entropy.push(value(|d, _| d.normalised_entropy()));
        if options.label {
            self.label.push(index_i32(label));
        }
        if let Some(top) = &mut self.top {
            top.push(scores, label, distribution.as_ref());
        }
    }

    fn finish(self, options: &ClassificationOptions) -> Columns {
        let mut columns = Columns::new();
        let mut push = |name: &str, column: Column| columns.push(options.column_name(name), column);
        push("loss", self.loss.into());
        push(
            "predicted",
            Column::from(self.predicted).role(options.category()),
        );
        push("accuracy", self.accuracy.into());
        push(
            "confidence",
            Column::from(self.confidence).role(Role::Probability),
        );
        push(
            "true_probability",
            Column::from(self.true_probability).role(Role::Probability),
        );
        push("margin", self.margin.into());
        push("entropy", self.entropy.into());
        if let Some(mut top) = self.top {
            push(&format!("top_{}_accuracy", top.k), top.accuracy.into());
            let lists = Column::from_array(Arc::new(top.predicted.finish()));
            push(
                &format!("top_{}_predicted", top.k),
                lists.role(options.category()),
            );
        }
        if options.label {
            push("label", Column::from(self.label).role(options.category()));
        }
        columns
    }
}

impl Top {
    fn with_capacity(rows: usize, k: usize) -> Self {
        let item = Field::new("element", DataType::Int32, true);
        Self {
            k,
            accuracy: Vec::with_capacity(rows),
            predicted: ListBuilder::with_capacity(Int32Builder::with_capacity(rows * k), rows)
                .with_field(item),
            order: Vec::new(),
        }
    }

    fn push(&mut self, scores: &[f32], label: usize, d: Option<&Distribution<'_>>) {
        self.accuracy
            .push(flag(d.is_some_and(|d| d.rank(label) < self.k)));
        if d.is_some() {
            top_k(scores, self.k, &mut self.order);
            for &class in &self.order {
                self.predicted.values().append_value(index_i32(class));
            }
        }
        self.predicted.append(d.is_some());
    }
}

fn flag(yes: bool) -> f32 {
    if yes { 1.0 } else { 0.0 }
}

/// `ClassificationOptions::check` has bounded the number of classes by `i32::MAX`.
fn index_i32(class: usize) -> i32 {
    class as i32
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float32Type, Int32Type};
    use arrow_array::{Array, RecordBatch};
    use ndarray::{Array2, arr2};

    use super::*;
    use crate::table::role;

    fn batch(scores: &Array2<f32>, labels: &[i64], options: &ClassificationOptions) -> RecordBatch {
        let columns = classification_columns(scores.view(), labels, options).unwrap();
        columns.into_batch("test").unwrap()
    }

    fn message(scores: &Array2<f32>, labels: &[i64], options: &ClassificationOptions) -> String {
        classification_columns(scores.view(), labels, options)
            .unwrap_err()
            .to_string()
    }

    fn f32s(batch: &RecordBatch, name: &str) -> Vec<f32> {
        batch[name].as_primitive::<Float32Type>().values().to_vec()
    }

    #[test]
    fn a_transposed_view_gives_the_same_columns() {
        let scores = arr2(&[[2.0_f32, 0.0, 1.0], [0.5, 1.5, -1.0]]);
        let options = ClassificationOptions::logits(3).top_k(2);
        let mut other = Array2::zeros((3, 2));
        other.assign(&scores.t());
        let columns = classification_columns(other.t(), &[0, 2], &options).unwrap();
        assert_eq!(
            columns.into_batch("x").unwrap(),
            batch(&scores, &[0, 2], &options)
        );
    }

    #[test]
    fn scores_without_a_distribution_are_a_row_of_nan_and_null() {
        let scores = arr2(&[[f32::NAN, 0.0], [0.0, 3.0], [f32::INFINITY, 0.0]]);
        let options = ClassificationOptions::logits(2).top_k(1);
        let batch = batch(&scores, &[0, 1, 0], &options);
        for name in [
            "loss",
            "confidence",
            "true_probability",
            "margin",
            "entropy",
        ] {
            let values = f32s(&batch, name);
            assert!(
                values[0].is_nan() && values[1].is_finite() && values[2].is_nan(),
                "{name}"
            );
        }
        for name in ["predicted", "top_1_predicted"] {
            let column = &batch[name];
            assert_eq!(
                [0, 1, 2].map(|row| column.is_null(row)),
                [true, false, true],
                "{name}"
            );
        }
        assert_eq!(f32s(&batch, "accuracy"), [0.0, 1.0, 0.0]);
        assert_eq!(f32s(&batch, "top_1_accuracy"), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn the_top_k_are_listed_most_probable_first() {
        let scores = arr2(&[[0.1_f32, 3.0, 2.0], [5.0, 4.0, 3.0]]);
        let options = ClassificationOptions::logits(3).top_k(2);
        let batch = batch(&scores, &[2, 2], &options);
        let lists = batch["top_2_predicted"].as_list::<i32>();
        assert_eq!(
            lists.values().as_primitive::<Int32Type>().values(),
            &[1, 2, 0, 1]
        );
        assert_eq!(f32s(&batch, "top_2_accuracy"), [1.0, 0.0]);
    }

    #[test]
    fn names_roles_prefix_and_suffix_reach_the_schema() {
        let options = ClassificationOptions::logits(2)
            .class_names(["cat", "dog"])
            .label_column(true)
            .prefix("head_")
            .suffix("_a");
        let batch = batch(&arr2(&[[1.0_f32, 0.0]]), &[1], &options);
        let schema = batch.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(
            names,
            [
                "head_loss_a",
                "head_predicted_a",
                "head_accuracy_a",
                "head_confidence_a",
                "head_true_probability_a",
                "head_margin_a",
                "head_entropy_a",
                "head_label_a"
            ]
        );
        let role_of = |name| role(schema.field_with_name(name).unwrap());
        let category = Some(Role::category(["cat", "dog"]));
        assert_eq!(
            (role_of("head_predicted_a"), role_of("head_label_a")),
            (category.clone(), category)
        );
        assert_eq!(role_of("head_confidence_a"), Some(Role::Probability));
    }

    #[test]
    fn an_empty_batch_has_all_columns_and_no_rows() {
        let options = ClassificationOptions::probabilities(4).top_k(2);
        let batch = batch(&Array2::zeros((0, 4)), &[], &options);
        assert_eq!((batch.num_rows(), batch.num_columns()), (0, 9));
    }

    #[test]
    fn labels_outside_the_classes_are_named() {
        let scores = Array2::zeros((3, 10));
        let options = ClassificationOptions::logits(10);
        let beyond = message(&scores, &[0, 10, 1], &options);
        assert!(
            beyond.contains("row 1 = 10") && beyond.contains("0..10"),
            "{beyond}"
        );
        let ignored = message(&scores, &[0, 1, -100], &options);
        assert!(ignored.contains("row 2 = -100"), "{ignored}");
        let short = message(&scores, &[0, 1], &options);
        assert!(short.contains('2') && short.contains('3'), "{short}");
    }

    #[test]
    fn another_number_of_classes_is_named() {
        let text = message(
            &Array2::zeros((1, 7)),
            &[0],
            &ClassificationOptions::logits(10),
        );
        assert!(text.contains("10") && text.contains('7'), "{text}");
        let text = message(
            &Array2::zeros((1, 1)),
            &[0],
            &ClassificationOptions::logits(1),
        );
        assert!(text.contains("sigmoid"), "{text}");
        let named = ClassificationOptions::logits(3).class_names(["a"]);
        assert!(message(&Array2::zeros((1, 3)), &[0], &named).contains("1 names"));
        for k in [0, 4] {
            let options = ClassificationOptions::logits(3).top_k(k);
            assert!(
                message(&Array2::zeros((1, 3)), &[0], &options).contains(&format!("top_k = {k}"))
            );
        }
    }

    #[test]
    fn what_is_no_probability_is_refused_with_row_and_value() {
        let options = ClassificationOptions::probabilities(2);
        let sum = message(&arr2(&[[0.5_f32, 0.5], [0.5, 0.75]]), &[0, 0], &options);
        assert!(
            sum.contains("row 1 = 1.25") && sum.contains("logits"),
            "{sum}"
        );
        let negative = message(&arr2(&[[1.25_f32, -0.25]]), &[0], &options);
        assert!(negative.contains("row 0, class 1 = -0.25"), "{negative}");
        let nan = batch(&arr2(&[[f32::NAN, 0.5]]), &[0], &options);
        assert!(f32s(&nan, "loss")[0].is_nan());
    }

    #[test]
    fn a_true_class_of_probability_zero_costs_infinity() {
        let batch = batch(
            &arr2(&[[0.0_f32, 1.0]]),
            &[0],
            &ClassificationOptions::probabilities(2),
        );
        assert_eq!(f32s(&batch, "loss"), [f32::INFINITY]);
        assert_eq!(f32s(&batch, "margin"), [-1.0]);
    }
}
