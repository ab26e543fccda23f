//! A local disk of which one step fails, or that is full.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::storage::{DiskStep, DiskWatch};

/// Fails one step to the disk, and counts them.
#[derive(Debug)]
pub struct FailingDisk {
    /// The step, from 0.
    fails: Option<usize>,
    /// Whether it is done all the same.
    is_done: bool,
    seen: AtomicUsize,
}

impl FailingDisk {
    /// A disk that fails at nothing.
    pub fn sound() -> Self {
        Self {
            fails: None,
            is_done: false,
            seen: AtomicUsize::new(0),
        }
    }

    /// Fails at the step of this number, before or after it was done.
    pub fn at(number: usize, is_done: bool) -> Self {
        Self {
            fails: Some(number),
            is_done,
            ..Self::sound()
        }
    }

    /// The steps so far.
    pub fn steps(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

impl DiskWatch for FailingDisk {
    fn step(
        &self,
        step: DiskStep<'_>,
        perform: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        // Heartbeats come by the clock; steps are to have the same numbers in every run of a test.
        if is_of_heartbeat(&step) {
            return perform();
        }
        if Some(self.seen.fetch_add(1, Ordering::SeqCst)) != self.fails {
            return perform();
        }
        if self.is_done {
            perform()?;
        }
        Err(io::Error::other("the disk failed as planned"))
    }
}

fn is_of_heartbeat(step: &DiskStep<'_>) -> bool {
    let path = match step {
        DiskStep::CreateFolder(path)
        | DiskStep::CreateFile(path)
        | DiskStep::Write { path, .. }
        | DiskStep::SyncFile(path)
        | DiskStep::SyncFolder(path)
        | DiskStep::Link { from: path, .. }
        | DiskStep::Rename { from: path, .. }
        | DiskStep::Remove(path)
        | DiskStep::RemoveFolder(path) => path,
    };
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with("heartbeat.json")
}
