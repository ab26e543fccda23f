//! Further columns of samples: of the stream that they are in, or of the tables that it joins.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, Schema};
use emberlens::run::RunReader;
use emberlens::run::ranking::{RankedRun, RankedSample};
use emberlens::table::export::float_as_json;
use emberlens::table::{Role, Table, role, values};
use emberlens::{Error, Result};
use serde_json::{Value, json};

use crate::print::number;

/// One cell, for people and for programs.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: String,
    pub json: Value,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            text: "-".into(),
            json: Value::Null,
        }
    }
}

/// The cells of a column beside ranked samples, one for each: of the stream if that has the column,
/// at the sample's epoch, else of the row that the sample is in the table of its split.
///
/// # Errors
/// `MissingColumn` with those there are; `Schema` for bytes, lists and structs.
pub fn cells(
    reader: &RunReader,
    ranked: &RankedRun,
    shown: &[RankedSample],
    column: &str,
) -> Result<Vec<Cell>> {
    let schema = reader.metrics(&ranked.stream).batches()?.schema().clone();
    if schema.column_with_name(column).is_some() {
        check(&schema, column, &format!("stream `{}`", ranked.stream))?;
        return of_stream(reader, &ranked.stream, shown, column);
    }
    let tables = tables(reader, ranked)?;
    if let Some(cells) = of_tables(&tables, shown, column)? {
        return Ok(cells);
    }
    let mut names: BTreeSet<String> = names(&schema).map(str::to_owned).collect();
    for table in tables.values() {
        let of_table = self::names(table.schema());
        names.extend(of_table.map(|name| format!("{name} (table {})", table.name())));
    }
    Err(Error::MissingColumn {
        column: column.to_owned(),
        place: format!("what run `{}` can show", reader.id()),
        available: names.into_iter().collect::<Vec<_>>().join(", "),
    })
}

fn of_stream(
    reader: &RunReader,
    stream: &str,
    shown: &[RankedSample],
    column: &str,
) -> Result<Vec<Cell>> {
    let mut cells = vec![Cell::default(); shown.len()];
    let has_instance = shown.iter().any(|sample| sample.instance.is_some());
    let mut wanted: BTreeMap<(&str, Option<i64>), HashMap<_, usize>> = BTreeMap::new();
    for (place, sample) in shown.iter().enumerate() {
        let pass = wanted.entry((&sample.split, sample.epoch)).or_default();
        pass.insert((sample.example_id, sample.instance), place);
    }
    let mut columns = vec!["example_id", column];
    columns.extend(has_instance.then_some("instance"));
    for ((split, epoch), mut samples) in wanted {
        let rows = reader.metrics(stream).split(split).epoch(epoch);
        for batch in rows.columns(&columns).batches()? {
            let batch = batch?;
            let ids = values::<Option<i64>>(&batch, "example_id")?;
            let instances = match has_instance {
                true => values::<Option<i64>>(&batch, "instance")?,
                false => vec![None; ids.len()],
            };
            for (row, (id, instance)) in ids.into_iter().zip(instances).enumerate() {
                // Of a sample that was drawn repeatedly, the first row.
                if let Some(place) = id.and_then(|id| samples.remove(&(id, instance))) {
                    cells[place] = cell(&batch, column, row, reader.url())?;
                }
            }
        }
    }
    Ok(cells)
}

/// `None` when no table has the column.
fn of_tables(
    tables: &BTreeMap<String, Table>,
    shown: &[RankedSample],
    column: &str,
) -> Result<Option<Vec<Cell>>> {
    let mut cells = vec![Cell::default(); shown.len()];
    let mut is_found = false;
    for (split, table) in tables {
        if table.schema().column_with_name(column).is_none() {
            continue;
        }
        is_found = true;
        check(table.schema(), column, &format!("table `{}`", table.name()))?;
        let batch = table.snapshot().read(Some(&[column]))?;
        let samples = shown.iter().enumerate();
        for (place, sample) in samples.filter(|(_, sample)| sample.split == *split) {
            let row = usize::try_from(sample.example_id).ok();
            if let Some(row) = row.filter(|row| *row < batch.num_rows()) {
                cells[place] = cell(&batch, column, row, table.url())?;
            }
        }
    }
    Ok(is_found.then_some(cells))
}

/// The table of every split whose passes were ranked and join to one.
fn tables(reader: &RunReader, ranked: &RankedRun) -> Result<BTreeMap<String, Table>> {
    let mut tables = BTreeMap::new();
    for pass in &ranked.passes {
        if let Some(input) = &pass.table {
            tables.insert(pass.split.clone(), reader.input_table(input)?);
        }
    }
    Ok(tables)
}

fn cell(batch: &RecordBatch, column: &str, row: usize, place: String) -> Result<Cell> {
    let found = batch.schema_ref().column_with_name(column);
    let Some((index, field)) = found else {
        return Ok(Cell::default());
    };
    let array: &ArrayRef = batch.column(index);
    if array.is_null(row) {
        return Ok(Cell::default());
    }
    let text = array_value_to_string(array, row);
    let text = text.map_err(|error| Error::storage("reading a cell", place, error))?;
    let (text, json) = match array.data_type() {
        DataType::Boolean => (text.clone(), json!(text == "true")),
        of if of.is_floating() => {
            let value: f64 = text.parse().unwrap_or(f64::NAN);
            (number(value), float_as_json(value))
        }
        of if of.is_integer() => {
            let value: i64 = text.parse().unwrap_or_default();
            match (role(field), usize::try_from(value)) {
                (Some(Role::Category { names }), Ok(class)) => {
                    let name = names.get(class).cloned();
                    let json = json!({ "index": value, "name": name });
                    (name.unwrap_or(text), json)
                }
                _ => (text, json!(value)),
            }
        }
        _ => (text.clone(), json!(text)),
    };
    Ok(Cell { text, json })
}

/// Refuses columns that no cell of a list can hold.
fn check(schema: &Schema, column: &str, place: &str) -> Result<()> {
    match schema.column_with_name(column) {
        Some((_, field)) if !is_shown(field.data_type()) => Err(Error::Schema {
            column: column.to_owned(),
            expected: "text, numbers, booleans or dates".into(),
            found: field.data_type().to_string(),
            place: place.to_owned(),
            hint: format!(
                "show one of: {}",
                names(schema).collect::<Vec<_>>().join(", ")
            ),
        }),
        _ => Ok(()),
    }
}

fn is_shown(of: &DataType) -> bool {
    !of.is_nested() && !matches!(of, DataType::Binary | DataType::LargeBinary)
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| is_shown(field.data_type()));
    fields.map(|field| field.name().as_str())
}
