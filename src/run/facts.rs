//! Facts: what a run is told, one numbered JSON document each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PassRecord, ProjectionInfo, Rank, claims};
use crate::storage::{DOCUMENT, Documents, Location, parse_document};
use crate::{Error, Result};

/// The major version of the on-disk format that this library writes, and the highest it reads.
pub(crate) const FORMAT_MAJOR: u32 = 1;

/// The version of the on-disk format that this library writes.
pub(crate) const FORMAT_VERSION: &str = "1.0";

/// An input of a run: a table at one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputTable {
    /// The table's name.
    pub name: String,
    /// Its address: relative to the project's folder where it lies inside, else a URL.
    pub url: String,
    /// The revision that was used.
    pub revision: u64,
}

/// Something that a run produced outside its own tables: a checkpoint, a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its address, without credentials.
    pub url: String,
}

/// One document of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    /// When it was written, microseconds since 1970 UTC.
    pub(crate) time_us: i64,
    /// How many scalars the run had then, at least: as many as the writer knows to be on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scalars: Option<u64>,
    #[serde(flatten)]
    pub(crate) fact: Fact,
}

/// What a document says. Readers ignore kinds that they do not know.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fact {
    /// Always the first document.
    Created {
        format_version: String,
        id: String,
        name: String,
        project: String,
        emberlens_version: String,
    },
    /// The run was taken up again by another process, maybe by another version of the library.
    Opened {
        format_version: String,
        emberlens_version: String,
    },
    /// A rank of a distributed training began to write, or began again.
    Joined {
        rank: Rank,
        /// The name that rank 0 was asked to start the run under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<String>,
        /// What the ranks of one launch share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        launch: Option<String>,
        /// Tells it from that of another process at the same moment.
        #[serde(default)]
        writer: String,
    },
    /// How a rank other than rank 0 ended; rank 0 ends the run.
    RankEnded {
        rank: u32,
        status: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Scalars, passes and incomplete passes of this epoch and later ones do not count any more.
    Discarded { from_epoch: i64 },
    /// Flattened parameters; later values replace earlier ones of the same key.
    Parameters { values: BTreeMap<String, Value> },
    /// The latest description counts.
    Description { text: String },
    /// Tags add up.
    Tag { tag: String },
    /// A table that was read.
    Input(InputTable),
    /// Something that was produced.
    Output(Output),
    /// The latest status counts.
    Status {
        status: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A pass began; its rows do not count yet.
    PassStarted {
        pass_id: String,
        stream: String,
        #[serde(default)]
        split: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        epoch: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rank: Option<Rank>,
    },
    /// A pass is whole; from now on its rows count.
    PassCompleted(PassRecord),
    /// A pass will never be completed.
    PassAbandoned { pass_id: String, reason: String },
    /// A table of coordinates was written; the latest of a name counts.
    Projected(ProjectionInfo),
    /// Another run took this one's name; this one is being deleted.
    Superseded { by: String },
}

impl Fact {
    /// Whether both begin, or both complete, the same pass; ids of passes are never given twice.
    pub(crate) fn is_of_the_same_pass(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PassStarted { pass_id, .. }, Self::PassStarted { pass_id: other, .. }) => {
                pass_id == other
            }
            (Self::PassCompleted(one), Self::PassCompleted(other)) => one.pass_id == other.pass_id,
            _ => false,
        }
    }
}

/// The kinds of [`Fact`]; a document of another kind comes from a later minor version.
const KINDS: [&str; 16] = [
    "created",
    "opened",
    "joined",
    "rank_ended",
    "discarded",
    "parameters",
    "description",
    "tag",
    "input",
    "output",
    "status",
    "pass_started",
    "pass_completed",
    "pass_abandoned",
    "projected",
    "superseded",
];

/// The documents of the run in this folder.
pub(crate) fn documents(run: &Location) -> Documents {
    Documents::at(run.join("run"))
}

/// Reads all documents of a run that this version knows, oldest first, and how many there are.
///
/// # Errors
/// `Corrupt` when there is none, one is missing or damaged, or the format is of a newer major
/// version.
pub(crate) fn read(run: &Location) -> Result<(Vec<Document>, u64)> {
    let all = documents(run).read_bytes()?;
    if all.is_empty() {
        return Err(corrupt(
            "it has no documents; it was never wholly created",
            run,
        ));
    }
    let count = all.len() as u64;
    let mut known = Vec::with_capacity(all.len());
    for (expected, (number, bytes)) in (0_u64..).zip(all) {
        if number != expected {
            return Err(corrupt(
                format!("document {expected:020}.json is missing"),
                run,
            ));
        }
        if let Some(document) = parse(number, &bytes, run)? {
            known.push(document);
        }
    }
    match known.first() {
        Some(Document {
            fact: Fact::Created { .. },
            ..
        }) => Ok((known, count)),
        _ => Err(corrupt(
            "its first document does not say that it was created",
            run,
        )),
    }
}

