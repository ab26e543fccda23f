//! A small encoder and decoder; nothing in it but the tap knows of Emberlens.
//!
//! # Source
//! The form is that of Ronneberger, Fischer and Brox, *U-Net* (2015); it is made larger by the pixel
//! shuffle of Shi et al., *Real-Time Single Image and Video Super-Resolution* (2016), which costs less
//! than convolutions at full size.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, PaddingConfig2d, PixelShuffle, PixelShuffleConfig, Relu,
};
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use emberlens_burn::Tap;

use crate::batch::SceneBatch;
use crate::output::{CLASSES, SegmenterOutput};

/// What the network looks like.
#[derive(Config, Debug)]
pub struct SegmenterConfig {
    /// Channels at a half of the size, at a quarter, and of the context there.
    #[config(default = "[16, 32, 48]")]
    pub channels: [usize; 3],
}

/// Down to a quarter of the size and up again, with what was seen on the way down.
#[derive(Module, Debug)]
pub struct Segmenter {
    half: Layer,
    quarter: Layer,
    near: Layer,
    far: Layer,
    tap: Tap,
    up: Layer,
    merge: Layer,
    output: Conv2d,
    shuffle: PixelShuffle,
}

/// A convolution, its normalisation and activation.
#[derive(Module, Debug)]
struct Layer {
    convolution: Conv2d,
    norm: BatchNorm,
    activation: Relu,
}

impl Layer {
    /// Three by three pixels, `apart` from one another.
    fn new(channels: [usize; 2], stride: usize, apart: usize, device: &Device) -> Self {
        Self {
            convolution: Conv2dConfig::new(channels, [3, 3])
                .with_stride([stride, stride])
                .with_dilation([apart, apart])
                .with_padding(PaddingConfig2d::Explicit(apart, apart, apart, apart))
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(channels[1]).init(device),
            activation: Relu::new(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.norm.forward(self.convolution.forward(x));
        self.activation.forward(x)
    }
}

impl SegmenterConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Segmenter {
        let [half, quarter, context] = self.channels;
        let layer = |channels, stride, apart| Layer::new(channels, stride, apart, device);
        Segmenter {
            half: layer([1, half], 2, 1),
            quarter: layer([half, quarter], 2, 1),
            near: layer([quarter, context], 1, 1),
            far: layer([context, context], 1, 2),
            tap: Tap::new("context"),
            up: layer([context, 4 * half], 1, 1),
            merge: layer([2 * half, 2 * half], 1, 1),
            output: Conv2dConfig::new([2 * half, 4 * CLASSES], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            shuffle: PixelShuffleConfig::new(2).init(),
        }
    }
}

impl Segmenter {
    /// Logits `[batch, CLASSES, side, side]` of images `[batch, 1, side, side]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let half = self.half.forward(images);
        let quarter = self.quarter.forward(half.clone());
        let context = self.far.forward(self.near.forward(quarter));
        let context = self.tap.forward(context);
        let up = self.shuffle.forward(self.up.forward(context));
        let merged = self.merge.forward(Tensor::cat(vec![up, half], 1));
        self.shuffle.forward(self.output.forward(merged))
    }

    fn segment(&self, batch: SceneBatch) -> SegmenterOutput {
        let logits = self.forward(batch.images);
        let losses = losses(logits.clone(), batch.classes, batch.weights);
        SegmenterOutput {
            loss: losses.clone().mean(),
            losses,
            logits,
        }
    }
}

/// The weighted mean cross-entropy over the pixels of every scene, in nats.
fn losses(logits: Tensor<4>, classes: Tensor<4, Int>, weights: Tensor<4>) -> Tensor<1> {
    let per_scene = |x: Tensor<4>| x.flatten::<2>(1, 3).sum_dim(1).squeeze_dim::<1>(1);
    let of_the_class = log_softmax(logits, 1).gather(1, classes);
    -per_scene(of_the_class * weights.clone()) / per_scene(weights)
}

impl TrainStep for Segmenter {
    type Input = SceneBatch;
    type Output = SegmenterOutput;

    fn step(&self, batch: SceneBatch) -> TrainOutput<SegmenterOutput> {
        let output = self.segment(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Segmenter {
    type Input = SceneBatch;
    type Output = SegmenterOutput;

    fn step(&self, batch: SceneBatch) -> SegmenterOutput {
        self.segment(batch)
    }
}
