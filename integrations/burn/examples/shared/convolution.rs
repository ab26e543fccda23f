//! The building block of the networks on pictures.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d, Relu};
use burn::prelude::*;

/// A convolution of 3 x 3, its normalisation and activation.
#[derive(Module, Debug)]
pub struct Convolution {
    convolution: Conv2d,
    norm: BatchNorm,
    activation: Relu,
}

impl Convolution {
    /// From so many channels to so many; `apart` is the distance of the pixels that it looks at.
    pub fn new(channels: [usize; 2], stride: usize, apart: usize, device: &Device) -> Self {
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

    /// `[batch, channels, height, width]` in and out; height and width fall by the stride.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.norm.forward(self.convolution.forward(x));
        self.activation.forward(x)
    }
}
