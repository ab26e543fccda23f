//! Promise: dates and points in time are compared with those that a filter writes out, and an edit sets
//! them; what is no date is an error.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow_array::{Date32Array, TimestampMicrosecondArray};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Table, Value};

/// Days and microseconds since 1970-01-01, by `date -u -d 2026-05-01 +%s`: 1777593600.
const MAY: i32 = 20_574;
const NOON_US: i64 = (1_777_593_600 + 12 * 3600) * 1_000_000;

fn table() -> Table {
    let folder = Location::open("memory://").unwrap().join("tables");
    let days = Date32Array::from(vec![Some(MAY), Some(MAY - 1), None, Some(-1)]);
    let times =
        TimestampMicrosecondArray::from(vec![Some(NOON_US), Some(NOON_US + 1), None, Some(-1)]);
    let columns = Columns::new()
        .with("day", Column::from_array(Arc::new(days)))
        .with(
            "at",
            Column::from_array(Arc::new(times.with_timezone("UTC"))),
        );
    Table::create(&folder, "seen", columns).unwrap()
}

#[test]
fn a_filter_compares_them() {
    let table = table();
    let rows = |filter: &str| table.rows_where(filter).unwrap();
    assert_eq!(rows("day = DATE '2026-05-01'"), [0]);
    assert_eq!(rows("day < DATE '2026-05-01'"), [1, 3]);
    assert_eq!(rows("day <> DATE '1969-12-31'"), [0, 1]);
    assert_eq!(
        rows("day BETWEEN DATE '2026-04-30' AND DATE '2026-05-01'"),
        [0, 1]
    );
    assert_eq!(
        rows("day IN (DATE '1969-12-31', DATE '2026-05-01')"),
        [0, 3]
    );
    assert_eq!(rows("day IS NULL"), [2]);
    assert_eq!(rows("day IS DISTINCT FROM DATE '2026-05-01'"), [1, 2, 3]);
    assert_eq!(rows("at = TIMESTAMP '2026-05-01 12:00:00'"), [0]);
    assert_eq!(rows("at > TIMESTAMP '2026-05-01T12:00:00'"), [1]);
    assert_eq!(
        rows("at = TIMESTAMP '2026-05-01 14:00:00.000001+02:00'"),
        [1]
    );
    assert_eq!(
        rows("at <= TIMESTAMP '2026-05-01 12:00:00' AND NOT day = DATE '2026-05-01'"),
        [3]
    );
    for (filter, told) in [
        ("day = '2026-05-01'", "DATE '2026-05-01'"),
        ("day = 20574", "a date and a whole number"),
        ("day = at", "a date and a time"),
        ("day = DATE '2026-02-30'", "no date"),
        ("at = TIMESTAMP 'noon'", "no time"),
        ("at = TIME '12:00:00'", "no time"),
        ("day + 1 = DATE '2026-05-01'", "a number is needed"),
    ] {
        let error = table.rows_where(filter).unwrap_err().to_string();
        assert!(error.contains(told), "{filter}: {error}");
    }
}

#[test]
fn an_edit_sets_them() {
    let table = table();
    let edit = table
        .edit()
        .set("day", [2], "2026-05-02")
        .set("day", [3], Value::Null)
        .set("at", [2, 3], "2026-05-01T14:00:00+02:00");
    let edited = edit.commit().unwrap().table;
    assert_eq!(edited.rows_where("day = DATE '2026-05-02'").unwrap(), [2]);
    assert_eq!(edited.rows_where("day IS NULL").unwrap(), [3]);
    let noon = edited
        .rows_where("at = TIMESTAMP '2026-05-01 12:00:00'")
        .unwrap();
    assert_eq!(noon, [0, 2, 3]);
    assert_eq!(edited.diff(0, 1).unwrap().rows, 2);
    for (column, bad) in [
        ("day", Value::from("2026-13-01")),
        ("day", 20_574.into()),
        ("at", "noon".into()),
    ] {
        let error = edited
            .edit()
            .set(column, [0], bad)
            .commit()
            .unwrap_err()
            .to_string();
        assert!(error.contains("is written as 2026-05-01"), "{error}");
    }
    let same = edited
        .edit()
        .set("day", [0], "2026-05-01")
        .commit()
        .unwrap();
    assert!(!same.is_new);
}
