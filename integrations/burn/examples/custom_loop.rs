//! A training loop written by hand, with the same callbacks that Burn's learner would call.
//!
//! `cargo run --release -p emberlens-burn --example custom_loop` fits a curve, collects every point
//! at every epoch, and prints which points the model still misses most. With `-- 120` the point 120
//! cannot be read: the run then ends as `failed`, with the reason.
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;

use burn::data::dataloader::{DataLoaderBuilder, batcher::Batcher};
use burn::data::dataset::{Dataset, DatasetError};
use burn::nn::{Linear, LinearConfig, Tanh, loss::MseLoss, loss::Reduction};
use burn::optim::{AdamConfig, GradientsParams};
use burn::prelude::*;
use burn::train::{InferenceStep, RegressionOutput};
use emberlens::callback::{Aggregate, Flow, TrainingContext};
use emberlens_burn::{Lens, Tap};

const EPOCHS: usize = 6;
const LEARNING_RATE: f64 = 0.01;

/// Points of `y = sin x`; every fiftieth one is wrong.
#[derive(Clone, Debug)]
struct Curve {
    points: usize,
    shift: f32,
    unreadable: Option<usize>,
}

impl Dataset<[f32; 2]> for Curve {
    fn get(&self, index: usize) -> Result<[f32; 2], DatasetError> {
        if self.unreadable == Some(index) {
            let error = std::io::Error::other(format!("point {index} cannot be read"));
            return Err(DatasetError::new(error));
        }
        let x = (index as f32 + self.shift) / self.points as f32 * 6.0 - 3.0;
        let wrong = if index % 50 == 49 { 1.5 } else { 0.0 };
        Ok([x, x.sin() + wrong])
    }

    fn len(&self) -> usize {
        self.points
    }
}

#[derive(Clone, Debug)]
struct CurveBatch {
    x: Tensor<2>,
    y: Tensor<2>,
}

#[derive(Clone, Debug)]
struct CurveBatcher;

impl Batcher<[f32; 2], CurveBatch> for CurveBatcher {
    fn batch(&self, points: Vec<[f32; 2]>, device: &Device) -> CurveBatch {
        let column = |values: Vec<f32>| {
            let rows = values.len();
            Tensor::from_data(TensorData::new(values, [rows, 1]), device)
        };
        CurveBatch {
            x: column(points.iter().map(|point| point[0]).collect()),
            y: column(points.iter().map(|point| point[1]).collect()),
        }
    }
}

#[derive(Module, Debug)]
struct Fit {
    hidden: Linear,
    activation: Tanh,
    tap: Tap,
    output: Linear,
}

impl Fit {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(1, 16).init(device),
            activation: Tanh::new(),
            tap: Tap::new("hidden"),
            output: LinearConfig::new(16, 1).init(device),
        }
    }

    fn fit(&self, batch: CurveBatch) -> RegressionOutput {
        let hidden = self.activation.forward(self.hidden.forward(batch.x));
        let output = self.output.forward(self.tap.forward(hidden));
        let loss = MseLoss::new().forward(output.clone(), batch.y.clone(), Reduction::Mean);
        RegressionOutput::new(loss, output, batch.y)
    }
}

/// What the lens predicts with; a loop of your own needs no `TrainStep`.
impl InferenceStep for Fit {
    type Input = CurveBatch;
    type Output = RegressionOutput;

