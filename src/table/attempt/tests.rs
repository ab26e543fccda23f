use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use emberlens_testkit::{Call, Fault, FaultStore, Operation};
use object_store::memory::InMemory;

use super::*;
use crate::storage::Location;
use crate::table::Columns;

fn rows(x: i64) -> RecordBatch {
    Columns::new()
        .with("x", vec![x])
        .into_batch("test")
        .unwrap()
}

/// A table of one row whose next commit meets that fault, and what is really in it.
fn table(fault: Fault) -> (DeltaTable, DeltaTable) {
    let inner = Arc::new(InMemory::new());
    let open = |store| {
        let place = Location::in_store(store, "t").unwrap();
        place.assume_atomic_creates()
    };
    let clean = DeltaTable::create(open(inner.clone()), &rows(0).schema()).unwrap();
    clean.append("first", 0, &[rows(1)]).unwrap();
    let mut is_armed = true;
    let store = FaultStore::new(inner, move |call| {
        let is_commit = call.operation == Operation::Create && call.path.contains("_delta_log");
        (is_commit && std::mem::take(&mut is_armed)).then_some(fault)
    });
    (DeltaTable::open(open(Arc::new(store))).unwrap(), clean)
}

#[test]
fn a_commit_whose_outcome_was_unknown_has_its_own_version_and_is_there_once() {
    for fault in [Fault::Before, Fault::After, Fault::TimeOut, Fault::Late] {
        let (table, clean) = table(fault);
        assert!(table.replace_rows_after(1, &rows(2)).unwrap(), "{fault:?}");
        let snapshot = clean.snapshot().unwrap();
        assert_eq!(snapshot.version(), 2, "{fault:?}");
        assert_eq!(snapshot.row_count().unwrap(), 1, "{fault:?}");
        assert!(!table.replace_rows_after(1, &rows(3)).unwrap(), "{fault:?}");
    }
}

/// A client that sends a commit again is told that its own version is taken.
#[test]
fn a_conflict_with_itself_is_a_commit() {
    let store = FaultStore::new(Arc::new(InMemory::new()), |call| {
        (call.operation == Operation::Create).then_some(Fault::Twice)
    });
    let place = Location::in_store(Arc::new(store), "t").unwrap();
    let place = place.assume_atomic_creates();
    let table = DeltaTable::create(place, &rows(0).schema()).unwrap();
    assert_eq!(table.append("w", 0, &[rows(1)]).unwrap(), 1);
    assert!(table.replace_rows_after(1, &rows(2)).unwrap());
    assert!(!table.replace_rows_after(1, &rows(2)).unwrap());
    assert_eq!(table.append("v", 0, &[rows(3)]).unwrap(), 3);
    let snapshot = table.snapshot().unwrap();
    assert_eq!((snapshot.version(), snapshot.row_count().unwrap()), (3, 2));
}

/// A commit that fails after it was done, and listings that do not show it for a while.
#[test]
fn a_listing_that_lags_behind_makes_no_loser_of_the_winner() {
    let inner = Arc::new(InMemory::new());
    let (mut is_armed, mut stale) = (false, 0);
    let store = FaultStore::new(inner.clone(), move |call| {
        let is_commit = call.operation == Operation::Create && call.path.contains("_delta_log");
        if is_commit && call.path.ends_with("02.json") && !std::mem::replace(&mut is_armed, true) {
            return Some(Fault::After);
        }
        if is_armed && call.operation == Operation::List && stale < 4 {
            stale += 1;
            return Some(Fault::Stale);
        }
        None
    });
    let place = Location::in_store(Arc::new(store), "t").unwrap();
    let place = place.assume_atomic_creates();
    let table = DeltaTable::create(place, &rows(0).schema()).unwrap();
    table.append("first", 0, &[rows(1)]).unwrap();
    assert!(
        table.replace_rows_after(1, &rows(2)).unwrap(),
        "it was ours"
    );
    let clean = DeltaTable::open(Location::in_store(inner, "t").unwrap()).unwrap();
    let snapshot = clean.snapshot().unwrap();
    assert_eq!((snapshot.version(), snapshot.row_count().unwrap()), (2, 1));
}

