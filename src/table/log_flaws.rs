//! What is wrong with the log of a table: entries that are missing or say nothing, checkpoints that
//! cannot be read or say something else.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;

use arrow_array::RecordBatch;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::decode;
use super::delta::DeltaTable;
use super::snapshot::Snapshot;
use crate::storage::{Location, LogView, version_in};
use crate::{Error, Result};

/// The actions of the Delta protocol. Readers pass over others, as over a damaged name.
const ACTIONS: [&str; 10] = [
    "add",
    "remove",
    "metaData",
    "protocol",
    "txn",
    "commitInfo",
    "domainMetadata",
    "cdc",
    "checkpointMetadata",
    "sidecar",
];

/// More entries than a listing leaves out that is made while others write.
const UNLISTED: u64 = 1000;

/// Entries of a log that cannot be taken at their word.
pub(super) struct Flaw {
    pub(super) versions: RangeInclusive<u64>,
    pub(super) error: Error,
}

/// What names the last checkpoint.
#[derive(Deserialize)]
struct Hint {
    version: u64,
}

/// What a log consists of, as its listing shows it.
struct Listed {
    entries: BTreeSet<u64>,
    checkpoints: BTreeSet<u64>,
    has_hint: bool,
}

impl DeltaTable {
    fn log(&self) -> Location {
        self.location().join("_delta_log")
    }

    fn listed(&self) -> Result<Listed> {
        let names = self.log().list_files()?;
        Ok(Listed {
            entries: names.iter().filter_map(|name| version_in(name)).collect(),
            checkpoints: names
                .iter()
                .filter_map(|name| checkpoint_version(name))
                .collect(),
            has_hint: names.iter().any(|name| name == "_last_checkpoint"),
        })
    }

    /// Whether there is a checkpoint, or something that speaks of one, beside all entries from the
    /// first on.
    pub(super) fn can_do_without_checkpoints(&self) -> Result<bool> {
        let listed = self.listed()?;
        let has_some = listed.has_hint || !listed.checkpoints.is_empty();
        let last = listed.entries.last().copied().unwrap_or_default();
        // From the first on without a gap, so their number is bounded by that of the files.
        Ok(has_some && listed.entries.len() as u64 == last.saturating_add(1))
    }

    /// Refuses a version that the log cannot lead to. The kernel looks for a checkpoint before it, window
    /// by window: from a number that some file claims, without end.
    pub(super) fn check_reach(&self, version: u64, view: &LogView) -> Result<()> {
        let listed = self.listed()?;
        let mut checkpoints = listed.checkpoints.range(..=version);
        let base = checkpoints
            .next_back()
            .filter(|_| !view.without_checkpoints);
        let steps = version - base.copied().unwrap_or(0);
        let entries = listed.entries.len() as u64;
        if steps <= entries.saturating_add(UNLISTED) {
            return Ok(());
        }
        let reason = format!(
            "version {version} is {steps} versions from where it can be read, and there are {entries} entries"
        );
        Err(corrupt(&self.log(), reason))
    }

    /// Everything that is wrong with the log.
    pub(super) fn log_problems(&self) -> Vec<Error> {
        let (listed, flaws) = match self.listed().and_then(|listed| {
            let flaws = self.flaws_of(&listed.entries, &listed.checkpoints)?;
            Ok((listed, flaws))
        }) {
            Ok(read) => read,
            Err(error) => return vec![error],
        };
        let is_told_by_entries = flaws.is_empty() && listed.entries.contains(&0);
        let mut problems: Vec<Error> = flaws.into_iter().map(|flaw| flaw.error).collect();
        let before = problems.len();
        problems.extend(self.hint_problem(&listed));
        for version in &listed.checkpoints {
            problems.extend(self.checkpoint_problem(*version));
        }
        if problems.len() == before && is_told_by_entries && !listed.checkpoints.is_empty() {
            problems.extend(self.contradiction());
        }
        problems
    }

    /// Entries that are not there although later ones are, and those that say nothing: the kernel takes
    /// an empty entry for a commit without actions.
    pub(super) fn log_flaws(&self) -> Result<Vec<Flaw>> {
        let listed = self.listed()?;
        self.flaws_of(&listed.entries, &listed.checkpoints)
    }

    fn flaws_of(&self, entries: &BTreeSet<u64>, checkpoints: &BTreeSet<u64>) -> Result<Vec<Flaw>> {
        let mut flaws = Vec::new();
        let first = entries.first().copied().unwrap_or_default();
        // Entries up to a checkpoint may be cleaned up, the oldest first.
        let is_cleaned = checkpoints
            .last()
            .is_some_and(|last| last.saturating_add(1) >= first);
        let mut expected = Some(if is_cleaned { first } else { 0 });
        for &version in entries {
            if let Some(from) = expected {
                self.gap(from, version, &mut flaws)?;
            }
            flaws.extend(self.flaw(version));
            expected = version.checked_add(1);
        }
        Ok(flaws)
    }

    /// What is wrong with the versions from one to that before another. A listing of a folder that is
    /// written to may lack an entry that is there.
    fn gap(&self, mut from: u64, to: u64, flaws: &mut Vec<Flaw>) -> Result<()> {
        while from < to && self.entry(from).read_if_exists()?.is_some() {
            flaws.extend(self.flaw(from));
            from += 1;
        }
        if from < to {
            let versions = from..=to - 1;
            let reason = match from == to - 1 {
                true => format!("version {from} is missing"),
                false => format!("versions {from} to {} are missing", to - 1),
            };
            let error = corrupt(&self.log(), reason);
            flaws.push(Flaw { versions, error });
        }
        Ok(())
    }

