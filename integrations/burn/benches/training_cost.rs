//! What Emberlens costs a Burn training: a collection pass beside the inference that it needs, and
//! epochs that collect nothing beside the same epochs without it.
//!
//! ```text
//! cargo bench -p emberlens-burn --bench training_cost            # about 4 minutes
//! cargo bench -p emberlens-burn --bench training_cost -- "8x8, 1442 rows, 8 passes"
//! ```
//! Arguments choose the lines whose name holds one of them.
//!
//! The model is the convolutional network of the example `digits`. Both sides run in turn in one
//! process, pass by pass, with the same batches; the columns are medians over the rounds, the ratio is the median
//! of the rounds' ratios. CPU seconds are those of the whole process, writer threads included; a
//! collection writes the classification columns and 64-d embeddings to a local disk, durably.
//!
//! ext4 steps over every inode that was deleted in the last minutes when it makes a file, so a benchmark
//! that cleans up makes the next one dearer. With `EMBERLENS_BENCH_KEEP=1` the runs stay in the
//! temporary folder (`TMPDIR`), for whoever measures several times in a row.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    unused_imports,
    reason = "a benchmark prints its result and uses a part of the example"
)]

#[path = "../examples/digits/batch.rs"]
mod batch;
#[path = "../examples/digits/data.rs"]
mod data;
#[path = "../examples/digits/idx.rs"]
mod idx;
#[path = "../examples/digits/model.rs"]
mod model;

use std::hint::black_box;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Instant;

use burn::data::dataloader::DataLoaderBuilder;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, InMemDataset};
use burn::optim::AdamConfig;
use burn::prelude::*;
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::renderer::{MetricState, MetricsRenderer};
use burn::train::{InferenceStep, Learner, SupervisedTraining};
use cpu_time::ProcessTime;
use emberlens::callback::{Flow, Schedule, TrainingContext};
use emberlens::run::Project;
use emberlens_burn::Lens;
use tempfile::TempDir;

use batch::ImageBatcher;
use data::{CLASSES, Sample};
use model::{Cnn, CnnConfig};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Images = Arc<InMemDataset<Sample>>;

const ROUNDS: usize = 11;
/// Samples per batch of both inference loops: the default of a collection.
const BATCH: usize = 64;

fn main() -> Result<(), Failure> {
    println!("a collection pass beside the bare inference loop");
    println!("{HEAD}");
    for (side, rows, passes) in [(8, 1_442, 8), (8, 20_000, 1), (28, 5_000, 1)] {
        let name = format!("{side}x{side}, {rows} rows, {passes} passes");
        if is_chosen(&name) {
            compare_pass(&name, side, rows, passes)?;
        }
    }
    println!("\nepochs that collect nothing beside the same without Emberlens");
    println!("{HEAD}");
    // Two lengths, to tell what an epoch costs from what a run costs once.
    for epochs in [2, 12] {
        let name = format!("8x8, 1442 rows, {epochs} epochs");
        if is_chosen(&name) {
            compare_training(&name, 8, 1_442, epochs)?;
        }
    }
    Ok(())
}

/// Whether the arguments ask for a line, which they do when there are none.
fn is_chosen(name: &str) -> bool {
    let mut parts = std::env::args()
        .skip(1)
        .filter(|part| !part.starts_with('-'))
        .peekable();
    parts.peek().is_none() || parts.any(|part| name.contains(&part))
}

const HEAD: &str = "                               without: CPU s  wall s  with: CPU s  wall s  CPU ratio  wall ratio";

fn compare_pass(name: &str, side: usize, rows: usize, passes: usize) -> Result<(), Failure> {
    let folder = new_folder()?;
    let project = Project::open(&folder.path().join("runs").display().to_string(), "bench")?;
    let images = images(side, rows);
    let device = Device::flex();
    let batcher = ImageBatcher { side };
    let model = CnnConfig::new(side, CLASSES.len()).init(&device);
    let nothing: Images = Arc::new(InMemDataset::new(Vec::new()));
    let (_, mut callbacks) =
        Lens::<Cnn, _>::in_project(&project, batcher.clone(), images.clone(), nothing)
            .class_names(CLASSES)
            .batch_size(BATCH)
            // Only the split `train`: the other is empty.
            .configure(|collection| collection.train_split("valid").validation_only(true))
            .into_callbacks()?;
    if callbacks.on_training_start(&TrainingContext::new(0, ROUNDS)) == Flow::Stop {
        return Err("the training did not start".into());
    }
    let mut rounds = Rounds::default();
    let mut epoch = 0;
    for _ in 0..ROUNDS {
        let (mut without, mut with) = (Spent::default(), Spent::default());
        for _ in 0..passes {
            without += spent(|| {
                for start in (0..rows).step_by(BATCH) {
                    let items = images.get_many((start..rows.min(start + BATCH)).collect())?;
                    black_box(model.step(batcher.batch(items, &device)));
                }
                Ok(())
            })?;
            with += spent(|| {
                let context = TrainingContext {
                    model: Some(&model),
                    ..TrainingContext::new(epoch, usize::MAX)
                };
                let collected = callbacks.on_train_loader_end(&context);
                // Writes the scalars, as in a training.
                let written = callbacks.on_epoch_end(&context);
                epoch += 1;
                if collected == Flow::Stop || written == Flow::Stop {
                    return Err("the collection failed".into());
                }
                Ok(())
            })?;
        }
        rounds.add(without, with);
    }
    callbacks.finish()?;
    rounds.print(name);
    Ok(())
}

