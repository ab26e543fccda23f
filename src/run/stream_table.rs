//! A table of a run, shared by all who write it in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_schema::Schema;

use super::attempt::Attempt;
use crate::storage::Location;
use crate::table::DeltaTable;
use crate::{Error, ErrorKind, Result};

/// Opened or made once, so that a pass need not find out what the one before it knew.
#[derive(Clone, Debug)]
pub(crate) struct StreamTable {
    location: Location,
    attempt: Attempt,
    table: Arc<Mutex<Option<DeltaTable>>>,
}

impl StreamTable {
    /// The table in that folder; nothing is read or created.
    pub(crate) fn at(location: Location, attempt: Attempt) -> Self {
        Self {
            location,
            attempt,
            table: Arc::default(),
        }
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }

    /// The table, if there is one.
    pub(crate) fn open(&self) -> Result<Option<DeltaTable>> {
        let mut known = self.known();
        if known.is_none() {
            // A table that is not there yet, or that nobody fenced, cannot say that the run was taken
            // over.
            self.attempt.check()?;
            *known = match DeltaTable::open(self.location.clone()) {
                Ok(table) => Some(self.owned(table)?),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(known.clone())
    }

    /// The table, made by whichever writer comes first.
    pub(crate) fn open_or_create(&self, schema: &Schema) -> Result<DeltaTable> {
        if let Some(table) = self.open()? {
            return Ok(table);
        }
        let made = match DeltaTable::create(self.location.clone(), schema) {
            // Listings may take a moment to show it.
            Err(Error::AlreadyExists { .. }) => DeltaTable::at(self.location.clone()),
            made => made?,
        };
        // Whoever took the run up meanwhile found no table to close.
        self.attempt.check()?;
        let made = self.owned(made)?;
        *self.known() = Some(made.clone());
        Ok(made)
    }

    /// The table as this attempt writes it: closed to earlier ones, also where it did not exist when
    /// the run was taken up.
    fn owned(&self, table: DeltaTable) -> Result<DeltaTable> {
        let table = table.owned_by(self.attempt.owner());
        if self.attempt.has_forerunner() {
            table.fence()?;
        }
        Ok(table)
    }

    fn known(&self) -> MutexGuard<'_, Option<DeltaTable>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use emberlens_testkit::{Fault, FaultStore, Operation};
    use object_store::memory::InMemory;

    use super::*;
    use crate::run::facts;
    use crate::table::Columns;

    fn rows(x: i64) -> arrow_array::RecordBatch {
        let columns = Columns::new().with("x", vec![x]);
        columns.into_batch("test").unwrap()
    }

    /// A table that exists to whoever creates it and is not found by whoever opens it then.
    #[test]
    fn a_table_that_exists_and_is_not_found_is_found_in_the_end() {
        let (is_stale, stale) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
        let armed = is_stale.clone();
        let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
            let lags = armed.load(Ordering::SeqCst) && call.operation == Operation::List;
            (lags && stale.fetch_add(1, Ordering::SeqCst) < 5).then_some(Fault::Stale)
        });
        let run = Location::in_store(Arc::new(store), "r").unwrap();
        let table = || {
            let attempt = Attempt::new(run.clone(), 0, facts::documents(&run), None);
            StreamTable::at(run.join("metrics/default"), attempt)
        };
        let schema = rows(0).schema();
        table().open_or_create(&schema).unwrap();
        is_stale.store(true, Ordering::SeqCst);
        let found = table().open_or_create(&schema).unwrap();
        let files = {
            let place = found.location().clone();
            let mut writer = crate::table::FileWriter::starting_at(place, schema.clone(), 1);
            writer.write(&rows(1)).unwrap();
            writer.finish().unwrap()
        };
        found.commit("writer", 0, &files, &schema).unwrap();
        assert_eq!(found.snapshot().unwrap().row_count().unwrap(), 1);
    }
}
