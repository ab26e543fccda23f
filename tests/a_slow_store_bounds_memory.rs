//! However slow the store, a writer keeps no more rows than its limits say: whoever writes faster waits.
//!
//! `EMBERLENS_PROOF_BYTES_PER_SECOND` (33,554,432) sets the speed of the store, `EMBERLENS_PROOF_MIB`
//! (32) how much is written.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::sync::Arc;

use emberlens::run::{MetricsTableWriter, Project, WriterLimits};
use emberlens::storage::Location;
use emberlens::storage::object_store::local::LocalFileSystem;
use emberlens::table::{Column, Columns};
use emberlens_testkit::SlowStore;
use ndarray::Array2;

const MIB: usize = 1 << 20;
const WIDTH: usize = 256;
const BATCH: usize = 64;
/// An embedding and an id.
const ROW_BYTES: usize = WIDTH * 4 + 8;

const LIMITS: WriterLimits = WriterLimits {
    buffer_bytes: MIB,
    flush_bytes: 2 * MIB,
    flush_interval: std::time::Duration::from_secs(3600),
};

fn setting(name: &str, default: usize) -> usize {
    let asked = std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    asked.map_or(default, |text| text.parse().unwrap())
}

/// Rows that no compression makes small.
fn batch(first: usize) -> Columns {
    let mut state = first as u64;
    let vectors = Array2::from_shape_fn((BATCH, WIDTH), |_| {
        (emberlens_testkit::split_mix(&mut state) >> 40) as f32
    });
    let ids: Vec<i64> = (first..first + BATCH).map(|id| id as i64).collect();
    Columns::new()
        .with("example_id", ids)
        .with("embedding", Column::embedding(vectors.view()))
}

/// Bytes of memory that this process has now, and had at most.
#[cfg(target_os = "linux")]
fn memory() -> (usize, usize) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[cfg(not(target_os = "linux"))]
fn memory() -> (usize, usize) {
    (0, 0)
}

#[test]
fn a_slow_store_bounds_memory() {
    let speed = setting("BYTES_PER_SECOND", 32 * MIB);
    let total = setting("MIB", 32) * MIB;
    let folder = tempfile::tempdir().unwrap();
    let inner = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    let store = SlowStore::new(Arc::new(inner), speed as u64);
    let root = Location::in_store(Arc::new(store), "").unwrap();
    let run = Project::at(root, "p").unwrap().run("r").start().unwrap();

    let (before, _) = memory();
    let mut writer = MetricsTableWriter::new(&run).limits(LIMITS);
    let (mut pushed, mut most) = (0, 0);
    while pushed * ROW_BYTES < total {
        writer.add_batch(batch(pushed)).unwrap();
        pushed += BATCH;
        let written: u64 = writer.written_infos().iter().map(|file| file.rows).sum();
        most = most.max((pushed - written as usize) * ROW_BYTES);
    }
    writer.finalize().unwrap();
    let (_, after) = memory();

    // What waits, what is encoded since the last commit, and what is just being handed over.
    let bound = LIMITS.buffer_bytes + LIMITS.flush_bytes + 2 * BATCH * ROW_BYTES + MIB / 2;
    let grown = after.saturating_sub(before);
    println!(
        "{pushed} rows at {speed} bytes/s: at most {most} bytes of rows were not written \
         (bound {bound}), memory grew by {grown} bytes"
    );
    assert!(most <= bound, "{most} bytes waited, {bound} may");
    assert!(
        most >= LIMITS.buffer_bytes,
        "the store was never slower than the writer: {most}"
    );
    // Rows are in memory as they came, encoded, and on their way to the store.
    assert!(grown < 7 * bound, "memory grew by {grown}");
    assert!(
        7 * bound < total,
        "too little was written to prove anything"
    );

    let reader = run.reader().unwrap();
    let ids: Vec<i64> = reader.metrics("default").values("example_id").unwrap();
    assert_eq!(ids, (0..pushed as i64).collect::<Vec<_>>());
}
