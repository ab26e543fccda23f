//! Thirty-two ranks commit to one stream at the same moments: every row is there once, and nobody
//! gives up.
//!
//! `EMBERLENS_PROOF_RANKS` (32) and `EMBERLENS_PROOF_EPOCHS` (2) set how many; with `--nocapture` the
//! conflicts and the times of the commits are printed. `EMBERLENS_PROOF_PROCESSES=yes` makes every rank
//! a process.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Debug;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use emberlens::collect::Silent;
use emberlens::run::{MetricsTableWriter, Project, Run};
use emberlens::table::Columns;
use emberlens_testkit::test_name;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const RANK: &str = "EMBERLENS_TEST_CHILD_RANK";
/// Commits of a rank in each epoch.
const PARTS: i64 = 2;
const ROWS: i64 = 5;

static CONFLICTS: AtomicU64 = AtomicU64::new(0);

/// Adds up what commits say of the races that they lost.
struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.fields().field("conflicts").is_some()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Conflicts);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Conflicts;

impl Visit for Conflicts {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "conflicts" {
            CONFLICTS.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

fn setting(name: &str, default: u32) -> u32 {
    let asked = std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    asked.map_or(default, |text| text.parse().unwrap())
}

fn start(root: &str, rank: u32) -> Run {
    let project = Project::open(root, "p").unwrap();
    project
        .run("ddp")
        .rank(rank, setting("RANKS", 32))
        .start()
        .unwrap()
}

/// One pass; how many microseconds each of its commits took.
fn pass(run: &Run, epoch: i64) -> Vec<u128> {
    let rank = run.rank().unwrap();
    let mut writer = MetricsTableWriter::new(run).split("valid").epoch(epoch);
    let mut took = Vec::new();
    for part in 0..PARTS {
        let first = (i64::from(rank.index) * PARTS + part) * ROWS;
        let ids: Vec<i64> = (first..first + ROWS).collect();
        writer
            .add_batch(Columns::new().with("example_id", ids))
            .unwrap();
        let start = Instant::now();
        writer.flush().unwrap();
        took.push(start.elapsed().as_micros());
    }
    writer.finalize().unwrap();
    took
}

fn as_threads(root: &str) -> Vec<u128> {
    let runs: Vec<Run> = (0..setting("RANKS", 32))
        .map(|rank| start(root, rank))
        .collect();
    let took = Mutex::new(Vec::new());
    for epoch in 0..i64::from(setting("EPOCHS", 2)) {
        std::thread::scope(|scope| {
            for run in &runs {
                scope.spawn(|| took.lock().unwrap().extend(pass(run, epoch)));
            }
        });
    }
    for run in runs.iter().rev() {
        run.complete().unwrap();
    }
    took.into_inner().unwrap()
}

fn as_processes(root: &str) -> Vec<u128> {
    // Rank 0 stays here, so that the run goes on until all have ended.
    let first = start(root, 0);
    let children: Vec<_> = (1..setting("RANKS", 32))
        .map(|rank| {
            Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    &test_name(module_path!(), "every_rank_commits_every_row_once"),
                    "--nocapture",
                ])
                .env(ROOT, root)
                .env(RANK, rank.to_string())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut took = Vec::new();
    for epoch in 0..i64::from(setting("EPOCHS", 2)) {
        took.extend(pass(&first, epoch));
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let told = |name: &str| -> Vec<u128> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(name));
            lines.map(|number| number.trim().parse().unwrap()).collect()
        };
        took.extend(told("took "));
        let conflicts = told("conflicts ").iter().sum::<u128>() as u64;
        CONFLICTS.fetch_add(conflicts, Ordering::Relaxed);
    }
    first.complete().unwrap();
    took
}

#[test]
fn every_rank_commits_every_row_once() {
    tracing::subscriber::set_global_default(Counter).unwrap();
    let epochs = i64::from(setting("EPOCHS", 2));
    if let Ok(root) = std::env::var(ROOT) {
        let run = start(&root, std::env::var(RANK).unwrap().parse().unwrap());
        for epoch in 0..epochs {
            for micros in pass(&run, epoch) {
                println!("\ntook {micros}");
            }
        }
        run.complete().unwrap();
        println!("\nconflicts {}", CONFLICTS.load(Ordering::Relaxed));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let begin = Instant::now();
    let mut took = match std::env::var("EMBERLENS_PROOF_PROCESSES") {
        Ok(_) => as_processes(&root),
        Err(_) => as_threads(&root),
    };
    took.sort_unstable();
    println!(
        "{} commits and {} conflicts in {:?}; a commit took {} us (median), {} us (99 %), {} us (most)",
        took.len(),
        CONFLICTS.load(Ordering::Relaxed),
        begin.elapsed(),
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1],
    );
    let reader = Project::open(&root, "p").unwrap().open_run("ddp").unwrap();
    assert!(reader.incomplete_passes().is_empty());
    let all = i64::from(setting("RANKS", 32)) * PARTS * ROWS;
    for epoch in 0..epochs {
        let metrics = reader.metrics("default").split("valid").epoch(epoch);
        let mut ids = metrics.values::<i64>("example_id").unwrap();
        ids.sort_unstable();
        assert_eq!(ids, (0..all).collect::<Vec<_>>());
    }
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    assert_eq!(verified.tables[0].rows, (epochs * all) as u64);
}
