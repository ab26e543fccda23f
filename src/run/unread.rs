//! Rows in other files than those that the documents and the log of a run both name, where the log is
//! damaged.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::PassRecord;
use crate::Result;
use crate::table::{PassOver, Snapshot};

/// Batches of a stream.
pub(super) type Source = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Rows of files that no pass names, of a table that was read without some of its commits. Such a commit
/// may have joined the files of a pass into one that a later commit joined again: the rows are in both.
pub(super) struct Others {
    pub(super) source: Source,
    /// The rows of every pass.
    pub(super) told: HashMap<String, u64>,
}

/// What may be read again where passes come short.
pub(super) struct Unread {
    pub(super) snapshot: Snapshot,
    /// The columns that are read.
    pub(super) schema: SchemaRef,
    pub(super) passes: Vec<PassRecord>,
    pub(super) pass_over: PassOver,
}

impl Unread {
    /// The rows of the files that only documents name, of passes that lack no fewer rows than these
    /// files have: with fewer missing, nobody knows which of them were read. `left` has the rows that
    /// are missing, by pass or part; passes that get nothing here leave it.
    pub(super) fn rows(
        self,
        left: &HashMap<String, u64>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + use<>> {
        let held: HashSet<String> = self.snapshot.paths()?.into_iter().collect();
        let there: HashSet<String> = self.snapshot.files_there()?;
        let mut names = Vec::new();
        for pass in &self.passes {
            let ids = pass.stored();
            let missing: u64 = ids.filter_map(|(id, _)| left.get(id)).sum();
            let mut files = Vec::new();
            let mut rows: u64 = 0;
            for file in &pass.files {
                let name = file.url.rsplit('/').next().unwrap_or_default();
                if !held.contains(name) && there.contains(name) {
                    files.push(name.to_owned());
                    rows = rows.saturating_add(file.rows);
                }
            }
            if rows > 0 && rows <= missing {
                names.extend(files);
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(self.snapshot.rows_named(names, self.schema, self.pass_over))
    }
}
