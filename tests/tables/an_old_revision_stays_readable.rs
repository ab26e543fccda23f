//! Promise: an edit makes a new revision; every older one stays readable and means the same rows.

#![allow(clippy::unwrap_used)]

use emberlens::storage::Location;
use emberlens::table::{Column, Columns, Role, Table, values};
use emberlens::{Error, ErrorKind};
use tempfile::TempDir;

fn rows(from: i64, to: i64) -> Columns {
    Columns::new().with("x", (from..to).collect::<Vec<i64>>())
}

fn on_disk() -> (TempDir, Location) {
    let disk = TempDir::new().unwrap();
    let folder = Location::open(disk.path().to_str().unwrap())
        .unwrap()
        .join("tables");
    (disk, folder)
}

#[test]
fn every_revision_reads_its_own_rows() {
    let (_disk, folder) = on_disk();
    let first = Table::create(&folder, "numbers", rows(0, 3)).unwrap();
    assert_eq!((first.revision(), first.row_count()), (0, 3));
    let second = first.append(rows(3, 5)).unwrap();
    let third = second.append(rows(5, 9)).unwrap();
    assert_eq!(third.revision(), 2);

    let opened = Table::open_url(&first.url()).unwrap();
    for (revision, end) in [(0, 3), (1, 5), (2, 9)] {
        let table = opened.at_revision(revision).unwrap();
        assert_eq!(table.row_count(), end as u64);
        assert!(
            table.column::<i64>("x").unwrap().into_iter().eq(0..end),
            "revision {revision}"
        );
    }
    assert_eq!(
        first.column::<i64>("x").unwrap(),
        [0, 1, 2],
        "a table in hand does not move"
    );
    assert_eq!(first.latest().unwrap().revision(), 2);
    let error = opened.at_revision(3).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains('3') && error.to_string().contains('2'),
        "{error}"
    );
}

#[test]
fn rows_of_a_table_of_many_files_keep_their_place_when_more_come() {
    let (_disk, folder) = on_disk();
    // Incompressible bytes, so that the table needs several files.
    let mut state = 1_u32;
    let mut noise = || {
        let mut bytes = vec![0_u8; 1 << 20];
        for byte in &mut bytes {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        bytes
    };
    let count = 90;
    let table = Table::from_dataset(&folder, "large", count, |index| {
        Ok(Columns::new()
            .with("x", vec![index as i64])
            .with("bytes", vec![noise()]))
    });
    let table = table.unwrap();
    assert_eq!(table.revision(), 0, "all files are in one commit");
    let more = Columns::new()
        .with("x", vec![count as i64])
        .with("bytes", vec![vec![0_u8]]);
    let table = table.append(more).unwrap();
    let parts = folder.join("large").list_files().unwrap();
    assert!(
        parts
            .iter()
            .filter(|name| name.ends_with(".parquet"))
            .count()
            > 2,
        "{parts:?}"
    );
    assert!(
        table
            .column::<i64>("x")
            .unwrap()
            .into_iter()
            .eq(0..=count as i64)
    );
}

#[test]
fn writers_at_the_same_time_never_move_a_row() {
    let (_disk, folder) = on_disk();
    let table = Table::create(&folder, "shared", rows(0, 1)).unwrap();
    let revisions: Vec<Table> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let table = table.clone();
                scope.spawn(move || {
                    let starts = (0..5).map(|turn| 1000 * (writer + 1) + 10 * turn);
                    starts
                        .map(|from| table.append(rows(from, from + 10)).unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    let last = table.latest().unwrap().column::<i64>("x").unwrap();
    assert_eq!(last.len(), 1 + 6 * 5 * 10);
    for revision in revisions {
        let seen = revision.column::<i64>("x").unwrap();
        assert_eq!(seen, last[..seen.len()], "revision {}", revision.revision());
    }
}

#[test]
fn an_existing_name_is_never_overwritten() {
    let (_disk, folder) = on_disk();
    Table::create(&folder, "Numbers", rows(0, 3)).unwrap();
    for twin in ["Numbers", "numbers"] {
        let error = Table::create(&folder, twin, rows(5, 6)).unwrap_err();
        assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("append to it, or choose another name"),
            "{error}"
        );
    }
    let kept = Table::open(folder.join("numbers")).unwrap();
    assert_eq!((kept.name(), kept.row_count()), ("Numbers", 3));
    let missing = Table::open(folder.join("others")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn of_many_creators_one_wins_and_the_table_is_whole() {
    let (_disk, folder) = on_disk();
    let won = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..6)
            .map(|creator| {
                let folder = &folder;
                scope.spawn(move || {
                    match Table::create(folder, "race", rows(creator, creator + 4)) {
                        Ok(_) => true,
                        Err(Error::AlreadyExists { .. }) => false,
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        creators
            .into_iter()
            .map(|one| one.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
    let x = Table::open(folder.join("race"))
        .unwrap()
        .column::<i64>("x")
        .unwrap();
    assert!(x.iter().copied().eq(x[0]..x[0] + 4), "{x:?}");
}

#[test]
fn an_append_that_does_not_fit_changes_nothing() {
    let (_disk, folder) = on_disk();
    let weights = Column::from(vec![1.0_f32, 0.0]).role(Role::Weight);
    let columns = Columns::new().with("x", vec![1_i64, 2]).with("w", weights);
    let table = Table::create(&folder, "weighted", columns).unwrap();
    assert_eq!(table.weights().unwrap().unwrap(), [1.0, 0.0]);

    let negative = Columns::new()
        .with("x", vec![3_i64])
        .with("w", vec![-1.0_f32]);
    let error = table.append(negative).unwrap_err().to_string();
    assert!(error.contains("row 2") && error.contains("`w`"), "{error}");
    let lacking = Columns::new().with("w", vec![1.0_f32]);
    assert!(table.append(lacking).is_err(), "a column is missing");
    let wide = Columns::new()
        .with("x", vec![3.5_f64])
        .with("w", vec![1.0_f32]);
    assert!(
        table
            .append(wide)
            .unwrap_err()
            .to_string()
            .contains("Float64")
    );
    assert_eq!(table.latest().unwrap().revision(), 0);

    let good = Columns::new()
        .with("w", vec![0.5_f32])
        .with("x", vec![3_i64]);
    let table = table.append(good).unwrap();
    assert_eq!(table.weights().unwrap().unwrap(), [1.0, 0.0, 0.5]);
    let batch = table.snapshot().read(Some(&["x"])).unwrap();
    assert_eq!(values::<i64>(&batch, "x").unwrap(), [1, 2, 3]);
}

#[test]
fn rows_that_are_appended_without_a_weight_weigh_one() {
    let (_disk, folder) = on_disk();
    let weights = Column::from(vec![0.5_f32, 0.0]).role(Role::Weight);
    let columns = Columns::new().with("x", vec![1_i64, 2]).with("w", weights);
    let table = Table::create(&folder, "weighted", columns).unwrap();
    let longer = table.append(rows(3, 5)).unwrap();
    assert_eq!(longer.weights().unwrap().unwrap(), [0.5, 0.0, 1.0, 1.0]);
}
