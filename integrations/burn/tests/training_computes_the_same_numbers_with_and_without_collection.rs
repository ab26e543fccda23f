//! The losses of every step and the final weights are equal bit for bit, with dropout and
//! shuffling, whatever is collected.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use burn::train::metric::LossMetric;
use burn::train::{Learner, SupervisedTraining};
use common::*;
use emberlens::callback::Schedule;
use emberlens_burn::Lens;

const EPOCHS: usize = 3;

/// What Burn itself wrote: a line per step, floats in full, and the bits of the final weights.
#[derive(Debug, PartialEq)]
struct Trace {
    logs: Vec<String>,
    weights: Vec<u32>,
}

struct Bits(Vec<u32>);

impl ModuleVisitor for Bits {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        self.0
            .extend(data.iter::<f32>().map(|value: f32| value.to_bits()));
    }
}

fn trace(root: &Path, model: &Net) -> Trace {
    let mut logs = Vec::new();
    for split in ["train", "valid"] {
        for epoch in 1..=EPOCHS {
            let file = root.join(format!("artifacts/{split}/epoch-{epoch}/Loss.log"));
            logs.push(fs::read_to_string(file).unwrap());
        }
    }
    let mut bits = Bits(Vec::new());
    model.visit(&mut bits);
    Trace {
        logs,
        weights: bits.0,
    }
}

fn without_lens(seed: u64) -> Trace {
    let root = tempfile::tempdir().unwrap();
    device().seed(seed);
    let training = SupervisedTraining::new(
        root.path().join("artifacts"),
        train_loader(),
        valid_loader(),
    )
    .with_application_logger(None)
    .metrics((LossMetric::new(),))
    .num_epochs(EPOCHS);
    let result = training.launch(Learner::new(
        Net::new(&device()),
        optimiser(),
        LEARNING_RATE,
    ));
    trace(root.path(), &result.model)
}

fn with_lens(seed: u64, change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>) -> Trace {
    collected(seed, change).0
}

/// The bits of what was collected: losses and embeddings of both splits at every epoch.
type Rows = Vec<Vec<u32>>;

fn collected(seed: u64, change: impl FnOnce(Lens<Net, Item>) -> Lens<Net, Item>) -> (Trace, Rows) {
    let root = tempfile::tempdir().unwrap();
    device().seed(seed);
    let lens = change(lens(root.path()));
    let training = training(&lens, root.path())
        .metrics((LossMetric::new(),))
        .num_epochs(EPOCHS);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    let reader = trained.run.reader().unwrap();
    assert!(!passes(&reader).is_empty());
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect();
    let mut rows = Rows::new();
    for (split, epoch, _) in passes(&reader) {
        rows.push(bits(&column(&reader, &split, epoch, "loss")));
        let pass = reader.metrics("default").split(&split).epoch(epoch);
        let pass = pass.read().unwrap();
        let embedding = emberlens::table::embedding(&pass, "embedding").unwrap();
        rows.push(bits(embedding.as_slice().unwrap()));
    }
    (trace(root.path(), &trained.model), rows)
}

// One test, one after another: the random state of the device belongs to the process.
#[test]
fn losses_and_weights_are_equal_bit_for_bit() {
    let plain = without_lens(5);
    let lines = TRAIN / BATCH;
    assert!(plain.logs[0].lines().count() >= lines && !plain.weights.is_empty());
    assert_eq!(plain, without_lens(5), "the training repeats itself");
    assert_ne!(plain, without_lens(6), "and its seed matters");

    let (trained, rows) = collected(5, |lens| lens);
    assert_eq!(plain, trained, "every epoch");
    assert_eq!(rows.len(), EPOCHS * 2 * 2);
    let (trained, beside) = collected(5, Lens::beside);
    assert_eq!(plain, trained, "beside the training");
    assert_eq!(rows, beside, "and so is what was collected");
    let last = Schedule::no_epoch();
    assert_eq!(plain, with_lens(5, |lens| lens.schedule(last)), "the end");
    assert_eq!(
        plain,
        with_lens(5, |lens| lens.batch_size(5).validation_only(true)),
        "other batches"
    );
}
