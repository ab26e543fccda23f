//! Columns from the outputs of Burn's learning tasks, and from hidden layers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use burn::train::{
    ClassificationOutput, MultiLabelClassificationOutput, RegressionOutput, SequenceOutput,
};
use emberlens::Result;
use emberlens::collect::HiddenLayers;
use emberlens::metrics::{
    ClassScores, ClassificationOptions, Labelled, MetricsCollector, MultiLabelOptions, Reshape,
    SequenceOptions, classification_columns, embedding_column, multilabel_columns,
    regression_columns, sequence_columns,
};
use emberlens::table::Columns;
use ndarray::{Array2, ArrayD, Axis, concatenate};

use crate::tensors::{cube, integer_matrix, integers, matrix};

/// What a model returned for a batch, with the hidden layers that its taps showed.
///
/// It derefs to the output.
#[derive(Clone, Debug, Default)]
pub struct BurnPrediction<O> {
    /// The output of the model's validation step.
    pub output: O,
    /// Activations by layer name, `[batch, ...]`.
    pub hidden: BTreeMap<String, ArrayD<f32>>,
}

impl<O> BurnPrediction<O> {
    /// A prediction without hidden layers.
    pub fn new(output: O) -> Self {
        Self {
            output,
            hidden: BTreeMap::new(),
        }
    }
}

impl<O> Deref for BurnPrediction<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.output
    }
}

impl<O> HiddenLayers for BurnPrediction<O> {
    fn hidden(&self, layer: &str) -> Option<&ArrayD<f32>> {
        self.hidden.get(layer)
    }

    fn layers(&self) -> Vec<&str> {
        self.hidden.keys().map(String::as_str).collect()
    }
}

/// How outputs become columns; each option concerns the tasks that know it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OutputOptions {
    /// Scores are probabilities and not logits (classification, multi-label).
    pub probabilities: bool,
    /// Names of the classes by index, kept with class columns (classification).
    pub class_names: Arc<[String]>,
    /// Adds top-k columns (classification).
    pub top_k: Option<usize>,
    /// Adds a column `label` with the target, for data without a table (classification).
    pub label_column: bool,
    /// Probability from which a label counts as predicted, 0.5 when not set (multi-label).
    pub threshold: Option<f32>,
    /// Target token that does not count (sequence).
    pub pad_token: Option<i64>,
}

/// A model output from which per-sample columns can be computed.
///
/// Burn's own outputs have it. Implement it for an output type of your own with the functions of
/// [`emberlens::metrics`] and of [`tensors`](crate::tensors), and its models need nothing else.
pub trait SampleMetrics {
    /// One row per sample of the batch.
    ///
    /// # Errors
    /// Whatever reading the tensors or computing the columns may give.
    fn sample_columns(&self, options: &OutputOptions) -> Result<Columns>;
}

/// [`classification_columns`]: loss in nats, predicted class, accuracy, confidence, true-class
/// probability, margin, normalised entropy.
///
/// A single score per sample is a binary classification: logit or probability of class 1.
impl SampleMetrics for ClassificationOutput {
    fn sample_columns(&self, options: &OutputOptions) -> Result<Columns> {
        let scores = two_columns(matrix(&self.output)?, options.probabilities)?;
        let labels = integers(&self.targets)?;
        let mut parameters = match options.probabilities {
            true => ClassificationOptions::probabilities(scores.ncols()),
            false => ClassificationOptions::logits(scores.ncols()),
        }
        .label_column(options.label_column);
        if !options.class_names.is_empty() {
            parameters = parameters.shared_class_names(options.class_names.clone());
        }
        if let Some(k) = options.top_k {
            parameters = parameters.top_k(k);
        }
        classification_columns(scores.view(), &labels, &parameters)
    }
}

/// The scores of both classes when there is one score: `softmax([0, z])` is `sigmoid(z)`.
fn two_columns(scores: Array2<f32>, probabilities: bool) -> Result<Array2<f32>> {
    if scores.ncols() != 1 {
        return Ok(scores);
    }
    let other = scores.mapv(|score| if probabilities { 1.0 - score } else { 0.0 });
    concatenate(Axis(1), &[other.view(), scores.view()]).map_err(emberlens::Error::user)
}

