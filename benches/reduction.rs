//! Parts of a reduction alone, for `benches/reduction.py` to put beside Python's; prints JSON.
//!
//! ```text
//! reduction neighbors X.npy ROWS WIDTH K RECALL SEED THREADS OUT.u32
//! reduction stages pacmap|umap X.npy ROWS WIDTH SEED THREADS
//! reduction quality X.npy ROWS WIDTH Y.npy DIMS LABELS.npy SEED
//! ```
//! Matrices are f32 and labels i32, row-major, little-endian.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

use std::error::Error;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use emberlens::collect::Progress;
use emberlens::reduce::quality::QualityParams;
use emberlens::reduce::{NeighborSearch, Pacmap, Reducer, Threads, Umap, Watch};
use ndarray::Array2;
use serde_json::{Value, json};

type Answer = Result<Value, Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments.as_slice() {
        ["neighbors", x, rows, width, k, recall, seed, threads, out] => {
            let search = NeighborSearch::new(k.parse()?)
                .recall(recall.parse()?)
                .seed(seed.parse()?)
                .threads(Threads::Exactly(threads.parse()?));
            neighbors(&search, &matrix(x, rows, width)?, out)?
        }
        ["stages", method, x, rows, width, seed, threads] => {
            let seed: u64 = seed.parse()?;
            let threads = Threads::Exactly(threads.parse()?);
            let x = matrix(x, rows, width)?;
            match *method {
                "umap" => stages(&x, &Umap::params().seed(seed).threads(threads))?,
                _ => stages(&x, &Pacmap::params().seed(seed).threads(threads))?,
            }
        }
        ["quality", x, rows, width, y, dims, labels, seed] => {
            let (x, y) = (matrix(x, rows, width)?, matrix(y, rows, dims)?);
            let labels: Vec<i64> = words(labels)?
                .map(|word| i64::from(i32::from_le_bytes(word)))
                .collect();
            quality(&x, &y, &labels, seed.parse()?)?
        }
        _ => {
            eprintln!("see the head of benches/reduction.rs for the arguments");
            return Ok(());
        }
    };
    println!("{answer}");
    Ok(())
}

/// The search alone, as PaCMAP and UMAP call it; the row numbers go to a file.
fn neighbors(search: &NeighborSearch, x: &Array2<f32>, out: &str) -> Answer {
    let before = Moment::now();
    let found = search.search(x.view(), &Watch::default())?;
    let (wall, cpu) = before.until(&Moment::now());
    let rows = (0..found.rows()).filter_map(|row| found.indices(row));
    let bytes: Vec<u8> = rows
        .flatten()
        .flat_map(|index| index.to_le_bytes())
        .collect();
    fs::write(out, bytes)?;
    Ok(json!({"wall": wall, "cpu": cpu, "recall": found.recall(), "k": found.k()}))
}

/// A whole fit, with what each stage that reports progress took, and what lay between them.
fn stages(x: &Array2<f32>, reducer: &impl Reducer) -> Answer {
    let stages = Stages::default();
    let before = Moment::now();
    reducer.fit_watched(x.view(), &Watch::default().progress(&stages))?;
    let after = Moment::now();
    let (wall, cpu) = before.until(&after);
    let seen = stages
        .0
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let mut parts = Vec::new();
    let mut last = before;
    for (label, from, to) in seen {
        let (wall, cpu) = last.until(&from);
        parts.push(json!({"stage": format!("before {label}"), "wall": wall, "cpu": cpu}));
        let (wall, cpu) = from.until(&to);
        parts.push(json!({"stage": label, "wall": wall, "cpu": cpu}));
        last = to;
    }
    let (rest_wall, rest_cpu) = last.until(&after);
    parts.push(json!({"stage": "the end", "wall": rest_wall, "cpu": rest_cpu}));
    Ok(json!({"wall": wall, "cpu": cpu, "stages": parts}))
}

/// The five measures by the library's own code, on samples of their usual sizes.
fn quality(x: &Array2<f32>, y: &Array2<f32>, labels: &[i64], seed: u64) -> Answer {
    let params = QualityParams::new().seed(seed);
    let found = params.measure(x.view(), y.view(), Some(labels))?;
    Ok(json!({
        "trustworthiness": found.trustworthiness,
        "neighbor_recall": found.neighbor_recall,
        "neighbor_accuracy": found.neighbor_accuracy,
        "random_triplets": found.random_triplet_accuracy,
        "centroid_triplets": found.centroid_triplet_accuracy,
    }))
}

/// Wall time, and the CPU seconds of the process so far.
#[derive(Clone, Copy)]
struct Moment(Instant, f64);

impl Moment {
    fn now() -> Self {
        Self(Instant::now(), cpu_seconds().unwrap_or(f64::NAN))
    }

    fn until(&self, later: &Self) -> (f64, f64) {
        let wall = later.0.duration_since(self.0).as_secs_f64();
        (wall, later.1 - self.1)
    }
}

/// User and system time of all threads, those that ended too, in steps of 10 ms (proc(5)); Linux
/// has 100 ticks a second wherever programs can see them.
fn cpu_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    let ticks = |place: usize| fields.split_whitespace().nth(place)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// When stages began and ended.
#[derive(Default)]
struct Stages(Mutex<Vec<(String, Moment, Moment)>>);

impl Progress for Stages {
    fn start(&self, label: &str, _total: u64) {
        let now = Moment::now();
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push((label.to_owned(), now, now));
    }

    fn end(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, to)) = seen.last_mut() {
            *to = Moment::now();
        }
    }
}

/// The values of a .npy file of version 1, which the driver wrote, four bytes each.
fn words(path: &str) -> Result<impl Iterator<Item = [u8; 4]>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let &[low, high] = bytes.get(8..10).ok_or("no .npy file")? else {
        return Err("no .npy file".into());
    };
    let begin = 10 + usize::from(u16::from_le_bytes([low, high]));
    let values = bytes.get(begin..).ok_or("a .npy file without values")?;
    let words: Vec<[u8; 4]> = values.as_chunks::<4>().0.to_vec();
    Ok(words.into_iter())
}

fn matrix(path: &str, rows: &str, width: &str) -> Result<Array2<f32>, Box<dyn Error>> {
    let values: Vec<f32> = words(path)?.map(f32::from_le_bytes).collect();
    let shape: (usize, usize) = (rows.parse()?, width.parse()?);
    Ok(Array2::from_shape_vec(shape, values)?)
}
