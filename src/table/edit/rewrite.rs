//! Writing the files anew that hold edited rows.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::apply::{Assignment, apply, touches};
use super::change::CellChange;
use crate::table::append::{DataFile, FileWriter, conform};
use crate::table::snapshot::FileRows;
use crate::table::{DeltaTable, Snapshot};
use crate::{Error, Result};

/// Files in the place of others, and what differs.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    pub(super) removed: HashSet<String>,
    pub(super) added: Vec<DataFile>,
    /// Changed cells of each column, by its place in the schema.
    pub(super) cells: BTreeMap<usize, u64>,
    /// Rows with a changed cell.
    pub(super) rows: u64,
}

/// What is done with the edited rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Look,
}

/// Sets cells of a version; `schema` is that of the version, maybe with more columns. Without purpose to
/// write, nothing is written and `see` is told of every changed cell.
///
/// # Memory
/// One file and its rows.
pub(super) fn rewrite(
    table: &DeltaTable,
    snapshot: &Snapshot,
    schema: &SchemaRef,
    assignments: &[Assignment],
    purpose: Purpose,
    see: &mut dyn FnMut(CellChange),
) -> Result<Rewritten> {
    let mut done = Rewritten::default();
    let files = snapshot.laid_out()?;
    for file in &files {
        if !touches(assignments, file.first_row, file.first_row + file.rows) {
            continue;
        }
        let edited = edit_file(table, file, schema, assignments, &mut done, see);
        let written = edited.and_then(|batches| match (batches, purpose) {
            (Some(batches), Purpose::Write) => write(table, file, schema, &batches, &mut done),
            _ => Ok(()),
        });
        if let Err(error) = written {
            table.delete_unused(&done.added);
            return Err(error);
        }
    }
    let order = check_order(table, &files, &done);
    if order.is_err() {
        table.delete_unused(&done.added);
    }
    order.map(|()| done)
}

/// The rows of a file with their cells set; `None` when none of them differs.
fn edit_file(
    table: &DeltaTable,
    file: &FileRows,
    schema: &SchemaRef,
    assignments: &[Assignment],
    done: &mut Rewritten,
    see: &mut dyn FnMut(CellChange),
) -> Result<Option<Vec<RecordBatch>>> {
    let place = table.location().url();
    let mut first = file.first_row;
    let mut batches = Vec::new();
    let mut changed: HashSet<u64> = HashSet::new();
    for batch in table.read_checked(&file.file, schema)? {
        let batch = conform(&batch, schema, &place)?;
        let edited = apply(assignments, &batch, first, &mut |change| {
            changed.insert(change.row);
            if let Ok(column) = schema.index_of(&change.column) {
                *done.cells.entry(column).or_default() += 1;
            }
            see(change);
        });
        first += batch.num_rows() as u64;
        batches.push(edited.map_err(|error| Error::storage("set cells", place.clone(), error))?);
    }
    done.rows += changed.len() as u64;
    Ok((!changed.is_empty()).then_some(batches))
}

fn write(
    table: &DeltaTable,
    file: &FileRows,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    done: &mut Rewritten,
) -> Result<()> {
    let (folder, name) = (table.location().clone(), &file.file.path);
    let mut writer = FileWriter::in_place_of(folder, Arc::clone(schema), name);
    for batch in batches {
        writer.write(batch)?;
    }
    done.added.extend(writer.finish()?);
    done.removed.insert(name.clone());
    Ok(())
}

/// Whether the new files lie, by name, where the old ones did. Names of other tools may not leave room.
fn check_order(table: &DeltaTable, files: &[FileRows], done: &Rewritten) -> Result<()> {
    let mut added = done.added.iter();
    let names: Option<Vec<&str>> = files
        .iter()
        .map(|file| match done.removed.contains(&file.file.path) {
            true => added.next().map(|new| new.name.as_str()),
            false => Some(file.file.path.as_str()),
        })
        .collect();
    // To look is to write nothing.
    if done.added.is_empty() || names.is_some_and(|names| names.is_sorted()) {
        return Ok(());
    }
    Err(Error::invalid(
        "table",
        table.location().url(),
        "its files are named by another tool so that rows would change places",
        "import the table, and edit the one that is made",
    ))
}
