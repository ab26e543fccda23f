//! What the log of a table costs: the time of a commit, and of opening a run of many commits.
//!
//! ```text
//! storage commits ADDRESS COUNT    the time of a commit, from `flush` to its answer
//! storage make FOLDER COUNT        writes a run with so many commits of rows
//! storage open FOLDER              opens it, and counts its rows, twenty times
//! ```
//! With the feature `s3` an address may be a bucket; `AWS_ENDPOINT_URL` names another server. What a log
//! without checkpoints costs is seen on a copy of the folder without `_last_checkpoint` and
//! `*.checkpoint.parquet` (`docs/benchmarks.md`).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its result"
)]

use std::time::{Duration, Instant};

use emberlens::Result;
use emberlens::run::{MetricsTableWriter, Project};
use emberlens::table::{Columns, DeltaTable};

const ROWS: i64 = 100;
const OPENINGS: usize = 20;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let count = |text: &str| text.parse().unwrap_or(1000);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["commits", address, many] => report("a commit", write(address, count(many))?),
        ["make", folder, many] => report("a commit", write(folder, count(many))?),
        ["open", folder] => {
            let [run, table, count, all] = open(folder)?;
            report("to open the run", run);
            report("to open its table", table);
            report("to count the rows", count);
            report("all three", all);
        }
        _ => eprintln!("usage: storage commits ADDRESS COUNT | make FOLDER COUNT | open FOLDER"),
    }
    Ok(())
}

/// A pass of so many commits; how long each took.
fn write(address: &str, commits: i64) -> Result<Vec<Duration>> {
    let run = Project::open(address, "bench")?.run("r").start()?;
    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(0);
    let mut took = Vec::new();
    for commit in 0..commits {
        let ids: Vec<i64> = (commit * ROWS..(commit + 1) * ROWS).collect();
        let losses: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
        writer.add_batch(Columns::new().with("example_id", ids).with("loss", losses))?;
        let start = Instant::now();
        writer.flush()?;
        took.push(start.elapsed());
    }
    writer.finalize()?;
    run.complete()?;
    Ok(took)
}

/// Opens the run, and the latest version of its table, and counts its rows, anew each time.
fn open(folder: &str) -> Result<[Vec<Duration>; 4]> {
    let mut took: [Vec<Duration>; 4] = Default::default();
    for opening in 1..=OPENINGS {
        let start = Instant::now();
        let reader = Project::open(folder, "bench")?.open_run("r")?;
        let run = start.elapsed();
        let snapshot = DeltaTable::open(reader.location().join("metrics/default"))?.snapshot()?;
        let opened = start.elapsed();
        let rows = snapshot.row_count()?;
        let all = start.elapsed();
        let steps = [run, opened - run, all - opened, all];
        took.iter_mut()
            .zip(steps)
            .for_each(|(took, step)| took.push(step));
        if opening == OPENINGS {
            println!("version {}, {rows} rows", snapshot.version());
        }
    }
    Ok(took)
}

fn report(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| {
        let place = (took.len() * share / 100).min(took.len().saturating_sub(1));
        took.get(place).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    println!(
        "{what}: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms, of {}",
        at(50),
        at(99),
        at(100),
        took.len()
    );
}
