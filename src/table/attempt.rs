//! One attempt to commit, whose outcome is known in the end.

use std::time::Duration;

use delta_kernel::KernelError;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};

use super::actions::add_actions;
use super::commit::{Change, Commit, Removes};
use super::companions::Companion;
use super::damage;
use super::delta::{DeltaTable, ENGINE_INFO};
use super::fence::named;
use super::fields::new_fields;
use super::snapshot::Snapshot;
use crate::storage::MAY_ARRIVE;
use crate::{Error, Result};

/// How often a commit whose outcome is unknown is looked up and tried again.
const MAX_RETRIES: u32 = 5;

impl DeltaTable {
    /// One attempt on top of `snapshot` with a known outcome: the version, or `None` after a lost race.
    ///
    /// After an error the outcome is unknown until the log is read again and shows our transaction,
    /// or shows that it is not there; then the same is tried again, a few times.
    pub(super) fn attempt(
        &self,
        commit: &Commit<'_>,
        snapshot: Result<Snapshot>,
        base: Option<u64>,
    ) -> Result<Option<u64>> {
        let (mut tries, mut blind_looks) = (0, 0);
        let mut is_lost = false;
        let mut unknown: Option<Unknown> = None;
        // Whether one of the tries that are not in the log may come to be in it.
        let mut may_arrive = false;
        let mut seen = snapshot.and_then(|snapshot| self.with_landed(commit, snapshot));
        loop {
            match (seen, &unknown) {
                (Err(fenced @ Error::Fenced { .. }), _) => return Err(fenced),
                (Ok((_, Some(version))), None) => return self.confirm(version).map(Some),
                (Ok((_, Some(version))), Some(unknown)) => {
                    // Another writer may have taken it along in another version.
                    let is_own =
                        self.is_entry_of(unknown.version, commit.writer_id, commit.sequence);
                    let version = match is_own {
                        Ok(Some(true)) => unknown.version,
                        _ => version,
                    };
                    return self.confirm(version).map(Some);
                }
                (Ok((snapshot, None)), Some(unknown))
                    if is_lost && snapshot.version() < unknown.version =>
                {
                    // The version is there, and the listing does not show it yet: maybe it is ours.
                    if blind_looks == MAX_RETRIES {
                        let reason = format!("listings do not show version {}", unknown.version);
                        return Err(self.unknown_outcome(reason, unknown));
                    }
                    blind_looks += 1;
                }
                (Ok((_, None)), _) if is_lost => return Ok(None),
                (Ok((_, None)), Some(unknown)) if tries > MAX_RETRIES => {
                    let failure = unknown.failure.as_str();
                    let error = Error::storage("commit", self.location().url(), failure);
                    return Err(self.told(error, Some(unknown), may_arrive));
                }
                (Ok((snapshot, None)), _) => {
                    let is_first = tries + blind_looks == 0;
                    let tried = self.try_commit(commit, &snapshot, base, is_first);
                    match tried.map_err(|error| self.told(error, unknown.as_ref(), may_arrive))? {
                        Attempt::Committed(version) => return Ok(Some(version)),
                        // After a try of unknown outcome the version may be our own that took its time.
                        Attempt::Conflict if unknown.is_some() => is_lost = true,
                        Attempt::Conflict => return Ok(None),
                        // What was seen last may name files that another tool has cleaned up since.
                        Attempt::Unprepared(_) if blind_looks < MAX_RETRIES => blind_looks += 1,
                        Attempt::Unprepared(error) => {
                            return Err(self.told(error, unknown.as_ref(), may_arrive));
                        }
                        Attempt::Unknown { failure, may_come } => {
                            may_arrive |= may_come;
                            let version = snapshot.version() + 1;
                            unknown = Some(Unknown { version, failure });
                            tries += 1;
                        }
                    }
                }
                (Err(_), _) if blind_looks < MAX_RETRIES => blind_looks += 1,
                (Err(unread), None) => return Err(unread),
                (Err(unread), Some(unknown)) => {
                    let reason = format!("it cannot be read back: {}", unread.chain());
                    return Err(self.unknown_outcome(reason, unknown));
                }
            }
            pause((tries + blind_looks) * 5, commit.sequence);
            seen = self
                .latest()
                .and_then(|snapshot| self.with_landed(commit, snapshot));
        }
    }

    /// What to say of an error behind which nothing is tried any more: where a try before it may still
    /// arrive, whether the commit is done is not known, whatever the error.
    fn told(&self, error: Error, unknown: Option<&Unknown>, may_arrive: bool) -> Error {
        match unknown {
            Some(unknown) if may_arrive => {
                let failure = unknown.failure.as_str();
                let location = self.location();
                location.unknown_outcome("commit", MAY_ARRIVE, failure)
            }
            _ => error,
        }
    }

    fn unknown_outcome(&self, reason: String, unknown: &Unknown) -> Error {
        let failure = unknown.failure.as_str();
        self.location().unknown_outcome("commit", reason, failure)
    }

    /// Whether a commit that failed so may be done yet.
    pub(super) fn may_arrive(&self, error: &KernelError) -> bool {
        match error.without_backtrace() {
            KernelError::ObjectStore(failure) => self.location().may_arrive(failure),
            _ => self.location().is_elsewhere(),
        }
    }

    fn unknown(&self, error: &KernelError) -> Attempt {
        Attempt::Unknown {
            failure: damage::reason(error),
            may_come: self.may_arrive(error),
        }
    }

