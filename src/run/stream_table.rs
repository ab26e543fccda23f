//! The table of a stream, shared by all writers of a run in this process.

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
            Err(Error::AlreadyExists { .. }) => DeltaTable::open(self.location.clone()),
            other => other,
        }?;
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
