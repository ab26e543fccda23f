//! Reading all of a table to find out what is damaged.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use delta_kernel::scan::state::ScanFile;

use super::decode;
use super::delta::DeltaTable;
use crate::storage::Location;
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

/// What was read of a table, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct TableCheck {
    pub(crate) version: u64,
    pub(crate) files: u64,
    pub(crate) rows: u64,
    pub(crate) size_bytes: u64,
    pub(crate) problems: Vec<Error>,
}

impl DeltaTable {
    /// Reads the log and every file of the latest version; `each` sees the rows of every
    /// file that can be read.
    ///
    /// # Memory
    /// One file and its rows.
    pub(crate) fn verify(&self, mut each: impl FnMut(&[RecordBatch])) -> TableCheck {
        let mut check = TableCheck::default();
        check.problems.extend(self.damaged_log());
        let opened = self
            .snapshot()
            .and_then(|snapshot| snapshot.files().map(|files| (snapshot, files)));
        match opened {
            Err(error) => check.problems.push(error),
            Ok((snapshot, files)) => {
                check.version = snapshot.version();
                check.files = files.len() as u64;
                for file in files {
                    if let Err(error) =
                        self.verify_file(&file, snapshot.schema(), &mut check, &mut each)
                    {
                        check.problems.push(error);
                    }
                }
            }
        }
        check
    }

    /// Entries of the log that are not there although later ones are, and those that say nothing: the
    /// kernel takes an empty entry for a commit without actions.
    fn damaged_log(&self) -> Vec<Error> {
        let log = self.location().join("_delta_log");
        let names = match log.list_files() {
            Ok(names) => names,
            Err(error) => return vec![error],
        };
        let number = |name: &String, end: &str| name.strip_suffix(end)?.parse::<u64>().ok();
        let checkpoints = names
            .iter()
            .filter_map(|name| number(name, ".checkpoint.parquet"));
        // Entries up to a checkpoint may be cleaned up.
        let mut expected = checkpoints.max().map_or(0, |version| version + 1);
        let mut problems = Vec::new();
        for version in names.iter().filter_map(|name| number(name, ".json")) {
            if version < expected {
                continue;
            }
            // A listing of a folder that is written to may lack an entry that is there.
            let entry = |version: u64| log.join(&format!("{version:020}.json"));
            let is_there =
                |entry: Location| entry.read_if_exists().is_ok_and(|read| read.is_some());
            while version > expected && is_there(entry(expected)) {
                problems.extend(entry_problem(&entry(expected)));
                expected += 1;
            }
            if version > expected {
                problems.push(Error::Corrupt {
                    what: "table log",
                    reason: format!("versions {expected} to {} are missing", version - 1),
                    path: log.url(),
                });
            }
            expected = version + 1;
            problems.extend(entry_problem(&entry(version)));
        }
        problems
    }

    fn verify_file(
        &self,
        file: &ScanFile,
        schema: &Schema,
        check: &mut TableCheck,
        each: &mut impl FnMut(&[RecordBatch]),
    ) -> Result<()> {
        let batches = self.read_checked(file, schema)?;
        check.size_bytes += u64::try_from(file.size).unwrap_or(0);
        check.rows += row_count(&batches);
        each(&batches);
        Ok(())
    }

    /// All rows of a file that is as the log and its name say.
    ///
    /// # Memory
    /// The file and its rows.
    ///
    /// # Errors
    /// `Corrupt` names the file.
    pub(super) fn read_checked(
        &self,
        file: &ScanFile,
        schema: &Schema,
    ) -> Result<Vec<RecordBatch>> {
        let place = self.location().join(&file.path);
        let damaged = |reason: String| decode::damaged(&place, reason);
        let bytes = place
            .read_if_exists()?
            .ok_or_else(|| damaged("it is missing".into()))?;
        if i64::try_from(bytes.len()) != Ok(file.size) {
            let reason = format!(
                "it has {} bytes and the log says {}",
                bytes.len(),
                file.size
            );
            return Err(damaged(reason));
        }
        if let Some(told) = checksum_of(&file.path) {
            let crc32 = crc32fast::hash(&bytes);
            if crc32 != told {
                let reason = format!("its checksum is {crc32:08x} and its name says {told:08x}");
                return Err(damaged(reason));
            }
        }
        let builder = decode::open(&place, bytes)?;
        let batches = decode::guarded(&place, || {
            builder.build()?.collect::<Result<Vec<RecordBatch>, _>>()
        })?;
        let rows = row_count(&batches);
        if let Some(stats) = &file.stats
            && stats.num_records != rows
        {
            let reason = format!("it has {rows} rows and the log says {}", stats.num_records);
            return Err(damaged(reason));
        }
        let known = |name: &str| schema.fields().find(name).is_some();
        let fields = batches.first().map(RecordBatch::schema);
        let fields = fields.iter().flat_map(|schema| schema.fields());
        for field in fields {
            if !known(field.name()) {
                let reason = format!("it has the column `{}` and the log does not", field.name());
                return Err(damaged(reason));
            }
        }
        Ok(batches)
    }
}

fn row_count(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

/// The checksum that the name of a file tells; none in names of older and of other writers.
fn checksum_of(name: &str) -> Option<u32> {
    let (start, checksum) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    // Order, number and ULID; a file that took the place of others has a second ULID.
    let is_ours = start.starts_with("part-") && matches!(start.matches('-').count(), 3 | 4);
    let is_checksum = checksum.len() == 8;
    (is_ours && is_checksum)
        .then(|| u32::from_str_radix(checksum, 16).ok())
        .flatten()
}

/// What is wrong with one entry of a log.
fn entry_problem(entry: &Location) -> Option<Error> {
    let corrupt = |reason: String| Error::Corrupt {
        what: "table log",
        reason,
        path: entry.url(),
    };
    let bytes = match entry.read() {
        Ok(bytes) => bytes,
        Err(error) => return Some(error),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut actions = lines
        .filter(|line| !line.trim_ascii().is_empty())
        .peekable();
    if actions.peek().is_none() {
        return Some(corrupt("it is empty".into()));
    }
    actions.find_map(|line| {
        let parsed = serde_json::from_slice::<HashMap<String, serde::de::IgnoredAny>>(line);
        let unknown = match parsed {
            Ok(action) => action
                .into_keys()
                .find(|kind| !ACTIONS.contains(&kind.as_str()))?,
            Err(error) => return Some(corrupt(error.to_string())),
        };
        Some(corrupt(format!(
            "it has the action `{unknown}`, which Delta does not"
        )))
    })
}
