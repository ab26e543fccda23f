//! Undoing a revision sets exactly its cells back, as a new revision; what came after it stays.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::storage::Location;
use emberlens::table::{Column, ColumnKind, Columns, RevisionKind, Role, Table};

fn table() -> Table {
    let folder = Location::open("memory://").unwrap().join("tables");
    let labels = Column::from(vec![0_i32; 6]).role(Role::category(["cat", "dog"]));
    let columns = Columns::new()
        .with("x", (0..6).collect::<Vec<i64>>())
        .with("label", labels);
    let table = Table::create(&folder, "pets", columns).unwrap();
    let labels = Column::from(vec![1_i32; 4]).role(Role::category(["cat", "dog"]));
    let more = Columns::new()
        .with("x", (6..10).collect::<Vec<i64>>())
        .with("label", labels);
    table.append(more).unwrap()
}

fn labels(table: &Table) -> Vec<i32> {
    table.column("label").unwrap()
}

#[test]
fn what_came_after_stays() {
    let table = table();
    let original = labels(&table);
    let table = table.edit().set("label", [0, 7], "dog").set("x", [1], 100);
    let table = table.commit().unwrap().table;
    let table = table
        .edit()
        .set("label", [1], "dog")
        .commit()
        .unwrap()
        .table;
    let with_both = labels(&table);
    let undone = table
        .undo(2)
        .unwrap()
        .author("ann")
        .note("no")
        .commit()
        .unwrap();
    // Row 7 was a dog before: the revision did not change it.
    assert_eq!(undone.rows, 2);
    let table = undone.table;
    let mut expected = original;
    expected[1] = 1;
    assert_eq!(labels(&table), expected);
    assert!(table.column::<i64>("x").unwrap().into_iter().eq(0..10));
    let told = table.revisions().unwrap().pop().unwrap();
    let kind = RevisionKind::Undone {
        revision: 2,
        columns: vec!["x".into(), "label".into()],
        rows: 2,
    };
    assert_eq!((told.kind, told.author.as_deref()), (kind, Some("ann")));

    // The undoing can be undone.
    let table = table.undo(4).unwrap().commit().unwrap().table;
    assert_eq!(labels(&table), with_both);
    assert_eq!(table.column::<i64>("x").unwrap()[1], 100);
    assert_eq!(labels(&table.at_revision(4).unwrap()), expected);
}

#[test]
fn cells_that_were_changed_again_are_a_conflict() {
    let table = table();
    let table = table
        .edit()
        .set("label", [0, 1], "dog")
        .commit()
        .unwrap()
        .table;
    let table = table
        .edit()
        .set("label", [1], "cat")
        .commit()
        .unwrap()
        .table;
    let table = table.edit().set("x", [0], 5).commit().unwrap().table;
    let error = table.undo(2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("`label` of row 1"), "{error}");
    // The way out: undo the later one first.
    let table = table.undo(3).unwrap().commit().unwrap().table;
    let table = table.undo(2).unwrap().commit().unwrap().table;
    assert_eq!(labels(&table)[..2], [0, 0]);
    assert_eq!(table.column::<i64>("x").unwrap()[0], 5);
}

#[test]
fn rows_appended_since_and_columns_added_stay() {
    let table = table();
    let tagged = table.edit().add_column("tag", ColumnKind::String);
    let tagged = tagged.add_column("w", ColumnKind::Weight);
    let tagged = tagged.set("tag", [2], "odd").set("w", [3], 0);
    let table = tagged.commit().unwrap().table;
    let label = Column::from(vec![1_i32]).role(Role::category(["cat", "dog"]));
    let more = Columns::new()
        .with("x", vec![10_i64])
        .with("label", label)
        .with("tag", vec!["new"])
        .with("w", Column::from(vec![0.5_f32]).role(Role::Weight));
    let table = table.append(more).unwrap();
    let table = table.undo(2).unwrap().commit().unwrap().table;
    assert_eq!(table.row_count(), 11);
    let tags = table.column::<Option<String>>("tag").unwrap();
    assert_eq!(tags.iter().flatten().collect::<Vec<_>>(), ["new"]);
    let weights = table.weights().unwrap().unwrap();
    assert_eq!((weights[3], weights[10]), (1.0, 0.5));
}

#[test]
fn revisions_without_cells_are_not_undone() {
    let table = table();
    for (revision, part) in [(0, "made the table"), (1, "10 rows of 6")] {
        let error = table.undo(revision).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = table.undo(9).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("`9`") && !error.to_string().contains('8'),
        "{error}"
    );
    let added = table.edit().add_column("tag", ColumnKind::Bool).commit();
    let error = added.unwrap().table.undo(2).unwrap_err();
    assert!(error.to_string().contains("changed no cell"), "{error}");
}
