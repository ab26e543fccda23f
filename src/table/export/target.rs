//! A file that appears whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ulid::Ulid;

use super::Existing;
use crate::{Error, Result};

/// A temporary file beside `path`, renamed to it by [`Target::publish`] and removed otherwise.
pub(super) struct Target {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    existing: Existing,
    published: bool,
}

impl Target {
    pub(super) fn create(path: &Path, existing: Existing) -> Result<Self> {
        let name = match path.file_name() {
            Some(name) if !path.is_dir() => name,
            _ => {
                return Err(Error::invalid(
                    "file",
                    path.display(),
                    "it names no file",
                    "name one",
                ));
            }
        };
        refuse_existing(path, existing)?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        // A name of its own: what is left of a process that was killed is in nobody's way.
        hidden.push(format!(".{}.tmp", Ulid::new()));
        let temporary = path.with_file_name(hidden);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
            .map_err(|error| storage(path, error))?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
            file,
            existing,
            published: false,
        })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file durable and visible under its name.
    pub(super) fn publish(mut self) -> Result<()> {
        refuse_existing(&self.path, self.existing)?;
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.temporary, &self.path))
            .map_err(|error| storage(&self.path, error))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = fs::remove_file(&self.temporary)
        {
            tracing::warn!(path = %self.temporary.display(), %error, "a temporary file stays");
        }
    }
}

fn refuse_existing(path: &Path, existing: Existing) -> Result<()> {
    if existing == Existing::Replace || !path.exists() {
        return Ok(());
    }
    Err(Error::AlreadyExists {
        what: "file",
        name: path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        hint: "choose another name or ask for it to be replaced".into(),
        place: path.to_string_lossy().into_owned(),
    })
}

fn storage(path: &Path, error: io::Error) -> Error {
    Error::storage("writing the file", path.to_string_lossy(), error)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_a_killed_export_left_is_in_nobodys_way() {
        let folder = tempfile::TempDir::new().unwrap();
        let left = format!(".a.json.{}.tmp", std::process::id());
        fs::write(folder.path().join(left), "old").unwrap();
        let path = folder.path().join("a.json");
        let target = Target::create(&path, Existing::Refuse).unwrap();
        target.file().write_all(b"new").unwrap();
        target.publish().unwrap();
        assert_eq!(fs::read(path).unwrap(), b"new");
    }
}
