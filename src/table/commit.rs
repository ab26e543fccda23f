//! Committing files to a table: in turn with other writers, and with a known outcome.

use std::collections::HashSet;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};
use ulid::Ulid;

use super::actions::add_actions;
use super::append::{DataFile, FileWriter};
use super::damage;
use super::delta::{DeltaTable, ENGINE_INFO};
use super::fence::named;
use super::fields::new_fields;
use super::snapshot::Snapshot;
use crate::{Error, Result};

/// How many other writers may win in a row before a commit gives up.
const MAX_CONFLICTS: u32 = 200;
/// How often a commit whose outcome is unknown is looked up and tried again.
const MAX_RETRIES: u32 = 5;

impl DeltaTable {
    /// Commits data files; columns that the table lacks are added as nullable columns.
    pub(crate) fn commit(
        &self,
        writer_id: &str,
        sequence: i64,
        files: &[DataFile],
        schema: &Schema,
    ) -> Result<u64> {
        self.commit_in_turn(&Commit::try_new(writer_id, sequence, files, schema)?)
    }

    /// Commits data files in place of all that the table holds; older versions keep theirs.
    pub(crate) fn replace_all(
        &self,
        writer_id: &str,
        files: &[DataFile],
        schema: &Schema,
    ) -> Result<u64> {
        let mut commit = Commit::try_new(writer_id, 0, files, schema)?;
        commit.removes = Removes::All;
        self.commit_in_turn(&commit)
    }

    /// Commits these rows, maybe none, in place of all that the table holds.
    pub(crate) fn replace_rows(&self, rows: &RecordBatch) -> Result<()> {
        let writer_id = format!("replace-{}", Ulid::new().to_string().to_ascii_lowercase());
        let schema = rows.schema();
        let order = self.latest()?.version() + 1;
        let mut writer = FileWriter::starting_at(self.location().clone(), schema.clone(), order);
        if rows.num_rows() > 0 {
            writer.write(rows)?;
        }
        let files = writer.finish()?;
        let mut commit = match files.is_empty() {
            true => Commit::of_nothing(&writer_id, 0, &schema),
            false => Commit::try_new(&writer_id, 0, &files, &schema)?,
        };
        commit.removes = Removes::All;
        self.commit_in_turn(&commit).map(drop)
    }

    /// Takes files of these names out of the table; older versions keep them.
    pub(crate) fn remove_files(&self, writer_id: &str, names: &HashSet<String>) -> Result<()> {
        let snapshot = self.latest()?;
        if !snapshot.holds_any(names)? {
            return Ok(());
        }
        let schema = snapshot.schema().clone();
        let mut commit = Commit::of_nothing(writer_id, 0, &schema);
        commit.removes = Removes::Named(names);
        self.commit_in_turn(&commit).map(drop)
    }

    /// Commits a name and a number, and no change of the rows.
    pub(super) fn commit_nothing(
        &self,
        writer_id: &str,
        sequence: i64,
        schema: &Schema,
    ) -> Result<()> {
        let commit = Commit::of_nothing(writer_id, sequence, schema);
        self.commit_in_turn(&commit).map(drop)
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
        let mut commit = Commit::try_new(writer_id, 0, files, schema)?;
        commit.removes = Removes::All;
        self.attempt(&commit, self.latest()?, Some(base))
    }

    fn commit_in_turn(&self, commit: &Commit<'_>) -> Result<u64> {
        for conflicts in 0..MAX_CONFLICTS {
            let again = || self.attempt(commit, self.latest()?, None);
            let landed = match conflicts {
                // What was seen may name files that another tool has cleaned up since.
                0 => self
                    .attempt(commit, self.last_seen()?, None)
                    .or_else(|_| again())?,
                _ => again()?,
            };
            if let Some(version) = landed {
                return Ok(version);
            }
            pause(conflicts.min(20), commit.sequence);
        }
        let reason = format!("{MAX_CONFLICTS} other commits came first");
        Err(Error::storage("commit", self.location().url(), reason))
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
        let commit = Commit::try_new(writer_id, sequence, files, schema)?;
        self.attempt(&commit, self.latest()?, Some(base))
    }

    /// One attempt on top of `snapshot` with a known outcome: the version, or `None` after a lost race.
    ///
    /// After an error the outcome is unknown until the log is read again and shows our transaction,
    /// or shows that it is not there; then the same is tried again, a few times.
    fn attempt(
        &self,
        commit: &Commit<'_>,
        snapshot: Snapshot,
        base: Option<u64>,
    ) -> Result<Option<u64>> {
        let (mut tries, mut blind_looks) = (0, 0);
        let mut unknown: Option<Unknown> = None;
        let mut seen = self.with_landed(commit, snapshot);
        loop {
            match (seen, &unknown) {
                (Err(fenced @ Error::Fenced { .. }), _) => return Err(fenced),
                (Ok((_, Some(version))), None) => return Ok(Some(version)),
                (Ok((_, Some(_))), Some(unknown)) => return self.confirm(unknown).map(Some),
                (Ok((_, None)), Some(unknown)) if tries > MAX_RETRIES => {
                    let path = self.location().url();
                    return Err(Error::storage("commit", path, unknown.failure.as_str()));
                }
                (Ok((snapshot, None)), _) => match self.try_commit(commit, &snapshot, base)? {
                    Attempt::Committed(version) => return Ok(Some(version)),
                    Attempt::Conflict => return Ok(None),
                    Attempt::Unknown(failure) => {
                        let version = snapshot.version() + 1;
                        unknown = Some(Unknown { version, failure });
                        tries += 1;
                    }
                },
                (Err(_), _) if blind_looks < MAX_RETRIES => blind_looks += 1,
                (Err(unread), None) => return Err(unread),
                (Err(unread), Some(unknown)) => {
                    return Err(Error::UnknownOutcome {
                        operation: "commit",
                        reason: unread.chain(),
                        source: unknown.failure.as_str().into(),
                        path: self.location().url(),
                    });
                }
            }
            pause((tries + blind_looks) * 5, commit.sequence);
            seen = self
                .latest()
                .and_then(|snapshot| self.with_landed(commit, snapshot));
        }
    }

