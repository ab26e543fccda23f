//! Setting cells of batches.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_ord::ord::make_comparator;
use arrow_schema::{ArrowError, SortOptions};
use arrow_select::interleave::interleave;

use super::change::CellChange;
use super::value_at;

/// Rows of a table.
#[derive(Clone, Debug)]
pub(in crate::table) enum Selected {
    All,
    /// In rising order, each once.
    Rows(Arc<[u64]>),
}

impl Selected {
    /// Which of the selected rows, by their place among them, lie in `first..end`.
    fn within(&self, first: u64, end: u64) -> std::ops::Range<usize> {
        match self {
            Self::All => 0..usize::try_from(end - first).unwrap_or(0),
            Self::Rows(rows) => {
                rows.partition_point(|row| *row < first)..rows.partition_point(|row| *row < end)
            }
        }
    }

    fn row(&self, place: usize, first: u64) -> u64 {
        match self {
            Self::All => first + place as u64,
            Self::Rows(rows) => rows.get(place).copied().unwrap_or(first),
        }
    }
}

/// Values for the cells of one column.
#[derive(Clone, Debug)]
pub(in crate::table) struct Assignment {
    /// Place of the column in the schema.
    pub(in crate::table) column: usize,
    pub(in crate::table) rows: Selected,
    /// One value for all rows, or one for each.
    pub(in crate::table) values: ArrayRef,
}

/// How many rows of a table the assignments name.
pub(super) fn selected(assignments: &[Assignment], row_count: u64) -> u64 {
    let mut rows: Vec<u64> = Vec::new();
    for one in assignments {
        match &one.rows {
            Selected::All => return row_count,
            Selected::Rows(more) => rows.extend_from_slice(more),
        }
    }
    rows.sort_unstable();
    rows.dedup();
    rows.len() as u64
}

/// Whether one of the assignments sets a row in `first..end`.
pub(super) fn touches(assignments: &[Assignment], first: u64, end: u64) -> bool {
    assignments
        .iter()
        .any(|one| !one.rows.within(first, end).is_empty())
}

/// Sets cells of a batch whose first row is row `first` of the table; later assignments win. `changed`
/// is told of every cell that holds something else than before.
pub(super) fn apply(
    assignments: &[Assignment],
    batch: &RecordBatch,
    first: u64,
    changed: &mut dyn FnMut(CellChange),
) -> Result<RecordBatch, ArrowError> {
    let mut columns = batch.columns().to_vec();
    for (place, column) in columns.iter_mut().enumerate() {
        let own: Vec<&Assignment> = assignments
            .iter()
            .filter(|one| one.column == place)
            .collect();
        let Some(edited) = set(&own, column, first)? else {
            continue;
        };
        let name: Arc<str> = batch.schema().field(place).name().as_str().into();
        let order = make_comparator(column, &edited, SortOptions::default())?;
        for row in (0..edited.len()).filter(|&row| order(row, row).is_ne()) {
            changed(CellChange {
                row: first + row as u64,
                column: Arc::clone(&name),
                old: value_at(column, row),
                new: value_at(&edited, row),
            });
        }
        *column = edited;
    }
    RecordBatch::try_new(batch.schema(), columns)
}

/// The column with its cells set; `None` when none of them is.
fn set(
    assignments: &[&Assignment],
    column: &ArrayRef,
    first: u64,
) -> Result<Option<ArrayRef>, ArrowError> {
    let end = first + column.len() as u64;
    let mut from: Vec<(usize, usize)> = (0..column.len()).map(|row| (0, row)).collect();
    let mut is_set = false;
    for (source, one) in (1..).zip(assignments) {
        for place in one.rows.within(first, end) {
            let row = usize::try_from(one.rows.row(place, first) - first).unwrap_or(usize::MAX);
            let value = if one.values.len() == 1 { 0 } else { place };
            if let Some(cell) = from.get_mut(row) {
                (*cell, is_set) = ((source, value), true);
            }
        }
    }
    if !is_set {
        return Ok(None);
    }
    let mut sources: Vec<&dyn Array> = vec![column];
    sources.extend(assignments.iter().map(|one| one.values.as_ref()));
    interleave(&sources, &from).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Columns, Value, values};
    use arrow_array::Int64Array;

    fn assignment(rows: Selected, values: Vec<i64>) -> Assignment {
        Assignment {
            column: 0,
            rows,
            values: Arc::new(Int64Array::from(values)),
        }
    }

    #[test]
    fn later_assignments_win_and_equal_values_are_no_change() {
        let batch = Columns::new().with("x", vec![10_i64, 11, 12, 13]);
        let batch = batch.into_batch("test").unwrap();
        let edits = [
            assignment(Selected::Rows([101, 103, 200].into()), vec![1, 2, 3]),
            assignment(Selected::Rows([100, 103].into()), vec![10]),
        ];
        let mut told = Vec::new();
        let edited = apply(&edits, &batch, 100, &mut |change| told.push(change)).unwrap();
        assert_eq!(values::<i64>(&edited, "x").unwrap(), [10, 1, 12, 10]);
        let seen: Vec<_> = told
            .iter()
            .map(|one| (one.row, &one.old, &one.new))
            .collect();
        let (old, new) = (|x| Value::Integer(x), |x| Value::Integer(x));
        assert_eq!(seen, [(101, &old(11), &new(1)), (103, &old(13), &new(10))]);
        assert!(!touches(&edits, 0, 100) && touches(&edits, 0, 101) && !touches(&edits, 104, 200));
    }

    #[test]
    fn all_rows_of_every_batch_are_set() {
        let batch = Columns::new()
            .with("x", vec![1_i64, 2])
            .into_batch("test")
            .unwrap();
        let edit = [assignment(Selected::All, vec![7])];
        let mut told = 0;
        let edited = apply(&edit, &batch, 9, &mut |_| told += 1).unwrap();
        assert_eq!(values::<i64>(&edited, "x").unwrap(), [7, 7]);
        assert_eq!(told, 2);
    }
}
