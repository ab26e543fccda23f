//! Rows count when their pass is complete; of several passes for one split and epoch the last
//! counts; a pass that lost rows is an error.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{Float32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use emberlens::ErrorKind;
use emberlens::run::{PassRecord, Project, Run};
use emberlens::table::DeltaTable;

fn start() -> Run {
    Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap()
}

/// Appends the rows of one pass to the stream's table, as writers do.
fn append(run: &Run, stream: &str, pass_id: &str, losses: &[f32]) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("pass_id", DataType::Utf8, true),
        Field::new("loss", DataType::Float32, true),
    ]));
    let ids = StringArray::from(vec![pass_id; losses.len()]);
    let values = Float32Array::from(losses.to_vec());
    let batch =
        RecordBatch::try_new(schema.clone(), vec![Arc::new(ids), Arc::new(values)]).unwrap();
    let location = run.stream_location(stream).unwrap();
    let table = if DeltaTable::exists(&location).unwrap() {
        DeltaTable::open(location).unwrap()
    } else {
        DeltaTable::create(location, &schema).unwrap()
    };
    table.append(pass_id, 0, &[batch]).unwrap();
}

fn complete(run: &Run, pass_id: &str, stream: &str, split: &str, epoch: Option<i64>, rows: u64) {
    let record = PassRecord {
        pass_id: pass_id.into(),
        stream: stream.into(),
        split: split.into(),
        epoch,
        rows,
        files: Vec::new(),
        table: None,
        finished_us: i64::MAX,
        rank: None,
        parts: Vec::new(),
    };
    run.complete_pass(&record).unwrap();
}

fn pass(run: &Run, split: &str, epoch: Option<i64>, losses: &[f32]) -> String {
    let id = run.begin_pass("default", split, epoch).unwrap();
    append(run, "default", &id, losses);
    complete(run, &id, "default", split, epoch, losses.len() as u64);
    id
}

#[test]
fn readers_take_complete_passes_only() {
    let run = start();
    pass(&run, "train", Some(0), &[1.0, 2.0]);
    pass(&run, "valid", Some(0), &[3.0]);
    let open = run.begin_pass("default", "train", Some(1)).unwrap();
    append(&run, "default", &open, &[9.0, 9.0]);

    let reader = run.reader().unwrap();
    let all: Vec<f32> = reader.metrics("default").values("loss").unwrap();
    assert_eq!(all, [1.0, 2.0, 3.0]);
    let none: Vec<f32> = reader.metrics("default").epoch(1).values("loss").unwrap();
    assert!(none.is_empty());
    assert_eq!(reader.incomplete_passes()[0].pass_id, open);

    complete(&run, &open, "default", "train", Some(1), 2);
    let reader = run.reader().unwrap();
    let now: Vec<f32> = reader
        .metrics("default")
        .split("train")
        .epoch(1)
        .values("loss")
        .unwrap();
    assert_eq!(now, [9.0, 9.0]);
    assert!(reader.incomplete_passes().is_empty());
    let batch = reader.metrics("default").columns(&["loss"]).read().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (5, 1));
}

#[test]
fn the_last_pass_of_a_split_and_epoch_counts() {
    let run = start();
    pass(&run, "train", Some(0), &[1.0, 2.0]);
    pass(&run, "train", None, &[7.0]);
    let last = pass(&run, "train", Some(0), &[5.0]);
    let reader = run.reader().unwrap();
    let losses: Vec<f32> = reader.metrics("default").epoch(0).values("loss").unwrap();
    assert_eq!(losses, [5.0]);
    let without_epoch: Vec<f32> = reader
        .metrics("default")
        .epoch(None)
        .values("loss")
        .unwrap();
    assert_eq!(without_epoch, [7.0]);
    assert_eq!(
        reader.latest_pass("default", "train").unwrap().pass_id,
        last
    );
}

#[test]
fn a_pass_that_lost_or_gained_rows_is_an_error() {
    for (recorded, reason) in [(3, "lost 1 rows"), (1, "more rows")] {
        let run = start();
        let id = run.begin_pass("default", "train", None).unwrap();
        append(&run, "default", &id, &[1.0, 2.0]);
        complete(&run, &id, "default", "train", None, recorded);
        let error = run.reader().unwrap().metrics("default").read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn unknown_streams_and_columns_are_named_with_what_there_is() {
    let run = start();
    pass(&run, "train", None, &[1.0]);
    let reader = run.reader().unwrap();
    let error = reader.metrics("boxes").read().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("default"), "{error}");
    let error = reader
        .metrics("default")
        .columns(&["lost"])
        .read()
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("lost") && error.contains("pass_id, loss"),
        "{error}"
    );
}

#[test]
fn a_pass_without_rows_reads_as_no_rows() {
    let run = start();
    let id = run.begin_pass("default", "train", None).unwrap();
    complete(&run, &id, "default", "train", None, 0);
    assert_eq!(
        run.reader()
            .unwrap()
            .metrics("default")
            .read()
            .unwrap()
            .num_rows(),
        0
    );
}