    fn step(&self, batch: CurveBatch) -> RegressionOutput {
        self.fit(batch)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::default().autodiff();
    let curve = |points, shift, unreadable| Curve {
        points,
        shift,
        unreadable,
    };
    let unreadable = std::env::args().nth(1).map(|point| point.parse());
    let train = curve(400, 0.0, unreadable.transpose()?);
    let valid = curve(100, 0.5, None);
    let (run, mut callbacks) =
        Lens::new("custom-loop", CurveBatcher, train.clone(), valid.clone())?
            .run_name("sine")
            .hyperparameters(&BTreeMap::from([("learning_rate", LEARNING_RATE)]))?
            .into_callbacks()?;

    let loader = DataLoaderBuilder::new(CurveBatcher)
        .batch_size(16)
        .shuffle(3)
        .set_device(device.clone())
        .build(train);
    let valid_loader = DataLoaderBuilder::new(CurveBatcher)
        .batch_size(16)
        .build(valid);
    let mut model = Fit::new(&device);
    let mut optimiser = AdamConfig::new().init();
    let mut aggregates: Vec<Aggregate> = Vec::new();

    let mut flow = callbacks.on_training_start(&TrainingContext::new(0, EPOCHS));
    let mut epoch = 0;
    // No `?` in here: whatever ends the training, the callbacks are told, and the run says it.
    let outcome = 'training: {
        while epoch < EPOCHS && flow == Flow::Continue {
            let mut losses = Vec::new();
            for batch in loader.iter() {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(error) => break 'training Err(error),
                };
                let output = model.fit(batch);
                losses.push(output.loss.clone().into_scalar::<f64>());
                let gradients = GradientsParams::from_grads(output.loss.backward(), &model);
                model = optimiser.step(LEARNING_RATE, model, gradients);
            }
            aggregates.push(mean("train", epoch, &losses));

            let evaluated = model.valid();
            // The weights of this epoch are final: here they are collected.
            flow = callbacks.on_train_loader_end(&context(epoch, &evaluated, &aggregates));

            let mut losses = Vec::new();
            for batch in valid_loader.iter() {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(error) => break 'training Err(error),
                };
                losses.push(evaluated.fit(batch).loss.into_scalar::<f64>());
            }
            let validated = mean("valid", epoch, &losses);
            println!("epoch {epoch}: validation loss {:.4}", validated.value);
            aggregates.push(validated);
            if flow == Flow::Continue {
                let context = context(epoch, &evaluated, &aggregates);
                let _ = callbacks.on_validation_loader_end(&context);
                flow = callbacks.on_epoch_end(&context);
            }
            epoch += 1;
        }
        Ok(())
    };
    let evaluated = model.valid();
    let last_epoch = epoch.saturating_sub(1);
    let failure = outcome.as_ref().err().map(ToString::to_string);
    let _ = callbacks.on_training_end(&TrainingContext {
        failure: failure.as_deref(),
        untrained: epoch == 0,
        ..context(last_epoch, &evaluated, &aggregates)
    });
    match (outcome, callbacks.finish()) {
        (Ok(()), finished) => finished?,
        (Err(failure), Ok(())) => return Err(failure.into()),
        (Err(failure), Err(second)) => return Err(format!("{failure}; {}", second.chain()).into()),
    }

    let reader = run.reader()?;
    let rows = reader.metrics("default").split("train");
    let errors = rows.epoch(last_epoch as i64);
    let errors: Vec<f32> = errors.values("absolute_error")?;
    let mut worst: Vec<usize> = (0..errors.len()).collect();
    worst.sort_by(|&one, &other| errors[other].total_cmp(&errors[one]));
    println!("run: {}", run.url());
    println!("points missed most: {:?}", &worst[..8]);
    Ok(())
}

/// What the callbacks are told; `model` is in evaluation mode.
fn context<'a>(
    epoch: usize,
    model: &'a Fit,
    aggregates: &'a [Aggregate],
) -> TrainingContext<'a, Fit> {
    TrainingContext {
        aggregates,
        learning_rate: Some(LEARNING_RATE),
        model: Some(model),
        ..TrainingContext::new(epoch, EPOCHS)
    }
}

fn mean(split: &str, epoch: usize, losses: &[f64]) -> Aggregate {
    Aggregate {
        name: "loss".into(),
        split: split.into(),
        epoch,
        value: losses.iter().sum::<f64>() / losses.len() as f64,
    }
}
