//! Committing files to a table: in turn with other writers, and with a known outcome.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use ulid::Ulid;

use super::announce::Announced;
use super::append::{DataFile, FileWriter};
use super::attempt::pause;
use super::companions::Announcement;
use super::delta::DeltaTable;
use super::edit::Details;
use crate::{Error, Result};

/// After how many lost races a commit is laid open to others: where two or three write they are few.
const ALONE: u32 = 3;
/// How many other writers may win in a row before a commit gives up.
const MAX_CONFLICTS: u32 = 200;
/// Milliseconds within which a writer tries again after its first lost race.
const FIRST_WINDOW_MS: u64 = 8;
/// How often that window doubles, at most.
const MAX_DOUBLINGS: u32 = 6;

impl DeltaTable {
    /// Commits data files; columns that the table lacks are added as nullable columns.
    pub(crate) fn commit(
        &self,
        writer_id: &str,
        sequence: i64,
        files: &[DataFile],
        schema: &Schema,
    ) -> Result<u64> {
        self.commit_in_turn(Commit::of(writer_id, sequence, files, schema))
    }

    /// Commits data files in place of all that the table holds; older versions keep theirs.
    pub(crate) fn replace_all(
        &self,
        writer_id: &str,
        files: &[DataFile],
        schema: &Schema,
    ) -> Result<u64> {
        let mut commit = Commit::of(writer_id, 0, files, schema);
        commit.removes = Removes::All;
        self.commit_in_turn(commit)
    }

    /// Commits these rows, maybe none, in place of all that the table holds, as the version right after
    /// `base`; false when another writer was there first and nothing was committed.
    pub(crate) fn replace_rows_after(&self, base: u64, rows: &RecordBatch) -> Result<bool> {
        let writer_id = format!("replace-{}", Ulid::new().to_string().to_ascii_lowercase());
        let schema = rows.schema();
        let mut writer = FileWriter::starting_at(self.location().clone(), schema.clone(), base + 1);
        if rows.num_rows() > 0 {
            writer.write(rows)?;
        }
        let files = writer.finish()?;
        let mut commit = Commit::of(&writer_id, 0, &files, &schema);
        commit.removes = Removes::All;
        Ok(self.attempt(&commit, self.latest(), Some(base))?.is_some())
    }

    /// Puts data files, maybe none, in the place of those of these names; older versions keep them.
    /// `None` when one of them is not in the table any more, and then nothing was committed.
    pub(super) fn replace_named(
        &self,
        names: &HashSet<String>,
        files: &[DataFile],
        schema: &Schema,
        change: Change,
    ) -> Result<Option<u64>> {
        let writer_id = format!("rewrite-{}", Ulid::new().to_string().to_ascii_lowercase());
        let mut commit = Commit::of(&writer_id, 0, files, schema);
        commit.removes = Removes::Named(names);
        commit.change = change;
        for conflicts in 0..MAX_CONFLICTS {
            let snapshot = self.latest()?;
            if !snapshot.holds_all(names)? {
                return Ok(None);
            }
            // Right after the version that holds them: nobody can take one out in between.
            let base = snapshot.version();
            if let Some(version) = self.attempt(&commit, Ok(snapshot), Some(base))? {
                return Ok(Some(version));
            }
            pause(conflicts.min(20), commit.sequence);
        }
        Err(self.conflicted())
    }

    /// Commits a name and a number, and no change of the rows.
    pub(super) fn commit_nothing(
        &self,
        writer_id: &str,
        sequence: i64,
        schema: &Schema,
    ) -> Result<()> {
        self.commit_in_turn(Commit::of(writer_id, sequence, &[], schema))
            .map(drop)
    }

    /// As [`DeltaTable::replace_all`], as the version right after `base`; `None` when another writer
    /// was there first and nothing was committed.
    pub(crate) fn replace_after(
        &self,
        base: u64,
        writer_id: &str,
        files: &[DataFile],
        schema: &Schema,
    ) -> Result<Option<u64>> {
        let mut commit = Commit::of(writer_id, 0, files, schema);
        commit.removes = Removes::All;
        self.attempt(&commit, self.latest(), Some(base))
    }

    fn commit_in_turn(&self, mut commit: Commit<'_>) -> Result<u64> {
        let outcome = self.commit_among_others(&mut commit);
        let Some(announced) = commit.announced.map(RefCell::into_inner) else {
            return outcome;
        };
        match outcome {
            Ok(version) => {
                let landed = self.transactions_of(version).ok().flatten();
                announced.withdraw(&landed.unwrap_or_default());
                Ok(version)
            }
            Err(error) => {
                announced.withdraw(&[]);
                Err(self.may_still_land(error))
            }
        }
    }

