//! The changes of the local file system that durable files are made of, one function each.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One change of the local file system, or a request to make changes last.
#[derive(Clone, Copy, Debug)]
pub enum DiskStep<'a> {
    /// Makes a folder whose parent exists.
    CreateFolder(&'a Path),
    /// Makes an empty file that did not exist.
    CreateFile(&'a Path),
    /// Writes into a file.
    Write {
        /// The file.
        path: &'a Path,
        /// Where in it, bytes from its beginning.
        offset: u64,
        /// What is written.
        bytes: &'a [u8],
    },
    /// Brings the content of a file to the disk.
    SyncFile(&'a Path),
    /// Brings the names in a folder to the disk.
    SyncFolder(&'a Path),
    /// Gives a file a second name, unless that one is taken.
    Link {
        /// The name it has.
        from: &'a Path,
        /// The name it gets.
        to: &'a Path,
    },
    /// Gives a file another name, in place of what has it.
    Rename {
        /// The name it has.
        from: &'a Path,
        /// The name it gets.
        to: &'a Path,
    },
    /// Takes a name of a file away.
    Remove(&'a Path),
    /// Removes a folder and all that is in it.
    RemoveFolder(&'a Path),
}

/// Stands between the library and the local disk: records steps, makes them fail, or ends the process
/// between two of them.
pub trait DiskWatch: fmt::Debug + Send + Sync {
    /// Does a step by calling `perform`, once, or not at all; the error is what the library is told.
    fn step(
        &self,
        step: DiskStep<'_>,
        perform: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()>;
}

/// The local disk; every change goes through it, so that tests can watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    watch: Option<Arc<dyn DiskWatch>>,
    /// Folders that are known to last, with all above them.
    settled: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Disk {
    pub(super) fn watched(watch: Arc<dyn DiskWatch>) -> Self {
        Self {
            watch: Some(watch),
            settled: Arc::default(),
        }
    }

    /// Makes the names of a folder and of those above it last, once for each.
    ///
    /// A folder that is there may have been made by another process that has not synced it yet. What we
    /// write into it would be lost with it.
    pub(super) fn settle(&self, folder: &Path) -> io::Result<()> {
        let unsettled: Vec<&Path> = {
            let settled = self.settled();
            let above = folder.ancestors();
            above.take_while(|path| !settled.contains(*path)).collect()
        };
        for path in unsettled.into_iter().rev() {
            if let Some(parent) = path.parent() {
                match self.sync_folder(parent) {
                    // A folder that we cannot open or sync is none that we, or those who share runs
                    // with us, make folders in.
                    Err(error) if cannot_be_synced(&error) => {}
                    synced => synced?,
                }
            }
            self.settled().insert(path.to_owned());
        }
        Ok(())
    }

    fn settled(&self) -> MutexGuard<'_, HashSet<PathBuf>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.settled().retain(|known| !known.starts_with(path));
        self.step(DiskStep::CreateFolder(path), || fs::create_dir(path))
    }

    pub(super) fn create_file(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        self.step(DiskStep::CreateFile(path), || options.open(path))
    }

    pub(super) fn write(
        &self,
        file: &mut File,
        path: &Path,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        let step = DiskStep::Write {
            path,
            offset,
            bytes,
        };
        self.step(step, || {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        })
    }

    pub(super) fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        self.ask(DiskStep::SyncFile(path), || file.sync_all())
    }

    #[cfg(unix)]
    pub(super) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.ask(DiskStep::SyncFolder(path), || File::open(path)?.sync_all())
    }

    /// Other systems do not open folders as files; the file itself is synced.
    #[cfg(not(unix))]
    pub(super) fn sync_folder(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(DiskStep::Link { from, to }, || fs::hard_link(from, to))
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(DiskStep::Rename { from, to }, || fs::rename(from, to))
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(DiskStep::Remove(path), || fs::remove_file(path))
    }

    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.step(DiskStep::RemoveFolder(path), || fs::remove_dir_all(path))
    }

    /// A step that gives nothing: whether it was done is the watch's affair.
    fn ask(&self, step: DiskStep<'_>, work: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match &self.watch {
            Some(watch) => watch.step(step, &mut || work()),
            None => work(),
        }
    }

    fn step<T>(&self, step: DiskStep<'_>, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(watch) = &self.watch else {
            return work();
        };
        let (mut work, mut done) = (Some(work), None);
        watch.step(step, &mut || {
            if let Some(work) = work.take() {
                done = Some(work()?);
            }
            Ok(())
        })?;
        done.ok_or_else(|| io::Error::other("it was not done"))
    }
}

fn cannot_be_synced(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::InvalidInput
            | ErrorKind::Unsupported
            | ErrorKind::ReadOnlyFilesystem
    )
}
