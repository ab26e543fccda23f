//! The rows of a table that a filter takes.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Schema};

use super::schema::{self, Role};
use super::{Edit, Table, Value};
use crate::Result;
use crate::filter::{Filter, FilterColumn};

/// The row index under the name that metrics know it by.
pub(crate) const EXAMPLE_ID: &str = "example_id";
/// What stands before it where the table has a column of that name.
const ROW: &str = "row";

/// The columns of a schema as filters know them, with the class names of their roles.
pub(crate) fn filter_columns(table: &str, schema: &Schema) -> Vec<FilterColumn> {
    let fields = schema.fields().iter();
    let columns = fields.map(|field| {
        let column = FilterColumn::new(table, field.name(), field.data_type().clone());
        match schema::role(field) {
            Some(Role::Category { names }) => column.classes(names),
            _ => column,
        }
    });
    columns.collect()
}

impl Table {
    /// The columns that a filter of this table may name: its own, and behind them `example_id`, the row
    /// index. Where a column has that name, both need a prefix: the table's name and `row`.
    pub(crate) fn filter_columns(&self) -> Vec<FilterColumn> {
        let columns = filter_columns(self.name(), self.schema());
        let is_index = |column: &FilterColumn| column.name().eq_ignore_ascii_case(EXAMPLE_ID);
        let (table, is_taken) = match columns.iter().any(is_index) {
            true => (ROW, true),
            false => (self.name(), false),
        };
        let index = FilterColumn::new(table, EXAMPLE_ID, DataType::Int64);
        let all = columns.into_iter().chain([index]);
        all.map(|column| match is_taken && is_index(&column) {
            true => column.qualified(),
            false => column,
        })
        .collect()
    }

    /// The rows of which a [filter](crate::filter) is true, in rising order. Beside the columns it may
    /// name `example_id`, the row index. Where the table has a column of that name, the name alone is an
    /// error: `pets.example_id` is the column of the table `pets`, `row.example_id` the index.
    ///
    /// ```
    /// use emberlens::{storage::Location, table::{Column, Columns, Role, Table}};
    /// let folder = Location::open("memory://")?.join("tables");
    /// let label = Column::from(vec![0_i32, 1, 1]).role(Role::category(["cat", "dog"]));
    /// let table = Table::create(&folder, "pets", Columns::new().with("label", label))?;
    /// assert_eq!(table.rows_where("label = 'dog' AND example_id > 1")?, [2]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Memory
    /// A bounded batch of the columns that the filter names, and the rows.
    ///
    /// # Errors
    /// `Filter`, with the place in its text, for a filter that does not fit the table; `Corrupt` names a
    /// damaged file.
    pub fn rows_where(&self, filter: &str) -> Result<Vec<u64>> {
        let columns = self.filter_columns();
        let filter = Filter::parse(filter, &columns)?;
        let names: Vec<&str> = filter
            .columns()
            .iter()
            .filter_map(|&place| self.schema().fields().get(place))
            .map(|field| field.name().as_str())
            .collect();
        let mut rows = Vec::new();
        let mut first = 0;
        for batch in self.snapshot().batches(Some(&names))? {
            let batch = batch?;
            let arrays = arrays_of(&columns, &batch, first);
            let found = filter.evaluate(&arrays, batch.num_rows())?;
            let taken = (first..)
                .zip(&found)
                .filter(|(_, found)| *found == Some(true));
            rows.extend(taken.map(|(row, _)| row));
            first += batch.num_rows() as u64;
        }
        Ok(rows)
    }
}

impl Edit {
    /// Sets a column to one value in the rows of which a [filter](crate::filter) is true in the revision
    /// that the edit is made for; see [`Table::rows_where`].
    ///
    /// ```
    /// # use emberlens::{storage::Location, table::{Columns, Table}};
    /// # let folder = Location::open("memory://")?.join("tables");
    /// # let table = Table::create(&folder, "t", Columns::new().with("x", vec![1.5_f64, -2.0]))?;
    /// let edited = table.edit().set_where("x", 0.0, "x < 0").commit()?;
    /// assert_eq!(edited.table.column::<f64>("x")?, [1.5, 0.0]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn set_where(self, column: &str, value: impl Into<Value>, filter: &str) -> Self {
        self.set_filtered(column, value.into(), filter.to_owned())
    }
}

/// Arrays for a filter's columns, the last of which is the row index, from a batch whose first row is row `first` of the table.
fn arrays_of(columns: &[FilterColumn], batch: &RecordBatch, first: u64) -> Vec<Option<ArrayRef>> {
    let Some((_index, own)) = columns.split_last() else {
        return Vec::new();
    };
    let first = i64::try_from(first).unwrap_or(i64::MAX);
    let rows = first..first.saturating_add_unsigned(batch.num_rows() as u64);
    let index = Arc::new(Int64Array::from_iter_values(rows)) as ArrayRef;
    let own = own
        .iter()
        .map(|column| batch.column_by_name(column.name()).cloned());
    own.chain([Some(index)]).collect()
}