/// [`multilabel_columns`]: loss and the scores of the predicted set of labels.
impl SampleMetrics for MultiLabelClassificationOutput {
    fn sample_columns(&self, options: &OutputOptions) -> Result<Columns> {
        let mut parameters = match options.probabilities {
            true => MultiLabelOptions::probabilities(),
            false => MultiLabelOptions::logits(),
        };
        if let Some(threshold) = options.threshold {
            parameters = parameters.threshold(threshold);
        }
        let (scores, targets) = (matrix(&self.output)?, integer_matrix(&self.targets)?);
        multilabel_columns(scores.view(), targets.view(), &parameters)
    }
}

/// [`regression_columns`]: errors of every sample.
impl SampleMetrics for RegressionOutput {
    fn sample_columns(&self, _options: &OutputOptions) -> Result<Columns> {
        let (predictions, targets) = (matrix(&self.output)?, matrix(&self.targets)?);
        regression_columns(predictions.view(), targets.view())
    }
}

/// [`sequence_columns`]: loss, perplexity and token accuracy of every sequence.
impl SampleMetrics for SequenceOutput {
    fn sample_columns(&self, options: &OutputOptions) -> Result<Columns> {
        let mut parameters = SequenceOptions::new();
        if let Some(token) = options.pad_token {
            parameters = parameters.pad_token(token);
        }
        let predictions = self.predictions.as_ref().map(integer_matrix).transpose()?;
        sequence_columns(
            cube(&self.logits)?.view(),
            integer_matrix(&self.targets)?.view(),
            predictions.as_ref().map(|tokens| tokens.view()),
            &parameters,
        )
    }
}

/// So that [`emberlens::metrics::Classification`] works on Burn's classification output.
impl<B> ClassScores<B> for BurnPrediction<ClassificationOutput> {
    fn class_scores(&self, _batch: &B) -> Result<Labelled> {
        let scores = matrix(&self.output.output)?;
        Ok(Labelled::new(scores, integers(&self.output.targets)?))
    }
}

/// The default collector: [`SampleMetrics`] of the output.
#[derive(Clone, Debug, Default)]
pub struct OutputMetrics {
    options: OutputOptions,
}

impl OutputMetrics {
    /// Computes columns with these options.
    pub fn new(options: OutputOptions) -> Self {
        Self { options }
    }
}

impl<B, O: SampleMetrics> MetricsCollector<B, BurnPrediction<O>> for OutputMetrics {
    fn collect(&self, _batch: &B, prediction: &BurnPrediction<O>) -> Result<Columns> {
        prediction.output.sample_columns(&self.options)
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("OutputMetrics")
    }
}

/// The embeddings of every tap that the model passed.
///
/// One tap gives the column `embedding`, several give `embedding_<tap>` each; a model without taps
/// gives none.
#[derive(Clone, Debug, Default)]
pub struct TapEmbeddings {
    reshape: Reshape,
}

impl TapEmbeddings {
    /// Embeddings whose trailing dimensions are averaged, as [`Reshape::Mean`] does.
    pub fn new() -> Self {
        Self::default()
    }

    /// How activations become vectors.
    pub fn reshape(mut self, reshape: Reshape) -> Self {
        self.reshape = reshape;
        self
    }
}

impl<B, O: HiddenLayers> MetricsCollector<B, O> for TapEmbeddings {
    fn collect(&self, _batch: &B, prediction: &O) -> Result<Columns> {
        let layers = prediction.layers();
        let mut columns = Columns::new();
        for layer in &layers {
            if let Some(activations) = prediction.hidden(layer) {
                let name = match layers.len() {
                    1 => "embedding".to_owned(),
                    _ => format!("embedding_{layer}"),
                };
                columns.push(name, embedding_column(activations.view(), &self.reshape)?);
            }
        }
        Ok(columns)
    }

    fn compute_aggregates(&self) -> bool {
        false
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("TapEmbeddings")
    }
}
