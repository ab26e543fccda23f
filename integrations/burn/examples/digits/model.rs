//! A small convolutional network; nothing in it but the tap knows of Emberlens.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::prelude::*;
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use emberlens_burn::Tap;

use crate::batch::ImageBatch;

/// What the network looks like.
#[derive(Config, Debug)]
pub struct CnnConfig {
    /// Pixels along one edge of the images.
    pub side: usize,
    /// Classes to tell apart.
    pub classes: usize,
    /// Channels of the two convolutions.
    #[config(default = "[32, 64]")]
    pub channels: [usize; 2],
    /// Width of the embedding.
    #[config(default = 64)]
    pub embedding: usize,
}

/// Two convolutions, an embedding, and a linear classifier on it.
#[derive(Module, Debug)]
pub struct Cnn {
    conv1: Conv2d,
    conv2: Conv2d,
    pool: MaxPool2d,
    hidden: Linear,
    tap: Tap,
    output: Linear,
    activation: Relu,
}

impl CnnConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Cnn {
        let [first, second] = self.channels;
        // Large images are halved once more, on the way into the second convolution.
        let stride = if self.side > 16 { 2 } else { 1 };
        let convolution = |channels, stride| {
            Conv2dConfig::new(channels, [3, 3])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        let pooled = self.side / stride / 2;
        Cnn {
            conv1: convolution([1, first], 1),
            conv2: convolution([first, second], stride),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            hidden: LinearConfig::new(second * pooled * pooled, self.embedding).init(device),
            tap: Tap::new("embedding"),
            output: LinearConfig::new(self.embedding, self.classes).init(device),
            activation: Relu::new(),
        }
    }
}

impl Cnn {
    /// Logits `[batch, classes]` of images `[batch, 1, side, side]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.activation.forward(self.conv1.forward(images));
        let x = self.activation.forward(self.conv2.forward(x));
        let x = self.pool.forward(x).flatten(1, 3);
        let x = self.activation.forward(self.hidden.forward(x));
        self.output.forward(self.tap.forward(x))
    }

    fn classify(&self, batch: ImageBatch) -> ClassificationOutput {
        let logits = self.forward(batch.images);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.targets.clone());
        ClassificationOutput::new(loss, logits, batch.targets)
    }
}

impl TrainStep for Cnn {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Cnn {
    type Input = ImageBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: ImageBatch) -> ClassificationOutput {
        self.classify(batch)
    }
}
