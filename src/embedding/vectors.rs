//! Letting go of the vectors once their coordinates are safe.

use std::collections::HashSet;

use arrow_array::{RecordBatch, UInt32Array};
use arrow_schema::ArrowError;
use arrow_select::take::take;
use ulid::Ulid;

use super::source::Source;
use crate::run::{KEYS, Run};
use crate::table::{DataFile, DeltaTable, FileWriter, values};
use crate::{Error, Result};

/// How many other writers may append in between before this gives up.
const MAX_CONFLICTS: u32 = 50;

/// Sets the column to null in all rows of these passes, in one commit; other rows and columns stay.
///
/// The commit follows the very version that was read: rows that another writer appends meanwhile
/// are never lost, it reads again.
pub(super) fn drop_vectors(run: &Run, source: &Source<'_>, passes: &HashSet<String>) -> Result<()> {
    let Some(table) = run.stream_table(source.stream())?.open()? else {
        return Ok(());
    };
    for _ in 0..MAX_CONFLICTS {
        let snapshot = table.snapshot()?;
        let schema = snapshot.schema().clone();
        let mut writer = FileWriter::starting_at(table.location().clone(), schema.clone(), 0);
        let written = snapshot.batches(None).and_then(|mut batches| {
            batches.try_for_each(|batch| writer.write(&without(&batch?, source.column(), passes)?))
        });
        let files = match written.and_then(|()| writer.finish()) {
            Ok(files) => files,
            Err(error) => {
                writer.abandon();
                return Err(error);
            }
        };
        let id = Ulid::new().to_string().to_ascii_lowercase();
        if table
            .replace_after(snapshot.version(), &id, &files, &schema)?
            .is_some()
        {
            return Ok(());
        }
        delete(&table, &files);
    }
    Err(Error::storage(
        "drop the vectors",
        table.location().url(),
        "other writers appended first every time",
    ))
}

/// Files of a commit that was not made.
fn delete(table: &DeltaTable, files: &[DataFile]) {
    for file in files {
        // Readers never see the file, so a failure costs room and nothing else.
        if let Err(error) = table.location().join(&file.name).delete() {
            tracing::warn!(file = file.name, %error, "an unused data file stays behind");
        }
    }
}

fn without(batch: &RecordBatch, column: &str, passes: &HashSet<String>) -> Result<RecordBatch> {
    let [_, _, _, pass_id] = KEYS;
    let of_row = values::<Option<String>>(batch, pass_id)?;
    let kept: UInt32Array = (0_u32..)
        .zip(of_row)
        .map(|(row, pass)| (!pass.is_some_and(|pass| passes.contains(&pass))).then_some(row))
        .collect();
    emptied(batch, column, &kept)
        .map_err(|error| Error::storage("drop the vectors", "a batch of metrics", error))
}

/// The batch with nulls in the column where `kept` has none.
fn emptied(
    batch: &RecordBatch,
    column: &str,
    kept: &UInt32Array,
) -> Result<RecordBatch, ArrowError> {
    let index = batch.schema().index_of(column)?;
    let mut columns = batch.columns().to_vec();
    columns[index] = take(&columns[index], kept, None)?;
    RecordBatch::try_new(batch.schema(), columns)
}
