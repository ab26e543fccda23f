//! Records what happens to a folder of the local disk, and what was acknowledged meanwhile.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use emberlens::storage::{DiskStep, DiskWatch};

use crate::training::Said;

/// A step that was done, or something that was said.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A folder was made.
    CreateFolder(PathBuf),
    /// An empty file was made.
    CreateFile(PathBuf),
    /// Bytes were written into a file.
    Write {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// The content of a file was synced.
    SyncFile(PathBuf),
    /// The names in a folder were synced.
    SyncFolder(PathBuf),
    /// A file got a second name.
    Link(PathBuf, PathBuf),
    /// A file got another name.
    Rename(PathBuf, PathBuf),
    /// A name was taken away.
    Remove(PathBuf),
    /// A folder was removed with all that was in it.
    RemoveFolder(PathBuf),
    /// Something was acknowledged, or begun.
    Said(Said),
}

impl From<DiskStep<'_>> for Entry {
    fn from(step: DiskStep<'_>) -> Self {
        match step {
            DiskStep::CreateFolder(path) => Self::CreateFolder(path.to_owned()),
            DiskStep::CreateFile(path) => Self::CreateFile(path.to_owned()),
            DiskStep::Write {
                path,
                offset,
                bytes,
            } => Self::Write {
                path: path.to_owned(),
                offset,
                bytes: bytes.to_vec(),
            },
            DiskStep::SyncFile(path) => Self::SyncFile(path.to_owned()),
            DiskStep::SyncFolder(path) => Self::SyncFolder(path.to_owned()),
            DiskStep::Link { from, to } => Self::Link(from.to_owned(), to.to_owned()),
            DiskStep::Rename { from, to } => Self::Rename(from.to_owned(), to.to_owned()),
            DiskStep::Remove(path) => Self::Remove(path.to_owned()),
            DiskStep::RemoveFolder(path) => Self::RemoveFolder(path.to_owned()),
        }
    }
}

/// Does every step, and keeps those that worked in the order in which they were done.
#[derive(Debug, Default)]
pub struct Recorder {
    entries: Mutex<Vec<Entry>>,
}

impl Recorder {
    /// Notes something that was said, after all steps that were done before.
    pub fn say(&self, said: Said) {
        self.entries().push(Entry::Said(said));
    }

    /// What was recorded so far.
    pub fn entries_so_far(&self) -> Vec<Entry> {
        self.entries().clone()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskWatch for Recorder {
    fn step(
        &self,
        step: DiskStep<'_>,
        perform: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        // Held while the step is done: no other thread sees its effect before it is in the record.
        let mut entries = self.entries();
        perform()?;
        entries.push(step.into());
        Ok(())
    }
}
