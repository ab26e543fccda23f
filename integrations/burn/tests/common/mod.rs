//! A small classification problem that trains in a second, and what the tests ask of its runs.
#![allow(dead_code)] // every test file uses its own part

use std::path::Path;
use std::sync::{Arc, Mutex};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder};
use burn::data::dataset::InMemDataset;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, Relu};
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::prelude::*;
use burn::train::{
    ClassificationOutput, InferenceStep, Learner, SupervisedTraining, TrainOutput, TrainStep,
};
use emberlens::callback::{Callback, Event, TrainingContext};
use emberlens::run::{Project, RunReader};
use emberlens_burn::{Lens, Tap, Tracked};

pub const CLASSES: usize = 3;
pub const TRAIN: usize = 48;
pub const VALID: usize = 24;
pub const BATCH: usize = 8;
pub const LEARNING_RATE: f64 = 0.01;

#[derive(Clone, Debug)]
pub struct Item {
    pub features: [f32; 4],
    pub label: i64,
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub features: Tensor<2>,
    pub labels: Tensor<1, Int>,
}

#[derive(Clone, Debug)]
pub struct ToBatch;

impl Batcher<Item, Batch> for ToBatch {
    fn batch(&self, items: Vec<Item>, device: &Device) -> Batch {
        let features: Vec<f32> = items.iter().flat_map(|item| item.features).collect();
        let labels: Vec<i64> = items.iter().map(|item| item.label).collect();
        let rows = items.len();
        Batch {
            features: Tensor::from_data(TensorData::new(features, [rows, 4]), device),
            labels: Tensor::from_data(TensorData::new(labels, [rows]), device),
        }
    }
}

/// Points around three corners; the same for the same seed.
pub fn items(count: usize, seed: u64) -> Arc<InMemDataset<Item>> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32 - 0.5
    };
    let items = (0..count).map(|index| {
        let label = index % CLASSES;
        let mut features = [0.0; 4];
        for (place, value) in features.iter_mut().enumerate() {
            *value = noise() + if place == label { 1.0 } else { 0.0 };
        }
        let label = label as i64;
        Item { features, label }
    });
    Arc::new(InMemDataset::new(items.collect()))
}

pub fn train_set() -> Arc<InMemDataset<Item>> {
    items(TRAIN, 1)
}

pub fn valid_set() -> Arc<InMemDataset<Item>> {
    items(VALID, 2)
}

#[derive(Module, Debug)]
pub struct Net {
    hidden: Linear,
    activation: Relu,
    dropout: Dropout,
    tap: Tap,
    head: Linear,
}

impl Net {
    pub fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(4, 8).init(device),
            activation: Relu::new(),
            dropout: DropoutConfig::new(0.25).init(),
            tap: Tap::new("hidden"),
            head: LinearConfig::new(8, CLASSES).init(device),
        }
    }

    pub fn classify(&self, batch: Batch) -> ClassificationOutput {
        let hidden = self.activation.forward(self.hidden.forward(batch.features));
        let hidden = self.tap.forward(self.dropout.forward(hidden));
        let logits = self.head.forward(hidden);
        let loss = CrossEntropyLossConfig::new()
            .init(&logits.device())
            .forward(logits.clone(), batch.labels.clone());
        ClassificationOutput::new(loss, logits, batch.labels)
    }
}

impl TrainStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.classify(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.classify(batch)
    }
}

pub type Loader = Arc<dyn DataLoader<Batch>>;

pub fn train_loader() -> Loader {
    DataLoaderBuilder::new(ToBatch)
        .batch_size(BATCH)
        .shuffle(11)
        .build(train_set())
}

pub fn valid_loader() -> Loader {
    DataLoaderBuilder::new(ToBatch)
        .batch_size(BATCH)
        .build(valid_set())
}

pub fn device() -> Device {
    Device::flex().autodiff()
}

pub fn optimiser() -> ModuleOptimizer {
    AdamConfig::new().init()
}

/// Where the lens below writes.
pub fn lens_project(root: &Path) -> Project {
    Project::open(root.join("runs").to_str().unwrap(), "tests").unwrap()
}

/// A lens on this problem, writing below `root`.
pub fn lens(root: &Path) -> Lens<Net, Item> {
    Lens::in_project(&lens_project(root), ToBatch, train_set(), valid_set())
}

/// The training as the lens prepares it; quiet, and without Burn's global logger.
pub fn training(lens: &Lens<Net, Item>, root: &Path) -> SupervisedTraining<Tracked<Net>> {
    lens.training(root.join("artifacts"), train_loader(), valid_loader())
        .with_application_logger(None)
}

pub fn learner(lens: &Lens<Net, Item>) -> Learner<Tracked<Net>> {
    Learner::new(lens.track(Net::new(&device())), optimiser(), LEARNING_RATE)
}

/// Split, epoch and rows of every complete pass, in order.
pub fn passes(reader: &RunReader) -> Vec<(String, i64, u64)> {
    let passes = reader.passes("default").into_iter();
    passes
        .map(|pass| (pass.split, pass.epoch.unwrap(), pass.rows))
        .collect()
}

/// What [`passes`] gives when both splits were collected at these epochs.
pub fn both_splits(epochs: impl IntoIterator<Item = i64>) -> Vec<(String, i64, u64)> {
    let both = |epoch| {
        [
            ("train".to_owned(), epoch, TRAIN as u64),
            ("valid".to_owned(), epoch, VALID as u64),
        ]
    };
    epochs.into_iter().flat_map(both).collect()
}

/// A float column of one pass, by example.
pub fn column(reader: &RunReader, split: &str, epoch: i64, name: &str) -> Vec<f32> {
    let metrics = reader.metrics("default").split(split).epoch(epoch);
    metrics.values::<f32>(name).unwrap()
}

/// One event as it was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub event: Event,
    pub epoch: usize,
    pub total_epochs: usize,
    pub has_model: bool,
    /// `split/name/epoch` of all aggregates so far.
    pub aggregates: Vec<String>,
    pub learning_rate: Option<f64>,
}

/// Writes down every event.
#[derive(Clone, Default)]
pub struct Recorder(pub Arc<Mutex<Vec<Seen>>>);

impl Recorder {
    pub fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    /// Events with their epochs.
    pub fn events(&self) -> Vec<(Event, usize)> {
        let seen = self.seen().into_iter();
        seen.map(|seen| (seen.event, seen.epoch)).collect()
    }

    fn note(&self, event: Event, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        let aggregates = context.aggregates.iter();
        self.0.lock().unwrap().push(Seen {
            event,
            epoch: context.epoch,
            total_epochs: context.total_epochs,
            has_model: context.model.is_some(),
            aggregates: aggregates
                .map(|one| format!("{}/{}/{}", one.split, one.name, one.epoch))
                .collect(),
            learning_rate: context.learning_rate,
        });
        Ok(())
    }
}

impl Callback<Net> for Recorder {
    fn on_training_start(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.note(Event::TrainingStart, context)
    }
    fn on_train_loader_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.note(Event::TrainLoaderEnd, context)
    }
    fn on_validation_loader_end(
        &mut self,
        context: &TrainingContext<'_, Net>,
    ) -> emberlens::Result<()> {
        self.note(Event::ValidationLoaderEnd, context)
    }
    fn on_epoch_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.note(Event::EpochEnd, context)
    }
    fn on_interrupted(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.note(Event::Interrupted, context)
    }
    fn on_training_end(&mut self, context: &TrainingContext<'_, Net>) -> emberlens::Result<()> {
        self.note(Event::TrainingEnd, context)
    }
}
