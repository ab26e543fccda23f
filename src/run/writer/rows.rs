//! Checking batches before they are queued: names, types, widths, example ids.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::run::passes::{EXAMPLE_ID, POSITION};
use crate::run::stream_table::StreamTable;
use crate::table::{Column, Columns, Role, Table, column_names, role, would_misread};
use crate::{Error, Result};

/// The rows of one pass: what they must look like and how many there were.
#[derive(Debug)]
pub(super) struct Rows {
    place: String,
    /// `split`, `epoch`, `pass_id` and the user's constants, one row each.
    constants: Vec<(String, Column)>,
    /// The constants repeated, for batches of up to this many rows.
    repeated: Vec<(String, Column)>,
    table: Option<(String, u64)>,
    /// Types and widths that the stream has from earlier passes.
    stream: Option<SchemaRef>,
    /// The schema of this pass, from its first batch.
    schema: Option<SchemaRef>,
    /// Names, types and roles of the columns of the batch before, which had exactly `schema`.
    before: Vec<(String, DataType, Option<Role>)>,
    count: u64,
}

impl Rows {
    pub(super) fn try_new(
        stream: &str,
        stream_table: &StreamTable,
        position: [(&str, Column); 3],
        constants: &[(String, Column)],
        table: Option<&Table>,
    ) -> Result<Self> {
        let mut all: Vec<(String, Column)> = position
            .into_iter()
            .map(|(name, column)| (name.to_owned(), column))
            .collect();
        for (name, value) in constants {
            if value.len() != 1 {
                return Err(Error::Shape {
                    column: name.clone(),
                    expected: 1,
                    found: value.len(),
                    place: "a constant".into(),
                });
            }
            if is_reserved(name) || name == EXAMPLE_ID {
                return Err(reserved(name));
            }
            all.push((name.clone(), value.clone()));
        }
        let stream_schema = match stream_table.open()? {
            Some(known) => Some(known.last_seen()?.schema().clone()),
            None => None,
        };
        Ok(Self {
            place: format!("stream `{stream}`"),
            constants: all,
            repeated: Vec::new(),
            table: table.map(|table| (format!("table `{}`", table.name()), table.row_count())),
            stream: stream_schema,
            schema: None,
            before: Vec::new(),
            count: 0,
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The batch with `example_id` first, then the constants, then the other columns.
    pub(super) fn check(&mut self, columns: Columns) -> Result<RecordBatch> {
        let rows = columns.rows().unwrap_or(0);
        let mut all = Columns::new().with(EXAMPLE_ID, self.example_ids(&columns, rows)?);
        self.add_constants(&mut all, rows)?;
        for (name, column) in columns.iter() {
            if is_reserved(name) {
                return Err(reserved(name));
            }
            if name != EXAMPLE_ID {
                check_width(name, column)?;
                all.push(name, column.clone());
            }
        }
        if let Some(batch) = self.as_before(&all, rows) {
            self.count += rows as u64;
            return Ok(batch);
        }
        let columns: Vec<_> = all.iter().map(shape).collect();
        let batch = all.into_batch(&self.place)?;
        let batch = match &self.schema {
            Some(schema) if batch.schema() == *schema => {
                self.before = columns;
                batch
            }
            Some(schema) => same_columns(&batch, schema, &self.place)?,
            None => {
                if let Some(stream) = &self.stream {
                    compatible(&batch.schema(), stream, &self.place)?;
                }
                self.schema = Some(batch.schema());
                self.before = columns;
                batch
            }
        };
        self.count += rows as u64;
        Ok(batch)
    }

    /// The batch, when its columns are those of the batch before: they were found good then.
    fn as_before(&self, all: &Columns, rows: usize) -> Option<RecordBatch> {
        let schema = self.schema.as_ref()?;
        let same =
            |((name, column), before): ((&str, &Column), &(String, DataType, Option<Role>))| {
                name == before.0
                    && column.len() == rows
                    && *column.values().data_type() == before.1
                    && column.get_role() == before.2.as_ref()
            };
        if all.len() != self.before.len() || !all.iter().zip(&self.before).all(same) {
            return None;
        }
        let arrays = all.iter().map(|(_, column)| column.values().clone());
        RecordBatch::try_new(schema.clone(), arrays.collect()).ok()
    }

    fn example_ids(&self, columns: &Columns, rows: usize) -> Result<Column> {
        let ids: Int64Array = match columns.get(EXAMPLE_ID) {
            Some(column) => as_ids(column.values(), &self.place)?,
            None if self.table.is_some() => {
                return Err(Error::MissingColumn {
                    column: EXAMPLE_ID.into(),
                    place: format!("the rows for {}", self.place),
                    available: columns.names().collect::<Vec<_>>().join(", "),
                });
            }
            None => {
                let first = self.count as i64;
                Int64Array::from_iter_values(first..first + rows as i64)
            }
        };
        let (table, limit) = match &self.table {
            Some((table, rows)) => (table.as_str(), *rows),
            None => ("any table", i64::MAX as u64),
        };
        let outside = |id: &i64| *id < 0 || *id as u64 >= limit;
        if ids.null_count() > 0 {
            return Err(Error::invalid(
                EXAMPLE_ID,
                "null",
                format!("{} rows of {} have none", ids.null_count(), self.place),
                "give every row the index of its example",
            ));
        }
        match ids.values().iter().position(outside) {
            None => Ok(Column::from_array(Arc::new(ids)).role(Role::Id)),
            Some(row) => Err(Error::ExampleId {
                value: ids.value(row),
                row,
                rows: limit,
                table: table.to_owned(),
            }),
        }
    }

    /// Repeats the constants; the repeated arrays are kept and sliced for the next batches.
    fn add_constants(&mut self, all: &mut Columns, rows: usize) -> Result<()> {
        if self
            .repeated
            .first()
            .is_none_or(|(_, known)| known.len() < rows)
        {
            let zeros = UInt64Array::from_value(0, rows);
            self.repeated = self
                .constants
                .iter()
                .map(|(name, value)| {
                    let values = arrow_select::take::take(value.values(), &zeros, None)
                        .map_err(|error| Error::storage("repeat a constant", &self.place, error))?;
                    Ok((name.clone(), with_role(values, value.get_role())))
                })
                .collect::<Result<_>>()?;
        }
        for (name, column) in &self.repeated {
            all.push(
                name.clone(),
                with_role(column.values().slice(0, rows), column.get_role()),
            );
        }
        Ok(())
    }
}

fn shape((name, column): (&str, &Column)) -> (String, DataType, Option<Role>) {
    (
        name.to_owned(),
        column.values().data_type().clone(),
        column.get_role().cloned(),
    )
}

fn with_role(values: ArrayRef, role: Option<&Role>) -> Column {
    match role {
        Some(role) => Column::from_array(values).role(role.clone()),
        None => Column::from_array(values),
    }
}

fn as_ids(values: &ArrayRef, place: &str) -> Result<Int64Array> {
    if let Some(ids) = values.as_primitive_opt::<Int64Type>() {
        return Ok(ids.clone());
    }
    match values.as_primitive_opt::<Int32Type>() {
        Some(ids) => Ok(ids.iter().map(|id| id.map(i64::from)).collect()),
        None => Err(Error::Schema {
            column: EXAMPLE_ID.into(),
            expected: "Int64".into(),
            found: values.data_type().to_string(),
            place: place.to_owned(),
            hint: "convert it to i64".into(),
        }),
    }
}

fn is_reserved(name: &str) -> bool {
    POSITION
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

fn reserved(name: &str) -> Error {
    Error::invalid(
        "column name",
        name,
        "it is reserved for the position of the pass",
        "rename the column; split and epoch are set on the writer",
    )
}

/// Every row of an embedding has the width that its role says.
fn check_width(name: &str, column: &Column) -> Result<()> {
    let Some(Role::Embedding { width }) = column.get_role() else {
        return Ok(());
    };
    let Some(lists) = column.values().as_list_opt::<i32>() else {
        return Err(Error::Schema {
            column: name.to_owned(),
            expected: format!("a list of {width} Float32"),
            found: column.values().data_type().to_string(),
            place: "an embedding".into(),
            hint: "make it with Column::embedding".into(),
        });
    };
    let lengths = lists.offsets().windows(2).enumerate();
    let other = lengths
        .map(|(row, pair)| (row, (pair[1] - pair[0]) as usize))
        .find(|(row, length)| length != width && lists.is_valid(*row));
    match other {
        None => Ok(()),
        Some((row, length)) => Err(Error::Schema {
            column: name.to_owned(),
            expected: format!("{width} values"),
            found: format!("{length} values in row {row}"),
            place: "an embedding".into(),
            hint: "give every row the same width".into(),
        }),
    }
}

/// The columns of `batch` in the order of `schema`; an error for a missing, new or changed one.
fn same_columns(batch: &RecordBatch, schema: &SchemaRef, place: &str) -> Result<RecordBatch> {
    compatible(&batch.schema(), schema, place)?;
    if let Some(extra) = batch
        .schema()
        .fields()
        .iter()
        .find(|field| schema.field_with_name(field.name()).is_err())
    {
        return Err(Error::Schema {
            column: extra.name().clone(),
            expected: "no such column".into(),
            found: extra.data_type().to_string(),
            place: format!("{place} (first batch of the pass)"),
            hint: "emit the same columns for every batch".into(),
        });
    }
    let columns: Result<Vec<ArrayRef>> = schema
        .fields()
        .iter()
        .map(|field| {
            batch
                .column_by_name(field.name())
                .cloned()
                .ok_or_else(|| Error::MissingColumn {
                    column: field.name().clone(),
                    place: format!("a later batch of {place}"),
                    available: column_names(&batch.schema()),
                })
        })
        .collect();
    RecordBatch::try_new(schema.clone(), columns?)
        .map_err(|error| Error::storage("arrange columns", place, error))
}

/// Columns that both have must agree in type and embedding width.
fn compatible(new: &Schema, known: &Schema, place: &str) -> Result<()> {
    for field in new.fields() {
        let Some((_, known)) = known.fields().find(field.name()) else {
            continue;
        };
        let (expected, found) = match (role(known), role(field)) {
            // Other names would show the new classes under the old names.
            (Some(Role::Category { names: old }), Some(Role::Category { names: new }))
                if !old.is_empty() && !new.is_empty() && old != new =>
            {
                (classes(&old), classes(&new))
            }
            // Pixels read as fractions, or degrees as radians, would go unnoticed, also where one pass
            // says what it has and the other does not.
            (old, new) if would_misread(old.as_ref(), new.as_ref()) => {
                (text(old.as_ref()), text(new.as_ref()))
            }
            _ => (describe(known), describe(field)),
        };
        if expected != found {
            return Err(Error::Schema {
                column: field.name().clone(),
                expected,
                found,
                place: place.to_owned(),
                hint: "convert it, or write to another stream".into(),
            });
        }
    }
    Ok(())
}

fn classes(names: &[String]) -> String {
    format!("a category of {}", names.join(", "))
}

fn text(role: Option<&Role>) -> String {
    role.map_or_else(
        || "a column without a role".to_owned(),
        |role| serde_json::to_string(role).unwrap_or_else(|_| format!("{role:?}")),
    )
}

fn describe(field: &Field) -> String {
    match role(field) {
        Some(Role::Embedding { width }) => format!("an embedding of width {width}"),
        _ => match field.data_type() {
            arrow_schema::DataType::List(item) => format!("List({})", item.data_type()),
            other => other.to_string(),
        },
    }
}
