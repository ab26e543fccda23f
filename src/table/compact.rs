//! Joining small data files into large ones, without a change of the rows.

use std::collections::HashSet;

use delta_kernel::scan::state::ScanFile;

use super::append::{DataFile, FileWriter};
use super::commit::Change;
use super::delta::DeltaTable;
use super::snapshot::Snapshot;
use crate::{Error, Result};

/// A file below this size is joined with its neighbours.
const SMALL_BYTES: usize = 16 << 20;

/// How often others may take out what was just joined before this gives up.
const MAX_CONFLICTS: u32 = 20;

/// What a compaction did to a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compacted {
    /// The version that it made, or the latest where there was nothing to do.
    pub(crate) version: u64,
    pub(crate) files_before: u64,
    pub(crate) files_after: u64,
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
    /// Rows that are in other files now.
    pub(crate) rows: u64,
}

/// Files in the place of others.
#[derive(Default)]
pub(super) struct Rewrite {
    pub(super) removed: HashSet<String>,
    pub(super) added: Vec<DataFile>,
    removed_bytes: u64,
}

impl DeltaTable {
    /// Joins small files that are neighbours in the order of the rows, in one commit.
    ///
    /// Each new file is read where the first of those it replaces was. Older versions keep their
    /// files. Rows that others commit meanwhile stay as they are.
    ///
    /// # Memory
    /// The rows of one small file, and one encoded file of twice the size of a small one.
    ///
    /// # Errors
    /// `Corrupt` names a file that is not as it was written: its damage must not be copied into a
    /// file with a new checksum. It names an entry of the log that is missing or damaged too: files
    /// that it told of would be taken for unneeded afterwards.
    pub(crate) fn compact(&self) -> Result<Compacted> {
        if let Some(problem) = self.log_problems().into_iter().next() {
            return Err(problem);
        }
        for _ in 0..MAX_CONFLICTS {
            let snapshot = self.latest()?;
            let mut done = Compacted {
                version: snapshot.version(),
                bytes_before: snapshot.size_bytes()?,
                files_before: snapshot.files()?.len() as u64,
                ..Compacted::default()
            };
            let rewrite = self.join_small(&snapshot)?;
            done.files_after =
                done.files_before - rewrite.removed.len() as u64 + rewrite.added.len() as u64;
            let added = rewrite.added.iter();
            let added_bytes: u64 = added.clone().map(|file| file.size_bytes).sum();
            done.bytes_after =
                done.bytes_before.saturating_sub(rewrite.removed_bytes) + added_bytes;
            done.rows = added.map(DataFile::rows).sum();
            if rewrite.removed.is_empty() {
                return Ok(done);
            }
            let (removed, schema) = (&rewrite.removed, snapshot.schema());
            if let Some(version) =
                self.replace_named(removed, &rewrite.added, schema, Change::Files)?
            {
                return Ok(Compacted { version, ..done });
            }
            self.delete_unused(&rewrite.added);
        }
        Err(Error::storage(
            "compact the table",
            self.location().url(),
            "other writers replaced files first every time; try again when they are done",
        ))
    }

    fn join_small(&self, snapshot: &Snapshot) -> Result<Rewrite> {
        let files = snapshot.files()?;
        let mut rewrite = Rewrite::default();
        for mut neighbours in files.chunk_by(|one, other| is_small(one) && is_small(other)) {
            while neighbours.len() > 1 {
                match self.join(neighbours, snapshot, &mut rewrite) {
                    Ok(joined) => neighbours = &neighbours[joined..],
                    Err(error) => {
                        self.delete_unused(&rewrite.added);
                        return Err(error);
                    }
                }
            }
        }
        Ok(rewrite)
    }

    /// Writes one file with the rows of the first of these, two at least; how many.
    fn join(
        &self,
        files: &[ScanFile],
        snapshot: &Snapshot,
        rewrite: &mut Rewrite,
    ) -> Result<usize> {
        let Some(first) = files.first() else {
            return Ok(0);
        };
        let (folder, schema) = (self.location().clone(), snapshot.schema().clone());
        let mut writer = FileWriter::in_place_of(folder, schema, &first.path);
        let mut joined = 0;
        for file in files {
            for batch in self.read_checked(file, snapshot.schema())? {
                writer.write(&batch)?;
            }
            joined += 1;
            rewrite.removed.insert(file.path.clone());
            rewrite.removed_bytes += u64::try_from(file.size).unwrap_or(0);
            if joined > 1 && writer.has_bytes(SMALL_BYTES)? {
                break;
            }
        }
        rewrite.added.extend(writer.finish()?);
        Ok(joined)
    }

    /// Deletes files that are in no commit and will be in none.
    pub(super) fn delete_unused(&self, files: &[DataFile]) {
        for file in files {
            // Readers never see the file, so a failure costs room and nothing else.
            if let Err(error) = self.location().join(&file.name).delete() {
                tracing::warn!(file = file.name, %error, "an unused data file stays behind");
            }
        }
    }
}

fn is_small(file: &ScanFile) -> bool {
    usize::try_from(file.size).is_ok_and(|size| size < SMALL_BYTES)
}
