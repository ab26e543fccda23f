//! The YAML file of a YOLO data set: made, or given one more split.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Existing, whole_file};
use crate::table::yolo_file::YoloFile;
use crate::{Error, Result};

/// The text that the file is to have; `None` where it has it.
pub(super) struct Yaml {
    path: PathBuf,
    text: Option<String>,
}

/// Looks at the file before anything is written.
///
/// # Errors
/// `AlreadyExists` for a file of other classes, or with the split in another place; `Import` for
/// one that cannot be read, or to which no line can be added.
pub(super) fn prepare(folder: &Path, split: &str, names: &[&str]) -> Result<Yaml> {
    let path = folder.join("data.yaml");
    let entry = (split.to_owned(), vec![format!("images/{split}")]);
    let line = format!("{split}: {}\n", entry.1[0]);
    let old = match fs::read_to_string(&path) {
        Ok(old) => old,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut text = line;
            text.push_str("names:\n");
            for (label, name) in names.iter().enumerate() {
                text.push_str(&format!("  {label}: {}\n", quoted(name)?));
            }
            check(&path, &text, &entry, names)?;
            return Ok(Yaml {
                path,
                text: Some(text),
            });
        }
        Err(error) => return Err(Error::storage("reading", path.to_string_lossy(), error)),
    };
    let known = YoloFile::parse(&path, &old)?;
    refuse_root(&path, folder, &known)?;
    if known.splits.iter().any(|(name, _)| name == split) {
        check(&path, &old, &entry, names)?;
        return Ok(Yaml { path, text: None });
    }
    let end = if old.ends_with('\n') { "" } else { "\n" };
    let text = format!("{old}{end}{line}");
    check(&path, &text, &entry, names)?;
    Ok(Yaml {
        path,
        text: Some(text),
    })
}

impl Yaml {
    /// Writes the file whole.
    pub(super) fn write(self) -> Result<()> {
        let Some(text) = self.text else {
            return Ok(());
        };
        whole_file(&self.path, Existing::Replace, |file| {
            file.write_all(text.as_bytes())
        })
    }
}

/// Text in double quotes, which YAML reads as JSON does.
fn quoted(text: &str) -> Result<String> {
    serde_json::to_string(text)
        .map_err(|error| Error::invalid("name", text, error.to_string(), "rename it"))
}

/// Refuses a file whose `path` puts its splits into another folder than the one that is written to.
fn refuse_root(path: &Path, folder: &Path, known: &YoloFile) -> Result<()> {
    let Some(root) = &known.root else {
        return Ok(());
    };
    let is_here = match (folder.join(root).canonicalize(), folder.canonicalize()) {
        (Ok(named), Ok(here)) => named == here,
        _ => false,
    };
    match is_here {
        true => Ok(()),
        false => Err(Error::AlreadyExists {
            what: "data set of another folder",
            name: "data.yaml".into(),
            hint: format!(
                "its `path` is {root:?}, below which its splits are: choose another folder, or take \
                 the line out of the file"
            ),
            place: path.to_string_lossy().into_owned(),
        }),
    }
}

/// Whether a text reads as a data set of these classes with the split in its place.
fn check(path: &Path, text: &str, split: &(String, Vec<String>), names: &[&str]) -> Result<()> {
    let file = YoloFile::parse(path, text)?;
    let other = |what: &'static str, hint: String| Error::AlreadyExists {
        what,
        name: "data.yaml".into(),
        hint,
        place: path.to_string_lossy().into_owned(),
    };
    if file.names != names {
        let hint = format!(
            "it has {} classes, the table {}, or other names: choose another folder",
            file.names.len(),
            names.len()
        );
        return Err(other("data set of other classes", hint));
    }
    match file.splits.contains(split) {
        true => Ok(()),
        false => {
            let hint = format!(
                "its `{}` is another: choose another folder or split",
                split.0
            );
            Err(other("data set with other splits", hint))
        }
    }
}
