//! Promise: a split gives every row to one part, in the sizes that were asked for; a stratified one keeps
//! the shares of every stratum to within one row, as scikit-learn does; and the same seed gives the same
//! split again.
//!
//! `tests/inputs/splits.py` made the counts with scikit-learn and the members with code of its own.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::Date32Array;
use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Role, Split, Splitting, Table};
use emberlens::{Error, ErrorKind};
use serde::Deserialize;

fn table(columns: Columns) -> Table {
    let folder = Location::open("memory://").unwrap().join("tables");
    Table::create(&folder, "t", columns).unwrap()
}

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
    members: Members,
}

#[derive(Deserialize)]
struct Case {
    classes: Vec<u64>,
    train: Vec<u64>,
    test: Vec<u64>,
}

#[derive(Deserialize)]
struct Members {
    rows: i64,
    seed: u64,
    train: Vec<u64>,
    valid: Vec<u64>,
    test: Vec<u64>,
}

fn reference() -> Reference {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/splits.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Rows of every class in a part.
fn counts(split: &Split, part: &str, labels: &[i32], classes: usize) -> Vec<u64> {
    let mut counts = vec![0; classes];
    for &row in split.rows(part).unwrap() {
        counts[labels[row as usize] as usize] += 1;
    }
    counts
}

#[test]
fn strata_have_the_counts_that_scikit_learn_gives_them() {
    for (number, case) in (0_u64..).zip(reference().cases) {
        let labels = (0..).zip(&case.classes);
        // Not sorted by class: their rows lie among one another.
        let mut labels: Vec<(u64, i32)> = labels
            .flat_map(|(class, &count)| (0..count).map(move |row| (row, class)))
            .collect();
        labels.sort_unstable();
        let labels: Vec<i32> = labels.into_iter().map(|(_, class)| class).collect();
        let table = table(Columns::new().with("label", labels.clone()));
        let sizes = [
            ("train", case.train.iter().sum()),
            ("test", case.test.iter().sum()),
        ];
        let splitting = Splitting::counts(sizes).stratify("label").seed(number);
        let split = table.split(&splitting.allow_small_strata()).unwrap();
        let classes = case.classes.len();
        assert_eq!(
            counts(&split, "train", &labels, classes),
            case.train,
            "case {number}"
        );
        assert_eq!(
            counts(&split, "test", &labels, classes),
            case.test,
            "case {number}"
        );
    }
}

#[test]
fn a_seed_gives_the_same_members_everywhere() {
    let known = reference().members;
    let table = table(Columns::new().with("x", (0..known.rows).collect::<Vec<i64>>()));
    let parts = Splitting::fractions([("train", 0.7), ("valid", 0.2), ("test", 0.1)]);
    let splitting = parts.seed(known.seed);
    for threads in [1, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let split = pool.build().unwrap().install(|| table.split(&splitting));
        let split = split.unwrap();
        assert_eq!(split.rows("train").unwrap(), known.train);
        assert_eq!(split.rows("valid").unwrap(), known.valid);
        assert_eq!(split.rows("test").unwrap(), known.test);
        assert_eq!(split.rows("tests"), None);
        assert_eq!(
            split.names().collect::<Vec<_>>(),
            ["train", "valid", "test"]
        );
    }
    let other = table.split(&splitting.clone().seed(8)).unwrap();
    assert_ne!(other.rows("train").unwrap(), known.train);
    // Appended rows are another table; the old revision still has its split.
    let more = table.append(Columns::new().with("x", vec![7_i64])).unwrap();
    let again = more.at_revision(0).unwrap().split(&splitting).unwrap();
    assert_eq!(again.rows("test").unwrap(), known.test);
}

#[test]
fn every_row_lands_in_every_part_equally_often() {
    let labels: Vec<i32> = (0..30).map(|row| row % 3).collect();
    let table = table(Columns::new().with("label", labels));
    for stratify in [None, Some("label")] {
        let mut hits = [0_u32; 30];
        for seed in 0..2_000 {
            let mut splitting = Splitting::fractions([("train", 0.8), ("test", 0.2)]).seed(seed);
            if let Some(column) = stratify {
                splitting = splitting.stratify(column);
            }
            let split = table.split(&splitting).unwrap();
            for &row in split.rows("test").unwrap() {
                hits[row as usize] += 1;
            }
        }
        // 2000 draws of 0.2: 400 expected, 5 standard deviations are 5 sqrt(2000 x 0.16) = 89.
        assert!(hits.iter().all(|hits| hits.abs_diff(400) < 89), "{hits:?}");
    }
}

/// Of three rows of a class one part has two: which, is drawn for each class.
#[test]
fn what_does_not_divide_goes_to_every_part_equally_often() {
    let labels: Vec<i32> = (0..30).map(|row| row % 10).collect();
    let table = table(Columns::new().with("label", labels.clone()));
    let mut more = [0_u32; 10];
    for seed in 0..1_000 {
        let halves = Splitting::fractions([("train", 0.5), ("test", 0.5)]);
        let split = table.split(&halves.stratify("label").seed(seed)).unwrap();
        for (more, count) in more.iter_mut().zip(counts(&split, "train", &labels, 10)) {
            assert!((1..=2).contains(&count));
            *more += u32::from(count == 2);
        }
    }
    // Of 1000 draws 500 are expected, 5 standard deviations are 5 sqrt(250) = 79.
    assert!(more.iter().all(|more| more.abs_diff(500) < 79), "{more:?}");
}

#[test]
fn a_split_is_a_column_of_the_next_revision() {
    let label = Column::from(vec![0_i32, 1, 0, 1, 0, 1, 0, 1]).role(Role::category(["cat", "dog"]));
    let first = table(Columns::new().with("label", label));
    let splitting = Splitting::fractions([("train", 0.5), ("valid", 0.5)]).stratify("label");
    let split = first.split(&splitting).unwrap();
    let second = split.edit("split").author("ann").commit().unwrap().table;
    assert_eq!(second.revision(), 1);
    let names = second.column::<String>("split").unwrap();
    for part in ["train", "valid"] {
        let rows = second.rows_where(&format!("split = '{part}'")).unwrap();
        assert_eq!(rows, split.rows(part).unwrap());
        assert_eq!(rows.len(), 4);
        let ids = split.example_ids(part).unwrap();
        assert!(ids.iter().all(|&id| names[id as usize] == part));
        let cats = second.rows_where(&format!("split = '{part}' AND label = 'cat'"));
        assert_eq!(cats.unwrap().len(), 2);
    }
    // Again, with other parts: the column is there, and an edit of the old revision is a conflict.
    let again = second
        .split(&Splitting::counts([("train", 7), ("test", 1)]))
        .unwrap();
    let third = again.edit("split").commit().unwrap().table;
    assert_eq!(third.rows_where("split = 'test'").unwrap().len(), 1);
    let late = split.edit("fold").commit().unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Conflict);
}

