//! Fencing: a table that a later attempt has taken over refuses the commits of earlier ones.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::{FilteredEngineData, KernelResult};

use super::delta::DeltaTable;
use super::snapshot::Snapshot;
use crate::{Error, Result};

/// The application whose `txn` in a table's log counts attempts.
pub(super) const OF_ATTEMPTS: &str = "emberlens-attempt";
/// How those begin that count the processes which had a rank.
const OF_RANKS: &str = "emberlens-rank-";

/// The application that counts the processes which had this rank.
pub(super) fn of_rank(index: u32) -> String {
    format!("{OF_RANKS}{index}")
}

/// Whether transactions of this name close a table to others.
pub(super) fn is_fence(application: &str) -> bool {
    application == OF_ATTEMPTS || application.starts_with(OF_RANKS)
}

/// Who commits to a table of a run.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// The run's id.
    pub(crate) run: String,
    /// The run's address.
    pub(crate) path: String,
    /// How often the run had been taken up again.
    pub(crate) attempt: i64,
    /// Which of the processes that write together.
    pub(crate) rank: Option<RankOwner>,
}

/// One of the processes that write a run together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RankOwner {
    pub(crate) index: u32,
    /// How often a process had this rank, this one included.
    pub(crate) joins: i64,
    /// Whether another one had it in this attempt.
    pub(crate) is_again: bool,
}

impl DeltaTable {
    /// The table as an attempt of a run writes it: its commits fail once a later one has taken over.
    pub(crate) fn owned_by(mut self, owner: Owner) -> Self {
        self.set_owner(Arc::new(owner));
        self
    }

    /// Takes the table over: from now on commits of earlier attempts fail, and those of processes that
    /// had the owner's rank before.
    pub(crate) fn fence(&self) -> Result<()> {
        let Some(owner) = self.owner() else {
            return Ok(());
        };
        let schema = self.latest()?.schema().clone();
        if owner.attempt > 0 {
            self.commit_nothing(OF_ATTEMPTS, owner.attempt, &schema)?;
        }
        match owner.rank {
            Some(rank) if rank.is_again => {
                self.commit_nothing(&of_rank(rank.index), rank.joins, &schema)
            }
            _ => Ok(()),
        }
    }

    /// An error when a later attempt than the owner's has taken the table over.
    pub(super) fn check_fence(&self, snapshot: &Snapshot) -> Result<()> {
        let Some(owner) = self.owner() else {
            return Ok(());
        };
        let is_open_to = |application: &str, number: i64| -> Result<bool> {
            let fence = snapshot.transaction(application)?;
            Ok(fence.is_none_or(|fence| fence <= number))
        };
        let mut is_open = is_open_to(OF_ATTEMPTS, owner.attempt)?;
        if let Some(rank) = owner.rank {
            is_open &= is_open_to(&of_rank(rank.index), rank.joins)?;
        }
        if is_open {
            return Ok(());
        }
        Err(Error::Fenced {
            run: owner.run.clone(),
            path: owner.path.clone(),
        })
    }
}

/// Of the log's entries those for files of these names; `None` where they tell no names.
pub(super) fn named(
    entries: FilteredEngineData,
    names: &HashSet<String>,
) -> KernelResult<Option<FilteredEngineData>> {
    let (data, mut selected) = entries.into_parts();
    selected.resize(data.len(), true);
    let data = ArrowEngineData::try_from_engine_data(data)?;
    let paths = data.record_batch().column_by_name("path");
    let Some(paths) = paths.and_then(|paths| paths.as_string_opt::<i32>()) else {
        return Ok(None);
    };
    for (row, selected) in selected.iter_mut().enumerate() {
        *selected &= paths.is_valid(row) && names.contains(paths.value(row));
    }
    FilteredEngineData::try_new(data, selected).map(Some)
}
