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
            *known = match DeltaTable::open(self.location.clone()) {
                Ok(table) => Some(table.owned_by(self.attempt.owner())),
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
        // A table that is not there yet cannot say that the run was taken over.
        self.attempt.check()?;
        let made = match DeltaTable::create(self.location.clone(), schema) {
            Err(Error::AlreadyExists { .. }) => DeltaTable::open(self.location.clone()),
            other => other,
        }?
        .owned_by(self.attempt.owner());
        *self.known() = Some(made.clone());
        Ok(made)
    }

    fn known(&self) -> MutexGuard<'_, Option<DeltaTable>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
