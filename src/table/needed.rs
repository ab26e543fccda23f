//! Which data files of a table readers and documents may still need.

use std::collections::HashSet;

use serde::Deserialize;

use super::delta::DeltaTable;
use crate::storage::{Location, Object, version_in};
use crate::{Error, Result};

/// The one action of a log entry that matters here.
#[derive(Deserialize)]
struct Action {
    remove: Option<Remove>,
}

#[derive(Deserialize)]
struct Remove {
    path: String,
}

/// Data files of a table, by what needs them.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    /// Held by the latest version, or by one that a document names.
    pub(crate) held: HashSet<String>,
    /// Taken out not long ago: readers may still read the versions that hold them.
    pub(crate) recent: HashSet<String>,
}

impl DeltaTable {
    /// The files that the latest version or one of these `versions` holds, and those that a version held
    /// which was the latest at `since_us` or later.
    ///
    /// # Errors
    /// `Corrupt` for a log that does not tell, lacks one of these versions, or names files that are not
    /// there: then nothing is known to be unneeded.
    pub(crate) fn needed_files(&self, since_us: i64, versions: &[u64]) -> Result<Needed> {
        if let Some(problem) = self.log_problems().into_iter().next() {
            return Err(problem);
        }
        let latest = self.snapshot()?;
        let mut held: HashSet<String> = latest.paths()?.into_iter().collect();
        for &version in versions.iter().filter(|&&one| one != latest.version()) {
            if version > latest.version() {
                let last = latest.version();
                return Err(self.lost(format!(
                    "its log ends at version {last}, and the run's documents name version {version}"
                )));
            }
            held.extend(self.snapshot_at(version)?.paths()?);
        }
        self.check_held(&held)?;
        // What a version held that was the latest then, and the latest version does not, was taken
        // out since.
        let recent = self.removed_since(since_us, latest.version())?;
        Ok(Needed {
            held,
            recent: recent.into_iter().collect(),
        })
    }

    /// Every file must be there: where one is not, the commit that took it out may be lost, and with it
    /// the names of the files that hold its rows now.
    fn check_held(&self, held: &HashSet<String>) -> Result<()> {
        // After the log was read: what it names was written before.
        let there: HashSet<String> = self.location().list_files()?.into_iter().collect();
        let mut unlisted: Vec<&String> = held.difference(&there).collect();
        unlisted.sort_unstable();
        for name in unlisted {
            // A listing may lag behind.
            if self.location().join(name).read_if_exists()?.is_none() {
                return Err(self.lost(format!("its log names `{name}`, which is not there")));
            }
        }
        Ok(())
    }

    fn lost(&self, reason: String) -> Error {
        Error::Corrupt {
            what: "table",
            reason,
            path: self.location().url(),
        }
    }

    /// One of these names that the table neither holds nor ever took out: the commit that brought it is
    /// not in the log any more. `None` as well where the log does not reach back to its beginning.
    ///
    /// # Errors
    /// As [`DeltaTable::needed_files`].
    pub(crate) fn unknown_file(&self, needed: &Needed, names: &[String]) -> Result<Option<String>> {
        let mut unknown: HashSet<&String> = names.iter().collect();
        unknown.retain(|name| !needed.held.contains(*name));
        if unknown.is_empty() {
            return Ok(None);
        }
        let log = self.location().join("_delta_log");
        let entries = log.list_files()?.into_iter();
        let entries: Vec<String> = entries.filter(|name| version_in(name).is_some()).collect();
        if entries.iter().all(|name| version_in(name) != Some(0)) {
            return Ok(None);
        }
        for name in entries {
            for removed in removals(&log.join(&name))? {
                unknown.remove(&removed);
            }
        }
        Ok(unknown.into_iter().min().cloned())
    }

    fn removed_since(&self, since_us: i64, latest: u64) -> Result<Vec<String>> {
        let log = self.location().join("_delta_log");
        let mut entries: Vec<(u64, Object)> = log
            .objects()?
            .into_iter()
            .filter_map(|object| Some((version_in(&object.name)?, object)))
            .collect();
        entries.sort_by_key(|(version, _)| *version);
        entries.retain(|(version, _)| *version <= latest);
        let mut removed = Vec::new();
        let mut expected = Some(latest);
        let mut reaches_back = false;
        for (version, entry) in entries.iter().rev() {
            if entry.modified_us >= since_us {
                removed.extend(removals(&log.join(&entry.name))?);
            }
            // Entries that came before the moment in question may be cleaned up.
            if !reaches_back && Some(*version) != expected {
                break;
            }
            reaches_back |= entry.modified_us < since_us || *version == 0;
            expected = version.checked_sub(1);
        }
        if reaches_back {
            return Ok(removed);
        }
        let missing = expected.unwrap_or_default();
        Err(Error::Corrupt {
            what: "table log",
            reason: format!(
                "version {missing} is missing, so what readers may still need is not known"
            ),
            path: log.url(),
        })
    }
}

fn removals(entry: &Location) -> Result<Vec<String>> {
    let bytes = entry.read()?;
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut removed = Vec::new();
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        let action: Action = serde_json::from_slice(line).map_err(|error| Error::Corrupt {
            what: "table log",
            reason: error.to_string(),
            path: entry.url(),
        })?;
        removed.extend(action.remove.map(|remove| remove.path));
    }
    Ok(removed)
}
