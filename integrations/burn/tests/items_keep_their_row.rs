//! Whatever a loader does to the order, an indexed item knows its row, and a part of a table joins
//! to the right rows.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::data::dataset::transform::{PartialDataset, ShuffledDataset};
use burn::tensor::Device;
use common::*;
use emberlens::callback::Join;
use emberlens::run::Project;
use emberlens::table::{Columns, values};
use emberlens_burn::{Indexed, IndexedBatcher, IndexedDataset, Lens, example_ids};

/// A batcher that keeps everything, to see what a loader brings.
struct Keep;

impl Batcher<Indexed<Item>, Vec<(usize, [f32; 4])>> for Keep {
    fn batch(&self, items: Vec<Indexed<Item>>, _: &Device) -> Vec<(usize, [f32; 4])> {
        let seen = items.into_iter();
        seen.map(|indexed| (indexed.example_id, indexed.item.features))
            .collect()
    }
}

#[test]
fn through_shuffling_and_workers() {
    let loader = DataLoaderBuilder::new(Keep)
        .batch_size(5)
        .shuffle(3)
        .num_workers(3)
        .build(IndexedDataset::new(train_set()));
    let mut seen: Vec<(usize, [f32; 4])> = loader.iter().flat_map(Result::unwrap).collect();
    let order: Vec<usize> = seen.iter().map(|(id, _)| *id).collect();
    assert_ne!(order, (0..TRAIN).collect::<Vec<_>>(), "it was shuffled");
    for (id, features) in &seen {
        assert_eq!(train_set().get(*id).unwrap().features, *features);
    }
    seen.sort_by_key(|(id, _)| *id);
    assert_eq!(seen.len(), TRAIN);
    assert!(seen.iter().enumerate().all(|(row, (id, _))| row == *id));
}

#[test]
fn through_a_split_of_one_table() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(root.path().join("runs").to_str().unwrap(), "tests").unwrap();
    let labels = (0..TRAIN).map(|row| (row % CLASSES) as i64);
    let table = project
        .create_table(
            "all",
            Columns::new().with("truth", labels.collect::<Vec<_>>()),
        )
        .unwrap();

    // Shuffled and then cut in two: no part has its items in the order of the table.
    let part = |from, to| {
        let all = ShuffledDataset::new(IndexedDataset::new(train_set()), 9);
        PartialDataset::new(all, from, to)
    };
    let parts = || (part(0, 32), part(32, TRAIN));
    let (train, valid) = parts();
    let (train_rows, valid_rows) = (example_ids(&train).unwrap(), example_ids(&valid).unwrap());
    let lens = Lens::in_project(&project, IndexedBatcher::new(ToBatch), train, valid)
        .train_table(Join::rows(&table, train_rows.clone()))
        .valid_table(Join::rows(&table, valid_rows.clone()));
    let loader = |part| {
        DataLoaderBuilder::new(IndexedBatcher::new(ToBatch))
            .batch_size(BATCH)
            .build(part)
    };
    let (train, valid) = parts();
    let training = lens
        .training(root.path().join("artifacts"), loader(train), loader(valid))
        .with_application_logger(None);
    let learner =
        burn::train::Learner::new(lens.track(Net::new(&device())), optimiser(), LEARNING_RATE);
    let run = lens.launch(training, learner).unwrap().run;

    let reader = run.reader().unwrap();
    for (split, rows) in [("train", train_rows), ("valid", valid_rows)] {
        let pass = reader.metrics("default").split(split).read().unwrap();
        let ids = values::<i64>(&pass, "example_id").unwrap();
        assert_eq!(ids, rows);
        let labels = values::<i64>(&pass, "label").unwrap();
        assert!(
            labels
                .iter()
                .zip(&ids)
                .all(|(label, id)| *label == id % CLASSES as i64)
        );
    }
}
