//! Which attempt of a run a writer belongs to, and whether another one took over.

use super::Rank;
use super::facts::{self, Document, Fact};
use crate::storage::{Documents, Location};
use crate::table::{Owner, RankOwner};
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
    claim: Option<Claim>,
}

/// The place that a writer takes among the ranks of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) rank: Rank,
    /// How often a process had this rank of the run, this one included.
    pub(crate) joins: u64,
    /// Whether another process had it in this attempt, and may only stand still.
    pub(crate) is_again: bool,
}

impl Attempt {
    pub(crate) fn new(
        run: Location,
        number: u64,
        documents: Documents,
        claim: Option<Claim>,
    ) -> Self {
        Self {
            run,
            number,
            documents,
            claim,
        }
    }

    pub(crate) fn claim(&self) -> Option<Claim> {
        self.claim
    }

    pub(crate) fn rank(&self) -> Option<Rank> {
        self.claim.map(|claim| claim.rank)
    }

    /// Whether somebody may have written before who must not go on.
    pub(crate) fn has_forerunner(&self) -> bool {
        self.number > 0 || self.claim.is_some_and(|claim| claim.is_again)
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Under what name the attempt commits to tables.
    pub(crate) fn owner(&self) -> Owner {
        Owner {
            run: self.run.name(),
            path: self.run.url(),
            attempt: as_sequence(self.number),
            rank: self.claim.map(|claim| RankOwner {
                index: claim.rank.index,
                joins: as_sequence(claim.joins),
                is_again: claim.is_again,
            }),
        }
    }

    /// Refuses when the run was taken up since this writer's last document.
    pub(crate) fn check(&self) -> Result<()> {
        for (number, bytes) in self.documents.newer()? {
            self.see(number, &bytes)?;
        }
        Ok(())
    }

    /// A document that another writer appended; an error when it takes the run over, or this rank.
    pub(crate) fn see(&self, number: u64, bytes: &[u8]) -> Result<Option<Document>> {
        match facts::parse(number, bytes, &self.run)? {
            Some(Document {
                fact: Fact::Opened { .. },
                ..
            }) => Err(self.fenced()),
            Some(Document {
                fact: Fact::Joined { rank, .. },
                ..
            }) if self.rank().is_some_and(|own| own.index == rank.index) => Err(self.fenced()),
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

fn as_sequence(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
