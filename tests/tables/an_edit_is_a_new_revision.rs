//! An edit is a new revision: the rows keep their places, only files with edited rows are written anew,
//! older revisions stay as they were, and the log tells who changed what and why.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Command;

use emberlens::collect::collect_metrics;
use emberlens::run::Project;
use emberlens::storage::Location;
use emberlens::table::{
    Column, ColumnKind, Columns, ImageStorage, RevisionKind, Role, Table, Value,
};
use emberlens::{Error, ErrorKind};
use tempfile::TempDir;

fn rows(from: i64, to: i64) -> Columns {
    let ids: Vec<i64> = (from..to).collect();
    let labels: Vec<i32> = ids.iter().map(|id| (id % 3) as i32).collect();
    let weights: Vec<f32> = ids.iter().map(|_| 1.0).collect();
    let label = Column::from(labels).role(Role::category(["cat", "dog", "cow"]));
    Columns::new()
        .with("x", ids)
        .with("label", label)
        .with("weight", Column::from(weights).role(Role::Weight))
}

/// Thirty rows in three files.
fn table() -> (TempDir, Table) {
    let disk = TempDir::new().unwrap();
    let folder = Location::open(disk.path().to_str().unwrap()).unwrap();
    let first = Table::create(&folder.join("tables"), "pets", rows(0, 10)).unwrap();
    let second = first.append(rows(10, 20)).unwrap();
    let third = second.append(rows(20, 30)).unwrap();
    (disk, third)
}

fn files(table: &Table) -> BTreeSet<String> {
    let names = table.location().list_files().unwrap();
    names
        .into_iter()
        .filter(|name| name.ends_with(".parquet"))
        .collect()
}

#[test]
fn only_files_with_edited_rows_are_written_anew() {
    let (_disk, table) = table();
    let before = files(&table);
    let edit = table
        .edit()
        .set("label", [19, 12, 12], "cow")
        .set("weight", [11], 0);
    let preview = edit.preview().unwrap();
    assert_eq!(files(&table), before, "a look writes nothing");
    assert_eq!((preview.rows, preview.selected, preview.parent), (3, 3, 2));
    // Row 2 is a cow already; nobody else is meant, or nobody at all.
    let same = table.edit().set("label", [2, 2], "cow").preview().unwrap();
    assert_eq!((same.rows, same.selected), (0, 1));
    let none = table.edit().set("label", [], "cow").preview().unwrap();
    assert_eq!((none.rows, none.selected), (0, 0));
    let all = table.edit().set_all("weight", 1).preview().unwrap();
    assert_eq!((all.rows, all.selected), (0, 30));
    assert_eq!(
        preview.columns,
        [("label".to_owned(), 2), ("weight".to_owned(), 1)]
    );

    let edited = edit.author("ann").note("a look at 7").commit().unwrap();
    assert_eq!(
        (edited.rows, edited.is_new, edited.table.revision()),
        (3, true, 3)
    );
    assert_eq!(files(&table).difference(&before).count(), 1);
    let labels = edited.table.column::<i32>("label").unwrap();
    let expected = |id: usize| {
        if [12, 19].contains(&id) {
            2
        } else {
            (id % 3) as i32
        }
    };
    assert!(labels.into_iter().eq((0..30).map(expected)));
    assert!(
        edited
            .table
            .column::<i64>("x")
            .unwrap()
            .into_iter()
            .eq(0..30)
    );
    let weights = edited.table.weights().unwrap().unwrap();
    let zeros: Vec<usize> = (0..30).filter(|&row| weights[row] == 0.0).collect();
    assert_eq!(zeros, [11]);

    let old = Table::open_url(&table.url())
        .unwrap()
        .at_revision(2)
        .unwrap();
    let labels = old.column::<i32>("label").unwrap();
    assert!(labels.into_iter().eq((0..30).map(|id| id % 3)));
    assert_eq!(old.weights().unwrap().unwrap(), [1.0; 30]);
}

#[test]
fn the_log_tells_who_why_and_from_which_revision() {
    let (_disk, table) = table();
    let edit = table.edit().set("label", [1, 4], "cow");
    let table = edit
        .author("ann")
        .note("two\nlines")
        .commit()
        .unwrap()
        .table;
    let table = table.edit().set_all("weight", 2.5).commit().unwrap().table;
    let table = table.append(rows(30, 34)).unwrap();
    let told = table.revisions().unwrap();
    let kinds: Vec<&str> = told.iter().map(|one| one.kind.name()).collect();
    assert_eq!(
        kinds,
        [
            "created", "appended", "appended", "edited", "edited", "appended"
        ]
    );
    assert_eq!(told[0].kind, RevisionKind::Created { rows: 10 });
    assert_eq!(told[5].kind, RevisionKind::Appended { rows: 4 });
    let edited = RevisionKind::Edited {
        columns: vec!["label".into()],
        rows: 2,
    };
    assert_eq!(told[3].kind, edited);
    assert_eq!(told[3].author.as_deref(), Some("ann"));
    assert_eq!(told[3].note.as_deref(), Some("two\nlines"));
    assert_eq!((&told[4].author, &told[4].note), (&None, &None));
    let parents: Vec<Option<u64>> = told.iter().map(|one| one.parent).collect();
    assert_eq!(parents, [None, Some(0), Some(1), Some(2), Some(3), Some(4)]);
    let times: Vec<i64> = told.iter().map(|one| one.time_us.unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 1_700_000_000_000_000);
    // An older revision knows its own past only.
    assert_eq!(
        table.at_revision(3).unwrap().revisions().unwrap(),
        told[..4]
    );
}

