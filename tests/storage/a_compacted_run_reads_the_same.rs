//! Joining small files changes no row, no bit of it, no role and not their order: for readers, for
//! those that opened the run before, for older versions, and for `verify`. Doing it again does nothing.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, Float64Array, RecordBatch};
use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project, Run, RunReader, Scalar};
use emberlens::table::{Column, Columns, DeltaTable, Role};
use ndarray::Array2;
use proptest::collection::vec;
use proptest::prelude::*;

/// Single and double as bits, a number that may be null, a text.
type Row = (u32, u64, Option<i64>, Option<String>);

/// One pass: what its rows hold, and how it ends.
#[derive(Clone, Debug)]
struct Pass {
    /// Rows of each flush: single and double as bits, a number that may be null, a text.
    flushes: Vec<Vec<Row>>,
    epoch: Option<i64>,
    /// Has a column that the others lack.
    is_wider: bool,
    is_complete: bool,
    scalars: Vec<u64>,
}

fn bits32() -> impl Strategy<Value = u32> {
    // NaNs of all kinds, infinities and zeros of both signs among them.
    let special = [
        0x7fc0_0001_u32,
        0xffc0_0000,
        0x7f80_0001,
        0x7f80_0000,
        0xff80_0000,
        0x8000_0000,
        1,
    ];
    prop_oneof![any::<u32>(), prop::sample::select(special.to_vec())]
}

fn pass() -> impl Strategy<Value = Pass> {
    let row = (
        bits32(),
        any::<u64>(),
        any::<Option<i64>>(),
        prop::option::of("[a-zé\u{0}]{0,4}"),
    );
    let flushes = vec(vec(row, 1..5), 1..4);
    let epoch = prop::option::of(0..4_i64);
    let scalars = vec(any::<u64>(), 0..3);
    (
        flushes,
        epoch,
        any::<bool>(),
        prop::bool::weighted(0.8),
        scalars,
    )
        .prop_map(|(flushes, epoch, is_wider, is_complete, scalars)| Pass {
            flushes,
            epoch,
            is_wider,
            is_complete,
            scalars,
        })
}

fn columns(rows: &[Row], is_wider: bool) -> Columns {
    let single = Float32Array::from_iter_values(rows.iter().map(|row| f32::from_bits(row.0)));
    let double = Float64Array::from_iter_values(rows.iter().map(|row| f64::from_bits(row.1)));
    let vectors = Array2::from_shape_fn((rows.len(), 3), |(row, axis)| {
        f32::from_bits(rows[row].0.rotate_left(axis as u32 * 7))
    });
    let words: Vec<Array2<f32>> = rows
        .iter()
        .map(|row| Array2::from_elem((row.1 as usize % 3, 2), f32::from_bits(row.0)))
        .collect();
    let views: Vec<_> = words.iter().map(|words| words.view()).collect();
    let ids: Vec<i64> = (0..rows.len() as i64).rev().collect();
    let mut columns = Columns::new()
        .with("example_id", ids)
        .with("single", Column::from_array(Arc::new(single) as ArrayRef))
        .with("double", Column::from_array(Arc::new(double) as ArrayRef))
        .with(
            "text",
            rows.iter().map(|row| row.3.clone()).collect::<Vec<_>>(),
        )
        .with("embedding", Column::embedding(vectors.view()))
        .with("words", Column::instance_embeddings(&views));
    if is_wider {
        let labels = rows.iter().map(|row| row.2).collect::<Vec<_>>();
        columns.push(
            "label",
            Column::from(labels).role(Role::category(["cat", "dog"])),
        );
    }
    columns
}

fn write(run: &Run, pass: &Pass) {
    let mut writer = MetricsTableWriter::new(run).split("train");
    if let Some(epoch) = pass.epoch {
        writer = writer.epoch(epoch);
    }
    for rows in &pass.flushes {
        writer.add_batch(columns(rows, pass.is_wider)).unwrap();
        writer.flush().unwrap();
    }
    if pass.is_complete {
        writer.finalize().unwrap();
    }
    for bits in &pass.scalars {
        run.log(&[("loss", f64::from_bits(*bits))], At::epoch(0))
            .unwrap();
        run.flush().unwrap();
    }
}

/// Everything that a reader sees; floats compare by their bits.
#[derive(Debug, PartialEq)]
struct Seen {
    /// All passes, then those of each epoch.
    metrics: Vec<RecordBatch>,
    passes: usize,
    incomplete: usize,
    scalars: Vec<(Scalar, u64)>,
}

fn seen(reader: &RunReader) -> Seen {
    let metrics = reader.metrics("default");
    let mut batches = vec![metrics.read().unwrap()];
    for pass in metrics.passes() {
        batches.push(metrics.clone().epoch(pass.epoch).read().unwrap());
    }
    let scalars = reader.scalars().unwrap().into_iter().map(|mut scalar| {
        let bits = scalar.value.to_bits();
        scalar.value = 0.0; // NaN is not equal to itself
        (scalar, bits)
    });
    Seen {
        metrics: batches,
        passes: metrics.passes().len(),
        incomplete: reader.incomplete_passes().len(),
        scalars: scalars.collect(),
    }
}

