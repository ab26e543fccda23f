//! Object detection: every image, every class and every box of a small detector, through training.
//!
//! `cargo run --release -p emberlens-burn --example detection`; `-- --help` lists the options.
//!
//! Three streams come of it: `default` has a row for each scene (loss, boxes, right and wrong ones, an
//! embedding), `per_class` has COCO's average precision, `boxes` a row for each box.

mod args;
mod batch;
mod boxes;
mod grid;
mod model;
mod output;
mod report;

#[path = "../scenes/mod.rs"]
mod scenes;

#[path = "../shared/arguments.rs"]
mod arguments;
#[path = "../shared/epochs.rs"]
mod epochs;
#[path = "../shared/program.rs"]
mod program;
#[path = "../shared/reduction.rs"]
mod reduction;
#[path = "../shared/screen.rs"]
mod screen;

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
use emberlens::embedding::FitOn;
use emberlens::metrics::Detection;
use emberlens::reduce::{Pacmap, Pca};
use emberlens_burn::{IndexedDataset, Lens};

use args::Args;
use batch::SceneBatcher;
use boxes::BoxRows;
use grid::CONFIDENT;
use model::{Detector, DetectorConfig};
use program::{Ending, Failure};
use reduction::Reduction;
use scenes::{CLASSES, Scene};
use screen::{EpochLines, say};

const PROJECT: &str = "scenes";

/// What is recorded with the run.
#[derive(Config, Debug)]
struct TrainingConfig {
    model: DetectorConfig,
    optimizer: AdamConfig,
    learning_rate: f64,
    batch_size: usize,
    epochs: usize,
    scenes: usize,
    seed: u64,
}

fn main() -> ExitCode {
    program::end(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Ending, Failure> {
    let started = Instant::now();
    let project = program::open_project(args.root.as_deref(), PROJECT)?;
    let train = scenes::generate(args.scenes, args.seed);
    // Scenes of another seed are other scenes.
    let valid = scenes::generate(args.scenes.div_ceil(4), !args.seed);
    let table = |part: &str, scenes: &[Scene]| {
        let name = format!("{part}-{}-seed-{}", scenes.len(), args.seed);
        scenes::tables::open_or_create(&project, &name, scenes)
    };
    let (train_table, valid_table) = (table("train", &train)?, table("valid", &valid)?);
    say(&format!(
        "training for {} epochs on {} scenes with {} objects; validating on {}\n",
        args.epochs,
        train.len(),
        train.iter().map(|scene| scene.objects.len()).sum::<usize>(),
        valid.len(),
    ));

    let config = TrainingConfig {
        model: DetectorConfig::new(),
        optimizer: AdamConfig::new(),
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        epochs: args.epochs,
        scenes: args.scenes,
        seed: args.seed,
    };
    let device = Device::default().autodiff();
    device.seed(args.seed);
    let (train_set, valid_set) = (
        Arc::new(IndexedDataset::new(InMemDataset::new(train))),
        Arc::new(IndexedDataset::new(InMemDataset::new(valid))),
    );
    let loader = || DataLoaderBuilder::new(SceneBatcher).batch_size(args.batch_size);
    let train_loader = loader().shuffle(args.seed).build(train_set.clone());
    let valid_loader = loader().build(valid_set.clone());

    let lens = Lens::<Detector, _>::in_project(&project, SceneBatcher, train_set, valid_set)
        .run_name("detector")
        .description("A small detector without anchors on generated scenes")
        .hyperparameters(&config)?
        .train_table(&train_table)
        .valid_table(&valid_table)
        .configure(|collection| collection.embeddings_method(args.reduce.method()))
        .schedule(Schedule::every(args.every))
        .collector(
            Detection::pixels(CLASSES.len())
                .class_names(CLASSES)
                .confidence(f64::from(CONFIDENT))
                .from_fn(output::instances),
        )
        .collector(BoxRows);
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
        config.learning_rate,
    );
    let trained = lens
        .launch(training, learner)
        .map_err(|error| program::launch_failure(&error))?;

    let reader = trained.run.reader()?;
    // A detector that has hardly learnt sees nothing with confidence.
    let has_boxes = reader
        .passes(boxes::STREAM)
        .iter()
        .any(|pass| pass.rows > 0);
    if trained.interrupted.is_none() && has_boxes {
        // The lens reduces what it collected of every image; these rows are ours.
        let boxes = trained.run.reduction(boxes::EMBEDDING);
        let boxes = boxes.stream(boxes::STREAM).fit_on(FitOn::Prefer("train"));
        match args.reduce {
            Reduction::Pacmap => drop(boxes.reduce(&Pacmap::params())?),
            Reduction::Pca => drop(boxes.reduce(&Pca::params())?),
            Reduction::None => {}
        }
    }
    let run = trained.run.reader()?;
    say(&report::render(
        &run,
        args.root.as_deref(),
        started.elapsed(),
    )?);
    Ok(match trained.interrupted {
        Some(_) => Ending::Interrupted,
        None => Ending::Complete,
    })
}