/// As [`read`], without the documents that are damaged or missing; what is wrong is told, and of how many
/// documents.
///
/// # Errors
/// `Corrupt` when none can be read, or the format is of a newer major version.
pub(crate) fn read_around(
    run: &Location,
    tell: &mut dyn FnMut(Error, u64),
) -> Result<(Vec<Document>, u64)> {
    let (mut known, mut count) = (Vec::new(), 0);
    for (number, bytes) in documents(run).read_bytes()? {
        if number > count {
            let reason = match number - count {
                1 => format!("document {count} is missing"),
                _ => format!("documents {count} to {} are missing", number - 1),
            };
            tell(corrupt(reason, run), number - count);
        }
        count = number.saturating_add(1);
        match parse(number, &bytes, run) {
            Ok(document) => known.extend(document),
            Err(error @ Error::Corrupt { what: DOCUMENT, .. }) => tell(error, 1),
            Err(error) => return Err(error),
        }
    }
    match known.is_empty() {
        true => Err(corrupt("none of its documents can be read", run)),
        false => Ok((known, count)),
    }
}

/// A run's name and the time of its creation, from its first document alone.
pub(crate) fn read_created(run: &Location) -> Result<(String, i64)> {
    let first = run.join("run").join(&format!("{:020}.json", 0));
    match parse(0, &first.read()?, run)? {
        Some(Document {
            fact: Fact::Created { name, .. },
            time_us,
            ..
        }) => Ok((name, time_us)),
        _ => Err(corrupt(
            "its first document does not say that it was created",
            run,
        )),
    }
}

/// What is read of a document before it is known whether this version knows its kind.
#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    kind: Value,
    #[serde(default)]
    format_version: Value,
}

/// A document; `None` for one of a later minor version.
pub(crate) fn parse(number: u64, bytes: &[u8], run: &Location) -> Result<Option<Document>> {
    let damaged = |reason| documents(run).damaged(number, reason);
    let header: Header = parse_document(bytes).map_err(damaged)?;
    if let Some(version) = header.format_version.as_str() {
        check_format(version, "run", run)?;
    }
    if !KINDS.contains(&header.kind.as_str().unwrap_or_default()) {
        return Ok(None);
    }
    // A pass of thousands of files is a document of megabytes: it is not made a tree of values first.
    let mut document: Document =
        serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    claims::strip(&mut document.fact);
    claims::check(&document.fact).map_err(damaged)?;
    Ok(Some(document))
}

/// Refuses a format of a newer major version.
pub(crate) fn check_format(version: &str, what: &'static str, place: &Location) -> Result<()> {
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    let reason = match major {
        Some(major) if major <= FORMAT_MAJOR => return Ok(()),
        Some(_) => format!(
            "it has format {version} and this version of Emberlens reads up to {FORMAT_MAJOR}.x; update Emberlens"
        ),
        None => format!("its format version is {version:?}"),
    };
    Err(Error::Corrupt {
        what,
        reason,
        path: place.url(),
    })
}

fn corrupt(reason: impl Into<String>, run: &Location) -> Error {
    Error::Corrupt {
        what: "run",
        reason: reason.into(),
        path: run.url(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(version: &str) -> Value {
        serde_json::json!({"time_us": 1, "kind": "created", "format_version": version, "id": "a-1",
            "name": "a", "project": "p", "emberlens_version": "0.1.0"})
    }

    fn run_with(documents_: &[Value]) -> Location {
        let run = Location::open("memory://").unwrap().join("a-1");
        for value in documents_ {
            documents(&run).append(value).unwrap();
        }
        run
    }

    #[test]
    fn a_kind_of_a_later_version_is_ignored() {
        let run = run_with(&[
            created("1.7"),
            serde_json::json!({"time_us": 2, "kind": "mood", "x": 1}),
        ]);
        assert_eq!(read(&run).unwrap().0.len(), 1);
    }

    #[test]
    fn a_later_major_format_is_refused_by_its_number() {
        let error = read(&run_with(&[created("2.0")])).unwrap_err().to_string();
        assert!(
            error.contains("format 2.0") && error.contains("update"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_document_of_a_known_kind_is_named() {
        let run = run_with(&[
            created("1.0"),
            serde_json::json!({"time_us": 2, "kind": "tag"}),
        ]);
        let error = read(&run).unwrap_err().to_string();
        assert!(error.contains("00000000000000000001.json"), "{error}");
    }

    #[test]
    fn a_lost_document_is_noticed() {
        let run = run_with(&[created("1.0")]);
        let late = run.join("run/00000000000000000002.json");
        late.create(r#"{"time_us": 3, "kind": "tag", "tag": "x"}"#)
            .unwrap();
        let error = read(&run).unwrap_err().to_string();
        assert!(
            error.contains("00000000000000000001.json is missing"),
            "{error}"
        );
    }

    #[test]
    fn facts_survive_json() {
        let record = PassRecord {
            pass_id: "p".into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: None,
            rows: 1 << 48,
            files: vec![],
            table: Some(InputTable {
                name: "t".into(),
                url: "tables/t".into(),
                revision: 3,
            }),
            finished_us: 9,
            rank: Some(Rank::new(2, 4).unwrap()),
            parts: Vec::new(),
        };
        let document = Document {
            time_us: 9,
            scalars: Some(3),
            fact: Fact::PassCompleted(record.clone()),
        };
        let bytes = serde_json::to_vec(&document).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(r#""kind":"pass_completed""#));
        let run = Location::open("memory://").unwrap();
        match parse(0, &bytes, &run).unwrap().unwrap().fact {
            Fact::PassCompleted(read) => assert_eq!(read, record),
            other => panic!("{other:?}"),
        }
    }
}
