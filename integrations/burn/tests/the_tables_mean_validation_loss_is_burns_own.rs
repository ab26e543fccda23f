//! What the table says on average is what Burn says: to 1e-6, at every epoch. Where batches differ in
//! size, Burn's loss is the mean over batches, and the table's that over samples.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;

use burn::data::dataloader::DataLoaderBuilder;
use burn::train::metric::{AccuracyMetric, LossMetric};
use common::*;

const EPOCHS: usize = 3;

/// Burn's final value of a metric, from the file that its own logger wrote.
fn burns_own(root: &std::path::Path, epoch: usize, metric: &str) -> f64 {
    let file = root.join(format!("artifacts/valid/epoch-{epoch}/{metric}.log"));
    let text = fs::read_to_string(file).unwrap();
    let last = text.lines().last().unwrap();
    last.strip_suffix(",final").unwrap().parse().unwrap()
}

fn mean(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64
}

#[test]
fn loss_and_accuracy_agree_at_every_epoch() {
    let root = tempfile::tempdir().unwrap();
    // Other batches than the validation loader's: per-sample values do not depend on them.
    let lens = lens(root.path()).batch_size(7);
    let training = training(&lens, root.path())
        .metrics((LossMetric::new(), AccuracyMetric::new()))
        .num_epochs(EPOCHS);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    let reader = trained.run.reader().unwrap();
    let scalars = reader.scalars().unwrap();

    for epoch in 0..EPOCHS {
        let of_epoch = epoch as i64;
        let loss = burns_own(root.path(), epoch + 1, "Loss");
        let collected = mean(&column(&reader, "valid", of_epoch, "loss"));
        assert!((collected - loss).abs() < 1e-6, "{collected} and {loss}");

        // Burn counts accuracy in percent.
        let accuracy = burns_own(root.path(), epoch + 1, "Accuracy") / 100.0;
        let collected = mean(&column(&reader, "valid", of_epoch, "accuracy"));
        assert!(
            (collected - accuracy).abs() < 1e-6,
            "{collected} and {accuracy}"
        );

        let scalar = |name: &str, split: &str| {
            let mut found = scalars.iter().filter(|scalar| {
                scalar.name == name && scalar.split == split && scalar.epoch == Some(of_epoch)
            });
            let value = found.next().unwrap().value;
            assert!(found.next().is_none(), "{name} of {split} is there once");
            value
        };
        assert!((scalar("Loss", "valid") - loss).abs() < 1e-12);
        assert!(scalar("Loss", "train").is_finite());
    }
}

#[test]
fn a_smaller_last_batch_weighs_as_much_as_the_others_in_burns_loss_alone() {
    const UNEVEN: usize = 7; // 7, 7, 7 and 3 of 24 samples
    assert_ne!(VALID % UNEVEN, 0);
    let root = tempfile::tempdir().unwrap();
    let lens = lens(root.path());
    let loader = DataLoaderBuilder::new(ToBatch)
        .batch_size(UNEVEN)
        .build(valid_set());
    let training = lens
        .training(root.path().join("artifacts"), train_loader(), loader)
        .with_application_logger(None)
        .metrics((LossMetric::new(), AccuracyMetric::new()))
        .num_epochs(EPOCHS);
    let learner = learner(&lens);
    let trained = lens.launch(training, learner).unwrap();
    let reader = trained.run.reader().unwrap();

    for epoch in 0..EPOCHS {
        let losses = column(&reader, "valid", epoch as i64, "loss");
        assert_eq!(losses.len(), VALID);
        let batches: Vec<f64> = losses.chunks(UNEVEN).map(mean).collect();
        let over_batches = batches.iter().sum::<f64>() / batches.len() as f64;
        let burns = burns_own(root.path(), epoch + 1, "Loss");
        assert!(
            (over_batches - burns).abs() < 1e-6,
            "{over_batches} {burns}"
        );
        assert!((mean(&losses) - burns).abs() > 1e-6, "the same by chance");

        let average =
            reader.scalars().unwrap().into_iter().find(|scalar| {
                scalar.name == "valid_loss_avg" && scalar.epoch == Some(epoch as i64)
            });
        assert!((average.unwrap().value - mean(&losses)).abs() < 1e-6);

        // Burn weighs accuracies by the samples of a batch.
        let accuracy = burns_own(root.path(), epoch + 1, "Accuracy") / 100.0;
        let collected = mean(&column(&reader, "valid", epoch as i64, "accuracy"));
        assert!(
            (collected - accuracy).abs() < 1e-6,
            "{collected} {accuracy}"
        );
    }
}