fn check(passes: &[Pass]) {
    let project = Project::open("memory://", "p").unwrap();
    let run = project.run("r").start().unwrap();
    for pass in passes {
        write(&run, pass);
    }
    let reader = run.reader().unwrap();
    let (before, place) = (seen(&reader), reader.location().join("metrics/default"));
    let table = DeltaTable::open(place).unwrap();
    let opened = table.snapshot().unwrap();
    let rows = opened.read(None).unwrap();

    let compacted = reader.compact(&Silent).unwrap();
    let flushes: usize = passes.iter().map(|pass| pass.flushes.len()).sum();
    let metrics = compacted.iter().find(|one| one.folder == "metrics/default");
    let metrics = metrics.unwrap();
    assert_eq!(
        (metrics.files_before, metrics.files_after),
        (flushes as u64, 1)
    );

    assert_eq!(seen(&reader), before, "a reader that was opened before");
    let fresh = project.open_run(run.id()).unwrap();
    assert_eq!(seen(&fresh), before, "a reader that was opened after");
    let latest = table.snapshot().unwrap();
    let is_new = u64::from(flushes > 1);
    assert_eq!(latest.version(), opened.version() + is_new);
    assert_eq!(latest.schema(), opened.schema(), "roles and types");
    assert_eq!(latest.read(None).unwrap(), rows, "other tools");
    assert_eq!(opened.read(None).unwrap(), rows, "a snapshot from before");
    let old = table.snapshot_at(opened.version()).unwrap();
    assert_eq!(old.read(None).unwrap(), rows, "the older version");
    let verified = fresh.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);

    let again = fresh.compact(&Silent).unwrap();
    assert!(again.iter().all(|one| one.rows_moved == 0), "{again:?}");
    assert_eq!(table.snapshot().unwrap().version(), latest.version());

    // What comes later comes after, and is joined with the rest in its turn.
    let last = Pass {
        epoch: Some(9),
        is_complete: true,
        ..passes[0].clone()
    };
    write(&run, &last);
    let before = seen(&run.reader().unwrap());
    run.reader().unwrap().compact(&Silent).unwrap();
    assert_eq!(seen(&run.reader().unwrap()), before);
    let verified = run.reader().unwrap().verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
}

#[test]
fn a_compacted_run_reads_the_same() {
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&vec(pass(), 1..6), |passes| {
            check(&passes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn an_epoch_of_a_compacted_stream_is_read_without_the_files_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let run = Project::open(&root, "p").unwrap().run("r").start().unwrap();
    let write = |epoch: i64, rows: usize| {
        let mut state = epoch as u64;
        let bits = (0..rows).map(|_| emberlens_testkit::split_mix(&mut state));
        let noise = bits.map(|bits| bits as f64).collect::<Vec<_>>();
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        writer
            .add_batch(Columns::new().with("noise", noise))
            .unwrap();
        writer.finalize().unwrap();
    };
    // Together more than one file holds; what cannot be compressed.
    for epoch in 0..10 {
        write(epoch, 400_000);
    }
    let compacted = run.reader().unwrap().compact(&Silent).unwrap();
    assert!(compacted[0].files_after > 1, "{compacted:?}");
    let reader = run.reader().unwrap();
    let metrics = reader.location().join("metrics/default");
    let table = DeltaTable::open(metrics.clone()).unwrap();
    let bytes: u64 = table.snapshot().unwrap().size_bytes().unwrap();
    assert_eq!(bytes, compacted[0].bytes_after);
    let of_epoch = |epoch| {
        reader
            .metrics("default")
            .epoch(epoch)
            .values::<f64>("noise")
    };
    assert_eq!(of_epoch(9).unwrap().len(), 400_000);
    // With the first file gone, the last epoch is still read.
    let log = metrics.join("_delta_log");
    let entry = log.join(&format!("{:020}.json", compacted[0].version));
    let text = String::from_utf8(entry.read().unwrap().to_vec()).unwrap();
    let added = text.lines().filter_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(action["add"]["path"].as_str()?.to_owned())
    });
    let first = added.min().unwrap();
    metrics.join(&first).delete().unwrap();
    assert!(of_epoch(0).is_err());
    assert_eq!(of_epoch(9).unwrap().len(), 400_000);
}

#[test]
fn a_damaged_file_is_not_copied_into_one_that_looks_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let run = Project::open(&root, "p").unwrap().run("r").start().unwrap();
    for epoch in 0..3 {
        let vectors = Array2::from_elem((50, 8), epoch as f32);
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        let columns = Columns::new().with("embedding", Column::embedding(vectors.view()));
        writer.add_batch(columns).unwrap();
        writer.finalize().unwrap();
    }
    let reader = run.reader().unwrap();
    let file = reader
        .location()
        .join(&reader.passes("default")[1].files[0].url);
    let mut bytes = file.read().unwrap().to_vec();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    file.replace(bytes).unwrap();
    let error = reader.compact(&Silent).unwrap_err();
    assert_eq!(error.kind(), emberlens::ErrorKind::Corrupt);
    assert!(error.to_string().contains(&file.name()), "{error}");
    let names = file.parent().unwrap().list_files().unwrap();
    assert_eq!(names.len(), 3, "nothing was left behind: {names:?}");
}
