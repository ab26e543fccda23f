//! What differs between two revisions of a table.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_ord::ord::make_comparator;
use arrow_schema::{SchemaRef, SortOptions};
use arrow_select::concat::concat_batches;

use super::append::conform;
use super::edit::{CellChange, value_at};
use super::fields::same_type;
use super::snapshot::FileRows;
use super::{DeltaTable, Snapshot, Table};
use crate::{Error, Result};

/// What differs between two revisions: cells of the rows that both have, and what only one has.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The revision that `old` values are of.
    pub from: u64,
    /// The revision that `new` values are of.
    pub to: u64,
    /// The cells that differ, in the order of the rows; cells of a column that only one revision has are
    /// null in the other.
    pub changes: Vec<CellChange>,
    /// How many of them there are in each column.
    pub cells: BTreeMap<String, u64>,
    /// Rows with such a cell.
    pub rows: u64,
    /// Columns that only the second revision has.
    pub columns_added: Vec<String>,
    /// Columns that only the first revision has.
    pub columns_removed: Vec<String>,
    /// Rows of the first revision.
    pub rows_before: u64,
    /// Rows of the second revision.
    pub rows_after: u64,
}

impl Difference {
    /// Whether the two revisions hold the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.columns_added.is_empty()
            && self.columns_removed.is_empty()
            && self.rows_before == self.rows_after
    }
}

impl Table {
    /// What differs between two revisions, from the first to the second; either may be the older one.
    ///
    /// # Memory
    /// The rows of the files that differ, one after the other, and all changes. Files that both
    /// revisions share are not read.
    ///
    /// # Errors
    /// `NotFound` for a revision that does not exist or whose files are gone; `Schema` for a column with
    /// two types.
    pub fn diff(&self, from: u64, to: u64) -> Result<Difference> {
        let (old, new) = (self.at_revision(from)?, self.at_revision(to)?);
        let (before, after) = (old.schema(), new.schema());
        let only = |one: &SchemaRef, other: &SchemaRef| {
            let names = one.fields().iter().map(|field| field.name().clone());
            names
                .filter(|name| other.fields().find(name).is_none())
                .collect()
        };
        let mut difference = Difference {
            from,
            to,
            changes: Vec::new(),
            cells: BTreeMap::new(),
            rows: 0,
            columns_added: only(after, before),
            columns_removed: only(before, after),
            rows_before: old.row_count(),
            rows_after: new.row_count(),
        };
        let (rows, cells, changes) = (
            &mut difference.rows,
            &mut difference.cells,
            &mut difference.changes,
        );
        compare(&old, &new, &mut |part| {
            let mut found = part.changes()?;
            found.sort_by_key(|change| change.row);
            *rows += found.chunk_by(|one, other| one.row == other.row).count() as u64;
            for change in &found {
                *cells.entry(change.column.to_string()).or_default() += 1;
            }
            changes.append(&mut found);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(difference)
    }
}

/// Rows that two revisions have at the same place, in files that only one of them has.
pub(super) struct Part {
    pub(super) first_row: u64,
    /// Both with the same columns.
    pub(super) old: RecordBatch,
    pub(super) new: RecordBatch,
}

impl Part {
    /// The rows of a column, from 0, that differ.
    pub(super) fn differing(&self, column: usize) -> Result<Vec<usize>> {
        let (old, new) = (self.old.column(column), self.new.column(column));
        let order = make_comparator(old, new, SortOptions::default())
            .map_err(|error| Error::storage("compare rows", "two revisions", error))?;
        Ok((0..old.len())
            .filter(|&row| order(row, row).is_ne())
            .collect())
    }

    fn changes(&self) -> Result<Vec<CellChange>> {
        let mut changes = Vec::new();
        for (column, field) in self.old.schema().fields().iter().enumerate() {
            let name: Arc<str> = field.name().as_str().into();
            for row in self.differing(column)? {
                changes.push(CellChange {
                    row: self.first_row + row as u64,
                    column: Arc::clone(&name),
                    old: value_at(self.old.column(column), row),
                    new: value_at(self.new.column(column), row),
                });
            }
        }
        Ok(changes)
    }
}

/// Hands on the rows of files that differ, until told to stop.
pub(super) fn compare(
    old: &Table,
    new: &Table,
    see: &mut dyn FnMut(Part) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let schema = both(old.snapshot(), new.snapshot(), &old.url())?;
    let (before, after) = (old.snapshot().laid_out()?, new.snapshot().laid_out()?);
    let (mut left, mut right) = (before.as_slice(), after.as_slice());
    while let (Some(one), Some(other)) = (left.first(), right.first()) {
        if one.file.path == other.file.path && one.first_row == other.first_row {
            (left, right) = (&left[1..], &right[1..]);
            continue;
        }
        // Up to where both have a file that ends.
        let (mut ends, mut taken) = ((end(one), end(other)), (1, 1));
        while ends.0 != ends.1 {
            let (is_left, next) = match ends.0 < ends.1 {
                true => (true, left.get(taken.0)),
                false => (false, right.get(taken.1)),
            };
            match (next, is_left) {
                (Some(next), true) => (ends.0, taken.0) = (end(next), taken.0 + 1),
                (Some(next), false) => (ends.1, taken.1) = (end(next), taken.1 + 1),
                (None, _) => break,
            }
        }
        let first_row = one.first_row;
        let rows = usize::try_from(ends.0.min(ends.1) - first_row).unwrap_or(usize::MAX);
        let read = |files: &[FileRows], table: &Table| -> Result<RecordBatch> {
            let rows_of = read(table.delta(), files, &schema)?;
            Ok(rows_of.slice(0, rows.min(rows_of.num_rows())))
        };
        let part = Part {
            first_row,
            old: read(&left[..taken.0], old)?,
            new: read(&right[..taken.1], new)?,
        };
        if see(part)?.is_break() {
            return Ok(());
        }
        (left, right) = (&left[taken.0..], &right[taken.1..]);
    }
    Ok(())
}

fn end(file: &FileRows) -> u64 {
    file.first_row + file.rows
}

fn read(table: &DeltaTable, files: &[FileRows], schema: &SchemaRef) -> Result<RecordBatch> {
    let place = table.location().url();
    let mut batches = Vec::new();
    for file in files {
        for batch in table.read_checked(&file.file, schema)? {
            batches.push(conform(&batch, schema, &place)?);
        }
    }
    concat_batches(schema, &batches).map_err(|error| Error::storage("join batches", place, error))
}

/// The columns of both revisions.
fn both(old: &Snapshot, new: &Snapshot, place: &str) -> Result<SchemaRef> {
    let mut fields: Vec<_> = old.schema().fields().iter().cloned().collect();
    for field in new.schema().fields() {
        match old.schema().fields().find(field.name()) {
            None => fields.push(Arc::clone(field)),
            Some((_, known)) if same_type(known.data_type(), field.data_type()) => {}
            Some((_, known)) => {
                return Err(Error::Schema {
                    column: field.name().clone(),
                    expected: known.data_type().to_string(),
                    found: field.data_type().to_string(),
                    place: format!("revision {} of {place}", old.version()),
                    hint: "compare revisions in which it has one type".into(),
                });
            }
        }
    }
    Ok(Arc::new(arrow_schema::Schema::new(fields)))
}