/// Every answer is a time-out, and what was sent arrives after the last look.
#[test]
fn a_commit_without_an_answer_may_still_arrive_and_is_there_once() {
    let inner = Arc::new(InMemory::new());
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let store = Arc::new(FaultStore::new(inner, move |call| {
        let is_commit = call.operation == Operation::Create && call.path.contains("_delta_log");
        (is_commit && down.load(Ordering::SeqCst)).then_some(Fault::Later)
    }));
    let place = |folder| {
        let place = Location::in_store(store.clone(), folder).unwrap();
        place.assume_atomic_creates()
    };
    let table = DeltaTable::create(place("t"), &rows(0).schema()).unwrap();
    is_down.store(true, Ordering::SeqCst);
    let errors = [
        table.append("w", 0, &[rows(1)]).unwrap_err(),
        DeltaTable::create(place("other"), &rows(0).schema()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
        assert!(error.to_string().contains("may still arrive"), "{error}");
    }
    is_down.store(false, Ordering::SeqCst);
    assert_eq!(table.snapshot().unwrap().version(), 0);
    assert!(futures::executor::block_on(store.deliver()) > 2);
    assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 1);
    assert_eq!(table.append("w", 0, &[rows(1)]).unwrap(), 1);
    assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 1);
    assert!(DeltaTable::exists(&place("other")).unwrap());
}

#[test]
fn an_append_that_arrives_late_is_there_once() {
    let (table, clean) = table(Fault::Late);
    assert_eq!(table.append("second", 0, &[rows(2)]).unwrap(), 2);
    assert_eq!(clean.snapshot().unwrap().row_count().unwrap(), 2);
}

/// A store of one table in which the first commit that is sent may arrive, and what `then` says of the
/// calls after it, which are counted, befalls these.
fn sent_once(
    mut then: impl FnMut(&Call, usize) -> Option<Fault> + Send + 'static,
) -> (Location, DeltaTable) {
    let is_armed = Arc::new(AtomicBool::new(false));
    let armed = is_armed.clone();
    let mut after: Option<usize> = None;
    let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
        if !armed.load(Ordering::SeqCst) {
            return None;
        }
        if let Some(after) = &mut after {
            *after += 1;
            return then(call, *after);
        }
        let is_commit = call.operation == Operation::Create && call.path.contains("_delta_log");
        is_commit.then(|| after = Some(0)).map(|()| Fault::Later)
    });
    let place = Location::in_store(Arc::new(store), "t").unwrap();
    let place = place.assume_atomic_creates();
    let table = DeltaTable::create(place.clone(), &rows(0).schema()).unwrap();
    table.append("first", 0, &[rows(1)]).unwrap();
    is_armed.store(true, Ordering::SeqCst);
    (place, table)
}

#[test]
fn whatever_fails_after_a_try_that_may_arrive_the_outcome_is_unknown() {
    for number in 1..14 {
        let then = move |call: &Call, after| match call.operation {
            Operation::Create => Some(Fault::Later),
            _ => (after >= number).then_some(Fault::Before),
        };
        let (_, table) = sent_once(then);
        let error = table.replace_rows_after(1, &rows(2)).unwrap_err();
        let case = format!("call {number}: {error}");
        assert!(matches!(error, Error::UnknownOutcome { .. }), "{case}");
        let (place, _) = sent_once(then);
        let error = DeltaTable::create(place.join("new"), &rows(0).schema()).unwrap_err();
        let case = format!("creating, call {number}: {error}");
        assert!(matches!(error, Error::UnknownOutcome { .. }), "{case}");
    }
}

#[test]
fn a_refusal_after_a_try_that_may_arrive_says_nothing_of_that() {
    let then = |call: &Call, _| (call.operation == Operation::Create).then_some(Fault::Refused);
    let (_, table) = sent_once(then);
    let error = table.append("w", 0, &[rows(2)]).unwrap_err();
    assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
    let (place, _) = sent_once(then);
    let error = DeltaTable::create(place.join("new"), &rows(0).schema()).unwrap_err();
    assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
}

/// A store that says that an entry exists, and shows it later.
#[test]
fn a_table_that_is_not_shown_yet_is_looked_for_again() {
    let (mut created, mut hidden) = (false, 0);
    let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
        let is_entry = call.path.ends_with("00.json");
        if call.operation == Operation::Create && is_entry && !created {
            created = true;
            return Some(Fault::Twice);
        }
        if created && call.operation == Operation::Read && is_entry && hidden < 2 {
            hidden += 1;
            return Some(Fault::Before);
        }
        None
    });
    let place = Location::in_store(Arc::new(store), "t").unwrap();
    let table = DeltaTable::create(place.assume_atomic_creates(), &rows(0).schema());
    assert_eq!(table.unwrap().snapshot().unwrap().version(), 0);
}
