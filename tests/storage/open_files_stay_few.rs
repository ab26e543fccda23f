//! A process that may open 32 files writes a run of many streams and ranks at once, with a log of more entries
//! than that, reads, verifies, compacts and vacuums it, and leaves no file open.

#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project, Run};
use emberlens::table::{Columns, DeltaTable};
use emberlens_testkit::{quick_folder, test_name};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const LIMIT: usize = 32;
/// Streams that a process writes to at the same time.
const STREAMS: i64 = 8;
const RANKS: u32 = 4;
/// Passes of each rank.
const EPOCHS: i64 = 10;
/// Passes of one writer: a log of more entries than may be open, and no checkpoint yet.
const PASSES: i64 = 45;

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn ids(first: i64) -> Columns {
    Columns::new().with("example_id", (first..first + 5).collect::<Vec<i64>>())
}

/// Every stream has a writer with rows that wait in its file.
fn write_streams(run: &Run) {
    let mut writers: Vec<_> = (0..STREAMS)
        .map(|stream| {
            let writer = MetricsTableWriter::new(run).stream(&format!("stream {stream}"));
            writer.split("train").epoch(0)
        })
        .collect();
    for first in [0, 5, 10] {
        for writer in &mut writers {
            writer.add_batch(ids(first)).unwrap();
        }
    }
    for writer in &mut writers {
        writer.finalize().unwrap();
    }
}

fn write_passes(run: &Run) {
    for epoch in 0..PASSES {
        let mut writer = MetricsTableWriter::new(run).split("train").epoch(epoch);
        writer.add_batch(ids(0)).unwrap();
        writer.finalize().unwrap();
    }
}

fn write_as_rank(project: &Project, rank: u32) {
    let run = project.run("ranks").rank(rank, RANKS).start().unwrap();
    for epoch in 0..EPOCHS {
        run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
        run.flush().unwrap();
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        writer.add_batch(ids(5 * i64::from(rank))).unwrap();
        writer.finalize().unwrap();
    }
    run.complete().unwrap();
}

fn read(project: &Project, name: &str, streams: usize, rows: usize) {
    let reader = project.open_run(name).unwrap();
    assert_eq!(reader.streams().len(), streams);
    for stream in reader.streams() {
        let read = reader.metrics(&stream).read().unwrap();
        assert_eq!(read.num_rows(), rows);
    }
    let problems = reader.verify(&Silent).unwrap().problems;
    assert!(problems.is_empty(), "{problems:?}");
}

/// Where a program that has a runtime reads, threads open files while others are read.
fn read_in_a_runtime(project: &Project, rows: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    read(project, "long", 1, rows);
}

/// The child: it may open few files.
fn live_with_few_files(root: &str) {
    let project = Project::open(root, "p").unwrap();
    let run = project.run("streams").start().unwrap();
    let before = open_files();
    write_streams(&run);
    run.complete().unwrap();
    std::thread::scope(|scope| {
        for rank in 0..RANKS {
            let project = &project;
            scope.spawn(move || write_as_rank(project, rank));
        }
    });
    let all = EPOCHS as usize * RANKS as usize * 5;
    let long = project.run("long").start().unwrap();
    write_passes(&long);
    long.complete().unwrap();
    let table = DeltaTable::open(long.location().join("metrics/default")).unwrap();
    assert_eq!(table.snapshot().unwrap().version(), PASSES as u64);
    let in_long = PASSES as usize * 5;
    read(&project, "long", 1, in_long);
    read(&project, "streams", STREAMS as usize, 15);
    read(&project, "ranks", 1, all);
    read_in_a_runtime(&project, in_long);
    for name in ["streams", "ranks", "long"] {
        let reader = project.open_run(name).unwrap();
        reader.compact(&Silent).unwrap();
        let vacuum = reader.vacuum(Duration::ZERO).unwrap();
        vacuum.delete(&Silent).unwrap();
    }
    read(&project, "streams", STREAMS as usize, 15);
    read(&project, "ranks", 1, all);
    assert_eq!(open_files(), before, "files were left open");
}

#[test]
fn open_files_stay_few() {
    if let Ok(root) = std::env::var(ROOT) {
        return live_with_few_files(&root);
    }
    let folder = quick_folder().unwrap();
    let name = test_name(module_path!(), "open_files_stay_few");
    let child = Command::new("sh")
        .args(["-c", "ulimit -n \"$1\" && shift && exec \"$@\"", "sh"])
        .arg(LIMIT.to_string())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads", "1"])
        .env(ROOT, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{told}");
    let project = Project::open(&folder.path().display().to_string(), "p").unwrap();
    let rows = EPOCHS as usize * RANKS as usize * 5;
    read(&project, "ranks", 1, rows);
}
