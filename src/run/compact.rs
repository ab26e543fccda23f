//! Joining the small files of a run into large ones.

use super::RunReader;
use crate::Result;
use crate::progress::Progress;
use crate::table::DeltaTable;

/// What [`RunReader::compact`] did to one table.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactedTable {
    /// Its folder, relative to the run.
    pub folder: String,
    /// The version that the compaction made; the latest where there was nothing to join.
    pub version: u64,
    /// Data files before.
    pub files_before: u64,
    /// Data files now.
    pub files_after: u64,
    /// Bytes of the data files before.
    pub bytes_before: u64,
    /// Bytes of the data files now.
    pub bytes_after: u64,
    /// Rows that are in other files now; 0 where there was nothing to join.
    pub rows_moved: u64,
}

impl RunReader {
    /// Joins small data files of the run's streams and scalars into large ones, in one commit to each
    /// table that has some.
    ///
    /// Readers see the same rows in the same order, those too that opened the run before: older
    /// versions keep their files until [`RunReader::vacuum`] finds that nobody needs them. The run may
    /// be written meanwhile. Tables of coordinates stay as they are: each version is one commit
    /// already.
    ///
    /// # Memory
    /// Small files are those below 16 MiB; one of them and one new file of at most about twice that
    /// size are in memory at once.
    ///
    /// # Errors
    /// `Corrupt` names a damaged file; its table, and those after it, stay as they were. `Storage` when
    /// the store fails, or others replaced files every time.
    ///
    /// ```
    /// use emberlens::collect::Silent;
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::Columns;
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// for epoch in 0..3 {
    ///     let columns = Columns::new().with("example_id", vec![0_i64]).with("loss", vec![0.5_f32]);
    ///     run.add_metrics("default", columns, None, Some(Position::new("train").epoch(epoch)))?;
    /// }
    /// let compacted = run.reader()?.compact(&Silent)?;
    /// assert_eq!((compacted[0].files_before, compacted[0].files_after), (3, 1));
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn compact(&self, progress: &dyn Progress) -> Result<Vec<CompactedTable>> {
        let mut folders = self.table_folders()?;
        folders.retain(|folder| !folder.starts_with("projections/"));
        progress.start("compacting", folders.len() as u64);
        let mut tables = Vec::new();
        for (done, folder) in (1..).zip(folders) {
            let table = DeltaTable::open(self.location().join(&folder))?;
            let compacted = table.compact()?;
            tables.push(CompactedTable {
                folder,
                version: compacted.version,
                files_before: compacted.files_before,
                files_after: compacted.files_after,
                bytes_before: compacted.bytes_before,
                bytes_after: compacted.bytes_after,
                rows_moved: compacted.rows,
            });
            progress.update(done);
        }
        progress.end();
        Ok(tables)
    }
}
