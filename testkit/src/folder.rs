//! Folders for proofs that write thousands of files.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// A temporary folder in memory where the system has one, since syncs take most of the time of proofs
/// that need none; else as everywhere.
///
/// # Errors
/// Those of the system.
pub fn quick_folder() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    match tempfile::tempdir_in(memory) {
        Ok(folder) => Ok(folder),
        Err(_) => tempfile::tempdir(),
    }
}
