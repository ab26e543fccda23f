//! A sampled loader brings what its sampler says, follows weights that change between epochs, shares an
//! epoch among devices, and trains; an item knows its row all the while.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::tensor::Device;
use common::*;
use emberlens::run::Project;
use emberlens::sampling::{Order, Pick, Sampler, Weights};
use emberlens::table::{Column, ColumnKind, Columns, Role, Table, values};
use emberlens_burn::{Indexed, IndexedBatcher, IndexedDataset, Lens, SampledLoader};

/// A batcher that keeps the rows, to see what a loader brings.
struct Rows;

impl Batcher<Indexed<Item>, Vec<usize>> for Rows {
    fn batch(&self, items: Vec<Indexed<Item>>, _: &Device) -> Vec<usize> {
        let items = items.into_iter();
        let checked = items.map(|indexed| {
            let item = train_set().get(indexed.example_id).unwrap();
            assert_eq!(item.features, indexed.item.features);
            indexed.example_id
        });
        checked.collect()
    }
}

fn loader(weights: &Weights, pick: Pick, order: Order) -> Arc<dyn DataLoader<Vec<usize>>> {
    let sampler = Sampler::new(weights, pick, order).unwrap();
    let loader = SampledLoader::new(IndexedDataset::new(train_set()), Rows, sampler, 5);
    loader.unwrap().build()
}

fn epoch(loader: &Arc<dyn DataLoader<Vec<usize>>>) -> Vec<usize> {
    let batches: Vec<Vec<usize>> = loader.iter().map(Result::unwrap).collect();
    let full = batches.iter().rev().skip(1).all(|batch| batch.len() == 5);
    assert!(full && batches.iter().all(|batch| !batch.is_empty()));
    batches.concat()
}

#[test]
fn epochs_are_those_of_the_sampler() {
    let weights: Vec<f32> = (0..TRAIN).map(|row| (row % 4) as f32).collect();
    let weights = Weights::new(weights).unwrap();
    let order = Order::Shuffled { seed: 3 };
    for (pick, order) in [
        (Pick::Once, Order::Sequential),
        (Pick::Once, order),
        (Pick::Weighted, order),
        (Pick::Repeated, order),
    ] {
        let loader = loader(&weights, pick, order);
        let sampler = Sampler::new(&weights, pick, order).unwrap();
        for number in 0..3 {
            let expected = sampler.epoch(number).unwrap();
            assert_eq!(loader.num_items(), expected.len());
            assert_eq!(epoch(&loader), expected);
        }
        let resumed =
            SampledLoader::new(IndexedDataset::new(train_set()), Rows, sampler.clone(), 5);
        let resumed = resumed.unwrap().starting_at(2).build();
        assert_eq!(epoch(&resumed), sampler.epoch(2).unwrap());
    }
}

#[test]
fn weights_that_are_set_count_in_the_next_epoch_of_the_same_loader() {
    let weights = Weights::ones(TRAIN).unwrap();
    let loader = loader(&weights, Pick::Once, Order::Shuffled { seed: 1 });
    assert_eq!(epoch(&loader).len(), TRAIN);
    let iterator = loader.iter();
    let mut few = vec![0.0; TRAIN];
    (few[7], few[40]) = (1.0, 1.0);
    weights.set(few).unwrap();
    assert_eq!(
        iterator.flat_map(Result::unwrap).count(),
        TRAIN,
        "not in this one"
    );
    let mut rows = epoch(&loader);
    rows.sort_unstable();
    assert_eq!((rows, loader.num_items()), (vec![7, 40], 2));
    let progress = loader.iter();
    assert_eq!(
        (
            progress.progress().items_processed,
            progress.progress().items_total
        ),
        (0, 2)
    );
}

#[test]
fn devices_share_the_rows_of_an_epoch() {
    let weights = Weights::ones(TRAIN).unwrap();
    let order = Order::Shuffled { seed: 5 };
    let whole = loader(&weights, Pick::Weighted, order);
    // As Burn splits a loader for three devices.
    let step = TRAIN / 3;
    let parts = [(0, step), (step, 2 * step), (2 * step, TRAIN)];
    let parts = parts.map(|(start, end)| whole.slice(start, end).to_device(&Device::default()));
    for _ in 0..2 {
        let joined: Vec<usize> = parts.iter().flat_map(epoch).collect();
        assert_eq!(joined, epoch(&whole));
    }
    let mut few = vec![0.0; TRAIN];
    few[..6].fill(1.0);
    weights.set(few).unwrap();
    assert_eq!(parts.each_ref().map(|part| epoch(part).len()), [2, 2, 2]);
}

