//! A folder of many files that appears whole, or file by file where it replaces one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ulid::Ulid;

use super::Existing;
use crate::{Error, Result};

/// Files are written beside the folder, and moved when all are there.
pub(super) struct SplitFolder {
    target: PathBuf,
    staged: PathBuf,
    existing: Existing,
    /// Folders above that were not there before, the innermost first.
    made: Vec<PathBuf>,
}

impl SplitFolder {
    /// # Errors
    /// `AlreadyExists` for a folder that holds something, unless it may be replaced; `Storage`.
    pub(super) fn create(parent: &Path, name: &str, existing: Existing) -> Result<Self> {
        let target = parent.join(name);
        let holds_something = fs::read_dir(&target).is_ok_and(|mut files| files.next().is_some());
        if existing == Existing::Refuse && (holds_something || target.is_file()) {
            return Err(Error::AlreadyExists {
                what: "folder",
                name: name.to_owned(),
                hint: "choose another folder or split, or ask for its files to be replaced".into(),
                place: target.to_string_lossy().into_owned(),
            });
        }
        let above = parent.ancestors().take_while(|folder| !folder.exists());
        let made = above.map(Path::to_owned).collect();
        fs::create_dir_all(parent).map_err(|error| failed(parent, error))?;
        // A name of its own: files of an export that was killed are never published.
        let staged = parent.join(format!(".{name}.{}.tmp", Ulid::new()));
        fs::create_dir(&staged).map_err(|error| failed(&staged, error))?;
        Ok(Self {
            target,
            staged,
            existing,
            made,
        })
    }

    /// Writes one file, by its name below the folder.
    pub(super) fn write(&self, name: &Path, bytes: &[u8]) -> Result<()> {
        let path = self.place(name)?;
        fs::write(&path, bytes).map_err(|error| failed(&path, error))
    }

    /// The place of one file, below which folders are made.
    pub(super) fn place(&self, name: &Path) -> Result<PathBuf> {
        let path = self.staged.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        Ok(path)
    }

    /// Moves the files to where they belong.
    pub(super) fn publish(self) -> Result<()> {
        match self.existing {
            Existing::Refuse => {
                // It is empty, or was not there; not all systems move a folder onto another.
                let _ = fs::remove_dir(&self.target);
                fs::rename(&self.staged, &self.target).map_err(|error| failed(&self.target, error))
            }
            Existing::Replace => move_files(&self.staged, &self.target),
        }
    }
}

impl Drop for SplitFolder {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.staged.display(), %error, "a temporary folder stays");
            }
            _ => {}
        }
        // Only empty folders go: after a failure nothing is left.
        for folder in &self.made {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

fn move_files(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(|error| failed(to, error))?;
    let entries = fs::read_dir(from).map_err(|error| failed(from, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| failed(from, error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            move_files(&source, &target)?;
        } else {
            fs::rename(&source, &target).map_err(|error| failed(&target, error))?;
        }
    }
    Ok(())
}

/// Copies an image by its URL, which has to be that of a local file.
pub(super) fn copy_image(folder: &SplitFolder, name: &Path, url: &str, row: u64) -> Result<()> {
    let local = url::Url::parse(url)
        .ok()
        .and_then(|url| url.to_file_path().ok());
    let Some(source) = local else {
        return Err(Error::Value {
            column: "image".into(),
            row,
            found: format!("the address {:?}", crate::storage::without_credentials(url)),
            expected: "a file:// URL".into(),
            hint: "export the labels without images".into(),
        });
    };
    let place = folder.place(name)?;
    fs::copy(&source, &place)
        .map(|_| ())
        .map_err(|error| failed(&source, error))
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::storage("writing the data set", path.to_string_lossy(), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_export_left_is_not_published() {
        let folder = tempfile::TempDir::new().unwrap();
        let left = folder
            .path()
            .join(format!(".train.{}.tmp", std::process::id()));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("stale.txt"), "old").unwrap();
        let split = SplitFolder::create(folder.path(), "train", Existing::Refuse).unwrap();
        split.write(Path::new("new.txt"), b"new").unwrap();
        split.publish().unwrap();
        let names = fs::read_dir(folder.path().join("train")).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["new.txt"]);
    }
}
