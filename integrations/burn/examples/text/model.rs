//! A small transformer of Burn's own modules; nothing in it but the tap knows of Emberlens.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::transformer::{
    TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput,
};
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use emberlens_burn::Tap;

use crate::batch::{LENGTH, TextBatch};

/// What the network looks like.
#[derive(Config, Debug)]
pub struct ClassifierConfig {
    /// Tokens that there are.
    pub vocabulary: usize,
    /// Classes to tell apart.
    pub classes: usize,
    /// Width of words and sentences.
    #[config(default = 32)]
    pub width: usize,
    /// Layers of the encoder.
    #[config(default = 2)]
    pub layers: usize,
    /// Heads of each.
    #[config(default = 4)]
    pub heads: usize,
    /// Dropout in the encoder.
    #[config(default = 0.1)]
    pub dropout: f64,
}

/// Words and their places, an encoder over them, their mean, and a linear classifier on it.
#[derive(Module, Debug)]
pub struct Classifier {
    words: Embedding,
    places: Embedding,
    encoder: TransformerEncoder,
    tap: Tap,
    output: Linear,
}

impl ClassifierConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Classifier {
        let encoder =
            TransformerEncoderConfig::new(self.width, 2 * self.width, self.heads, self.layers);
        Classifier {
            words: EmbeddingConfig::new(self.vocabulary, self.width).init(device),
            places: EmbeddingConfig::new(LENGTH, self.width).init(device),
            encoder: encoder
                .with_dropout(self.dropout)
                .with_norm_first(true)
                .init(device),
            tap: Tap::new("sentence"),
            output: LinearConfig::new(self.width, self.classes).init(device),
        }
    }
}

impl Classifier {
    /// Logits `[batch, classes]` of tokens `[batch, length]`.
    pub fn forward(&self, tokens: Tensor<2, Int>, padding: Tensor<2, Bool>) -> Tensor<2> {
        let [_, length] = tokens.dims();
        let places = Tensor::arange(0..length as i64, &tokens.device()).unsqueeze::<2>();
        let x = self.words.forward(tokens) + self.places.forward(places);
        let input = TransformerEncoderInput::new(x).mask_pad(padding.clone());
        let x = self.encoder.forward(input);
        // The mean over the words that there are.
        let there = padding.bool_not().float().unsqueeze_dim::<3>(2);
        let sum = (x * there.clone()).sum_dim(1).squeeze_dim::<2>(1);
        let sentence = sum / there.sum_dim(1).squeeze_dim::<2>(1);
        self.output.forward(self.tap.forward(sentence))
    }

    fn classify(&self, batch: TextBatch) -> ClassificationOutput {
        let logits = self.forward(batch.tokens, batch.padding);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.targets.clone());
        ClassificationOutput::new(loss, logits, batch.targets)
    }
}

impl TrainStep for Classifier {
    type Input = TextBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TextBatch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Classifier {
    type Input = TextBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: TextBatch) -> ClassificationOutput {
        self.classify(batch)
    }
}
