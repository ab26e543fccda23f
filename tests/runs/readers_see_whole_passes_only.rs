//! A pass appears when it is finalized; one that is dropped, abandoned or under way stays out of
//! sight, is named, and its flushed rows stay on the disk.

#![allow(clippy::unwrap_used)]

use emberlens::run::{MetricsTableWriter, Project, Run};
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable};

fn run() -> Run {
    let project = Project::at(Location::open("memory://").unwrap(), "p").unwrap();
    project.run("r").start().unwrap()
}

fn batch(value: f32) -> Columns {
    Columns::new().with("loss", vec![value; 3])
}

#[test]
fn a_dropped_writer_leaves_an_incomplete_pass_with_its_reason() {
    let run = run();
    let mut done = MetricsTableWriter::new(&run).split("train").epoch(0);
    done.add_batch(batch(1.0)).unwrap();
    done.finalize().unwrap();

    let mut dropped = MetricsTableWriter::new(&run).split("train").epoch(1);
    dropped.add_batch(batch(2.0)).unwrap();
    dropped.flush().unwrap();
    drop(dropped);

    let reader = run.reader().unwrap();
    assert_eq!(
        reader.metrics("default").values::<f32>("loss").unwrap(),
        [1.0; 3]
    );
    let incomplete = reader.incomplete_passes();
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0].epoch, Some(1));
    assert!(incomplete[0].reason.as_ref().unwrap().contains("dropped"));
    let table = DeltaTable::open(run.stream_location("default").unwrap()).unwrap();
    assert_eq!(
        table.snapshot().unwrap().row_count().unwrap(),
        6,
        "flushed rows are kept"
    );
}

#[test]
fn a_pass_under_way_is_invisible_however_much_it_flushed() {
    let run = run();
    let mut writer = MetricsTableWriter::new(&run).split("valid").epoch(0);
    for value in 0..5 {
        writer.add_batch(batch(value as f32)).unwrap();
        writer.flush().unwrap();
    }
    let before = run.reader().unwrap();
    assert_eq!(before.metrics("default").read().unwrap().num_rows(), 0);
    writer.finalize().unwrap();
    let after = run.reader().unwrap();
    let values = after.metrics("default").values::<f32>("loss").unwrap();
    assert_eq!(
        values,
        (0..5).flat_map(|v| [v as f32; 3]).collect::<Vec<_>>()
    );
}

#[test]
fn collecting_an_epoch_again_replaces_its_rows_for_readers() {
    let run = run();
    for value in [1.0, 2.0] {
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(0);
        writer.add_batch(batch(value)).unwrap();
        writer.finalize().unwrap();
    }
    let reader = run.reader().unwrap();
    assert_eq!(
        reader.metrics("default").values::<f32>("loss").unwrap(),
        [2.0; 3]
    );
}

#[test]
fn a_pass_without_rows_is_complete() {
    let run = run();
    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(0);
    writer.finalize().unwrap();
    let reader = run.reader().unwrap();
    assert_eq!(reader.passes("default").len(), 1);
    assert_eq!(reader.passes("default")[0].rows, 0);
}
