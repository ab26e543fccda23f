//! `project.json`: the name of a project as it was first spelt.

use serde::{Deserialize, Serialize};

use super::clock::now_us;
use super::facts::{self, FORMAT_VERSION};
use crate::storage::Location;
use crate::{Error, Result};

#[derive(Serialize, Deserialize)]
struct ProjectDocument {
    format_version: String,
    name: String,
    created_us: i64,
}

/// Writes the document of a project unless it is there.
pub(crate) fn create(project: &Location, name: &str) -> Result<()> {
    const CREATE: &str = "create a project (is its root writable?)";
    let document = ProjectDocument {
        format_version: FORMAT_VERSION.to_owned(),
        name: name.to_owned(),
        created_us: now_us(),
    };
    let json = serde_json::to_vec(&document)
        .map_err(|error| Error::storage(CREATE, project.url(), error))?;
    place(project)
        .create(json)
        .map(drop)
        .map_err(|error| explained(error, CREATE))
}

fn place(project: &Location) -> Location {
    project.join("project.json")
}

/// The name in a project's document; `None` when it has none.
pub(crate) fn read_name(project: &Location) -> Result<Option<String>> {
    let (name, damage) = read(project)?;
    damage.map_or(Ok(name), Err)
}

/// The same, and what is wrong with a document of this format: it holds nothing but the name, so
/// whoever only reads can do without it.
///
/// # Errors
/// `Storage` when it cannot be read; `Corrupt` for one of a newer major version.
pub(crate) fn read(project: &Location) -> Result<(Option<String>, Option<Error>)> {
    let place = place(project);
    let bytes = place
        .read_if_exists()
        .map_err(|error| explained(error, "open a project (is its root a folder?)"))?;
    let Some(bytes) = bytes else {
        return Ok((None, None));
    };
    let value = serde_json::from_slice::<serde_json::Value>(&bytes);
    let version = value
        .as_ref()
        .ok()
        .and_then(|value| value.get("format_version"));
    if let Some(version) = version.and_then(serde_json::Value::as_str) {
        facts::check_format(version, "project", &place)?;
    }
    Ok(
        match value.and_then(serde_json::from_value::<ProjectDocument>) {
            Ok(document) => (Some(document.name), None),
            Err(error) => {
                let damage = Error::Corrupt {
                    what: "project",
                    reason: error.to_string(),
                    path: place.url(),
                };
                (None, Some(damage))
            }
        },
    )
}

/// The same failure of the store, told as what the user wanted.
fn explained(error: Error, operation: &'static str) -> Error {
    match error {
        Error::Storage { source, path, .. } => Error::Storage {
            operation,
            source,
            path,
        },
        other => other,
    }
}
