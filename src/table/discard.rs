//! Taking rows out of the latest version of a table.

use std::collections::HashSet;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use delta_kernel::scan::state::ScanFile;

use super::append::{DataFile, FileWriter};
use super::commit::Change;
use super::compact::Rewrite;
use super::delta::DeltaTable;
use super::snapshot::{Snapshot, Wanted};
use super::values::values;
use crate::{Error, ErrorKind, Result};

/// How often others may replace the files before this gives up.
const MAX_CONFLICTS: u32 = 50;

/// Which rows go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Discard {
    /// Files that hold nothing else.
    pub(crate) files: HashSet<String>,
    /// Files that hold no such rows.
    pub(crate) others: HashSet<String>,
    /// A row goes when its `column` has one of these values.
    pub(crate) values: HashSet<String>,
}

impl DeltaTable {
    /// Takes rows out of the latest version, in one commit; older versions keep them. Files that hold
    /// others too are written anew.
    ///
    /// # Memory
    /// The rows of one file.
    pub(crate) fn discard(&self, column: &str, discard: &Discard) -> Result<()> {
        for _ in 0..MAX_CONFLICTS {
            let snapshot = self.latest()?;
            let rewrite = self.without(&snapshot, column, discard)?;
            if rewrite.removed.is_empty() {
                return Ok(());
            }
            let (removed, schema) = (&rewrite.removed, snapshot.schema());
            if self
                .replace_named(removed, &rewrite.added, schema, Change::Rows)?
                .is_some()
            {
                return Ok(());
            }
            self.delete_unused(&rewrite.added);
        }
        Err(Error::storage(
            "discard rows",
            self.location().url(),
            "other writers replaced files first every time",
        ))
    }

    fn without(&self, snapshot: &Snapshot, column: &str, discard: &Discard) -> Result<Rewrite> {
        let mut rewrite = Rewrite::default();
        let live = snapshot.files()?.into_iter().map(|file| file.path);
        rewrite.removed = live.filter(|name| discard.files.contains(name)).collect();
        let (Some(low), Some(high)) = (discard.values.iter().min(), discard.values.iter().max())
        else {
            return Ok(rewrite);
        };
        let wanted = Wanted {
            names: None,
            column,
            low,
            high,
        };
        for file in snapshot.files_with(&wanted)? {
            if rewrite.removed.contains(&file.path) || discard.others.contains(&file.path) {
                continue;
            }
            let rest = self.rest_of(snapshot, &file, column, &discard.values);
            match rest {
                Ok(None) => {}
                Ok(Some(rest)) => {
                    rewrite.added.extend(rest);
                    rewrite.removed.insert(file.path);
                }
                // Its rows do not count all the same, and `verify` names it.
                Err(error) if error.kind() == ErrorKind::Corrupt => tracing::warn!(
                    "rows that were discarded stay in the table: {}",
                    error.chain()
                ),
                Err(error) => {
                    self.delete_unused(&rewrite.added);
                    return Err(error);
                }
            }
        }
        Ok(rewrite)
    }

    /// The rows of a file without these, in a new one if any are left; `None` when it has none of them.
    fn rest_of(
        &self,
        snapshot: &Snapshot,
        file: &ScanFile,
        column: &str,
        gone: &HashSet<String>,
    ) -> Result<Option<Vec<DataFile>>> {
        let batches = self.read_checked(file, snapshot.schema())?;
        // A file of rows that belong to no pass need not have the column.
        let has_column = |batch: &RecordBatch| batch.column_by_name(column).is_some();
        if !batches.iter().all(has_column) {
            return Ok(None);
        }
        let mut kept = Vec::with_capacity(batches.len());
        let mut has_any = false;
        for batch in &batches {
            let of_rows = values::<Option<String>>(batch, column)?;
            let keep = of_rows
                .iter()
                .map(|value| !value.as_ref().is_some_and(|value| gone.contains(value)));
            let keep: Vec<bool> = keep.collect();
            has_any |= keep.contains(&false);
            kept.push(self.kept(batch, keep)?);
        }
        if !has_any {
            return Ok(None);
        }
        let (folder, schema) = (self.location().clone(), snapshot.schema().clone());
        let mut writer = FileWriter::in_place_of(folder, schema, &file.path);
        for batch in kept.iter().filter(|batch| batch.num_rows() > 0) {
            writer.write(batch)?;
        }
        writer.finish().map(Some)
    }

    fn kept(&self, batch: &RecordBatch, keep: Vec<bool>) -> Result<RecordBatch> {
        filter_record_batch(batch, &BooleanArray::from(keep))
            .map_err(|error| Error::storage("discard rows", self.location().url(), error))
    }
}
