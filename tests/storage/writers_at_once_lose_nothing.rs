//! Threads and processes append to one stream of a run at the same time: every row is there once.
//!
//! `EMBERLENS_PROOF_THREADS` (16), `EMBERLENS_PROOF_PROCESSES` (8) and `EMBERLENS_PROOF_COMMITS` (20,
//! per process) set how many.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emberlens::run::{MetricsTableWriter, Project};
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable, values};
use emberlens_testkit::test_name;

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const WRITER: &str = "EMBERLENS_TEST_CHILD_WRITER";

fn setting(name: &str, default: i64) -> i64 {
    let asked = std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    asked.map_or(default, |text| text.parse().unwrap())
}

fn batch(writer: i64, number: i64) -> Columns {
    Columns::new()
        .with("writer", vec![writer; 5])
        .with("number", vec![number; 5])
}

/// Commits as one writer; how long each commit took.
fn commit_all(place: Location, writer: i64, commits: i64) -> Vec<Duration> {
    let table = DeltaTable::open(place).unwrap();
    let commit = |number| {
        let start = Instant::now();
        let rows = batch(writer, number).into_batch("test").unwrap();
        table
            .append(&format!("writer {writer}"), number, &[rows])
            .unwrap();
        start.elapsed()
    };
    (0..commits).map(commit).collect()
}

fn start(root: &str, writer: i64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &test_name(module_path!(), "processes_at_once_lose_nothing"),
            "--nocapture",
        ])
        .env(ROOT, root)
        .env(WRITER, writer.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn processes_at_once_lose_nothing() {
    let commits = setting("COMMITS", 20);
    if let Ok(root) = std::env::var(ROOT) {
        let writer = std::env::var(WRITER).unwrap().parse().unwrap();
        for took in commit_all(Location::open(&root).unwrap(), writer, commits) {
            println!("\ntook {}", took.as_micros());
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let place = Location::open(&root).unwrap();
    let schema = batch(0, 0).into_batch("test").unwrap().schema();
    DeltaTable::create(place.clone(), &schema).unwrap();
    let children: Vec<_> = (0..setting("PROCESSES", 8))
        .map(|writer| start(&root, writer))
        .collect();
    let mut took = Vec::new();
    let writers = children.len() as i64;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        took.extend(
            text.lines()
                .filter_map(|line| line.strip_prefix("took ")?.parse::<u64>().ok()),
        );
    }
    check(&place, writers, commits);
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)] / 1000;
    println!(
        "{} commits, p50 {} ms, p99 {} ms",
        took.len(),
        at(50),
        at(99)
    );
    assert_eq!(took.len() as i64, writers * commits);
}

fn check(place: &Location, writers: i64, commits: i64) {
    let snapshot = DeltaTable::open(place.clone()).unwrap().snapshot().unwrap();
    // Fewer where one took along the rows of others.
    assert!(snapshot.version() as i64 <= writers * commits);
    let rows = snapshot.read(None).unwrap();
    let mut found: Vec<_> = values::<i64>(&rows, "writer")
        .unwrap()
        .into_iter()
        .zip(values::<i64>(&rows, "number").unwrap())
        .collect();
    found.sort_unstable();
    let commits = 0..commits;
    let expected = (0..writers).flat_map(|writer| {
        let of_writer = commits.clone().map(move |number| (writer, number));
        of_writer.flat_map(|commit| std::iter::repeat_n(commit, 5))
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn threads_of_one_run_lose_nothing() {
    let threads = setting("THREADS", 16);
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open(&folder.path().display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let run = run.clone();
            scope.spawn(move || {
                let split = format!("split {thread}");
                let mut writer = MetricsTableWriter::new(&run).split(&split).epoch(0);
                for part in 0..4 {
                    let ids: Vec<i64> = (part * 10..(part + 1) * 10).collect();
                    writer
                        .add_batch(Columns::new().with("example_id", ids))
                        .unwrap();
                    writer.flush().unwrap();
                }
                writer.finalize().unwrap();
            });
        }
    });
    let reader = run.reader().unwrap();
    for thread in 0..threads {
        let rows = reader.metrics("default").split(&format!("split {thread}"));
        assert_eq!(
            rows.values::<i64>("example_id").unwrap(),
            (0..40).collect::<Vec<_>>()
        );
    }
    assert!(reader.incomplete_passes().is_empty());
}
