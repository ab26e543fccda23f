//! Writes many rows through `MetricsTableWriter`, for `benches/side_by_side.py` to measure.
//!
//! ```text
//! writer scalars|embeddings make|write|write_unsynced FOLDER
//! ```
//! `make` only makes the batches: its cost is subtracted from that of `write`. `write_unsynced` leaves out
//! every request to bring files to the disk, which no program can ask for: it shows what they cost.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

use std::io;
use std::path::Path;
use std::sync::Arc;

use emberlens::Result;
use emberlens::run::{MetricsTableWriter, Project};
use emberlens::storage::{DiskStep, DiskWatch, Location};
use emberlens::table::{Column, Columns};
use ndarray::Array2;

const BATCH: usize = 1024;

/// Rows of the two workloads, and the width of the embeddings.
const SCALAR_ROWS: usize = 10_000_000;
const EMBEDDING_ROWS: usize = 50_000;
const WIDTH: usize = 512;

/// Makes the rows from `start`, so many of them.
type MakeBatch = fn(usize, usize, &mut Noise) -> Columns;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let [workload, mode, folder] = arguments.as_slice() else {
        eprintln!("usage: writer scalars|embeddings make|write|write_unsynced FOLDER");
        return Ok(());
    };
    let (rows, batch): (usize, MakeBatch) = match workload.as_str() {
        "scalars" => (SCALAR_ROWS, scalars),
        _ => (EMBEDDING_ROWS, embeddings),
    };
    let mut noise = Noise(7);
    let starts = (0..rows).step_by(BATCH);
    let mut batches = starts.map(|start| batch(start, BATCH.min(rows - start), &mut noise));
    if mode == "make" {
        let values: usize = batches
            .map(|columns| std::hint::black_box(columns).len())
            .sum();
        println!("{values} columns made");
        return Ok(());
    }
    let root = match mode.as_str() {
        "write" => Location::open(folder)?,
        _ => Location::watched(Path::new(folder), Arc::new(NoSync))?,
    };
    let run = Project::at(root, "bench")?.run(workload).start()?;
    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(0);
    batches.try_for_each(|columns| writer.add_batch(columns))?;
    let infos = writer.finalize()?;
    run.complete()?;
    let bytes: u64 = infos.iter().map(|info| info.size_bytes).sum();
    println!(
        "{} rows in {} files, {} MB",
        rows,
        infos.len(),
        bytes / 1_000_000
    );
    Ok(())
}

fn scalars(start: usize, count: usize, noise: &mut Noise) -> Columns {
    let ids: Vec<i64> = (start as i64..(start + count) as i64).collect();
    let losses = noise.values(count);
    let confidences = noise.values(count);
    let labels: Vec<i32> = losses.iter().map(|loss| (loss * 10.0) as i32).collect();
    let predicted: Vec<i32> = confidences
        .iter()
        .map(|value| (value * 10.0) as i32)
        .collect();
    Columns::new()
        .with("example_id", ids)
        .with("loss", losses)
        .with("label", labels)
        .with("predicted", predicted)
        .with("confidence", confidences)
}

fn embeddings(start: usize, count: usize, noise: &mut Noise) -> Columns {
    let ids: Vec<i64> = (start as i64..(start + count) as i64).collect();
    let rows = Array2::from_shape_simple_fn((count, WIDTH), || noise.value());
    Columns::new()
        .with("example_id", ids)
        .with("embedding", Column::embedding(rows.view()))
}

/// Passes over what makes files survive a power cut.
#[derive(Debug)]
struct NoSync;

impl DiskWatch for NoSync {
    fn step(
        &self,
        step: DiskStep<'_>,
        perform: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        match step {
            // A sync makes nothing that the library waits for; anything else is done.
            DiskStep::SyncFile(_) | DiskStep::SyncFolder(_) => Ok(()),
            _ => perform(),
        }
    }
}

/// Uniform numbers in 0..1, which no encoding makes small: SplitMix64 (Steele et al., 2014).
struct Noise(u64);

impl Noise {
    fn value(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 40) as f32 / (1 << 24) as f32
    }

    fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.value()).collect()
    }
}