    /// The snapshot, and its version if our own transaction is in it.
    pub(super) fn with_landed(
        &self,
        commit: &Commit<'_>,
        snapshot: Snapshot,
    ) -> Result<(Snapshot, Option<u64>)> {
        let sequence = snapshot.transaction(commit.writer_id)?;
        let landed = sequence.is_some_and(|sequence| sequence >= commit.sequence);
        if !landed {
            self.check_fence(&snapshot)?;
        }
        let version = landed.then(|| snapshot.version());
        Ok((snapshot, version))
    }

    fn unread_names(&self) -> Error {
        let reason = "the log's entries tell no names of files";
        Error::storage("prepare a commit", self.location().url(), reason)
    }

    /// A commit that failed, now or in an earlier call, and is in the log all the same: durable now,
    /// as one that did not fail.
    pub(super) fn confirm(&self, version: u64) -> Result<u64> {
        let entry = format!("_delta_log/{version:020}.json");
        self.location().join(&entry).make_durable()?;
        Ok(version)
    }

    fn try_commit(
        &self,
        commit: &Commit<'_>,
        snapshot: &Snapshot,
        base: Option<u64>,
        with_others: bool,
    ) -> Result<Attempt> {
        let engine = self.location().engine();
        if base.is_some_and(|base| base != snapshot.version()) {
            return Ok(Attempt::Conflict);
        }
        let new_fields = new_fields(snapshot.schema(), commit.schema, &self.location().url())?;
        let (operation, is_change) = match commit.change {
            Change::Rows => (UpdateTableOperation::Write, true),
            Change::Files => (UpdateTableOperation::Optimize, false),
            Change::Cells => (UpdateTableOperation::Update, true),
        };
        let mut update = snapshot
            .kernel()
            .clone()
            .update_table(operation, ENGINE_INFO, is_change)
            .with_transaction_id(commit.writer_id.to_owned(), commit.sequence);
        let only_adds = !commit.files.is_empty() && matches!(commit.removes, Removes::Nothing);
        if new_fields.is_empty() && only_adds {
            update = update.with_blind_append();
        }
        for field in new_fields {
            update = update.add_column(field);
        }
        // Alone after a failure: what others laid open must not keep this commit from landing.
        let companions = match with_others {
            true => self.companions(snapshot, commit).unwrap_or_else(|error| {
                tracing::debug!(%error, "a commit takes nobody along");
                Vec::new()
            }),
            false => Vec::new(),
        };
        for Companion {
            writer_id,
            sequence,
            ..
        } in &companions
        {
            update = update.with_transaction_id(writer_id.clone(), *sequence);
        }
        let built = update.build(engine.as_ref(), Box::new(FileSystemCommitter::new()));
        let mut transaction = match built {
            Ok(transaction) => transaction,
            Err(error) => {
                return Ok(Attempt::Unprepared(self.failed("prepare a commit", error)));
            }
        };
        if !matches!(commit.removes, Removes::Nothing) {
            for page in snapshot.scan_pages()? {
                let files = match commit.removes {
                    Removes::Named(names) => named(page.scan_files, names)
                        .map_err(|error| self.failed("prepare a commit", error))?
                        .ok_or_else(|| self.unread_names())?,
                    _ => page.scan_files,
                };
                transaction.remove_files(files);
            }
        }
        if let Some(details) = commit.details {
            transaction = details.put_into(transaction)?;
        }
        let own = match commit.files {
            [] => None,
            files => Some(add_actions(files)?),
        };
        for adds in own
            .into_iter()
            .chain(companions.into_iter().map(|one| one.adds))
        {
            transaction.add_files(Box::new(ArrowEngineData::new(adds)));
        }
        self.location().check_creates()?;
        Ok(match transaction.commit(engine.as_ref()) {
            Ok(CommitResult::Committed(done)) => {
                if let Some(committed) = done.post_commit_snapshot() {
                    self.remember_committed(committed);
                }
                Attempt::Committed(done.commit_version())
            }
            Ok(CommitResult::Conflicted(_)) => self.conflict(commit, snapshot.version() + 1),
            Ok(CommitResult::Retryable(retry)) => self.unknown(&retry.error),
            Err(error) => self.unknown(&error),
        })
    }

    /// Who took that version: at stores elsewhere it may have been this very try.
    fn conflict(&self, commit: &Commit<'_>, version: u64) -> Attempt {
        if !self.location().is_elsewhere() {
            return Attempt::Conflict;
        }
        match self.is_entry_of(version, commit.writer_id, commit.sequence) {
            Ok(Some(true)) => Attempt::Committed(version),
            Ok(Some(false)) => Attempt::Conflict,
            Ok(None) => Attempt::Unknown {
                failure: "the store says that the entry exists, and does not show it".into(),
                may_come: true,
            },
            Err(error) => Attempt::Unknown {
                failure: error.chain(),
                may_come: true,
            },
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
    /// Nothing was written.
    Unprepared(Error),
    Unknown {
        failure: String,
        may_come: bool,
    },
}

/// Waits a little longer each time, spread by the sequence so that writers do not march in step.
pub(super) fn pause(step: u32, sequence: i64) {
    let spread = sequence.unsigned_abs().wrapping_mul(2_654_435_761) % 7;
    std::thread::sleep(Duration::from_millis(u64::from(step) + spread));
}

#[cfg(test)]
mod tests;