fn compare_training(name: &str, side: usize, rows: usize, epochs: usize) -> Result<(), Failure> {
    let (train, valid) = (images(side, rows), images(side, rows / 4));
    let batcher = ImageBatcher { side };
    let loaders = || {
        let loader = || DataLoaderBuilder::new(batcher.clone()).batch_size(32);
        (
            loader().shuffle(7).build(train.clone()),
            loader().build(valid.clone()),
        )
    };
    let config = CnnConfig::new(side, CLASSES.len());
    let device = Device::flex().autodiff();
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        device.seed(7);
        let folder = new_folder()?;
        let (train_loader, valid_loader) = loaders();
        let without = spent(|| {
            let training = SupervisedTraining::new(folder.path(), train_loader, valid_loader)
                .metrics((AccuracyMetric::new(), LossMetric::new()))
                .with_application_logger(None)
                .renderer(Box::new(Quiet))
                .num_epochs(epochs);
            let model = config.init(&device);
            let result = training.launch(Learner::new(model, AdamConfig::new().init(), 2e-3));
            black_box(result.model);
            Ok(())
        })?;

        device.seed(7);
        let folder = new_folder()?;
        let project = Project::open(&folder.path().join("runs").display().to_string(), "bench")?;
        let (train_loader, valid_loader) = loaders();
        let with = spent(|| {
            let lens =
                Lens::<Cnn, _>::in_project(&project, batcher.clone(), train.clone(), valid.clone())
                    .schedule(Schedule::epochs([usize::MAX]).at_training_end(false));
            let training = lens
                .training(folder.path(), train_loader, valid_loader)
                .metrics((AccuracyMetric::new(), LossMetric::new()))
                .with_application_logger(None)
                .renderer(Box::new(Quiet))
                .num_epochs(epochs);
            let model = lens.track(config.init(&device));
            let trained = lens.launch(
                training,
                Learner::new(model, AdamConfig::new().init(), 2e-3),
            )?;
            black_box(trained.model);
            Ok(())
        })?;
        rounds.add(without, with);
    }
    rounds.print(name);
    Ok(())
}

/// A new folder, which stays when the environment says so.
fn new_folder() -> Result<TempDir, Failure> {
    let stays = std::env::var_os("EMBERLENS_BENCH_KEEP").is_some();
    Ok(tempfile::Builder::new().disable_cleanup(stays).tempdir()?)
}

/// Images that are the same on every run.
fn images(side: usize, rows: usize) -> Images {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let samples = (0..rows).map(|row| {
        let pixels = (0..side * side).map(|_| next()).collect();
        Sample::new(pixels, (row % CLASSES.len()) as u8)
    });
    Arc::new(InMemDataset::new(samples.collect()))
}

/// Seconds that some work took.
#[derive(Clone, Copy, Default)]
struct Spent {
    cpu: f64,
    wall: f64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.cpu += more.cpu;
        self.wall += more.wall;
    }
}

fn spent(work: impl FnOnce() -> Result<(), Failure>) -> Result<Spent, Failure> {
    let (cpu, wall) = (ProcessTime::try_now()?, Instant::now());
    work()?;
    Ok(Spent {
        cpu: cpu.try_elapsed()?.as_secs_f64(),
        wall: wall.elapsed().as_secs_f64(),
    })
}

#[derive(Default)]
struct Rounds(Vec<(Spent, Spent)>);

impl Rounds {
    fn add(&mut self, without: Spent, with: Spent) {
        self.0.push((without, with));
    }

    fn median(&self, value: impl Fn(&(Spent, Spent)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    fn print(&self, name: &str) {
        println!(
            "{name:31} {:13.2} {:7.2} {:12.2} {:7.2} {:10.3} {:11.3}",
            self.median(|(without, _)| without.cpu),
            self.median(|(without, _)| without.wall),
            self.median(|(_, with)| with.cpu),
            self.median(|(_, with)| with.wall),
            self.median(|(without, with)| with.cpu / without.cpu),
            self.median(|(without, with)| with.wall / without.wall),
        );
    }
}

/// Draws nothing.
struct Quiet;

impl burn::train::logger::TrainingProgressLogger for Quiet {
    fn start(&mut self, _: usize, _: usize, _: Option<usize>, _: Option<&str>) {}
    fn update_epoch(&mut self, _: usize) {}
    fn start_split(&mut self, _: &str, _: usize) {}
    fn update_split(&mut self, _: usize) {}
    fn end_split(&mut self) {}
    fn end(&mut self) {}
    fn log_event_training(&mut self, _: String) {}
}

impl burn::train::logger::EvaluationProgressLogger for Quiet {
    fn start_global_progress(&mut self, _: usize) {}
    fn start_test(&mut self, _: &str, _: usize) {}
    fn update_test_progress(&mut self, _: usize) {}
    fn end_test(&mut self) {}
    fn end_global_progress(&mut self) {}
    fn log_event_evaluation(&mut self, _: String) {}
}

impl burn::train::renderer::MetricsRendererTraining for Quiet {
    fn update_train(&mut self, _: MetricState) {}
    fn update_valid(&mut self, _: MetricState) {}
}

impl burn::train::renderer::MetricsRendererEvaluation for Quiet {
    fn update_test(&mut self, _: burn::train::renderer::EvaluationName, _: MetricState) {}
}

impl MetricsRenderer for Quiet {
    fn manual_close(&mut self) {}
    fn register_metric(&mut self, _: burn::train::metric::MetricDefinition) {}
}
