//! Whatever call to the store fails while a table is edited, or whenever the process is killed: the table
//! is at the old revision or at the new one, whole, and an edit that was acknowledged is there once.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emberlens::storage::Location;
use emberlens::storage::object_store::ObjectStore;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::{Columns, Table};
use emberlens::{ErrorKind, Result};
use emberlens_testkit::{Call, Fault, FaultStore, Operation};

const ROWS: u64 = 20;

fn rows(from: i64) -> Columns {
    let ids: Vec<i64> = (from..from + ROWS as i64 / 2).collect();
    Columns::new().with("y", ids.clone()).with("x", ids)
}

/// Two files of ten rows each; revision 1.
fn create(folder: &Location) -> Table {
    let table = Table::create(folder, "t", rows(0)).unwrap();
    table.append(rows(ROWS as i64 / 2)).unwrap()
}

/// Edits rows of both files; revision 2.
fn edit(folder: &Location) -> Result<u64> {
    let table = Table::open(folder.join("t"))?;
    let edit = table.edit().set("x", [3, 15], -1).author("ann").note("why");
    Ok(edit.commit()?.table.revision())
}

/// The table is whole, at the old or the new revision; which.
fn check(folder: &Location, what: &str) -> u64 {
    let table = Table::open(folder.join("t")).unwrap();
    let revision = table.revision();
    assert!((1..=2).contains(&revision), "{what}: revision {revision}");
    let x = table.column::<i64>("x").unwrap();
    let expected = (0..ROWS as i64).map(|id| match [3, 15].contains(&id) && revision == 2 {
        true => -1,
        false => id,
    });
    assert!(x.into_iter().eq(expected), "{what}");
    assert!(
        table
            .column::<i64>("y")
            .unwrap()
            .into_iter()
            .eq(0..ROWS as i64)
    );
    let old = table.at_revision(1).unwrap().column::<i64>("x").unwrap();
    assert!(old.into_iter().eq(0..ROWS as i64), "{what}");
    let told = table.revisions().unwrap();
    let edits = told.iter().filter(|one| one.kind.name() == "edited");
    assert_eq!(edits.count() as u64, revision - 1, "{what}");
    revision
}

fn open(store: Arc<dyn ObjectStore>) -> Location {
    Location::in_store(store, "")
        .unwrap()
        .assume_atomic_creates()
}

/// The calls of an edit of which one meets a fault; everything that must hold is checked.
fn attempt(fault: Option<(usize, Fault)>) -> Vec<Call> {
    let inner = Arc::new(InMemory::new());
    create(&open(inner.clone()));
    let store = Arc::new(FaultStore::new(inner.clone(), move |call| {
        let (_, fault) = fault.filter(|(number, _)| *number == call.number)?;
        Some(fault)
    }));
    let outcome = edit(&open(store.clone()));
    let what = match fault {
        None => "no fault".to_owned(),
        Some((number, fault)) => format!("{fault:?} at {:?}", store.calls().get(number)),
    };
    let clean = open(inner);
    let revision = check(&clean, &what);
    match outcome {
        Ok(told) => assert_eq!((told, revision), (2, 2), "{what}"),
        Err(error) => {
            // Nothing else committed, so a conflict would be one with ourselves.
            assert_ne!(
                error.kind(),
                ErrorKind::Conflict,
                "{what}: {}",
                error.chain()
            );
        }
    }
    if revision == 1 {
        assert_eq!(edit(&clean).unwrap(), 2, "{what}");
        assert_eq!(check(&clean, &what), 2);
    }
    store.calls()
}

#[test]
fn every_failed_call_of_an_edit() {
    let calls = attempt(None);
    assert!(calls.len() > 8, "{} calls are too few", calls.len());
    for (number, call) in calls.iter().enumerate() {
        let faults: &[Fault] = match call.operation {
            Operation::Read => &[Fault::Before, Fault::Short],
            Operation::List => &[Fault::Before, Fault::Stale, Fault::Gap],
            _ => &[
                Fault::Before,
                Fault::After,
                Fault::TimeOut,
                Fault::Late,
                Fault::Twice,
            ],
        };
        for &fault in faults {
            attempt(Some((number, fault)));
        }
    }
}

/// Listings do not show what was just committed.
#[test]
fn listings_that_lag_behind_are_no_conflict() {
    let is_late = Arc::new(AtomicBool::new(false));
    let late = is_late.clone();
    let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
        let is_listing = call.operation == Operation::List && late.load(Ordering::SeqCst);
        is_listing.then_some(Fault::Stale)
    });
    let mut table = create(&open(Arc::new(store)));
    is_late.store(true, Ordering::SeqCst);
    for revision in 2..6 {
        let edited = table.edit().set("x", [3], -(revision as i64)).commit();
        table = edited.unwrap().table;
        assert_eq!(table.revision(), revision);
        assert_eq!(table.column::<i64>("x").unwrap()[3], -(revision as i64));
    }
}

/// A process that is killed at every step that an edit makes to the disk.
#[cfg(unix)]
#[test]
fn every_killed_step_of_an_edit() {
    use emberlens_testkit::{KillAt, Moment, Point, test_name};
    use std::process::Command;

    const FOLDER: &str = "EMBERLENS_TEST_EDIT_FOLDER";
    const POINT: &str = "EMBERLENS_TEST_EDIT_POINT";
    let open = |path: &Path| Location::open(path.to_str().unwrap()).unwrap();
    if let Some(folder) = std::env::var_os(FOLDER) {
        let point: Point = std::env::var(POINT).unwrap().parse().unwrap();
        let watched = Location::watched(Path::new(&folder), Arc::new(KillAt::new(point)));
        edit(&watched.unwrap()).unwrap();
        std::process::exit(0);
    }
    let (mut kills, mut old, mut new) = (0, 0, 0);
    for moment in [Moment::Before, Moment::Half, Moment::After] {
        for count in 0.. {
            let disk = tempfile::tempdir().unwrap();
            create(&open(disk.path()));
            let point = Point {
                step: "any".into(),
                count,
                moment,
            };
            let ended = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    &test_name(module_path!(), "every_killed_step_of_an_edit"),
                ])
                .env(FOLDER, disk.path())
                .env(POINT, point.to_string())
                .output()
                .unwrap();
            let folder = open(disk.path());
            let revision = check(&folder, &point.to_string());
            if ended.status.success() {
                assert_eq!(revision, 2);
                break;
            }
            // Ended by the signal, and not by a panic.
            assert_eq!(ended.status.code(), None, "{point}: {ended:?}");
            kills += 1;
            match revision {
                1 => old += 1,
                _ => new += 1,
            }
            if revision == 1 {
                assert_eq!(edit(&folder).unwrap(), 2, "{point}");
                check(&folder, &point.to_string());
            }
        }
    }
    println!("{kills} kills: {old} times the old revision, {new} times the new one");
    assert!(old > 10 && new > 0, "{kills} kills, {old} old, {new} new");
}
