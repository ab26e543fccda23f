//! The files below a folder, in an order that is the same on any machine.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{malformed, unreadable};
use crate::Result;

/// What is directly in a folder; links count as what they point to.
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) folder: bool,
}

impl Entry {
    pub(super) fn hidden(&self) -> bool {
        self.name.starts_with('.')
    }
}

/// A file at any depth below a folder.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Below the root, with `/`.
    pub(super) relative: String,
}

/// The files below a folder.
pub(super) struct Files {
    /// Sorted by their path below the root.
    pub(super) found: Vec<Found>,
    /// Hidden files and folders, which are left out.
    pub(super) hidden: u64,
}

/// All files at any depth below `folder`, whose own path below the root is `relative` (empty for the
/// root itself). A link back to a folder that was visited is not followed again.
pub(super) fn below(folder: &Path, relative: &str) -> Result<Files> {
    let mut files = Files {
        found: Vec::new(),
        hidden: 0,
    };
    visit(folder, relative, &mut HashSet::new(), &mut files)?;
    files.found.sort_by(|a, b| a.relative.cmp(&b.relative));
    Ok(files)
}

fn visit(
    folder: &Path,
    relative: &str,
    visited: &mut HashSet<PathBuf>,
    files: &mut Files,
) -> Result<()> {
    let real = folder
        .canonicalize()
        .map_err(|error| unreadable("open", folder, error))?;
    if !visited.insert(real) {
        return Ok(());
    }
    for entry in entries(folder)? {
        let relative = match relative.is_empty() {
            true => entry.name.clone(),
            false => format!("{relative}/{}", entry.name),
        };
        match () {
            () if entry.hidden() => files.hidden += 1,
            () if entry.folder => visit(&entry.path, &relative, visited, files)?,
            () => files.found.push(Found {
                path: entry.path,
                relative,
            }),
        }
    }
    Ok(())
}

/// What is directly in a folder, sorted by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotADirectory => {
            let hint =
                "name the folder that holds the files; the lines of a file are a layout of texts";
            malformed(folder, "a file where a folder is needed", "the path", hint)
        }
        _ => unreadable("list", folder, error),
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let hint = "rename it: labels and paths are stored as UTF-8";
            return Err(malformed(
                &path,
                "a name that is not UTF-8",
                "the file's name",
                hint,
            ));
        };
        entries.push(Entry {
            name: name.to_owned(),
            folder: path.is_dir(),
            path,
        });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}
