//! Single- and multi-device trainings are collected alike, and the rows are those of the weights.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::data::dataset::Dataset;
use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::{ExecutionStrategy, InferenceStep, MultiDeviceOptim};
use common::*;
use emberlens_burn::Lens;

fn train(
    change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>,
    strategy: ExecutionStrategy,
) -> emberlens_burn::Trained<Net> {
    let root = tempfile::tempdir().unwrap();
    let recorder = Recorder::default();
    let lens = change(lens(root.path())).callback(recorder.clone());
    let training = training(&lens, root.path())
        .metrics((LossMetric::new(),))
        .num_epochs(3)
        .with_training_strategy(strategy.into());
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();

    let reader = trained.run.reader().unwrap();
    assert_eq!(passes(&reader), both_splits(0..3));
    let order: Vec<usize> = recorder
        .events()
        .into_iter()
        .map(|(_, epoch)| epoch)
        .collect();
    assert_eq!(order, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]);

    // The rows of the last epoch are those of the weights that came back.
    let items = valid_set();
    let items = items.get_many((0..VALID).collect()).unwrap();
    let batch = burn::data::dataloader::batcher::Batcher::batch(&ToBatch, items, &Device::flex());
    let logits: Vec<f32> = trained
        .model
        .step(batch)
        .output
        .into_data()
        .iter::<f32>()
        .collect();
    let losses = column(&reader, "valid", 2, "loss");
    for (row, (logits, loss)) in logits.chunks(CLASSES).zip(&losses).enumerate() {
        let label = row % CLASSES;
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        let expected = sum.ln() - f64::from(logits[label]);
        assert!((expected - f64::from(*loss)).abs() < 1e-6, "row {row}");
    }
    trained
}

fn devices() -> Vec<Device> {
    vec![Device::flex(), Device::flex()]
}

#[test]
fn one_device() {
    train(|lens| lens, ExecutionStrategy::single(Device::flex()));
}

#[test]
fn several_devices_with_the_optimiser_on_one() {
    let strategy = ExecutionStrategy::multi(devices(), MultiDeviceOptim::OptimMainDevice);
    train(|lens| lens, strategy);
}

#[test]
fn several_devices_with_the_optimiser_on_all() {
    let strategy = ExecutionStrategy::multi(devices(), MultiDeviceOptim::OptimSharded);
    train(|lens| lens, strategy);
}

#[test]
fn several_devices_collected_beside_the_training() {
    let strategy = ExecutionStrategy::multi(devices(), MultiDeviceOptim::OptimMainDevice);
    train(Lens::beside, strategy);
}
