//! Numbers come back bit for bit from the metrics of a run and from what is exported of them: every
//! float, also the payload of a NaN where the format keeps it, integers at both ends, and nulls.

#![allow(clippy::unwrap_used)]

use std::fs::File;

use arrow_array::RecordBatch;
use emberlens::run::Project;
use emberlens::table::export::{Existing, Format, to_file};
use emberlens::table::{Columns, values};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

type Row = (Option<f32>, Option<f64>, Option<i64>);

fn row() -> impl Strategy<Value = Row> {
    let single = prop_oneof![
        4 => any::<u32>().prop_map(f32::from_bits),
        1 => proptest::sample::select(vec![0x7fc0_0001, 0xffc1_2345, 0x7f80_0001, 0x8000_0000, 1])
            .prop_map(f32::from_bits),
    ];
    let double = prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        1 => proptest::sample::select(vec![0x7ff8_0000_0000_0001, 0xfff0_0000_0000_0001, 1 << 63, 1])
            .prop_map(f64::from_bits),
    ];
    let long = prop_oneof![
        any::<i64>(),
        Just(i64::MIN),
        Just(i64::MAX),
        Just((1 << 53) + 1)
    ];
    (option::of(single), option::of(double), option::of(long))
}

/// Bits, so that NaN equals NaN and 0.0 is not -0.0.
fn bits(rows: &[Row]) -> Vec<(Option<u32>, Option<u64>, Option<i64>)> {
    rows.iter()
        .map(|(single, double, long)| (single.map(f32::to_bits), double.map(f64::to_bits), *long))
        .collect()
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let singles = values::<Option<f32>>(batch, "single").unwrap();
    let doubles = values::<Option<f64>>(batch, "double").unwrap();
    let longs = values::<Option<i64>>(batch, "long").unwrap();
    let rows = singles.into_iter().zip(doubles).zip(longs);
    rows.map(|((single, double), long)| (single, double, long))
        .collect()
}

/// A number as text formats spell it.
fn float(text: &str) -> Option<f64> {
    match text.trim_matches('"') {
        "" | "null" => None,
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        number => Some(number.parse().unwrap()),
    }
}

/// The same number; text does not keep which NaN it was.
fn is_same(text: &Row, written: &Row) -> bool {
    let single = match (text.0, written.0) {
        (Some(one), Some(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        (one, other) => one.is_none() && other.is_none(),
    };
    let double = match (text.1, written.1) {
        (Some(one), Some(other)) => {
            one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
        }
        (one, other) => one.is_none() && other.is_none(),
    };
    single && double && text.2 == written.2
}

/// A single is parsed as one: through a double it might be rounded twice.
fn single(text: &str) -> Option<f32> {
    match text.trim_matches('"') {
        "" | "null" => None,
        "Infinity" => Some(f32::INFINITY),
        "-Infinity" => Some(f32::NEG_INFINITY),
        number => Some(number.parse().unwrap()),
    }
}

fn fields<'a>(fields: impl Iterator<Item = &'a str>) -> Row {
    let fields: Vec<&str> = fields.collect();
    let [one, two, three] = fields[..] else {
        unreachable!("three columns: {fields:?}")
    };
    let long = (!matches!(three, "" | "null")).then(|| three.parse().unwrap());
    (single(one), float(two), long)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn numbers_come_back(rows in vec(row(), 1..40)) {
        let run = Project::open("memory://", "p").unwrap().run("r").start().unwrap();
        let columns = Columns::new()
            .with("example_id", (0..rows.len() as i64).collect::<Vec<_>>())
            .with("single", rows.iter().map(|row| row.0).collect::<Vec<_>>())
            .with("double", rows.iter().map(|row| row.1).collect::<Vec<_>>())
            .with("long", rows.iter().map(|row| row.2).collect::<Vec<_>>());
        run.add_metrics("default", columns, None, None).unwrap();
        let reader = run.reader().unwrap();
        let wanted = ["single", "double", "long"];
        let batch = reader.metrics("default").columns(&wanted).read().unwrap();
        prop_assert_eq!(bits(&rows_of(&batch)), bits(&rows));

        let folder = tempfile::tempdir().unwrap();
        let export = |name: &str| {
            let path = folder.path().join(name);
            let format = Format::of(&path).unwrap();
            to_file(&path, format, &batch.schema(), [Ok(batch.clone())], Existing::Refuse).unwrap();
            path
        };
        let file = File::open(export("rows.parquet")).unwrap();
        let read = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        let read: Vec<Row> = read.flat_map(|batch| rows_of(&batch.unwrap())).collect();
        prop_assert_eq!(bits(&read), bits(&rows));

        let csv = std::fs::read_to_string(export("rows.csv")).unwrap();
        let read: Vec<Row> = csv.lines().skip(1).map(|line| fields(line.split(','))).collect();
        prop_assert_eq!(read.len(), rows.len());
        for (read, row) in read.iter().zip(&rows) {
            prop_assert!(is_same(read, row), "{read:?} is not {row:?}");
        }
        let json = std::fs::read_to_string(export("rows.jsonl")).unwrap();
        let read = json.lines().map(|line| {
            let members = line.trim_matches(['{', '}']).split(',');
            fields(members.map(|member| member.split_once(':').unwrap().1))
        });
        for (read, row) in read.zip(&rows) {
            prop_assert!(is_same(&read, row), "{read:?} is not {row:?}");
        }
        prop_assert_eq!(json.lines().count(), rows.len());
    }
}
