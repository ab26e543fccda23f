//! Rows by their value in a column.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::table::values::{self, Place};
use crate::table::{Role, Table, column_names};
use crate::{Error, Result};

/// The rows with one value.
pub(super) struct Stratum {
    /// For people.
    pub(super) value: String,
    pub(super) rows: Vec<u64>,
}

/// A value, in the order of strata.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Integer(i64),
    Text(Arc<str>),
}

/// The strata, sorted by their value.
pub(super) fn of(table: &Table, column: &str) -> Result<Vec<Stratum>> {
    let Some((_, field)) = table.schema().fields().find(column) else {
        return Err(Error::MissingColumn {
            column: column.to_owned(),
            place: format!("table `{}`", table.name()),
            available: column_names(table.schema()),
        });
    };
    if !is_hashable(field.data_type()) {
        return Err(Error::invalid(
            "stratify",
            column,
            format!(
                "it holds {}, whose values are seldom equal",
                field.data_type()
            ),
            "use a category, integers, bools, strings or dates; of numbers make ranges first",
        ));
    }
    let mut strata: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
    let mut first_row = 0;
    for batch in table.snapshot().batches(Some(&[column]))? {
        let batch = batch?;
        let array = values::find(&batch, column)?;
        add(array, Place { column, first_row }, &mut strata)?;
        first_row += batch.num_rows() as u64;
    }
    let names = match table.role(column) {
        Some(Role::Category { names }) => names,
        _ => Arc::default(),
    };
    let strata = strata.into_iter().map(|(key, rows)| Stratum {
        value: told(&key, &names),
        rows,
    });
    Ok(strata.collect())
}

fn is_hashable(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Utf8 | DataType::Date32
        )
}

fn add(array: &ArrayRef, place: Place<'_>, strata: &mut BTreeMap<Key, Vec<u64>>) -> Result<()> {
    if let Some(row) = (0..array.len()).find(|&row| array.is_null(row)) {
        return Err(place.value(
            row,
            "null",
            "a value to stratify by",
            "give the row one, or split without strata",
        ));
    }
    let number = |row: usize| place.first_row + row as u64;
    if let Some(texts) = array.as_string_opt::<i32>() {
        for (row, text) in texts.iter().enumerate() {
            let key = Key::Text(text.unwrap_or_default().into());
            strata.entry(key).or_default().push(number(row));
        }
        return Ok(());
    }
    // Dates have no cast to 64 bits.
    let narrow = match array.data_type() {
        DataType::Date32 => cast(array, &DataType::Int32),
        _ => Ok(Arc::clone(array)),
    };
    let wide = narrow
        .and_then(|array| cast(&array, &DataType::Int64))
        .map_err(|error| {
            Error::invalid("column", place.column, error.to_string(), "use another")
        })?;
    for (row, &value) in wide.as_primitive::<Int64Type>().values().iter().enumerate() {
        strata
            .entry(Key::Integer(value))
            .or_default()
            .push(number(row));
    }
    Ok(())
}

fn told(key: &Key, names: &[String]) -> String {
    match key {
        Key::Text(text) => text.to_string(),
        Key::Integer(value) => {
            let name = usize::try_from(*value)
                .ok()
                .and_then(|index| names.get(index));
            name.map_or_else(|| value.to_string(), |name| format!("{name} ({value})"))
        }
    }
}
