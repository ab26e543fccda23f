//! Which attempt of a run a writer belongs to, and whether another one took over.

use super::facts::{self, Document, Fact};
use crate::storage::{Documents, Location};
use crate::table::Owner;
use crate::{Error, Result};

/// One stretch of a run's writing: from its creation, or from when it was taken up again, until
/// another process takes it up.
///
/// Attempts are counted by the documents that open them. A process that stood still meanwhile, a
/// zombie, finds such a document where it wanted to put its own, or the number of a later attempt
/// in a table's log, and stops.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    run: Location,
    number: u64,
    documents: Documents,
}

impl Attempt {
    pub(crate) fn new(run: Location, number: u64, documents: Documents) -> Self {
        Self {
            run,
            number,
            documents,
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Under what name the attempt commits to tables.
    pub(crate) fn owner(&self) -> Owner {
        Owner {
            run: self.run.name(),
            path: self.run.url(),
            attempt: i64::try_from(self.number).unwrap_or(i64::MAX),
        }
    }

    /// Refuses when the run was taken up since this writer's last document.
    pub(crate) fn check(&self) -> Result<()> {
        for (number, bytes) in self.documents.newer()? {
            self.see(number, &bytes)?;
        }
        Ok(())
    }

    /// A document that another writer appended; an error when it takes the run over.
    pub(crate) fn see(&self, number: u64, bytes: &[u8]) -> Result<Option<Document>> {
        match facts::parse_bytes(number, bytes, &self.run)? {
            Some(Document {
                fact: Fact::Opened { .. },
                ..
            }) => Err(self.fenced()),
            other => Ok(other),
        }
    }

    fn fenced(&self) -> Error {
        Error::Fenced {
            run: self.run.name(),
            path: self.run.url(),
        }
    }
}
