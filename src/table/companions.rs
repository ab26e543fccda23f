//! Which appends of others a commit may take along.

use std::collections::HashSet;
use std::collections::hash_map::Entry;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::actions::add_actions;
use super::announce::Announced;
use super::append::{DataFile, FileRecord};
use super::commit::Commit;
use super::delta::DeltaTable;
use super::entry::Transaction;
use super::fence::{self, Owner};
use super::snapshot::Snapshot;
use crate::Result;

/// How many entries of the log are read to find out what happened to an append since it was laid open.
const MAX_BEHIND: u64 = 64;

/// An append as others need it to commit it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announcement {
    writer_id: String,
    sequence: i64,
    /// The version in which the append was not, and its writer not fenced.
    seen: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerRecord>,
    files: Vec<FileRecord>,
}

/// What fences the writer of an append.
#[derive(Debug, Serialize, Deserialize)]
struct OwnerRecord {
    attempt: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rank: Option<RankRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RankRecord {
    index: u32,
    joins: i64,
}

/// An append of another writer that goes with one of ours.
#[derive(Debug)]
pub(super) struct Companion {
    pub(super) writer_id: String,
    pub(super) sequence: i64,
    pub(super) adds: RecordBatch,
}

impl Announcement {
    /// Of a commit that is not in version `seen`, nor its owner fenced there.
    pub(super) fn of(commit: &Commit<'_>, owner: Option<&Owner>, seen: u64) -> Self {
        Self {
            writer_id: commit.writer_id.to_owned(),
            sequence: commit.sequence,
            seen,
            owner: owner.map(|owner| OwnerRecord {
                attempt: owner.attempt,
                rank: owner.rank.map(|rank| RankRecord {
                    index: rank.index,
                    joins: rank.joins,
                }),
            }),
            files: commit.files.iter().map(DataFile::record).collect(),
        }
    }

    /// Whether these transactions hold it.
    pub(super) fn is_among(&self, transactions: &[Transaction]) -> bool {
        transactions.iter().any(|transaction| {
            transaction.writer_id == self.writer_id && transaction.version >= self.sequence
        })
    }

    /// Whether these transactions close the table to its writer.
    fn is_fenced_by(&self, transactions: &[Transaction]) -> bool {
        let Some(owner) = &self.owner else {
            return false;
        };
        let rank = owner.rank.as_ref();
        let rank = rank.map(|rank| (fence::of_rank(rank.index), rank.joins));
        transactions.iter().any(|transaction| {
            let is_later = |name: &str, number: i64| {
                transaction.writer_id == name && transaction.version > number
            };
            is_later(fence::OF_ATTEMPTS, owner.attempt)
                || rank
                    .as_ref()
                    .is_some_and(|(name, joins)| is_later(name, *joins))
        })
    }

    /// The files, as those of the table; `None` when they do not fit.
    fn files(&self, snapshot: &Snapshot) -> Option<Vec<DataFile>> {
        let files = self.files.iter().cloned();
        let files = files.map(|file| DataFile::of_record(file, snapshot.schema()));
        let files: Option<Vec<DataFile>> = files.collect();
        files.filter(|files| !files.is_empty())
    }
}

impl DeltaTable {
    /// The appends that a commit right after `snapshot` may take along: they are not in it, nobody has
    /// fenced their writers, and what they say fits the table.
    pub(super) fn companions(
        &self,
        snapshot: &Snapshot,
        commit: &Commit<'_>,
    ) -> Result<Vec<Companion>> {
        let Some(announced) = &commit.announced else {
            return Ok(Vec::new());
        };
        let mut announced = announced.borrow_mut();
        let mut companions = Vec::new();
        // One commit names a writer once.
        let mut writers = HashSet::from([commit.writer_id.to_owned()]);
        for other in announced.others()? {
            let Some(since) = self.transactions_since(&mut announced, other.seen, snapshot)? else {
                continue;
            };
            if other.is_among(&since)
                || other.is_fenced_by(&since)
                || fence::is_fence(&other.writer_id)
                || writers.contains(&other.writer_id)
            {
                continue;
            }
            let Some(files) = other.files(snapshot) else {
                continue;
            };
            writers.insert(other.writer_id.clone());
            companions.push(Companion {
                writer_id: other.writer_id.clone(),
                sequence: other.sequence,
                adds: add_actions(&files)?,
            });
        }
        Ok(companions)
    }

    /// What was committed after version `seen`; `None` when that is not to be found out, or too much.
    fn transactions_since(
        &self,
        announced: &mut Announced,
        seen: u64,
        snapshot: &Snapshot,
    ) -> Result<Option<Vec<Transaction>>> {
        let version = snapshot.version();
        if seen > version || version - seen > MAX_BEHIND {
            return Ok(None);
        }
        let mut since = Vec::new();
        for version in seen + 1..=version {
            let read = match announced.log.entry(version) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => match self.transactions_of(version)? {
                    Some(read) => place.insert(read),
                    None => return Ok(None),
                },
            };
            since.extend_from_slice(read);
        }
        Ok(Some(since))
    }
}

#[cfg(test)]
mod tests;
