//! Appends that lost a race, laid open in the table's folder: whoever commits next takes them along.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::actions::add_actions;
use super::append::{DataFile, FileRecord};
use super::commit::{Commit, random};
use super::delta::DeltaTable;
use super::fence::Owner;
use super::snapshot::Snapshot;
use crate::storage::{Location, parse_document, sealed};
use crate::{Error, Result};

/// Where they are; Delta readers pass over names that begin so.
pub(crate) const ANNOUNCED: &str = "_announced";
/// Older ones are nobody's: their writer ended, or committed itself.
const FRESH: Duration = Duration::from_secs(60);
/// How long the older ones have before others try too.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between looks at whether somebody took an append along, which doubles up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(4);
const LAST_LOOK: Duration = Duration::from_millis(64);
/// How many a commit takes along at most.
const MAX_TAKEN: usize = 64;
/// Larger ones are not read.
const MAX_BYTES: u64 = 4 << 20;

/// An append as others need it to commit it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Announcement {
    #[serde(skip)]
    name: String,
    writer_id: String,
    sequence: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
    files: Vec<FileRecord>,
}

/// An append of another writer that goes with one of ours.
#[derive(Debug)]
pub(super) struct Companion {
    pub(super) writer_id: String,
    pub(super) sequence: i64,
    pub(super) adds: RecordBatch,
}

/// Our own append, laid open until it is committed or given up, among those of others.
#[derive(Debug)]
pub(super) struct Announced {
    folder: Location,
    name: String,
    /// By name; `None` for one that is of no use.
    others: HashMap<String, Option<Arc<Announcement>>>,
}

/// Whose turn it is to commit.
pub(super) enum Turn {
    /// Ours, with these.
    Ours(Vec<Arc<Announcement>>),
    /// Ours, and somebody took our append along: the log will tell.
    Taken,
}

impl Announced {
    /// Whether others wait with their appends.
    pub(super) fn is_any(table: &DeltaTable) -> Result<bool> {
        let folder = table.location().join(ANNOUNCED);
        Ok(!fresh(&folder)?.is_empty())
    }

    /// Lays an append open. Its files are in the table's folder, and the table has all of its columns.
    pub(super) fn lay_open(
        table: &DeltaTable,
        writer_id: &str,
        sequence: i64,
        files: &[DataFile],
    ) -> Result<Self> {
        let announcement = Announcement {
            name: String::new(),
            writer_id: writer_id.to_owned(),
            sequence,
            owner: table.owner().cloned(),
            files: files.iter().map(DataFile::record).collect(),
        };
        let folder = table.location().join(ANNOUNCED);
        let json = serde_json::to_vec(&announcement)
            .map_err(|error| Error::storage("announce a commit", folder.url(), error))?;
        let name = format!("{}.json", Ulid::new().to_string().to_ascii_lowercase());
        folder.join(&name).create(sealed(json))?;
        Ok(Self {
            folder,
            name,
            others: HashMap::new(),
        })
    }

    /// Waits until ours is the oldest append, or is taken, or those before it had their time.
    pub(super) fn wait_for_turn(&mut self) -> Result<Turn> {
        let own = self.folder.join(&self.name);
        let patience = PATIENCE + Duration::from_millis(random(PATIENCE.as_millis()));
        let start = Instant::now();
        let mut wait = FIRST_LOOK;
        loop {
            let names = fresh(&self.folder)?;
            let is_first = names.first().is_none_or(|first| *first == self.name);
            if is_first || start.elapsed() >= patience {
                return Ok(match names.contains(&self.name) {
                    true => Turn::Ours(self.others(names)?),
                    false => Turn::Taken,
                });
            }
            // The oldest takes us along: one look at our own file tells.
            std::thread::sleep(wait);
            if own.read_if_exists()?.is_none() {
                return Ok(Turn::Taken);
            }
            wait = (wait * 2).min(LAST_LOOK);
        }
    }

    /// The appends of others under these names.
    fn others(&mut self, names: Vec<String>) -> Result<Vec<Arc<Announcement>>> {
        let mut found = Vec::new();
        for name in names.into_iter().filter(|name| *name != self.name) {
            if found.len() == MAX_TAKEN {
                break;
            }
            let other = match self.others.get(&name) {
                Some(known) => known.clone(),
                None => {
                    let read = self.folder.join(&name).read_if_exists()?;
                    let other = read.and_then(|bytes| parse_document(&bytes).ok());
                    let other = other.map(|other: Announcement| {
                        Arc::new(Announcement {
                            name: name.clone(),
                            ..other
                        })
                    });
                    self.others.insert(name, other.clone());
                    other
                }
            };
            found.extend(other);
        }
        Ok(found)
    }

    /// Takes away our own and those that went along, whose writers then look into the log.
    pub(super) fn withdraw(self, taken: &[Arc<Announcement>]) {
        let names = taken.iter().map(|other| &other.name);
        for name in names.chain([&self.name]) {
            if let Err(error) = self.folder.join(name).delete() {
                // Nobody looks at it any more in a minute, and a vacuum takes it away.
                tracing::debug!(name, %error, "an announcement stays behind");
            }
        }
    }
}

impl DeltaTable {
    /// Those of the appends that a commit right after `snapshot` may take along: they are not in it, no
    /// later attempt has fenced them, and what they say fits the table.
    pub(super) fn companions(
        &self,
        snapshot: &Snapshot,
        commit: &Commit<'_>,
    ) -> Result<Vec<Companion>> {
        let engine = self.location().engine();
        let mut companions = Vec::new();
        // One commit names a writer once.
        let mut writers = HashSet::from([commit.writer_id]);
        for other in &commit.others {
            let landed = snapshot
                .kernel()
                .get_app_id_version(&other.writer_id, engine.as_ref())
                .map_err(|error| self.failed("read the log", error))?;
            let has_landed = landed.is_some_and(|landed| landed >= other.sequence);
            let is_fenced = match &other.owner {
                Some(owner) => self.is_fenced(owner, snapshot)?,
                None => false,
            };
            if has_landed || is_fenced {
                continue;
            }
            let files = other.files.iter().cloned();
            let files: Option<Vec<DataFile>> = files
                .map(|file| DataFile::of_record(file, snapshot.schema()))
                .collect();
            let Some(files) = files.filter(|files| !files.is_empty()) else {
                continue;
            };
            if !writers.insert(&other.writer_id) {
                continue;
            }
            companions.push(Companion {
                writer_id: other.writer_id.clone(),
                sequence: other.sequence,
                adds: add_actions(&files)?,
            });
        }
        Ok(companions)
    }
}

/// The names of appends that are laid open, the oldest first.
fn fresh(folder: &Location) -> Result<Vec<String>> {
    let mut objects = folder.objects()?;
    let now = SystemTime::now();
    objects.retain(|object| object.size_bytes <= MAX_BYTES && is_fresh(&object.name, now));
    let mut names: Vec<String> = objects.into_iter().map(|object| object.name).collect();
    names.sort_unstable();
    Ok(names)
}

/// Whether the time in a name, a ULID, is about now.
fn is_fresh(name: &str, now: SystemTime) -> bool {
    let made = name
        .strip_suffix(".json")
        .and_then(|stem| Ulid::from_string(stem).ok())
        .map(|ulid| ulid.datetime());
    made.is_some_and(|made| {
        let apart = now
            .duration_since(made)
            .unwrap_or_else(|ahead| ahead.duration());
        apart <= FRESH
    })
}

#[cfg(test)]
mod tests;
