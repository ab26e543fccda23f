//! A small encoder and decoder; nothing in it but the tap knows of Emberlens.
//!
//! # Source
//! The form is that of Ronneberger, Fischer and Brox, *U-Net* (2015); it is made larger by the pixel
//! shuffle of Shi et al., *Real-Time Single Image and Video Super-Resolution* (2016), which costs less
//! than convolutions at full size; what looks around adds to what it is given, as in He et al., *Deep
//! Residual Learning for Image Recognition* (2016).

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{PixelShuffle, PixelShuffleConfig};
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use emberlens_burn::Tap;

use crate::batch::SampleBatch;
use crate::convolution::Convolution;
use crate::output::SegmenterOutput;

/// What the network looks like.
#[derive(Config, Debug)]
pub struct SegmenterConfig {
    /// Classes to tell apart.
    pub classes: usize,
    /// Channels at a half of the size, where there are two convolutions, and at a quarter.
    #[config(default = "[16, 24, 48]")]
    pub channels: [usize; 3],
    /// Convolutions at a quarter of the size that look further and further around.
    #[config(default = "[1, 2, 2]")]
    pub apart: [usize; 3],
}

/// Down to a quarter of the size and up again, with what was seen on the way down.
#[derive(Module, Debug)]
pub struct Segmenter {
    half: Vec<Convolution>,
    quarter: Convolution,
    around: Vec<Convolution>,
    tap: Tap,
    up: Conv2d,
    merge: Convolution,
    output: Conv2d,
    shuffle: PixelShuffle,
}

impl SegmenterConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Segmenter {
        let [first, half, quarter] = self.channels;
        let layer = |channels, stride, apart| Convolution::new(channels, stride, apart, device);
        let around = |apart| layer([quarter, quarter], 1, apart);
        let point = |channels| Conv2dConfig::new(channels, [1, 1]).init(device);
        Segmenter {
            half: vec![layer([1, first], 2, 1), layer([first, half], 1, 1)],
            quarter: layer([half, quarter], 2, 1),
            around: self.apart.map(around).into(),
            tap: Tap::new("context"),
            up: point([quarter, 4 * half]),
            merge: layer([2 * half, 32], 1, 1),
            output: point([32, 4 * self.classes]),
            shuffle: PixelShuffleConfig::new(2).init(),
        }
    }
}

impl Segmenter {
    /// Logits `[batch, classes, side, side]` of images `[batch, 1, side, side]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let half = self.half.iter();
        let half = half.fold(images, |x, layer| layer.forward(x));
        let quarter = self.quarter.forward(half.clone());
        let around = self.around.iter();
        let context = around.fold(quarter, |x, layer| x.clone() + layer.forward(x));
        let context = self.tap.forward(context);
        let up = self.shuffle.forward(self.up.forward(context));
        let merged = self.merge.forward(Tensor::cat(vec![up, half], 1));
        self.shuffle.forward(self.output.forward(merged))
    }

    fn segment(&self, batch: SampleBatch) -> SegmenterOutput {
        let logits = self.forward(batch.images);
        let losses = losses(logits.clone(), batch.classes, batch.weights);
        SegmenterOutput {
            loss: losses.clone().mean(),
            losses,
            logits,
        }
    }
}

/// The weighted mean cross-entropy over the pixels of every image, in nats; 0 where none has a class.
fn losses(logits: Tensor<4>, classes: Tensor<4, Int>, weights: Tensor<4>) -> Tensor<1> {
    let per_image = |x: Tensor<4>| x.flatten::<2>(1, 3).sum_dim(1).squeeze_dim::<1>(1);
    let of_the_class = log_softmax(logits, 1).gather(1, classes);
    let all = per_image(weights.clone()).clamp_min(f32::MIN_POSITIVE);
    -per_image(of_the_class * weights) / all
}

impl TrainStep for Segmenter {
    type Input = SampleBatch;
    type Output = SegmenterOutput;

    fn step(&self, batch: SampleBatch) -> TrainOutput<SegmenterOutput> {
        let output = self.segment(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Segmenter {
    type Input = SampleBatch;
    type Output = SegmenterOutput;

    fn step(&self, batch: SampleBatch) -> SegmenterOutput {
        self.segment(batch)
    }
}
