//! A small detector without anchors; nothing in it but the tap knows of Emberlens.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::prelude::*;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use emberlens_burn::Tap;

use crate::batch::SampleBatch;
use crate::convolution::Convolution;
use crate::grid::NUMBERS;
use crate::output::DetectorOutput;

/// Logit of a centre in a network that has seen nothing: few cells are one.
const RARE: f32 = -2.2;

/// What the network looks like.
#[derive(Config, Debug)]
pub struct DetectorConfig {
    /// Classes to tell apart.
    pub classes: usize,
    /// Channels at a half of the picture's size, where there are three convolutions, and at a quarter.
    #[config(default = "[16, 24, 32, 64]")]
    pub channels: [usize; 4],
    /// Convolutions at a quarter of the size that look further and further around.
    #[config(default = "[1, 2]")]
    pub apart: [usize; 2],
}

/// Convolutions down to the grid and around each cell, and what the cell says of a centre in it.
#[derive(Module, Debug)]
pub struct Detector {
    down: Vec<Convolution>,
    around: Vec<Convolution>,
    tap: Tap,
    heat: Conv2d,
    boxes: Conv2d,
}

impl DetectorConfig {
    /// A network with random weights.
    pub fn init(&self, device: &Device) -> Detector {
        let [first, second, third, cells] = self.channels;
        let down = |channels, stride| Convolution::new(channels, stride, 1, device);
        let around = |apart| Convolution::new([cells, cells], 1, apart, device);
        let head = |outputs| Conv2dConfig::new([cells, outputs], [1, 1]).init(device);
        Detector {
            down: vec![
                down([1, first], 2),
                down([first, second], 1),
                down([second, third], 1),
                down([third, cells], 2),
            ],
            around: self.apart.map(around).into(),
            tap: Tap::new("features"),
            heat: head(self.classes),
            boxes: head(NUMBERS),
        }
    }
}

impl Detector {
    fn detect(&self, batch: SampleBatch) -> DetectorOutput {
        let down = self.down.iter();
        let cells = down.fold(batch.images, |x, layer| layer.forward(x));
        let around = self.around.iter();
        let features = around.fold(cells, |x, layer| layer.forward(x));
        let features = self.tap.forward(features);
        let heat = self.heat.forward(features.clone()) + RARE;
        let boxes = self.boxes.forward(features);
        let losses = losses(heat.clone(), boxes.clone(), batch.heat, batch.boxes);
        DetectorOutput::new(losses, heat, boxes)
    }
}

/// The loss of every picture: focal loss of the heat, and the distance of the boxes at centres, both for
/// each object.
fn losses(
    heat: Tensor<4>,
    boxes: Tensor<4>,
    true_heat: Tensor<4>,
    true_boxes: Tensor<4>,
) -> Tensor<1> {
    let per_picture = |x: Tensor<4>| x.flatten::<2>(1, 3).sum_dim(1).squeeze_dim::<1>(1);
    let centres = true_heat.clone().equal_elem(1.0).float();
    let count = per_picture(centres.clone()).clamp_min(1.0);

    let found = sigmoid(heat.clone());
    let missed = log_sigmoid(heat.clone()) * (found.clone() - 1.0).square() * centres.clone();
    let elsewhere = (true_heat - 1.0).square().square(); // 0 at centres, small beside them
    let seen_wrongly = log_sigmoid(-heat) * found.square() * elsewhere;
    let focal = -per_picture(missed + seen_wrongly);

    let at_centres = centres.max_dim(1);
    let distance = per_picture((boxes - true_boxes).abs() * at_centres);
    (focal + distance) / count
}

impl TrainStep for Detector {
    type Input = SampleBatch;
    type Output = DetectorOutput;

    fn step(&self, batch: SampleBatch) -> TrainOutput<DetectorOutput> {
        let output = self.detect(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Detector {
    type Input = SampleBatch;
    type Output = DetectorOutput;

    fn step(&self, batch: SampleBatch) -> DetectorOutput {
        self.detect(batch)
    }
}
