//! The main job: a Burn training on real images that keeps what every sample did at every epoch.
//!
//! `cargo run --release -p emberlens-burn --example digits`; `-- --help` lists the options.
#![allow(clippy::print_stderr)]

mod args;
mod batch;
mod data;
mod idx;
mod model;
mod report;
mod screen;
mod tables;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataset::InMemDataset;
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::Learner;
use burn::train::metric::{AccuracyMetric, LossMetric};
use clap::Parser;
use emberlens::run::Project;
use emberlens_burn::Lens;

use args::{Args, Data};
use batch::ImageBatcher;
use data::{CLASSES, Splits};
use model::{Cnn, CnnConfig};
use screen::{EpochLines, say};

/// Any error, for the terminal.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What shells report for a program that ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// What is recorded with the run.
#[derive(Config, Debug)]
struct TrainingConfig {
    model: CnnConfig,
    optimizer: AdamConfig,
    learning_rate: f64,
    batch_size: usize,
    epochs: usize,
    label_noise: f64,
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some errors tell their cause themselves.
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn run(args: &Args) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    let splits = load(args)?;
    let name = args.data.name();
    let project = match &args.root {
        Some(root) => Project::open(root, name)?,
        None => Project::open_default(name)?,
    };
    let table = |part: &str, samples| {
        let name = format!("{part}-noise-{}-seed-{}", args.label_noise, args.seed);
        tables::open_or_create(&project, &name, samples, splits.side)
    };
    let (train_table, valid_table) = (
        table("train", &splits.train)?,
        table("valid", &splits.valid)?,
    );

    let config = config(args, splits.side);
    let device = Device::default().autodiff();
    device.seed(args.seed);
    let batcher = ImageBatcher { side: splits.side };
    let train_set = Arc::new(InMemDataset::new(splits.train.clone()));
    let valid_set = Arc::new(InMemDataset::new(splits.valid));
    let loader = || DataLoaderBuilder::new(batcher.clone()).batch_size(args.batch_size);
    let train_loader = loader().shuffle(args.seed).build(train_set.clone());
    let valid_loader = loader().build(valid_set.clone());

    let lens = Lens::<Cnn, _>::in_project(&project, batcher.clone(), train_set, valid_set)
        .run_name("cnn")
        .description("A small convolutional network on images with planted label errors")
        .hyperparameters(&config)?
        .train_table(&train_table)
        .valid_table(&valid_table)
        .class_names(CLASSES);
    // Burn's own log files have nothing that the run does not have.
    let logs = tempfile::tempdir()?;
    let training = lens
        .training(logs.path(), train_loader, valid_loader)
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .with_application_logger(None)
        .renderer(Box::new(EpochLines::of("Accuracy", " %")))
        .num_epochs(config.epochs);
    let model = config.model.init(&device);
    let learner = Learner::new(
        lens.track(model),
        config.optimizer.init(),
        config.learning_rate,
    );
    say(&format!(
        "training for {} epochs on {} samples, {} of them with a planted wrong label; validating on {}\n",
        config.epochs,
        splits.train.len(),
        splits
            .train
            .iter()
            .filter(|sample| sample.planted())
            .count(),
        valid_table.row_count(),
    ));
    let trained = lens.launch(training, learner).map_err(|error| {
        let place = error
            .run()
            .map(|run| format!("; what was collected is in {}", run.url()));
        format!("{}{}", chain(&error), place.unwrap_or_default())
    })?;

    let run = trained.run.reader()?;
    say(&report::render(
        &run,
        args.root.as_deref(),
        &splits.train,
        splits.side,
        started.elapsed(),
    )?);
    Ok(match trained.interrupted {
        Some(_) => ExitCode::from(INTERRUPTED),
        None => ExitCode::SUCCESS,
    })
}

fn config(args: &Args, side: usize) -> TrainingConfig {
    TrainingConfig {
        model: CnnConfig::new(side, CLASSES.len()),
        optimizer: AdamConfig::new(),
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        epochs: args.epochs,
        label_noise: args.label_noise,
        seed: args.seed,
    }
}

/// The images that were asked for, with wrong labels planted in the training part.
fn load(args: &Args) -> Result<Splits, Failure> {
    let mut splits = match (args.data, &args.path) {
        (Data::Digits, None) => Splits::digits(args.seed)?,
        (Data::Digits, Some(_)) => return Err("--path belongs to --data mnist".into()),
        (Data::Mnist, Some(folder)) => Splits::mnist(folder, args.seed)?,
        #[cfg(feature = "mnist-download")]
        (Data::Mnist, None) => Splits::mnist_download()?,
        #[cfg(not(feature = "mnist-download"))]
        (Data::Mnist, None) => {
            return Err("--data mnist needs --path DIR, a folder with MNIST's IDX files (plain or \
                .gz); or build with the feature that downloads them through Burn: cargo run \
                --release -p emberlens-burn --features mnist-download --example digits -- --data mnist"
                .into());
        }
    };
    splits.plant_wrong_labels(args.label_noise, args.seed);
    Ok(splits)
}
