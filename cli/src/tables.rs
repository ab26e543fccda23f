//! Which table, and which revision of it, the user means.

use std::env;
use std::path::Path;

use clap::Args;
use emberlens::storage::Location;
use emberlens::table::export::float_as_json;
use emberlens::table::{Edit, Table, Value};
use emberlens::{Error, ErrorKind, Result};
use serde_json::json;

use crate::find::Place;

/// The variable with the name of whoever edits.
const AUTHOR: &str = "EMBERLENS_AUTHOR";

/// Who edits, and why.
#[derive(Args)]
pub struct Signature {
    /// Why, kept with the revision
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,

    /// Who makes the edit, kept with the revision [default: $EMBERLENS_AUTHOR, else nobody is named]
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
}

impl Signature {
    /// The edit with its author and note.
    pub fn sign(&self, mut edit: Edit) -> Edit {
        let author = self.author.clone().or_else(|| env::var(AUTHOR).ok());
        if let Some(author) = author {
            edit = edit.author(author);
        }
        match &self.note {
            Some(note) => edit.note(note),
            None => edit,
        }
    }
}

/// A revision behind `@`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Latest,
    Number(u64),
}

/// A table as the user named it, with the revision behind `@`; another `@` is a letter of the name.
pub fn split_revision(text: &str) -> (&str, Option<Named>) {
    let Some((name, revision)) = text.rsplit_once('@') else {
        return (text, None);
    };
    match (revision, revision.parse()) {
        ("latest", _) => (name, Some(Named::Latest)),
        (_, Ok(number)) => (name, Some(Named::Number(number))),
        (_, Err(_)) => (text, None),
    }
}

fn is_table_folder(text: &str) -> bool {
    Path::new(text).join("_delta_log").is_dir()
}

impl Place {
    /// The table that `text` means, at the revision behind `@` or the latest: the path or URL of its
    /// folder, else its name within the projects.
    ///
    /// # Errors
    /// `NotFound` with the tables that exist; `Invalid` when several projects have one of that name.
    pub fn table(&self, text: &str) -> Result<Table> {
        let (name, revision) = split_revision(text);
        let table = self.latest_table(name)?;
        match revision {
            Some(Named::Number(revision)) => table.at_revision(revision),
            Some(Named::Latest) | None => Ok(table),
        }
    }

    fn latest_table(&self, text: &str) -> Result<Table> {
        if text.contains("://") || is_table_folder(text) {
            return Table::open(Location::open(text)?);
        }
        let found = self.projects()?;
        let (mut tables, mut known) = (Vec::new(), Vec::new());
        for project in &found.projects {
            match project.table(text) {
                Ok(table) => tables.push((project.name().to_owned(), table)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    known.extend(project.tables().list_folders()?);
                }
                Err(error) => return Err(error),
            }
        }
        match (tables.pop(), tables.len()) {
            (Some((_, table)), 0) => Ok(table),
            (Some((last, _)), _) => {
                let mut projects: Vec<String> = tables.into_iter().map(|(name, _)| name).collect();
                projects.push(last);
                Err(Error::invalid(
                    "table",
                    text,
                    format!("several projects have it: {}", projects.join(", ")),
                    "name the project with --project",
                ))
            }
            (None, _) if text.contains('@') && !text.contains('/') => {
                let (name, other) = text.rsplit_once('@').unwrap_or((text, ""));
                Err(Error::invalid(
                    "table",
                    text,
                    format!("no table has that name, and `@{other}` names no revision"),
                    format!("write TABLE@NUMBER, for example {name}@3, or {name}@latest"),
                ))
            }
            (None, _) => Err(Error::NotFound {
                what: "table",
                name: text.to_owned(),
                hint: crate::find::there_are("tables", &known),
                place: found.root.url(),
            }),
        }
    }
}

/// A value for programs.
pub fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => json!(value),
        Value::Integer(value) => json!(value),
        Value::Float(value) => float_as_json(*value),
        other => json!(other.to_string()),
    }
}

/// A value for people: of a class its name too.
pub fn value_text(value: &Value, classes: Option<&[String]>) -> String {
    let name = match value {
        Value::Integer(index) => usize::try_from(*index)
            .ok()
            .and_then(|index| classes?.get(index)),
        _ => None,
    };
    match name {
        Some(name) => format!("{value} {name}"),
        None => value.to_string(),
    }
}
