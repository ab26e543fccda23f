//! What a version shows of its table.

use super::*;
use crate::table::{Columns, DeltaTable, Role, role};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type};

fn losses(values: Vec<f32>) -> RecordBatch {
    Columns::new()
        .with("loss", values)
        .into_batch("test")
        .unwrap()
}

fn table(first: &RecordBatch) -> DeltaTable {
    let location = Location::open("memory://").unwrap().join("t");
    DeltaTable::create(location, &first.schema()).unwrap()
}

#[test]
fn rows_come_back_in_the_order_they_were_appended() {
    let table = table(&losses(vec![]));
    for k in 0..12 {
        table
            .append("w", k, &[losses(vec![k as f32, k as f32 + 0.5])])
            .unwrap();
    }
    let read = table.snapshot().unwrap().read(Some(&["loss"])).unwrap();
    let values = read
        .column(0)
        .as_primitive::<Float32Type>()
        .values()
        .to_vec();
    assert_eq!(values, (0..24).map(|k| k as f32 / 2.0).collect::<Vec<_>>());
}

#[test]
fn rows_of_a_new_writer_come_after_those_of_the_old() {
    let table = table(&losses(vec![]));
    for k in 0..3 {
        table.append("old", k, &[losses(vec![k as f32])]).unwrap();
    }
    table.append("new", 0, &[losses(vec![9.0])]).unwrap();
    let read = table.snapshot().unwrap().read(None).unwrap();
    let values = read.column(0).as_primitive::<Float32Type>();
    assert_eq!(values.values().to_vec(), [0.0, 1.0, 2.0, 9.0]);
}

#[test]
fn a_commit_of_the_same_name_is_not_written_twice() {
    let table = table(&losses(vec![]));
    let first = table.append("w", 0, &[losses(vec![1.0])]).unwrap();
    assert_eq!(table.append("w", 0, &[losses(vec![1.0])]).unwrap(), first);
    assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 1);
}

#[test]
fn a_new_column_reads_as_null_in_old_rows_and_keeps_its_role() {
    let table = table(&losses(vec![]));
    table.append("w", 0, &[losses(vec![1.0])]).unwrap();
    let wider = Columns::new()
        .with("loss", vec![2.0_f32])
        .with(
            "label",
            crate::table::Column::from(vec![7_i64]).role(Role::category(["a"])),
        )
        .into_batch("test")
        .unwrap();
    table.append("w", 1, &[wider]).unwrap();
    let read = table.snapshot().unwrap().read(None).unwrap();
    let labels = read
        .column_by_name("label")
        .unwrap()
        .as_primitive::<Int64Type>()
        .clone();
    assert_eq!(labels.iter().collect::<Vec<_>>(), [None, Some(7)]);
    assert_eq!(
        role(read.schema().field_with_name("label").unwrap()),
        Some(Role::category(["a"]))
    );
}

#[test]
fn a_changed_type_is_refused_with_both_types() {
    let table = table(&losses(vec![]));
    let other = Columns::new()
        .with("loss", vec!["high"])
        .into_batch("test")
        .unwrap();
    let error = table.append("w", 0, &[other]).unwrap_err().to_string();
    assert!(
        error.contains("Float32") && error.contains("Utf8"),
        "{error}"
    );
}

#[test]
fn an_old_version_stays_as_it_was() {
    let table = table(&losses(vec![]));
    let old = table.append("w", 0, &[losses(vec![1.0])]).unwrap();
    table.append("w", 1, &[losses(vec![2.0])]).unwrap();
    assert_eq!(table.snapshot_at(old).unwrap().row_count().unwrap(), 1);
    assert!(matches!(table.snapshot_at(99), Err(Error::NotFound { .. })));
}

/// As after a cleaning of the log, of which a checkpoint is left.
#[test]
fn a_version_that_delta_does_not_count_to_is_refused() {
    let table = table(&losses(vec![]));
    for sequence in 0..50 {
        let appended = table.append("w", sequence, &[losses(vec![1.0])]);
        appended.unwrap();
    }
    let log = table.location().join("_delta_log");
    let checkpoint = log.join("00000000000000000050.checkpoint.parquet");
    let checkpoint = checkpoint.read().unwrap();
    for version in [1 << 63, u64::MAX] {
        let place = Location::open("memory://").unwrap().join("t");
        let strange = format!("_delta_log/{version:020}.checkpoint.parquet");
        place.join(&strange).create(checkpoint.clone()).unwrap();
        let strange = DeltaTable::open(place).unwrap();
        let error = strange.snapshot().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{error}");
        assert!(strange.append("w", 9, &[losses(vec![1.0])]).is_err());
    }
}

#[test]
fn writers_at_once_lose_and_double_nothing() {
    let table = table(&losses(vec![]));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let table = table.clone();
            scope.spawn(move || {
                for k in 0..5 {
                    let batch = losses(vec![writer as f32]);
                    table.append(&format!("w{writer}"), k, &[batch]).unwrap();
                }
            });
        }
    });
    assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 20);
}
