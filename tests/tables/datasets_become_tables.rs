//! Promise: anything with a length and rows becomes a table, whole or not at all.

#![allow(clippy::unwrap_used)]

use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable, Table};
use emberlens::{Error, ErrorKind};

fn tables() -> Location {
    Location::open("memory://").unwrap().join("tables")
}

/// The error text of an import that must leave no table.
fn refused(import: impl FnOnce(&Location) -> Result<Table, Error>) -> String {
    let folder = tables();
    let error = import(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(
        folder.join("t").is_empty().unwrap(),
        "something was left behind"
    );
    error.chain()
}

#[test]
fn a_dataset_that_fails_in_the_middle_leaves_no_table() {
    let folder = tables();
    let failing = Table::from_dataset(&folder, "t", 1000, |index| {
        if index == 700 {
            return Err(Error::user("the disk went away"));
        }
        Ok(Columns::new().with("x", vec![index as i64]))
    });
    let error = failing.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UserCode);
    let text = error.chain();
    assert!(
        text.contains("index 700") && text.contains("the disk went away"),
        "{text}"
    );
    assert!(!DeltaTable::exists(&folder.join("t")).unwrap());
    assert!(
        folder.join("t").is_empty().unwrap(),
        "files were left behind"
    );

    let chunks = Table::from_dataset(&folder, "t", 1000, |index| {
        let chunk: Vec<i64> = (index..(index + 300).min(1000))
            .map(|row| row as i64)
            .collect();
        Ok(Columns::new().with("x", chunk))
    });
    assert!(
        chunks
            .unwrap()
            .column::<i64>("x")
            .unwrap()
            .into_iter()
            .eq(0..1000)
    );
}

#[test]
fn a_dataset_whose_rows_disagree_is_refused_with_its_column() {
    let error = refused(|at| {
        Table::from_dataset(at, "t", 3, |index| {
            Ok(match index {
                2 => Columns::new().with("x", vec![0.5_f32]),
                _ => Columns::new().with("x", vec![1_i64]),
            })
        })
    });
    assert!(
        error.contains("`x`") && error.contains("Float32") && error.contains("Int64"),
        "{error}"
    );
    let empty = Columns::new().with("x", Vec::<i64>::new());
    refused(|at| Table::from_dataset(at, "t", 3, |_| Ok(empty.clone())));
    refused(|at| Table::from_dataset(at, "t", 0, |_| Ok(empty.clone())));
}
