//! The revisions of a table: what each changed, by whom, why.

use std::fmt;

use serde::Deserialize;

use super::edit::Told;
use super::{DeltaTable, Table};
use crate::Result;

/// One revision of a table.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// Its number, the version of the Delta table.
    pub version: u64,
    /// When it was committed, microseconds since 1970 UTC; `None` where the log does not tell.
    pub time_us: Option<i64>,
    /// What was done.
    pub kind: RevisionKind,
    /// Who did it, as they were named.
    pub author: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// The revision that it was made from; `None` for the first.
    pub parent: Option<u64>,
    /// The program that committed it.
    pub program: Option<String>,
}

/// What a revision did.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevisionKind {
    /// The table was made, with so many rows.
    Created {
        /// Rows that it holds.
        rows: u64,
    },
    /// Rows were appended.
    Appended {
        /// How many.
        rows: u64,
    },
    /// Cells were set.
    Edited {
        /// Columns with a changed cell, and those that were added.
        columns: Vec<String>,
        /// Rows with a changed cell.
        rows: u64,
    },
    /// Cells were set back to what they held before another revision.
    Undone {
        /// That revision.
        revision: u64,
        /// Columns with a changed cell.
        columns: Vec<String>,
        /// Rows with a changed cell.
        rows: u64,
    },
    /// Something else, by the name that the log has for it (`DELETE`, `MERGE`).
    Other {
        /// The name, or that there is none any more.
        operation: String,
    },
}

impl RevisionKind {
    /// One word: `created`, `appended`, `edited`, `undone`, or the log's own name.
    pub fn name(&self) -> &str {
        match self {
            Self::Created { .. } => "created",
            Self::Appended { .. } => "appended",
            Self::Edited { .. } => "edited",
            Self::Undone { .. } => "undone",
            Self::Other { operation } => operation,
        }
    }
}

impl fmt::Display for RevisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { rows } => write!(f, "the table with {rows} rows"),
            Self::Appended { rows } => write!(f, "{rows} more rows"),
            Self::Edited { columns, rows } => {
                write!(f, "an edit of {} in {rows} rows", columns.join(", "))
            }
            Self::Undone { revision, rows, .. } => {
                write!(f, "the undoing of revision {revision} in {rows} rows")
            }
            Self::Other { operation } => f.write_str(operation),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        match &self.author {
            Some(author) => write!(f, " by {author}"),
            None => Ok(()),
        }
    }
}

impl Table {
    /// All revisions up to this one, the first one first. Entries that another tool deleted from the log
    /// are listed as such.
    ///
    /// # Errors
    /// `Storage` or `Corrupt` when the log cannot be read.
    pub fn revisions(&self) -> Result<Vec<Revision>> {
        let versions = 0..=self.revision();
        versions
            .map(|version| {
                let told = self.delta().revision(version)?;
                Ok(told.unwrap_or_else(|| forgotten(version)))
            })
            .collect()
    }
}

impl DeltaTable {
    /// What the log tells of a version; `None` when it has no entry for it.
    pub(super) fn revision(&self, version: u64) -> Result<Option<Revision>> {
        let entry = format!("_delta_log/{version:020}.json");
        let entry = self.location().join(&entry).read_if_exists()?;
        Ok(entry.map(|entry| told(version, &entry)))
    }
}

fn forgotten(version: u64) -> Revision {
    Revision {
        version,
        time_us: None,
        kind: RevisionKind::Other {
            operation: "not in the log any more".into(),
        },
        author: None,
        note: None,
        parent: version.checked_sub(1),
        program: None,
    }
}

/// A line of a log entry, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "commitInfo")]
    info: Option<Info>,
    add: Option<Add>,
    remove: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Info {
    timestamp: Option<i64>,
    operation: Option<String>,
    engine_info: Option<String>,
    user_metadata: Option<String>,
    user_name: Option<String>,
    emberlens: Option<Told>,
}

#[derive(Deserialize)]
struct Add {
    stats: Option<String>,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "numRecords")]
    rows: u64,
}

fn told(version: u64, entry: &[u8]) -> Revision {
    let (mut info, mut rows, mut adds, mut removes) = (Info::default(), 0_u64, 0, 0);
    let lines = entry.split(|byte| *byte == b'\n');
    for line in lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok()) {
        if let Some(own) = line.info {
            info = own;
        }
        if let Some(add) = line.add {
            adds += 1;
            let stats = add.stats.as_deref().map(serde_json::from_str::<Stats>);
            rows = rows.saturating_add(stats.and_then(Result::ok).map_or(0, |stats| stats.rows));
        }
        removes += u32::from(line.remove.is_some());
    }
    let own = info.emberlens.unwrap_or_default();
    let (columns, edited) = (own.columns, own.rows.unwrap_or(0));
    let kind = match (own.operation.as_str(), own.undoes) {
        ("edit", _) => RevisionKind::Edited {
            columns,
            rows: edited,
        },
        ("undo", Some(revision)) => RevisionKind::Undone {
            revision,
            columns,
            rows: edited,
        },
        _ if version == 0 => RevisionKind::Created { rows },
        _ if adds > 0 && removes == 0 => RevisionKind::Appended { rows },
        _ => RevisionKind::Other {
            operation: info.operation.unwrap_or_else(|| "unnamed".into()),
        },
    };
    Revision {
        version,
        time_us: info.timestamp.and_then(|ms| ms.checked_mul(1000)),
        kind,
        author: own.author.or(info.user_name),
        note: info.user_metadata,
        parent: own.parent.or(version.checked_sub(1)),
        program: info.engine_info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_tells_what_it_can() {
        let edit = br#"{"commitInfo":{"timestamp":5,"operation":"UPDATE","userMetadata":"why","emberlens":{"operation":"edit","author":"ann","parent":6,"columns":["label"],"rows":3}}}
{"remove":{"path":"a"}}
{"add":{"path":"b","stats":"{\"numRecords\":9}"}}"#;
        let revision = told(7, edit);
        assert_eq!(revision.to_string(), "an edit of label in 3 rows by ann");
        assert_eq!((revision.parent, revision.time_us), (Some(6), Some(5000)));
        assert_eq!(revision.note.as_deref(), Some("why"));
        let append = br#"{"add":{"path":"b","stats":"{\"numRecords\":9}"}}"#;
        assert_eq!(told(1, append).kind, RevisionKind::Appended { rows: 9 });
        assert_eq!(told(0, append).kind, RevisionKind::Created { rows: 9 });
        // As a Delta tool of another kind writes it.
        let foreign = br#"{"commitInfo":{"timestamp":1,"operation":"DELETE","userName":"bob","operationParameters":{"predicate":"[]"}}}
{"remove":{"path":"a"}}"#;
        let revision = told(2, foreign);
        assert_eq!(
            (revision.kind.name(), revision.author.as_deref()),
            ("DELETE", Some("bob"))
        );
        assert_eq!(told(3, b"not json").kind.name(), "unnamed");
    }
}
