//! Undoing a revision: its cells become what they were, as a new revision.

use std::ops::ControlFlow;

use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_schema::Field;
use arrow_select::take::take;

use super::Table;
use super::diff::{Part, compare};
use super::edit::{Assignment, Edit, Selected, Value, array_of};
use super::schema::{Role, role};
use crate::{Error, Result};

impl Table {
    /// Begins an edit that sets the cells which that revision changed back to what they held before it.
    ///
    /// What came after it stays. A column that the revision added stays too, with null in the rows that
    /// it set; a column of weights becomes 1 again. The undoing is a revision like others: it can be
    /// undone.
    ///
    /// ```
    /// use emberlens::{storage::Location, table::{Columns, Table}};
    /// let folder = Location::open("memory://")?.join("tables");
    /// let table = Table::create(&folder, "numbers", Columns::new().with("x", vec![1_i64, 2, 3]))?;
    /// let table = table.edit().set("x", [0], 10).commit()?.table;
    /// let table = table.edit().set("x", [1], 20).commit()?.table;
    /// let table = table.undo(1)?.author("ann").commit()?.table;
    /// assert_eq!(table.column::<i64>("x")?, [1, 20, 3]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Memory
    /// The rows of the files that differ, one after the other, and the cells that become what they were.
    ///
    /// # Errors
    /// `Invalid` for a revision that changed no cells (the first one, an append); `Conflict` when a later
    /// one changed one of its cells again: undo that one first; `NotFound` for a revision that does not
    /// exist.
    pub fn undo(&self, revision: u64) -> Result<Edit> {
        let refused = |reason: String| {
            let hint = "undo a revision that set cells; any other can be read with at_revision";
            Err(Error::invalid("revision", revision, reason, hint))
        };
        let Some(before) = revision.checked_sub(1) else {
            return refused("it made the table".into());
        };
        // First the one that was named: its error is about it.
        let new = self.at_revision(revision)?;
        let old = self.at_revision(before)?;
        if old.row_count() != new.row_count() {
            let (rows, now) = (old.row_count(), new.row_count());
            return refused(format!("it made {now} rows of {rows}"));
        }
        let mut cells = Vec::new();
        compare(&old, &new, &mut |part| {
            self.cells_of(&part, &mut cells)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if cells.is_empty() {
            return refused("it changed no cell".into());
        }
        self.check_untouched(&new, &cells, revision)?;
        Ok(self.edit().undoing(revision, cells))
    }

    /// The cells of a part that differ, with what they held before.
    fn cells_of(&self, part: &Part, cells: &mut Vec<Assignment>) -> Result<()> {
        for (place, field) in part.old.schema().fields().iter().enumerate() {
            let rows = part.differing(place)?;
            // A column that is gone has no cells to set.
            let Some((column, _)) = self.schema().fields().find(field.name()) else {
                continue;
            };
            if rows.is_empty() {
                continue;
            }
            let picked = UInt64Array::from_iter_values(rows.iter().map(|&row| row as u64));
            let values = take(part.old.column(place), &picked, None)
                .map_err(|error| Error::storage("pick cells", self.url(), error))?;
            let values = as_weights(values, field)?;
            let rows = rows.iter().map(|&row| part.first_row + row as u64);
            let rows: Vec<u64> = rows.collect();
            let rows = Selected::Rows(rows.into());
            cells.push(Assignment {
                column,
                rows,
                values,
            });
        }
        Ok(())
    }

    /// An error when one of the cells is not as the revision left it.
    fn check_untouched(&self, new: &Table, cells: &[Assignment], revision: u64) -> Result<()> {
        let names: Vec<&str> = self
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let mut first = None;
        compare(new, self, &mut |part| {
            for (place, field) in part.old.schema().fields().iter().enumerate() {
                let later = part.differing(place)?;
                let of_column = cells
                    .iter()
                    .filter(|one| names.get(one.column) == Some(&field.name().as_str()));
                for one in of_column {
                    let Selected::Rows(rows) = &one.rows else {
                        continue;
                    };
                    let again = later.iter().map(|&row| part.first_row + row as u64);
                    let again = again.filter(|row| rows.binary_search(row).is_ok()).min();
                    if let Some(row) = again {
                        first = Some((row, field.name().clone()));
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        match first {
            None => Ok(()),
            Some((row, column)) => Err(Error::Conflict {
                what: format!("the undoing of revision {revision}"),
                reason: format!("`{column}` of row {row} was changed again after it"),
                hint: "nothing was changed: undo the later revision first, or set the cells".into(),
                path: self.url(),
            }),
        }
    }
}

/// Of weights that were not there the value that they have at first: a weight is never null.
fn as_weights(values: ArrayRef, field: &Field) -> Result<ArrayRef> {
    let is_missing = values.null_count() == values.len();
    match role(field) == Some(Role::Weight) && is_missing {
        true => array_of(&[Value::Float(1.0)], field),
        false => Ok(values),
    }
}