    fn commit_among_others(&self, commit: &mut Commit<'_>) -> Result<u64> {
        for conflicts in 0..MAX_CONFLICTS {
            let start = Instant::now();
            let landed = match conflicts {
                0 => self.attempt(commit, self.last_seen(), None)?,
                _ => self.attempt(commit, self.latest(), None)?,
            };
            if let Some(version) = landed {
                tracing::debug!(conflicts, version, "committed");
                return Ok(version);
            }
            self.wait_for_turn(commit, conflicts, start.elapsed());
        }
        Err(self.conflicted())
    }

    /// Waits after a lost race; where many write, with the append laid open to the others.
    fn wait_for_turn(&self, commit: &mut Commit<'_>, conflicts: u32, took: Duration) {
        if commit.announced.is_none() && self.is_crowded(conflicts + 1) {
            commit.announced = self.announce(commit).map(RefCell::new);
        }
        let Some(announced) = &mut commit.announced else {
            return pause_at_random(conflicts);
        };
        if let Err(error) = announced.get_mut().wait_for_turn(took) {
            tracing::debug!(%error, "what others announce is not known");
            pause_at_random(conflicts);
        }
    }

    /// Whether so many write that one should commit for all.
    fn is_crowded(&self, lost: u32) -> bool {
        lost >= ALONE || Announced::is_any(self.location()).unwrap_or(false)
    }

    /// Lays an append open to others; `None` for what cannot be taken along, and where it fails.
    fn announce(&self, commit: &Commit<'_>) -> Option<Announced> {
        let is_append = matches!(commit.removes, Removes::Nothing) && !commit.files.is_empty();
        if !is_append {
            return None;
        }
        let Ok((seen, None)) = self
            .latest()
            .and_then(|seen| self.with_landed(commit, seen))
        else {
            return None;
        };
        let mut fields = commit.schema.fields().iter();
        if !fields.all(|field| seen.schema().field_with_name(field.name()).is_ok()) {
            return None;
        }
        let announcement = Announcement::of(commit, self.owner(), seen.version());
        Announced::lay_open(self.location(), &announcement)
            .inspect_err(|error| tracing::debug!(%error, "nobody is asked to take a commit along"))
            .ok()
    }

    /// The error of an append that was laid open: who has read it may commit it yet.
    fn may_still_land(&self, error: Error) -> Error {
        match error {
            Error::Fenced { .. } | Error::UnknownOutcome { .. } => error,
            error => Error::UnknownOutcome {
                operation: "commit",
                reason: "other writers were asked to take it along".to_owned(),
                path: self.location().url(),
                source: error.into(),
            },
        }
    }

    fn conflicted(&self) -> Error {
        let reason = format!("{MAX_CONFLICTS} other commits came first");
        Error::storage("commit", self.location().url(), reason)
    }

    /// Commits data files as the version right after `base`; `None` when another writer was there
    /// first and nothing was committed.
    pub(crate) fn commit_after(
        &self,
        base: u64,
        writer_id: &str,
        files: &[DataFile],
        schema: &Schema,
    ) -> Result<Option<u64>> {
        let sequence = i64::try_from(base).unwrap_or(i64::MAX);
        let commit = Commit::of(writer_id, sequence, files, schema);
        self.attempt(&commit, self.latest(), Some(base))
    }
}

/// What is to be committed, and the name under which the log will know it.
pub(super) struct Commit<'a> {
    pub(super) writer_id: &'a str,
    pub(super) sequence: i64,
    pub(super) files: &'a [DataFile],
    pub(super) schema: &'a Schema,
    pub(super) removes: Removes<'a>,
    pub(super) change: Change,
    /// What the log's entry says of an edit.
    pub(super) details: Option<&'a Details>,
    /// Where it is laid open to other writers, and theirs to it.
    pub(super) announced: Option<RefCell<Announced>>,
}

/// What a commit changes.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Rows,
    /// The same rows in other files.
    Files,
    /// Values in rows that stay where they are.
    Cells,
}

/// Which of the files that are there a commit takes out.
#[derive(Clone, Copy)]
pub(super) enum Removes<'a> {
    Nothing,
    All,
    Named(&'a HashSet<String>),
}

impl<'a> Commit<'a> {
    /// Files, maybe none, beside those that are there.
    pub(super) fn of(
        writer_id: &'a str,
        sequence: i64,
        files: &'a [DataFile],
        schema: &'a Schema,
    ) -> Self {
        Self {
            writer_id,
            sequence,
            files,
            schema,
            removes: Removes::Nothing,
            change: Change::Rows,
            details: None,
            announced: None,
        }
    }
}

/// Waits after a lost race, anywhere within a window that doubles each time: writers that began at the
/// same moment draw apart instead of meeting again.
fn pause_at_random(conflicts: u32) {
    let window = FIRST_WINDOW_MS << conflicts.min(MAX_DOUBLINGS);
    std::thread::sleep(Duration::from_millis(random(window.into())));
}

/// A number below `end`.
pub(super) fn random(end: u128) -> u64 {
    let drawn = Ulid::new().random().checked_rem(end);
    drawn
        .and_then(|drawn| u64::try_from(drawn).ok())
        .unwrap_or(0)
}
