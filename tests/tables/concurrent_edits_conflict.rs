//! Of edits of one revision one is made; every other fails, says what came first, and changes nothing.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::sync::Barrier;

use emberlens::storage::Location;
use emberlens::table::{Columns, Table};
use emberlens::{Error, ErrorKind};
use tempfile::TempDir;

fn table() -> (TempDir, Table) {
    let disk = TempDir::new().unwrap();
    let folder = Location::open(disk.path().to_str().unwrap()).unwrap();
    let columns = Columns::new().with("x", (0..100).collect::<Vec<i64>>());
    let table = Table::create(&folder.join("tables"), "numbers", columns).unwrap();
    (disk, table)
}

fn files(table: &Table) -> usize {
    let names = table.location().list_files().unwrap();
    let data = names.iter().filter(|name| name.ends_with(".parquet"));
    data.count()
}

#[test]
fn an_edit_of_an_old_revision_fails_and_says_what_came_first() {
    let (_disk, table) = table();
    let mine = table.edit().set("x", [1], -1);
    let theirs = table.edit().set("x", [99], -99).author("bob");
    let latest = theirs.commit().unwrap().table;
    let before = files(&table);

    let look = mine.preview().unwrap_err();
    assert_eq!(look.kind(), ErrorKind::Conflict, "{look}");
    let error = mine.commit().unwrap_err();
    assert_eq!(error.to_string(), look.to_string());
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let text = error.to_string();
    for part in [
        "revision 0",
        "revision 1",
        "an edit of x in 1 rows by bob",
        "numbers",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(files(&table), before, "nothing was written");
    assert_eq!(table.latest().unwrap().revision(), 1);
    // The way out: look, and make it again on the latest one.
    let again = latest.edit().set("x", [1], -1).commit().unwrap().table;
    let x = again.column::<i64>("x").unwrap();
    assert_eq!((x[1], x[99]), (-1, -99));
}

#[test]
fn an_append_in_between_is_a_conflict_too() {
    let (_disk, table) = table();
    let edit = table.edit().set("x", [1], -1);
    let appended = table
        .append(Columns::new().with("x", vec![100_i64]))
        .unwrap();
    let error = edit.commit().unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
    assert!(error.to_string().contains("1 more rows"), "{error}");
    // An append that was begun before an edit goes behind it: it moves no row.
    appended.edit().set("x", [2], -2).commit().unwrap();
    let more = table
        .append(Columns::new().with("x", vec![101_i64]))
        .unwrap();
    let x = more.column::<i64>("x").unwrap();
    assert_eq!((x.len(), x[1], x[2], x[101]), (102, 1, -2, 101));
}

#[test]
fn of_edits_at_the_same_moment_one_wins_and_the_losers_leave_nothing() {
    for round in 0..5 {
        let (_disk, table) = table();
        let start = Barrier::new(6);
        let outcomes: Vec<Result<u64, Error>> = std::thread::scope(|scope| {
            let editors: Vec<_> = (0..6)
                .map(|editor| {
                    let (table, start) = (table.clone(), &start);
                    scope.spawn(move || {
                        let edit = table.edit().set("x", [editor], -1);
                        start.wait();
                        edit.commit().map(|edited| edited.table.revision())
                    })
                })
                .collect();
            editors
                .into_iter()
                .map(|editor| editor.join().unwrap())
                .collect()
        });
        let won: Vec<usize> = (0..6).filter(|&editor| outcomes[editor].is_ok()).collect();
        assert_eq!(won.len(), 1, "round {round}: {outcomes:?}");
        let lost = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
        assert!(
            lost.clone()
                .all(|error| error.kind() == ErrorKind::Conflict)
        );
        let latest = table.latest().unwrap();
        let x = latest.column::<i64>("x").unwrap();
        let set: Vec<usize> = (0..100).filter(|&row| x[row] == -1).collect();
        assert_eq!((latest.revision(), set), (1, won), "round {round}");
        assert_eq!(files(&table), 2, "losers take their files back");
    }
}
