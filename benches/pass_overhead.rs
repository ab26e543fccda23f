//! What a collection pass costs beside the inference that it needs.
//!
//! ```text
//! cargo bench --bench pass_overhead
//! ```
//! A perceptron of known size classifies random images twice in turn: in a bare loop over the same
//! batches, and inside `collect_metrics` with the built-in classification collector, written to a
//! local disk. CPU seconds are those of the whole process, the writer thread included.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

use std::fs;
use std::time::Instant;

use emberlens::collect::{FnDataset, Loader, MapDataset, collect_metrics};
use emberlens::metrics::{Classification, Labelled};
use emberlens::run::Project;
use emberlens::{Error, Result};
use ndarray::{Array1, Array2, Axis};

const BATCH: usize = 256;
const CLASSES: usize = 10;
const ROUNDS: i64 = 5;

/// Layer widths, and how many images are classified a round.
const MODELS: [(&[usize], usize); 3] = [
    (&[64, 256, 128, CLASSES], 60_000),
    (&[784, 256, 128, CLASSES], 60_000),
    (&[784, 1024, 1024, CLASSES], 20_000),
];

fn main() -> Result<()> {
    println!("model                 MFLOP/row  bare us/row  with us/row  CPU ratio  wall ratio");
    for (widths, rows) in MODELS {
        compare(&Perceptron::new(widths), rows)?;
    }
    Ok(())
}

struct Batch {
    images: Array2<f32>,
    labels: Vec<i64>,
}

fn compare(model: &Perceptron, rows: usize) -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::user)?;
    let run = Project::open(&folder.path().display().to_string(), "bench")?
        .run("pass")
        .start()?;
    let images = noise(rows, model.inputs());
    let dataset = FnDataset::new(rows, Ok);
    let collate = |items: Vec<usize>| {
        let labels = items.iter().map(|item| (item % CLASSES) as i64).collect();
        Ok(Batch {
            images: images.select(Axis(0), &items),
            labels,
        })
    };
    let (mut bare, mut with) = (Spent::default(), Spent::default());
    for epoch in 0..ROUNDS {
        bare.add(|| {
            for start in (0..rows).step_by(BATCH) {
                let indices: Vec<usize> = (start..rows.min(start + BATCH)).collect();
                let batch = collate(dataset.get_many(&indices)?)?;
                std::hint::black_box((model.forward(&batch.images), batch.labels));
            }
            Ok(())
        })?;
        with.add(|| {
            let report = collect_metrics(&dataset)
                .collate(collate)
                .predictor(|batch: &Batch| Ok(model.forward(&batch.images)))
                .collector(Classification::logits(CLASSES).from_fn(
                    |batch: &Batch, logits: &Array2<f32>| {
                        Ok(Labelled::new(logits.clone(), batch.labels.iter().copied()))
                    },
                ))
                .without_table()
                .split("train")
                .epoch(epoch)
                .loader(Loader::batch_size(BATCH))
                .into_run(&run)?;
            assert_eq!(report.rows, rows as u64);
            Ok(())
        })?;
    }
    let per_row = 1e6 / (rows as f64 * ROUNDS as f64);
    println!(
        "{:20} {:10.2} {:12.2} {:12.2} {:10.3} {:11.3}",
        model.name(),
        model.mega_flops(),
        bare.cpu * per_row,
        with.cpu * per_row,
        with.cpu / bare.cpu,
        with.wall / bare.wall,
    );
    run.complete()
}

/// Seconds spent in one way of doing it.
#[derive(Default)]
struct Spent {
    cpu: f64,
    wall: f64,
}

impl Spent {
    fn add(&mut self, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let (cpu, wall) = (cpu_seconds()?, Instant::now());
        work()?;
        self.cpu += cpu_seconds()? - cpu;
        self.wall += wall.elapsed().as_secs_f64();
        Ok(())
    }
}

/// User and system time of this process so far, ended threads included (Linux).
///
/// The unit is the kernel's clock tick, a hundredth of a second wherever Rust has Linux.
fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(Error::user)?;
    // The name of the command is in brackets and may hold spaces; user and system time are the
    // 12th and 13th field after it.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>().map_err(Error::user)? / 100.0)
}

struct Perceptron {
    layers: Vec<(Array2<f32>, Array1<f32>)>,
}

impl Perceptron {
    fn new(widths: &[usize]) -> Self {
        let layer = |pair: &[usize]| {
            let scale = (2.0 / pair[0] as f32).sqrt();
            (
                noise(pair[0], pair[1]).mapv(|x| (x - 0.5) * scale),
                Array1::zeros(pair[1]),
            )
        };
        Self {
            layers: widths.windows(2).map(layer).collect(),
        }
    }

    fn forward(&self, images: &Array2<f32>) -> Array2<f32> {
        let last = self.layers.len() - 1;
        let mut values = images.clone();
        for (place, (weights, bias)) in self.layers.iter().enumerate() {
            values = values.dot(weights) + bias;
            if place < last {
                values.mapv_inplace(|x| x.max(0.0));
            }
        }
        values
    }

    fn inputs(&self) -> usize {
        self.layers[0].0.nrows()
    }

    fn mega_flops(&self) -> f64 {
        self.layers
            .iter()
            .map(|(weights, _)| 2.0 * weights.len() as f64)
            .sum::<f64>()
            / 1e6
    }

    fn name(&self) -> String {
        let widths = self
            .layers
            .iter()
            .map(|(weights, _)| format!("{}-", weights.nrows()));
        widths.collect::<String>() + &CLASSES.to_string()
    }
}

/// Uniform numbers in 0..1 that are the same on every run.
fn noise(rows: usize, columns: usize) -> Array2<f32> {
    let mut state = 7_u32;
    Array2::from_shape_simple_fn((rows, columns), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    })
}
