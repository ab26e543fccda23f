//! Rows are committed when they are asked for, too many or too old: each time with one commit; the
//! first failure of the store stays until the pass ends.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use emberlens::run::{MetricsTableWriter, Project, Run, WriterLimits};
use emberlens::table::{Columns, DeltaTable};
use emberlens::{Error, ErrorKind};

fn run() -> Run {
    let project = Project::open("memory://", "p").unwrap();
    project.run("r").start().unwrap()
}

fn batch(rows: usize) -> Columns {
    Columns::new().with("loss", vec![0.5_f32; rows])
}

/// Bounds that no row of these tests reaches.
fn wide() -> WriterLimits {
    WriterLimits {
        flush_interval: Duration::from_secs(3600),
        ..WriterLimits::default()
    }
}

fn version(run: &Run) -> u64 {
    let table = DeltaTable::open(run.stream_location("default").unwrap()).unwrap();
    table.snapshot().unwrap().version()
}

fn rows(writer: &MetricsTableWriter) -> u64 {
    writer.written_infos().iter().map(|file| file.rows).sum()
}

#[test]
fn the_default_bounds_are_the_documented_ones() {
    let limits = WriterLimits::default();
    assert_eq!(limits.flush_interval, Duration::from_secs(30));
    assert_eq!(
        (limits.flush_bytes, limits.buffer_bytes),
        (64 << 20, 16 << 20)
    );
}

#[test]
fn a_flush_is_one_commit_however_many_batches_it_holds() {
    let run = run();
    let mut writer = MetricsTableWriter::new(&run).limits(wide());
    for flush in 1..=3 {
        for _ in 0..20 {
            writer.add_batch(batch(5)).unwrap();
        }
        writer.flush().unwrap();
        assert_eq!(version(&run), flush, "version 0 made the table");
        assert_eq!(rows(&writer), 100 * flush);
    }
    writer.flush().unwrap();
    assert_eq!(version(&run), 3, "nothing new makes no commit");
    writer.add_batch(batch(5)).unwrap();
    let written = writer.finalize().unwrap();
    assert_eq!(version(&run), 4);
    assert_eq!(written.len(), 4, "one file a commit");
    for file in &written {
        assert_eq!(file.stream, "default");
        let bytes = run.location().join(&file.url).read().unwrap();
        assert_eq!(bytes.len() as u64, file.size_bytes);
    }
}

#[test]
fn rows_are_committed_when_they_are_old_although_nobody_asks() {
    let run = run();
    let limits = WriterLimits {
        flush_interval: Duration::from_millis(50),
        ..wide()
    };
    let mut writer = MetricsTableWriter::new(&run).limits(limits);
    writer.add_batch(batch(5)).unwrap();
    let start = Instant::now();
    while rows(&writer) < 5 {
        assert!(start.elapsed() < Duration::from_secs(60), "never committed");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(start.elapsed() >= Duration::from_millis(40), "too early");
    assert_eq!(version(&run), 1);
}

#[test]
fn rows_are_committed_when_they_are_many_and_the_smallest_bounds_lose_none() {
    let run = run();
    let limits = WriterLimits {
        buffer_bytes: 1,
        flush_bytes: 1,
        ..wide()
    };
    let mut writer = MetricsTableWriter::new(&run).limits(limits);
    for _ in 0..10 {
        writer.add_batch(batch(5)).unwrap();
    }
    let written = writer.finalize().unwrap();
    assert_eq!(version(&run), 10, "every batch is over the bound");
    assert_eq!(written.iter().map(|file| file.rows).sum::<u64>(), 50);
    let read = run.reader().unwrap().metrics("default").read().unwrap();
    assert_eq!(read.num_rows(), 50);
}

#[test]
fn the_first_failure_stays_and_the_next_pass_starts_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let project = Project::open(&root, "p").unwrap();
    let run = project.run("r").start().unwrap();
    let mut writer = MetricsTableWriter::new(&run).split("train").limits(wide());
    writer.add_batch(batch(5)).unwrap();
    let blocked = run.location().local_path().unwrap().join("metrics");
    std::fs::write(&blocked, "not a folder").unwrap();

    let first = writer.flush().unwrap_err();
    assert!(matches!(first, Error::Writer { .. }), "{first}");
    assert_eq!(first.kind(), ErrorKind::Storage);
    // The store is well again, but rows of this pass are lost.
    std::fs::remove_file(&blocked).unwrap();
    let later = [
        writer.add_batch(batch(5)).unwrap_err(),
        writer.flush().unwrap_err(),
        writer.finalize().unwrap_err(),
    ];
    for error in later {
        assert_eq!(error.to_string(), first.to_string());
    }
    assert_eq!(rows(&writer), 0);
    drop(writer);
    let reader = run.reader().unwrap();
    assert!(reader.passes("default").is_empty());
    assert_eq!(reader.incomplete_passes().len(), 1);

    let mut next = MetricsTableWriter::new(&run).split("train");
    next.add_batch(batch(5)).unwrap();
    next.finalize().unwrap();
    let read = run.reader().unwrap().metrics("default").read().unwrap();
    assert_eq!(read.num_rows(), 5);
}
