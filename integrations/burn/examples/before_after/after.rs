//! A Burn program: a perceptron on points around three corners.

use std::error::Error;

use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::{Dataset, DatasetError};
use burn::nn::{Linear, LinearConfig, Relu, loss::CrossEntropyLossConfig};
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use burn::train::{Learner, SupervisedTraining};
use emberlens_burn::{Lens, WithLens};

/// A point and the corner that it belongs to.
#[derive(Clone, Debug)]
struct Point {
    place: [f32; 2],
    corner: i64,
}

/// Points in a regular pattern around the corners of a triangle.
#[derive(Clone, Debug)]
struct Points {
    count: usize,
}

impl Dataset<Point> for Points {
    fn get(&self, index: usize) -> Result<Point, DatasetError> {
        let corner = index % 3;
        let turn = index as f32 * 2.4;
        let radius = (index as f32 / self.count as f32).sqrt();
        let [x, y] = [[0.0, 0.0], [1.5, 0.0], [0.75, 1.3]][corner];
        Ok(Point {
            place: [x + radius * turn.cos(), y + radius * turn.sin()],
            corner: corner as i64,
        })
    }

    fn len(&self) -> usize {
        self.count
    }
}

/// Points as tensors.
#[derive(Clone, Debug)]
struct PointBatch {
    places: Tensor<2>,
    corners: Tensor<1, Int>,
}

/// Makes batches of points.
#[derive(Clone, Debug)]
struct PointBatcher;

impl Batcher<Point, PointBatch> for PointBatcher {
    fn batch(&self, points: Vec<Point>, device: &Device) -> PointBatch {
        let rows = points.len();
        let places: Vec<f32> = points.iter().flat_map(|point| point.place).collect();
        let corners: Vec<i64> = points.iter().map(|point| point.corner).collect();
        PointBatch {
            places: Tensor::from_data(TensorData::new(places, [rows, 2]), device),
            corners: Tensor::from_data(TensorData::new(corners, [rows]), device),
        }
    }
}

/// A perceptron with one hidden layer.
#[derive(Module, Debug)]
struct Perceptron {
    hidden: Linear,
    activation: Relu,
    output: Linear,
}

impl Perceptron {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(2, 16).init(device),
            activation: Relu::new(),
            output: LinearConfig::new(16, 3).init(device),
        }
    }

    fn classify(&self, batch: PointBatch) -> ClassificationOutput {
        let hidden = self.activation.forward(self.hidden.forward(batch.places));
        let logits = self.output.forward(hidden);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.corners.clone());
        ClassificationOutput::new(loss, logits, batch.corners)
    }
}

impl TrainStep for Perceptron {
    type Input = PointBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: PointBatch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Perceptron {
    type Input = PointBatch;
    type Output = ClassificationOutput;

    fn step(&self, batch: PointBatch) -> ClassificationOutput {
        self.classify(batch)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let artifacts = std::env::temp_dir().join("perceptron");
    let device = Device::default().autodiff();
    let model = Perceptron::new(&device);
    let batcher = PointBatcher;
    let (train, valid) = (Points { count: 600 }, Points { count: 150 });
    let lens = Lens::new("points", batcher.clone(), train.clone(), valid.clone())?;

    let train_loader = DataLoaderBuilder::new(batcher.clone())
        .batch_size(32)
        .shuffle(42)
        .build(train.clone());
    let valid_loader = DataLoaderBuilder::new(batcher.clone())
        .batch_size(32)
        .build(valid.clone());

    let training = SupervisedTraining::new(&artifacts, train_loader, valid_loader)
        .with_lens(&lens, &artifacts)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .num_epochs(3);
    let learner = Learner::new(lens.track(model), AdamConfig::new().init(), 1e-2);
    let result = lens.launch(training, learner)?;

    result.model.save_file(artifacts.join("model"))?;
    Ok(())
}
