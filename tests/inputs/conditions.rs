//! A condition that somebody typed: parsed, checked against columns of every kind, and evaluated.

use std::sync::Arc;

use arrow_array::types::Float32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, FixedSizeListArray, Float32Array,
    Float64Array, Int8Array, Int32Array, Int64Array, ListArray, NullArray, StringArray,
    StructArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow_schema::{DataType, Field};
use emberlens::filter::{Filter, FilterColumn};

const ROWS: usize = 4;

/// Values at the edges of every kind, and none.
fn arrays() -> Vec<(&'static str, ArrayRef)> {
    let times = vec![Some(0), Some(i64::MIN), Some(i64::MAX), None];
    let vectors = (0..ROWS).map(|row| (row < 3).then(|| vec![Some(row as f32), None]));
    let vectors: Vec<_> = vectors.collect();
    let field = Arc::new(Field::new("score", DataType::Int64, true));
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    vec![
        (
            "b",
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(false),
                None,
                None,
            ])) as ArrayRef,
        ),
        (
            "small",
            Arc::new(Int8Array::from(vec![
                Some(i8::MIN),
                Some(i8::MAX),
                Some(0),
                None,
            ])),
        ),
        (
            "label",
            Arc::new(Int32Array::from(vec![Some(0), Some(1), Some(-7), None])),
        ),
        (
            "i",
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                Some(i64::MAX),
                Some(-1),
                None,
            ])),
        ),
        (
            "u",
            Arc::new(UInt64Array::from(vec![
                Some(0),
                Some(u64::MAX),
                Some(1),
                None,
            ])),
        ),
        (
            "loss",
            Arc::new(Float32Array::from(vec![
                Some(f32::NAN),
                Some(0.1),
                Some(-0.0),
                None,
            ])),
        ),
        (
            "d",
            Arc::new(Float64Array::from(vec![
                f64::INFINITY,
                f64::MIN,
                f64::MAX,
                5e-324,
            ])),
        ),
        (
            "text",
            Arc::new(StringArray::from(vec![
                Some(""),
                Some("a%_\\"),
                Some("\u{df}\u{130}"),
                None,
            ])),
        ),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![&b"a"[..], b"\xff", b"", b"x"])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![
                Some(i32::MIN),
                Some(i32::MAX),
                Some(0),
                None,
            ])),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(times.clone()).with_timezone("UTC")),
        ),
        ("local", Arc::new(TimestampMicrosecondArray::from(times))),
        (
            "box",
            Arc::new(
                FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vectors.clone(), 2),
            ),
        ),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(vectors)),
        ),
        ("nested", Arc::new(StructArray::from(vec![(field, inner)]))),
        ("none", Arc::new(NullArray::new(ROWS))),
        ("two words", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
        ("Sa\"y", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
    ]
}

/// The columns of two tables, of which the second has some of the first one's names.
fn columns() -> (Vec<FilterColumn>, Vec<Option<ArrayRef>>) {
    let names: Arc<[String]> = ["cat", "it's", "dog"].map(str::to_owned).into();
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for (name, array) in arrays() {
        let column = FilterColumn::new("metrics", name, array.data_type().clone());
        columns.push(match name {
            "label" => column.classes(Arc::clone(&names)),
            "small" => column.classes(Arc::from([])),
            _ => column,
        });
        values.push(Some(array));
    }
    for (name, array) in arrays().into_iter().take(3) {
        let column = FilterColumn::new("pets", name, array.data_type().clone());
        let names = names.iter().rev().cloned().collect();
        columns.push(column.classes(names).qualified());
        values.push(Some(array));
    }
    (columns, values)
}

/// A condition over these columns.
pub fn filter(input: &[u8]) {
    thread_local! {
        static COLUMNS: (Vec<FilterColumn>, Vec<Option<ArrayRef>>) = columns();
    }
    let text = String::from_utf8_lossy(input);
    COLUMNS.with(|(columns, values)| {
        let Ok(filter) = Filter::parse(&text, columns) else {
            return;
        };
        assert_eq!(filter.text(), text);
        assert!(filter.columns().iter().all(|place| *place < columns.len()));
        let _ = filter.evaluate(values, 0);
        let Ok(found) = filter.evaluate(values, ROWS) else {
            return;
        };
        assert_eq!(found.len(), ROWS, "{text}");
        // What holds of all rows at once holds of each.
        for row in 0..ROWS {
            let one: Vec<_> = values
                .iter()
                .flatten()
                .map(|array| array.slice(row, 1))
                .collect();
            let one: Vec<_> = one.into_iter().map(Some).collect();
            let of_row = filter.evaluate(&one, 1);
            let of_row = of_row.expect("a row among others was no error");
            assert_eq!(of_row, found.slice(row, 1), "{text}, row {row}");
        }
    });
}

/// Conditions that are right, of every kind that there is.
pub(super) fn good_inputs() -> Vec<Vec<u8>> {
    [
        "loss > 2 AND label = 'cat'",
        "NOT (b OR loss IS NULL) OR d >= 1e300",
        "i + 1 > u * 2 - small / 3 % 4",
        "abs(i) = 9223372036854775807 OR i = -9223372036854775808",
        "u BETWEEN 0 AND 18446744073709551615",
        "label IN ('cat', 'it''s') AND pets.label NOT IN (0, 1, 2)",
        "label IS DISTINCT FROM pets.label",
        "isnan(loss) OR isinf(d) OR isfinite(loss)",
        "text LIKE 'a%' AND text NOT ILIKE '%\u{e9}_' AND length(text) > 1",
        "lower(text) = upper('a') OR text IS NOT NULL",
        "day = DATE '2026-05-01' AND day < DATE '9999-12-31'",
        "at >= TIMESTAMP '2026-05-01 12:30:00.000001+02:00'",
        "local BETWEEN TIMESTAMP '1970-01-01' AND TIMESTAMP '2026-05-01T12:30:00'",
        "\"two words\" = 1 AND \"Sa\"\"y\" <> 2 AND metrics.\"two words\" < 4",
        "nested IS NULL OR list IS NULL OR box IS NOT NULL",
        "nested.score > 1 OR none IS NULL OR bytes IS NULL",
        "(b IS TRUE) = (pets.b IS NOT FALSE)",
        "((((i = 1)))) AND (i = 2 OR (i = 3 AND NOT (i = 4)))",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
