//! Promise: what is written to a table is read back bit for bit: NaN, infinities, negative zero,
//! nulls, empty and non-ASCII strings, empty bytes.

#![allow(clippy::unwrap_used)]

use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Table};
use ndarray::Array2;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// One row of every type.
#[derive(Clone, Debug)]
struct Row {
    single: Option<f32>,
    double: Option<f64>,
    int: Option<i32>,
    long: Option<i64>,
    flag: Option<bool>,
    text: Option<String>,
    bytes: Vec<u8>,
    vector: [f32; 3],
}

fn single() -> impl Strategy<Value = f32> {
    let special = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        -0.0,
        f32::MIN_POSITIVE / 2.0,
        f32::MAX,
    ];
    prop_oneof![any::<f32>(), proptest::sample::select(special.to_vec())]
}

fn double() -> impl Strategy<Value = f64> {
    let special = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -0.0,
        f64::MIN_POSITIVE / 2.0,
    ];
    prop_oneof![any::<f64>(), proptest::sample::select(special.to_vec())]
}

fn text() -> impl Strategy<Value = String> {
    let special = [
        "",
        " ",
        "NaN",
        "null",
        "größe",
        "学習",
        "👩‍🔬",
        "a\0b",
        "line\nend",
        "\"'\\",
    ];
    let special = proptest::sample::select(special.map(str::to_owned).to_vec());
    prop_oneof![
        special,
        vec(any::<char>(), 0..8).prop_map(String::from_iter)
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let numbers = (
        option::of(single()),
        option::of(double()),
        any::<Option<i32>>(),
        any::<Option<i64>>(),
    );
    let others = (
        any::<Option<bool>>(),
        option::of(text()),
        vec(any::<u8>(), 0..5),
    );
    (numbers, others, [single(), single(), single()]).prop_map(|(numbers, others, vector)| Row {
        single: numbers.0,
        double: numbers.1,
        int: numbers.2,
        long: numbers.3,
        flag: others.0,
        text: others.1,
        bytes: others.2,
        vector,
    })
}

fn columns(rows: &[Row]) -> Columns {
    let vectors = rows.iter().flat_map(|row| row.vector).collect();
    let vectors = Array2::from_shape_vec((rows.len(), 3), vectors).unwrap();
    Columns::new()
        .with(
            "single",
            rows.iter().map(|row| row.single).collect::<Vec<_>>(),
        )
        .with(
            "double",
            rows.iter().map(|row| row.double).collect::<Vec<_>>(),
        )
        .with("int", rows.iter().map(|row| row.int).collect::<Vec<_>>())
        .with("long", rows.iter().map(|row| row.long).collect::<Vec<_>>())
        .with("flag", rows.iter().map(|row| row.flag).collect::<Vec<_>>())
        .with(
            "text",
            rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>(),
        )
        .with(
            "bytes",
            rows.iter().map(|row| row.bytes.clone()).collect::<Vec<_>>(),
        )
        .with("vector", Column::embedding(vectors.view()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_table_and_its_next_revision_hold_what_was_given(
        first in vec(row(), 0..40),
        second in vec(row(), 0..10),
    ) {
        let folder = Location::open("memory://").unwrap();
        let table = Table::create(&folder, "all", columns(&first)).unwrap();
        let table = table.append(columns(&second)).unwrap();
        let rows: Vec<&Row> = first.iter().chain(&second).collect();
        prop_assert_eq!(table.row_count(), rows.len() as u64);

        // Bits, so that NaN equals NaN and 0.0 is not -0.0. A NaN's payload is kept as well.
        let singles = table.column::<Option<f32>>("single").unwrap();
        prop_assert!(singles.iter().map(|x| x.map(f32::to_bits))
            .eq(rows.iter().map(|row| row.single.map(f32::to_bits))));
        let doubles = table.column::<Option<f64>>("double").unwrap();
        prop_assert!(doubles.iter().map(|x| x.map(f64::to_bits))
            .eq(rows.iter().map(|row| row.double.map(f64::to_bits))));
        let ints = table.column::<Option<i32>>("int").unwrap();
        prop_assert!(ints.into_iter().eq(rows.iter().map(|row| row.int)));
        let longs = table.column::<Option<i64>>("long").unwrap();
        prop_assert!(longs.into_iter().eq(rows.iter().map(|row| row.long)));
        let flags = table.column::<Option<bool>>("flag").unwrap();
        prop_assert!(flags.into_iter().eq(rows.iter().map(|row| row.flag)));
        let texts = table.column::<Option<String>>("text").unwrap();
        prop_assert!(texts.iter().eq(rows.iter().map(|row| &row.text)));
        let bytes = table.column::<Vec<u8>>("bytes").unwrap();
        prop_assert!(bytes.iter().eq(rows.iter().map(|row| &row.bytes)));
        let vectors = table.embedding("vector").unwrap();
        prop_assert_eq!(vectors.dim(), (rows.len(), 3));
        prop_assert!(vectors.iter().map(|x| x.to_bits())
            .eq(rows.iter().flat_map(|row| row.vector).map(f32::to_bits)));
    }
}
