//! Object detection: every image, every class and every box of a small detector, through training.
//!
//! `cargo run --release -p emberlens-burn --example detection`; `-- --help` lists the options.
//!
//! Three streams come of it: `default` has a row for each image (loss, boxes, right and wrong ones, an
//! embedding), `per_class` has COCO's average precision, `boxes` a row for each box. The true boxes are
//! in the tables, with the pictures, and are learned from there. `emberlens export --table TABLE --format
//! coco` hands them to a tool for annotation, `--data` takes what comes back, in a folder with a name of its
//! own: a table stays what it was imported from, with its edits.
//!
//! With the defaults the last validation has a mAP@0.5 of 0.67 (COCO's mAP: 0.42), 0.90 of rings, 0.83 of crosses,
//! 0.70 of discs, 0.50 of squares and 0.41 of triangles; boxes at random places have next to nothing.

mod args;
mod batch;
mod boxes;
mod data;
mod fit;
mod grid;
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
use emberlens::embedding::FitOn;
use emberlens::metrics::Detection;
use emberlens::reduce::{Pacmap, Pca};
use emberlens_burn::{IndexedDataset, Lens};

use args::Args;
use batch::SampleBatcher;
use grid::CONFIDENT;
use model::{Detector, DetectorConfig};
use program::{Ending, Failure, Launched};
use reduction::Reduction;
use sample::Sample;
use scenes::Turns;
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
    images: usize,
    seed: u64,
}

fn main() -> ExitCode {
    program::end(run(&Args::parse()))
}

fn run(args: &Args) -> Result<Ending, Failure> {
    let started = Instant::now();
    let project = program::open_project(args.root.as_deref(), PROJECT)?;
    let ([train_table, valid_table], names) = data::load(&project, args)?;
    let train = sample::samples(&train_table, names.len())?;
    let valid = sample::samples(&valid_table, names.len())?;
    let images = train.len();
    say(&format!(
        "training for {} epochs on {images} images with {} objects; validating on {}\n",
        args.epochs,
        train.iter().flat_map(Sample::objects).count(),
        valid.len(),
    ));

    let config = TrainingConfig {
        model: DetectorConfig::new(names.len()),
        optimizer: AdamConfig::new(),
        learning_rate: args.learning_rate,
        batch_size: args.batch_size,
        epochs: args.epochs,
        images,
        seed: args.seed,
    };
    let device = Device::default().autodiff();
    device.seed(args.seed);
    let (train_set, valid_set) = (
        Arc::new(IndexedDataset::new(InMemDataset::new(train))),
        Arc::new(IndexedDataset::new(InMemDataset::new(valid))),
    );
    let batcher = SampleBatcher {
        classes: names.len(),
        turns: None,
    };
    // Of what is collected, nothing is turned.
    let turning = SampleBatcher {
        turns: Some(Turns::new(args.augment, args.seed)),
        ..batcher.clone()
    };
    let loader = |batcher| DataLoaderBuilder::new(batcher).batch_size(args.batch_size);
    let train_loader = loader(turning).shuffle(args.seed).build(train_set.clone());
    let valid_loader = loader(batcher.clone()).build(valid_set.clone());

    let lens = Lens::<Detector, _>::in_project(&project, batcher, train_set, valid_set)
        .run_name("detector")
        .description("A small detector without anchors")
        .hyperparameters(&config)?
        .train_table(&train_table)
        .valid_table(&valid_table)
        .configure(|collection| collection.embeddings_method(args.reduce.method()))
        .schedule(Schedule::every(args.every))
        .collector(
            Detection::pixels(names.len())
                .class_names(names.iter().cloned())
                .confidence(f64::from(CONFIDENT))
                .from_fn(output::instances),
        )
        .collector(boxes::rows(names.clone()));
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
    let mut launched = Launched::new(lens.launch(training, learner))?;
    if let Err(error) = reduce_boxes(&mut launched, args.reduce) {
        launched.outcome = Err(error); // after the report
    }
    say(&report::render(
        &launched,
        &names,
        args.root.as_deref(),
        started.elapsed(),
    )?);
    launched.outcome
}

/// Coordinates of the boxes; the lens reduces what it collected of every image, these rows are ours.
fn reduce_boxes(launched: &mut Launched, reduction: Reduction) -> Result<(), Failure> {
    let passes = launched.reader.passes(boxes::STREAM);
    // A detector that has hardly learnt sees nothing with confidence.
    if !launched.is_complete() || passes.iter().all(|pass| pass.rows == 0) {
        return Ok(());
    }
    let boxes = launched.run.reduction(boxes::EMBEDDING);
    let boxes = boxes.stream(boxes::STREAM).fit_on(FitOn::Prefer("train"));
    match reduction {
        Reduction::Pacmap => drop(boxes.reduce(&Pacmap::params())?),
        Reduction::Pca => drop(boxes.reduce(&Pca::params())?),
        Reduction::None => {}
    }
    launched.reader = launched.run.reader()?;
    Ok(())
}
