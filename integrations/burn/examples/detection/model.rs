//! A small detector without anchors; nothing in it but the tap knows of Emberlens.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d, Relu};
use burn::prelude::*;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use emberlens_burn::Tap;

use crate::batch::SceneBatch;
use crate::grid::NUMBERS;
use crate::output::DetectorOutput;
use crate::scenes::CLASSES;

/// Logit of a centre in a network that has seen nothing: few cells are one.
const RARE: f32 = -2.2;

/// What the network looks like.
#[derive(Config, Debug)]
pub struct DetectorConfig {
    /// Channels of the five convolutions.
    #[config(default = "[12, 24, 40, 56, 56]")]
    pub channels: [usize; 5],
}

/// Five convolutions down to the grid, and what each cell says of a centre in it.
#[derive(Module, Debug)]
pub struct Detector {
    layers: Vec<Layer>,
    tap: Tap,
    heat: Conv2d,
    boxes: Conv2d,
}

/// A convolution, its normalisation and activation.
#[derive(Module, Debug)]
struct Layer {
    convolution: Conv2d,
    norm: BatchNorm,
    activation: Relu,
}

impl DetectorConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Detector {
        let strides = [2, 1, 2, 1, 1]; // 48 pixels to 12 cells
        let mut before = 1;
        let layers = self.channels.into_iter().zip(strides);
        let layers = layers.map(|(after, stride)| Layer {
            convolution: Conv2dConfig::new([std::mem::replace(&mut before, after), after], [3, 3])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_bias(false)
                .init(device),
            norm: BatchNormConfig::new(after).init(device),
            activation: Relu::new(),
        });
        let layers = layers.collect();
        let head = |outputs| Conv2dConfig::new([before, outputs], [1, 1]).init(device);
        Detector {
            layers,
            tap: Tap::new("features"),
            heat: head(CLASSES.len()),
            boxes: head(NUMBERS),
        }
    }
}

impl Layer {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.norm.forward(self.convolution.forward(x));
        self.activation.forward(x)
    }
}

impl Detector {
    fn detect(&self, batch: SceneBatch) -> DetectorOutput {
        let layers = self.layers.iter();
        let features = layers.fold(batch.images, |x, layer| layer.forward(x));
        let features = self.tap.forward(features);
        let heat = self.heat.forward(features.clone()) + RARE;
        let boxes = self.boxes.forward(features);
        let losses = losses(heat.clone(), boxes.clone(), batch.heat, batch.boxes);
        DetectorOutput {
            loss: losses.clone().mean(),
            losses,
            heat,
            boxes,
        }
    }
}

/// The loss of every scene: focal loss of the heat, and the distance of the boxes at centres, both for
/// each object.
fn losses(
    heat: Tensor<4>,
    boxes: Tensor<4>,
    true_heat: Tensor<4>,
    true_boxes: Tensor<4>,
) -> Tensor<1> {
    let per_scene = |x: Tensor<4>| x.flatten::<2>(1, 3).sum_dim(1).squeeze_dim::<1>(1);
    let centres = true_heat.clone().equal_elem(1.0).float();
    let count = per_scene(centres.clone()).clamp_min(1.0);

    let found = sigmoid(heat.clone());
    let missed = log_sigmoid(heat.clone()) * (found.clone() - 1.0).square() * centres.clone();
    let elsewhere = (true_heat - 1.0).square().square(); // 0 at centres, small beside them
    let seen_wrongly = log_sigmoid(-heat) * found.square() * elsewhere;
    let focal = -per_scene(missed + seen_wrongly);

    let at_centres = centres.max_dim(1);
    let distance = per_scene((boxes - true_boxes).abs() * at_centres);
    (focal + distance) / count
}

impl TrainStep for Detector {
    type Input = SceneBatch;
    type Output = DetectorOutput;

    fn step(&self, batch: SceneBatch) -> TrainOutput<DetectorOutput> {
        let output = self.detect(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Detector {
    type Input = SceneBatch;
    type Output = DetectorOutput;

    fn step(&self, batch: SceneBatch) -> DetectorOutput {
        self.detect(batch)
    }
}
