//! The latest version of a table that this process saw.

use std::sync::{Arc, Mutex, PoisonError};

use delta_kernel::Snapshot as KernelSnapshot;
use delta_kernel::snapshot::SnapshotRef;

use super::damage;
use super::delta::DeltaTable;
use super::snapshot::Snapshot;
use crate::Result;

/// What a writer reads on from: a log of thousands of commits is read once and not at every commit.
///
/// Clones of a table share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Latest(Arc<Mutex<Option<SnapshotRef>>>);

impl Latest {
    pub(super) fn remember(&self, snapshot: &SnapshotRef) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(snapshot));
    }

    fn get(&self) -> Option<SnapshotRef> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.clone()
    }
}

impl DeltaTable {
    /// The latest version, read on from the last one that this table saw, and never an older one.
    ///
    /// # Errors
    /// As [`DeltaTable::snapshot`].
    pub(crate) fn latest(&self) -> Result<Snapshot> {
        let seen = self.still_there()?;
        let newer = seen.as_ref().map(|seen| self.newer(seen)).transpose()?;
        let snapshot = match newer.flatten() {
            Some(snapshot) => snapshot,
            None => self.snapshot()?,
        };
        // Listings may lag behind: what was seen and is still there is no less the latest for that.
        let snapshot = match seen {
            Some(seen) if seen.version() > snapshot.version() => {
                Snapshot::try_new(self.location().clone(), seen)?
            }
            _ => snapshot,
        };
        self.seen().remember(snapshot.kernel());
        Ok(snapshot)
    }

    /// The version that this table saw last, or the latest: others may have committed since, which a
    /// commit on top of it finds out.
    ///
    /// # Errors
    /// As [`DeltaTable::snapshot`].
    pub(crate) fn last_seen(&self) -> Result<Snapshot> {
        match self.still_there()? {
            Some(seen) => Snapshot::try_new(self.location().clone(), seen),
            None => self.latest(),
        }
    }

    /// What was seen last; `None` when nothing was yet, or it is not in the log any more.
    fn still_there(&self) -> Result<Option<SnapshotRef>> {
        let Some(seen) = self.seen().get() else {
            return Ok(None);
        };
        let entry = format!("_delta_log/{:020}.json", seen.version());
        let entry = self.location().join(&entry).read_if_exists()?;
        Ok(entry.map(|_| seen))
    }

    fn newer(&self, seen: &SnapshotRef) -> Result<Option<Snapshot>> {
        let engine = self.location().engine();
        let newer = damage::guarded(self.location(), || {
            KernelSnapshot::builder_from(Arc::clone(seen)).build(engine.as_ref())
        });
        // A log that cannot be read on is read from its beginning, which says what is wrong.
        newer
            .ok()
            .map(|kernel| Snapshot::try_new(self.location().clone(), kernel))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use emberlens_testkit::{Fault, FaultStore, Operation};
    use object_store::memory::InMemory;

    use super::*;
    use crate::storage::Location;
    use crate::table::Columns;

    fn append(table: &DeltaTable, writer: &str, sequence: i64) -> u64 {
        let batch = Columns::new().with("x", vec![sequence]);
        let batch = batch.into_batch("test").unwrap();
        table.append(writer, sequence, &[batch]).unwrap()
    }

    fn table() -> (DeltaTable, DeltaTable) {
        let place = Location::open("memory://").unwrap().join("t");
        let batch = Columns::new().with("x", vec![0_i64]);
        let schema = batch.into_batch("test").unwrap().schema();
        let one = DeltaTable::create(place.clone(), &schema).unwrap();
        (one, DeltaTable::open(place).unwrap())
    }

    #[test]
    fn commits_of_others_are_seen_and_no_commit_lands_twice() {
        let (one, other) = table();
        assert_eq!(append(&one, "a", 0), 1);
        assert_eq!(append(&other, "b", 0), 2);
        assert_eq!(append(&one, "a", 1), 3);
        assert_eq!(append(&one, "a", 1), 3, "it is there already");
        assert_eq!(append(&other, "a", 1), 3, "and another handle knows");
        assert_eq!(append(&other, "b", 1), 4);
        assert_eq!(one.latest().unwrap().version(), 4);
        assert_eq!(one.latest().unwrap().row_count().unwrap(), 4);
    }

    /// What a folder may show that is listed while others write to it.
    #[test]
    fn a_version_that_a_listing_lacks_is_looked_for_again() {
        let inner = Arc::new(InMemory::new());
        let gaps = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&gaps);
        let store = FaultStore::new(inner, move |call| {
            let has_gap = call.operation == Operation::List
                && left.load(Ordering::SeqCst) > 0
                && left.fetch_sub(1, Ordering::SeqCst) > 0;
            has_gap.then_some(Fault::Gap)
        });
        let place = Location::in_store(Arc::new(store), "t").unwrap();
        let rows = Columns::new().with("x", vec![0_i64]).into_batch("test");
        let schema = rows.unwrap().schema();
        let place = place.assume_atomic_creates();
        let table = DeltaTable::create(place.clone(), &schema).unwrap();
        for sequence in 0..3 {
            append(&table, "a", sequence);
        }
        gaps.store(2, Ordering::SeqCst);
        assert_eq!(table.snapshot().unwrap().version(), 3);
        assert_eq!(gaps.load(Ordering::SeqCst), 0);
        gaps.store(1, Ordering::SeqCst);
        let problems = table.verify(None, |_| ()).problems;
        assert!(problems.is_empty(), "{problems:?}");
        // A gap that stays is damage.
        gaps.store(usize::MAX, Ordering::SeqCst);
        let error = table.snapshot().unwrap_err().to_string();
        assert!(error.contains("is missing"), "{error}");
    }

    #[test]
    fn a_store_that_does_not_answer_is_no_damage() {
        let inner = Arc::new(InMemory::new());
        let at = |store: Arc<dyn object_store::ObjectStore>| {
            Location::in_store(store, "t")
                .unwrap()
                .assume_atomic_creates()
        };
        let rows = Columns::new().with("x", vec![0_i64]).into_batch("test");
        DeltaTable::create(at(inner.clone()), &rows.unwrap().schema()).unwrap();
        let silent = FaultStore::new(inner, |call| {
            (call.operation == Operation::Read).then_some(Fault::Before)
        });
        let place = at(Arc::new(silent));
        let error = DeltaTable::at(place).snapshot().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Storage, "{error}");
    }

    #[test]
    fn a_log_that_is_gone_is_an_error_and_not_gone_on_with() {
        let (one, _) = table();
        append(&one, "a", 0);
        one.location().delete_all().unwrap();
        assert!(one.latest().is_err());
        assert!(one.last_seen().is_err());
        let batch = Columns::new().with("x", vec![1_i64]);
        let batch = batch.into_batch("test").unwrap();
        assert!(one.append("a", 1, &[batch]).is_err());
    }
}
