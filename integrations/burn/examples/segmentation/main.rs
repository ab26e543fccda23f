//! Semantic segmentation: the predicted mask of every scene and the IoU of every class, through
//! training.
//!
//! `cargo run --release -p emberlens-burn --example segmentation`; `-- --help` lists the options.
//!
//! The scenes are those of the example `detection`. Pixels that the edge of an object runs through
//! belong to no class: they are void, in the loss and in all measures. The true masks are in the tables,
//! with the pictures. Those of `--data` are learned and judged at the size of the network.
//!
//! With the defaults, at the last validation: a mean IoU of 0.62, 0.98 of the background, 0.63 of discs, 0.73 of
//! rings, 0.42 of squares, 0.48 of triangles and 0.51 of crosses. Who gives every pixel the same class has no
//! more than about 0.03 of a class of objects.

mod args;
mod batch;
mod data;
mod model;
mod output;
mod report;
mod sample;

#[path = "../scenes/mod.rs"]
mod scenes;

#[path = "../shared/arguments.rs"]
mod arguments;
#[path = "../shared/convolution.rs"]
mod convolution;
#[path = "../shared/epochs.rs"]
mod epochs;
#[path = "../shared/imported.rs"]
mod imported;
#[path = "../shared/next.rs"]
mod next;
#[path = "../shared/program.rs"]
mod program;
#[path = "../shared/rate.rs"]
mod rate;
#[path = "../shared/reduction.rs"]
mod reduction;
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
use burn::train::metric::LossMetric;
use clap::Parser;
use emberlens::callback::Schedule;
use emberlens::metrics::Segmentation;
use emberlens_burn::Lens;

use args::Args;
use batch::SampleBatcher;
use model::{Segmenter, SegmenterConfig};
use program::{Ending, Failure, Launched};
use scenes::Turns;
use screen::{EpochLines, say};

const PROJECT: &str = "scenes";

/// What is recorded with the run.
#[derive(Config, Debug)]
struct TrainingConfig {
    model: SegmenterConfig,
    optimizer: AdamConfig,
    learning_rate: f64,
    batch_size: usize,
    epochs: usize,
    images: usize,
    seed: u64,
}

fn main() -> ExitCode {
    program::end(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Ending, Failure> {
    let started = Instant::now();
    let project = program::open_project(args.root.as_deref(), PROJECT)?;
    let ([train_table, valid_table], classes) = data::load(&project, args)?;
    let train = sample::samples(&train_table, &classes)?;
    let valid = sample::samples(&valid_table, &classes)?;
    let images = train.len();
    say(&format!(
        "training for {} epochs on {images} images; validating on {}\n",
        args.epochs,
        valid.len(),
    ));

    let config = TrainingConfig {
        model: SegmenterConfig::new(classes.names.len()),
        optimizer: AdamConfig::new(),
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        epochs: args.epochs,
        images,
        seed: args.seed,
    };
    let device = Device::default().autodiff();
    device.seed(args.seed);
    let batcher = SampleBatcher::new(&train, &classes);
    let (train_set, valid_set) = (
        Arc::new(InMemDataset::new(train)),
        Arc::new(InMemDataset::new(valid)),
    );
    // Of what is collected, nothing is turned.
    let turning = batcher.turning(Turns::new(args.augment, args.seed));
    let loader = |batcher| DataLoaderBuilder::new(batcher).batch_size(args.batch_size);
    let train_loader = loader(turning).shuffle(args.seed).build(train_set.clone());
    let valid_loader = loader(batcher.clone()).build(valid_set.clone());

    let lens = Lens::<Segmenter, _>::in_project(&project, batcher, train_set, valid_set)
        .run_name("segmenter")
        .description("A small encoder and decoder")
        .hyperparameters(&config)?
        .train_table(&train_table)
        .valid_table(&valid_table)
        .configure(|collection| collection.embeddings_method(args.reduce.method()))
        .schedule(Schedule::every(args.every))
        .collector(
            Segmentation::new(classes.names.len())
                .class_names(classes.names.iter().cloned())
                .void(classes.void)
                .from_fn(output::masks),
        );
    // Burn's own log files have nothing that the run does not have.
    let logs = tempfile::tempdir()?;
    let training = lens
        .training(logs.path(), train_loader, valid_loader)
        .metrics((LossMetric::new(),))
        .with_application_logger(None)
        .renderer(Box::new(EpochLines::of("Loss", 3, "")))
        .num_epochs(config.epochs);
    let learner = Learner::new(
        lens.track(config.model.init(&device)),
        config.optimizer.init(),
        rate::falling(args.learning_rate, images, args.batch_size, args.epochs)?,
    );
    let launched = Launched::new(lens.launch(training, learner))?;
    say(&report::render(
        &launched,
        &classes,
        args.root.as_deref(),
        started.elapsed(),
    )?);
    launched.outcome
}
