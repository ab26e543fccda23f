//! The main job: a Burn training on real images that keeps what every sample did at every epoch.
//!
//! `cargo run --release -p emberlens-burn --example digits`; `-- --help` lists the options.

mod args;
mod batch;
mod data;
mod idx;
mod model;
mod report;
mod source;
mod tables;

#[path = "../shared/arguments.rs"]
mod arguments;
#[path = "../shared/epochs.rs"]
mod epochs;
#[path = "../shared/next.rs"]
mod next;
#[path = "../shared/program.rs"]
mod program;
#[path = "../shared/screen.rs"]
mod screen;
#[path = "../shared/table.rs"]
mod table;

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
use emberlens_burn::Lens;

use args::Args;
use batch::ImageBatcher;
use data::CLASSES;
use model::{Cnn, CnnConfig};
use program::{Ending, Failure, Launched};
use screen::{EpochLines, say};

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
    program::end(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Ending, Failure> {
    let started = Instant::now();
    let mut splits = args.source.load(args.label_noise, args.seed)?;
    let project = program::open_project(args.root.as_deref(), args.source.name())?;
    let table = |part: &str, samples| {
        let name = format!("{part}-noise-{}-seed-{}", args.label_noise, args.seed);
        tables::open_or_create(&project, &name, samples, splits.side)
    };
    let (train_table, valid_table) = (
        table("train", &splits.train)?,
        table("valid", &splits.valid)?,
    );
    // What was edited since the table was made is what the network learns.
    splits.train = tables::labelled(&splits.train, &train_table)?;

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
        .renderer(Box::new(EpochLines::of("Accuracy", 1, " %")))
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
    let launched = Launched::new(lens.launch(training, learner))?;
    let took = started.elapsed();
    let report = report::render(&launched, args, &splits.train, splits.side, took);
    match (report, launched.outcome) {
        (Ok(report), outcome) => {
            say(&report);
            outcome
        }
        (Err(unread), Ok(_)) => Err(unread),
        (Err(unread), Err(error)) => Err(format!("{error}; no report: {unread}").into()),
    }
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