    /// The snapshot, and its version if our own transaction is in it.
    fn with_landed(
        &self,
        commit: &Commit<'_>,
        snapshot: Snapshot,
    ) -> Result<(Snapshot, Option<u64>)> {
        let engine = self.location().engine();
        let sequence = snapshot
            .kernel()
            .get_app_id_version(commit.writer_id, engine.as_ref())
            .map_err(|error| self.failed("read the log", error))?;
        let landed = sequence.is_some_and(|sequence| sequence >= commit.sequence);
        if !landed {
            self.check_fence(&snapshot)?;
        }
        let version = landed.then(|| snapshot.version());
        Ok((snapshot, version))
    }

    /// A commit that failed and is in the log all the same: durable now, as one that did not fail.
    fn confirm(&self, unknown: &Unknown) -> Result<u64> {
        let entry = format!("_delta_log/{:020}.json", unknown.version);
        self.location().join(&entry).make_durable()?;
        Ok(unknown.version)
    }

    fn try_commit(
        &self,
        commit: &Commit<'_>,
        snapshot: &Snapshot,
        base: Option<u64>,
    ) -> Result<Attempt> {
        let engine = self.location().engine();
        if base.is_some_and(|base| base != snapshot.version()) {
            return Ok(Attempt::Conflict);
        }
        let new_fields = new_fields(snapshot.schema(), commit.schema, &self.location().url())?;
        let mut update = snapshot
            .kernel()
            .clone()
            .update_table(UpdateTableOperation::Write, ENGINE_INFO, true)
            .with_transaction_id(commit.writer_id.to_owned(), commit.sequence);
        let only_adds = commit.adds.is_some() && matches!(commit.removes, Removes::Nothing);
        if new_fields.is_empty() && only_adds {
            update = update.with_blind_append();
        }
        for field in new_fields {
            update = update.add_column(field);
        }
        let mut transaction = update
            .build(engine.as_ref(), Box::new(FileSystemCommitter::new()))
            .map_err(|error| self.failed("prepare a commit", error))?;
        if !matches!(commit.removes, Removes::Nothing) {
            for page in snapshot.scan_pages()? {
                let files = match commit.removes {
                    Removes::Named(names) => named(page.scan_files, names)
                        .map_err(|error| self.failed("prepare a commit", error))?,
                    _ => page.scan_files,
                };
                transaction.remove_files(files);
            }
        }
        if let Some(adds) = &commit.adds {
            transaction.add_files(Box::new(ArrowEngineData::new(adds.clone())));
        }
        Ok(match transaction.commit(engine.as_ref()) {
            Ok(CommitResult::Committed(done)) => {
                if let Some(committed) = done.post_commit_snapshot() {
                    self.remember_committed(committed);
                }
                Attempt::Committed(done.commit_version())
            }
            Ok(CommitResult::Conflicted(_)) => Attempt::Conflict,
            Ok(CommitResult::Retryable(retry)) => Attempt::Unknown(damage::reason(&retry.error)),
            Err(error) => Attempt::Unknown(damage::reason(&error)),
        })
    }
}

/// What is to be committed, and the name under which the log will know it.
struct Commit<'a> {
    writer_id: &'a str,
    sequence: i64,
    adds: Option<RecordBatch>,
    schema: &'a Schema,
    removes: Removes<'a>,
}

/// Which of the files that are there a commit takes out.
#[derive(Clone, Copy)]
enum Removes<'a> {
    Nothing,
    All,
    Named(&'a HashSet<String>),
}

impl<'a> Commit<'a> {
    fn try_new(
        writer_id: &'a str,
        sequence: i64,
        files: &[DataFile],
        schema: &'a Schema,
    ) -> Result<Self> {
        Ok(Self {
            adds: Some(add_actions(files)?),
            ..Self::of_nothing(writer_id, sequence, schema)
        })
    }

    fn of_nothing(writer_id: &'a str, sequence: i64, schema: &'a Schema) -> Self {
        Self {
            writer_id,
            sequence,
            adds: None,
            schema,
            removes: Removes::Nothing,
        }
    }
}

/// A try that failed, and the version that it would have made.
struct Unknown {
    version: u64,
    failure: String,
}

enum Attempt {
    Committed(u64),
    Conflict,
    Unknown(String),
}

/// Waits a little longer each time, spread by the sequence so that writers do not march in step.
fn pause(step: u32, sequence: i64) {
    let spread = sequence.unsigned_abs().wrapping_mul(2_654_435_761) % 7;
    std::thread::sleep(Duration::from_millis(u64::from(step) + spread));
}