fn refused(table: &Table, splitting: Splitting) -> String {
    let error = table.split(&splitting).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

#[test]
fn what_strata_cannot_be_is_told() {
    let label =
        Column::from(vec![0_i32, 1, 0, 0, 0, 0, 2]).role(Role::category(["cat", "dog", "emu"]));
    let dates: Vec<i32> = (0..7).map(|row| row / 4).collect();
    let table = table(
        Columns::new()
            .with("label", label)
            .with("weight", vec![1.0_f32; 7])
            .with(
                "day",
                Column::from_array(Arc::new(Date32Array::from(dates))),
            )
            .with("good", vec![true, true, true, false, false, false, false])
            .with(
                "site",
                vec![
                    Some("a"),
                    Some("a"),
                    None,
                    Some("b"),
                    Some("b"),
                    Some("b"),
                    Some("b"),
                ]
                .into_iter()
                .map(|site| site.map(str::to_owned))
                .collect::<Vec<_>>(),
            ),
    );
    let halves = || Splitting::fractions([("train", 0.5), ("test", 0.5)]);
    let error = refused(&table, halves().stratify("site"));
    assert!(
        error.contains("`site`") && error.contains("null in row 2"),
        "{error}"
    );
    let error = refused(&table, halves().stratify("weight"));
    assert!(
        error.contains("Float32") && error.contains("ranges"),
        "{error}"
    );
    assert!(matches!(
        table.split(&halves().stratify("labels")),
        Err(Error::MissingColumn { column, .. }) if column == "labels"
    ));
    let error = refused(&table, halves().stratify("label"));
    assert!(
        error.contains("dog (1)") && error.contains("1 of the rows") && error.contains("1 more"),
        "{error}"
    );
    let small = halves().stratify("label").allow_small_strata();
    let split = table.split(&small).unwrap();
    assert_eq!(
        split.rows("train").unwrap().len() + split.rows("test").unwrap().len(),
        7
    );
    for column in ["day", "good"] {
        assert!(table.split(&halves().stratify(column)).is_ok(), "{column}");
    }
}

#[test]
fn a_table_without_rows_has_no_split() {
    let none: Vec<i64> = Vec::new();
    let error = refused(
        &table(Columns::new().with("x", none)),
        Splitting::fractions([("train", 1.0)]),
    );
    assert!(error.contains("no rows"), "{error}");
}