    fn flaw(&self, version: u64) -> Option<Flaw> {
        let error = entry_problem(&self.entry(version))?;
        let versions = version..=version;
        Some(Flaw { versions, error })
    }

    fn entry(&self, version: u64) -> Location {
        self.log().join(&format!("{version:020}.json"))
    }

    fn checkpoint(&self, version: u64) -> Location {
        self.log()
            .join(&format!("{version:020}.checkpoint.parquet"))
    }

    /// What is wrong with the file that names the last checkpoint.
    fn hint_problem(&self, listed: &Listed) -> Option<Error> {
        let place = self.log().join("_last_checkpoint");
        let bytes = match place.read_if_exists() {
            Ok(bytes) => bytes?,
            Err(error) => return Some(error),
        };
        match serde_json::from_slice::<Hint>(&bytes) {
            Ok(hint) if listed.checkpoints.contains(&hint.version) => None,
            Ok(hint) => Some(corrupt(
                &place,
                format!(
                    "it names the checkpoint of version {}, which is missing",
                    hint.version
                ),
            )),
            Err(error) => Some(corrupt(&place, error.to_string())),
        }
    }

    fn checkpoint_problem(&self, version: u64) -> Option<Error> {
        let place = self.checkpoint(version);
        let read = || -> Result<()> {
            let reader = decode::open(&place, place.read()?)?;
            decode::guarded(&place, || {
                let rows = reader.build()?;
                rows.collect::<Result<Vec<RecordBatch>, _>>().map(drop)
            })
        };
        read().err()
    }

    /// A table that its checkpoint and its entries tell differently.
    fn contradiction(&self) -> Option<Error> {
        let compare = || -> Result<Option<Error>> {
            let by_checkpoint = self.load_seeing(None, LogView::default())?;
            let version = by_checkpoint.version();
            let by_entries = self.without_checkpoints(Some(version))?;
            let is_same = told(&by_checkpoint)? == told(&by_entries)?;
            let reason = "a checkpoint holds other files than the entries that it sums up";
            Ok((!is_same).then(|| corrupt(&self.log(), reason.into())))
        };
        compare().unwrap_or_else(Some)
    }
}

/// What a version holds: names, sizes and rows of its files.
fn told(snapshot: &Snapshot) -> Result<Vec<(String, i64, Option<u64>)>> {
    let files = snapshot.files_by_its_log()?.into_iter();
    Ok(files
        .map(|file| {
            (
                file.path,
                file.size,
                file.stats.map(|stats| stats.num_records),
            )
        })
        .collect())
}

/// The version that a checkpoint of a log sums up; `None` for other names.
fn checkpoint_version(name: &str) -> Option<u64> {
    version_in(&format!(
        "{}.json",
        name.strip_suffix(".checkpoint.parquet")?
    ))
}

fn corrupt(place: &Location, reason: String) -> Error {
    Error::Corrupt {
        what: "table log",
        reason,
        path: place.url(),
    }
}

/// What is wrong with one entry of a log.
fn entry_problem(entry: &Location) -> Option<Error> {
    let bytes = match entry.read() {
        Ok(bytes) => bytes,
        Err(error) => return Some(error),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut actions = lines
        .filter(|line| !line.trim_ascii().is_empty())
        .peekable();
    if actions.peek().is_none() {
        return Some(corrupt(entry, "it is empty".into()));
    }
    actions.find_map(|line| {
        let parsed = serde_json::from_slice::<HashMap<String, IgnoredAny>>(line);
        let unknown = match parsed {
            Ok(action) => action
                .into_keys()
                .find(|kind| !ACTIONS.contains(&kind.as_str()))?,
            Err(error) => return Some(corrupt(entry, error.to_string())),
        };
        Some(corrupt(
            entry,
            format!("it has the action `{unknown}`, which Delta does not"),
        ))
    })
}

#[cfg(test)]
mod tests {
    use crate::storage::Location;
    use crate::table::{Columns, DeltaTable};

    /// A run that somebody prepared: a checkpoint and an entry far out, and one on the way there.
    #[test]
    fn versions_that_files_claim_far_out_are_refused_and_not_searched_for() {
        let place = Location::open("memory://").unwrap().join("t");
        let rows = |number: i64| {
            let columns = Columns::new().with("x", vec![number]);
            columns.into_batch("test").unwrap()
        };
        let table = DeltaTable::create(place.clone(), &rows(0).schema()).unwrap();
        for number in 0..50 {
            table.append("w", number, &[rows(number)]).unwrap();
        }
        let log = place.join("_delta_log");
        let far = 1_u64 << 62;
        let copy = |from: &str, to: String| {
            let bytes = log.join(from).read().unwrap();
            log.join(&to).create(bytes).unwrap();
        };
        let checkpoint = "00000000000000000050.checkpoint.parquet";
        copy(checkpoint, format!("{far:020}.checkpoint.parquet"));
        for version in [far, far / 2] {
            copy("00000000000000000050.json", format!("{version:020}.json"));
        }
        log.join("_last_checkpoint").delete().unwrap();
        let table = DeltaTable::open(place).unwrap();
        assert_eq!(table.snapshot_at(40).unwrap().row_count().unwrap(), 40);
        let error = table.snapshot_at(far / 2).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{error}");
        assert!(!table.verify(None, |_| ()).problems.is_empty());
        // The checkpoint far out is damaged as well: no entries lead there.
        let torn = log.join(&format!("{far:020}.checkpoint.parquet"));
        torn.replace("torn").unwrap();
        let read = table.snapshot().and_then(|read| read.row_count());
        assert_eq!(read.unwrap_err().kind(), crate::ErrorKind::Corrupt);
    }
}