#[test]
fn what_cannot_work_is_refused() {
    let weights = Weights::ones(TRAIN + 1).unwrap();
    let sampler = Sampler::new(&weights, Pick::Once, Order::Sequential).unwrap();
    let data = || IndexedDataset::new(train_set());
    let error = SampledLoader::new(data(), Rows, sampler, 5).unwrap_err();
    assert!(error.to_string().contains("49 weights"), "{error}");
    let weights = Weights::ones(TRAIN).unwrap();
    let sampler = Sampler::new(&weights, Pick::Repeated, Order::Sequential).unwrap();
    assert!(SampledLoader::new(data(), Rows, sampler.clone(), 0).is_err());
    let loader = SampledLoader::new(data(), Rows, sampler, 5)
        .unwrap()
        .build();
    weights.set(vec![1e30; TRAIN]).unwrap();
    let batches: Vec<_> = loader.iter().collect();
    assert_eq!(batches.len(), 1);
    let error = batches[0].as_ref().unwrap_err().to_string();
    assert!(error.contains("repeated rows"), "{error}");
}

/// The loop closed: a first training, an edit of its table by what it revealed, a second training.
#[test]
fn a_training_on_an_edited_table_sees_the_edit() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(root.path().join("runs").to_str().unwrap(), "tests").unwrap();
    let labels: Vec<i64> = (0..TRAIN)
        .map(|row| train_set().get(row).unwrap().label)
        .collect();
    let label = Column::from(labels).role(Role::category(["a", "b", "c"]));
    let table = project
        .create_table("all", Columns::new().with("label", label))
        .unwrap();
    let ones = Column::from(vec![1.0_f32; VALID]).role(Role::Weight);
    let valid = project
        .create_table("valid", Columns::new().with("weight", ones))
        .unwrap();
    let train = |name: &str, table: &Table| {
        let is_weighted = table.weights().unwrap().is_some();
        let order = Order::Shuffled { seed: 2 };
        let sampler = Sampler::new(&table.sampling_weights().unwrap(), Pick::Weighted, order);
        let batcher = || IndexedBatcher::new(ToBatch);
        let data = |set| IndexedDataset::new(set);
        let lens = Lens::in_project(&project, batcher(), data(train_set()), data(valid_set()))
            .run_name(name)
            .train_table(table)
            .valid_table(&valid)
            .configure(|collection| collection.exclude_zero_weights(is_weighted));
        let loader = SampledLoader::new(data(train_set()), batcher(), sampler.unwrap(), BATCH);
        let valid_loader = SampledLoader::new(
            data(valid_set()),
            batcher(),
            Sampler::new(
                &Weights::ones(VALID).unwrap(),
                Pick::Once,
                Order::Sequential,
            )
            .unwrap(),
            BATCH,
        );
        let artifacts = root.path().join(name);
        let training = lens
            .training(
                artifacts,
                loader.unwrap().build(),
                valid_loader.unwrap().build(),
            )
            .with_application_logger(None);
        let learner =
            burn::train::Learner::new(lens.track(Net::new(&device())), optimiser(), LEARNING_RATE);
        lens.launch(training, learner)
            .unwrap()
            .run
            .reader()
            .unwrap()
    };
    let first = train("first", &table);
    let metrics = first.metrics("default").split("train").epoch(0);
    let losses = values::<f32>(&metrics.read().unwrap(), "loss").unwrap();
    let worst = losses.iter().copied().fold(0.0, f32::max);
    let rows = metrics
        .rows_where(&table, &format!("loss >= {worst}"))
        .unwrap();
    assert!((1..TRAIN).contains(&rows.len()));

    let edit = table.edit().add_column("weight", ColumnKind::Weight);
    let edit = edit
        .set("weight", rows.clone(), 0)
        .note("the worst of epoch 0");
    let edited = edit.commit().unwrap().table;
    let second = train("second", &edited);
    let revision = |reader: &emberlens::run::RunReader| {
        reader.passes("default")[0].table.as_ref().unwrap().revision
    };
    assert_eq!((revision(&first), revision(&second)), (0, 1));
    let seen = second.metrics("default").split("train").epoch(0);
    let seen = seen.values::<i64>("example_id").unwrap();
    assert_eq!(seen.len(), TRAIN - rows.len());
    assert!(rows.iter().all(|row| !seen.contains(&(*row as i64))));
}