#[test]
fn the_difference_of_two_revisions_is_what_was_set() {
    let (_disk, table) = table();
    let second = table
        .edit()
        .set("label", [25, 4], "cow")
        .set("weight", [4], 0.1_f32);
    let second = second.commit().unwrap().table;
    let third = second
        .edit()
        .set("label", [25], "dog")
        .add_column("tag", ColumnKind::String);
    let third = third.set("tag", [0, 29], "odd").commit().unwrap().table;

    let seen = |from, to| -> Vec<(u64, String, Value, Value)> {
        let difference = third.diff(from, to).unwrap();
        let changes = difference.changes.into_iter();
        changes
            .map(|one| (one.row, one.column.to_string(), one.old, one.new))
            .collect()
    };
    let cell = |row, column: &str, old: Value, new: Value| (row, column.to_owned(), old, new);
    assert_eq!(
        seen(2, 3),
        [
            cell(4, "label", 1.into(), 2.into()),
            cell(4, "weight", 1.0.into(), 0.1.into()),
            cell(25, "label", 1.into(), 2.into()),
        ]
    );
    assert_eq!(seen(3, 2)[1], cell(4, "weight", 0.1.into(), 1.0.into()));
    // 25 is a dog again.
    assert_eq!(
        seen(2, 4),
        [
            cell(0, "tag", Value::Null, "odd".into()),
            cell(4, "label", 1.into(), 2.into()),
            cell(4, "weight", 1.0.into(), 0.1.into()),
            cell(29, "tag", Value::Null, "odd".into()),
        ]
    );
    let whole = third.diff(0, 4).unwrap();
    assert_eq!((whole.rows_before, whole.rows_after), (10, 30));
    assert_eq!(
        (whole.columns_added, whole.rows),
        (vec!["tag".to_owned()], 2)
    );
    assert!(third.diff(3, 3).unwrap().is_empty());
    assert_eq!(third.diff(3, 9).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn nothing_to_change_is_no_revision() {
    let (_disk, table) = table();
    let edited = table.edit().set("label", [3], "cat").commit().unwrap();
    assert!(!edited.is_new && edited.rows == 0);
    assert_eq!(edited.table.latest().unwrap().revision(), 2);
    let none = table.edit().set("label", [], "dog").commit().unwrap();
    assert!(!none.is_new);
    // Half of these rows are dogs already.
    let edited = table.edit().set("label", [0, 1], "dog").commit().unwrap();
    assert_eq!((edited.rows, edited.table.revision()), (1, 3));
}

#[test]
fn columns_come_with_nulls_and_weights_with_ones() {
    let folder = Location::open("memory://").unwrap().join("tables");
    let table = Table::create(&folder, "bare", Columns::new().with("x", vec![1_i64, 2, 3]));
    let table = table.unwrap();
    let tagged = table.edit().add_column("tag", ColumnKind::String);
    let tagged = tagged.commit().unwrap();
    assert!(tagged.is_new);
    let table = tagged.table;
    let none = [None::<String>, None, None];
    assert_eq!(table.column::<Option<String>>("tag").unwrap(), none);

    let weighted = table.edit().add_column("w", ColumnKind::Weight);
    let table = weighted.set("w", [1], 0).commit().unwrap().table;
    assert_eq!(table.weights().unwrap().unwrap(), [1.0, 0.0, 1.0]);
    for (name, part) in [("w", "`w`"), ("W", "`W`"), ("two words", "two_words")] {
        let error = table.edit().add_column(name, ColumnKind::Bool).commit();
        let error = error.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let second = table.edit().add_column("w2", ColumnKind::Weight).commit();
    assert!(second.unwrap_err().to_string().contains("weight already"));
    let table = table
        .edit()
        .set_each("tag", [(2, "c"), (0, "a"), (2, "z")])
        .set_each("x", [(1, Some(20)), (0, None)])
        .commit()
        .unwrap()
        .table;
    let tags = table.column::<Option<String>>("tag").unwrap();
    assert_eq!(tags, [Some("a".to_owned()), None, Some("z".to_owned())]);
    let x = table.column::<Option<i64>>("x").unwrap();
    assert_eq!(x, [None, Some(20), Some(3)]);
}

#[test]
fn what_a_column_does_not_take_is_refused_and_nothing_changes() {
    let (_disk, table) = table();
    let before = files(&table);
    let refused = |edit: emberlens::table::Edit, part: &str| {
        let error = edit.commit().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(table.edit().set("label", [0], 3), "0 cat, 1 dog, 2 cow");
    refused(table.edit().set("label", [0], "hen"), "hen");
    refused(table.edit().set("weight", [0], -1), "0 or more");
    refused(table.edit().set("weight", [0], Value::Null), "null");
    refused(table.edit().set("x", [0], 0.5), "Int64");
    refused(table.edit().set("y", [0], 1), "x, label, weight");
    refused(table.edit().set("x", [5, 30], 1), "30 rows");
    refused(table.edit(), "changes no cell");
    refused(table.edit().set("x", [0], 1).author("a\nb"), "one line");
    refused(table.edit().set("x", [0], 1).author(" "), "one line");
    assert_eq!(files(&table), before);
    assert_eq!(table.latest().unwrap().revision(), 2);

    let image = Role::Image {
        storage: ImageStorage::Bytes,
    };
    let folder = table.location().parent().unwrap();
    let columns = Columns::new()
        .with("id", Column::from(vec!["a"]).role(Role::Id))
        .with("image", Column::from(vec![vec![1_u8]]).role(image));
    let images = Table::create(&folder, "images", columns).unwrap();
    refused(images.edit().set("id", [0], "b"), "identifies");
    refused(images.edit().set("image", [0], "b"), "images");
}

#[test]
fn a_damaged_file_is_not_copied_with_a_new_checksum() {
    let (disk, table) = table();
    let name = files(&table).into_iter().next().unwrap();
    let path = disk.path().join("tables/pets").join(&name);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = table.edit().set("label", [2, 15], "cat").commit();
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(&name), "{error}");
    // Rows of other files can be edited.
    let edited = table.edit().set("label", [15], "dog").commit().unwrap();
    assert_eq!(edited.table.revision(), 3);
}

#[test]
fn a_run_records_the_revision_that_it_was_given() {
    let disk = TempDir::new().unwrap();
    let project = Project::open(disk.path().to_str().unwrap(), "p").unwrap();
    let table = project.create_table("pets", rows(0, 4)).unwrap();
    let edited = table.edit().set("label", [0], "dog").set("weight", [3], 0);
    edited.commit().unwrap();
    let latest = Table::open_url(&table.url()).unwrap();
    let collect = |name: &str, table: &Table| {
        let run = project.run(name).input(table).start().unwrap();
        let report = collect_metrics(&vec![0_i64, 1, 2, 3])
            .collector(|batch: &Vec<i64>, _: &()| Ok(Columns::new().with("x", batch.clone())))
            .table(table)
            .split("train")
            .epoch(0)
            .exclude_zero_weights(true)
            .into_run(&run)
            .unwrap();
        run.complete().unwrap();
        let reader = run.reader().unwrap();
        let pass = &reader.passes("default")[0];
        let joined = pass.table.as_ref().unwrap().revision;
        let inputs: Vec<(String, u64)> = reader
            .inputs()
            .iter()
            .map(|input| (input.url.clone(), input.revision))
            .collect();
        let opened = reader.input_table(&reader.inputs()[0]).unwrap();
        (
            report.rows,
            joined,
            inputs,
            opened.column::<i32>("label").unwrap()[0],
        )
    };
    let input = |revision| vec![("tables/pets".to_owned(), revision)];
    // Whoever opens a table gets the latest revision; a pinned one stays the one.
    assert_eq!(collect("latest", &latest), (3, 1, input(1), 1));
    let pinned = latest.at_revision(0).unwrap();
    assert_eq!(collect("pinned", &pinned), (4, 0, input(0), 0));
}

#[test]
fn other_tools_read_every_revision() {
    let Ok(python) = std::env::var("EMBERLENS_PYTHON") else {
        println!("skipped: EMBERLENS_PYTHON names no Python with polars, deltalake and duckdb");
        return;
    };
    let (disk, table) = table();
    let edit = table.edit().add_column("tag", ColumnKind::String);
    let edit = edit.set("label", [4, 25], "cow").set("tag", [25], "odd");
    edit.author("ann").note("why").commit().unwrap();
    let script = r#"
import sys, polars
from deltalake import DeltaTable
path = sys.argv[1]
for version, label, tag in [(2, 1, "missing"), (3, 2, "odd")]:
    delta = DeltaTable(path, version=version)
    rows = delta.to_pyarrow_table().sort_by("x").to_pylist() if hasattr(delta, "to_pyarrow_table") else polars.read_delta(path, version=version).sort("x").to_dicts()
    seen = polars.read_delta(path, version=version).sort("x").to_dicts()
    assert rows == seen
    assert len(seen) == 30
    assert [seen[4]["label"], seen[25]["label"]] == [label, label], seen
    assert seen[25].get("tag", "missing") == tag, seen[25]
history = DeltaTable(path).history()
latest = history[0]
assert latest["operation"] == "UPDATE", latest
assert latest["userMetadata"] == "why", latest
assert "ann" in str(latest["emberlens"]), latest
print("ok")
"#;
    let output = Command::new(python)
        .args(["-c", script])
        .arg(disk.path().join("tables/pets"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(text, "ok\n", "{errors}");
}
