//! Classes of the rows, which some measures of quality need.

use std::collections::HashMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use emberlens::run::{PassRecord, RunReader};
use emberlens::table::Table;
use emberlens::{Error, Result};

use super::input::Input;
use crate::find::label_column;
use crate::npy;

/// The classes of the rows of a file: those of a column of its table, or of another `.npy` file.
///
/// # Errors
/// `MissingColumn` and `Schema` for a column without classes, `Value` for a row without one, `Invalid`
/// for another number of them than there are rows.
pub fn of_file(
    input: &Input,
    named: &str,
    rows: usize,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<Vec<i64>> {
    let mut codes = Codes::new(named);
    match input {
        Input::Npy(_) => codes.codes = of_npy(named, go_on)?,
        Input::Parquet(path) => super::input::parquet_column(path, named, |column| {
            go_on()?;
            codes.add(column)
        })?,
        Input::Delta(snapshot, _) => {
            for batch in snapshot.batches(Some(&[named]))? {
                go_on()?;
                codes.add(batch?.column(0))?;
            }
        }
        // Its table has them.
        Input::Run(_) => {}
    }
    if codes.codes.len() != rows {
        return Err(Error::invalid(
            "--labels",
            named,
            format!("it has {} labels for {rows} rows", codes.codes.len()),
            "name one for every row, in the same order",
        ));
    }
    Ok(codes.codes)
}

/// The classes of examples in the table that a pass joins; `None` where it does not tell those of all.
pub fn of_examples(
    reader: &RunReader,
    pass: &PassRecord,
    ids: &[Option<i64>],
    notes: &mut Vec<String>,
) -> Option<Vec<i64>> {
    match codes_of_table(reader, pass) {
        Ok(codes) => {
            let code = |id: &Option<i64>| codes.get(usize::try_from((*id)?).ok()?).copied();
            ids.iter().map(code).collect()
        }
        Err(error) => {
            notes.push(format!("measured without classes: {}", error.chain()));
            None
        }
    }
}

/// None where there is no table, or it has no classes.
fn codes_of_table(reader: &RunReader, pass: &PassRecord) -> Result<Vec<i64>> {
    let Some(input) = &pass.table else {
        return Ok(Vec::new());
    };
    let (table, column) = (reader.input_table(input)?, label_column(reader));
    if !has_classes(&table, column) {
        return Ok(Vec::new());
    }
    let mut codes = Codes::new(column);
    for batch in table.snapshot().batches(Some(&[column]))? {
        codes.add(batch?.column(0))?;
    }
    Ok(codes.codes)
}

fn has_classes(table: &Table, column: &str) -> bool {
    let field = table.schema().field_with_name(column);
    field.is_ok_and(|field| is_class(field.data_type()))
}

fn is_class(of: &DataType) -> bool {
    match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => true,
        DataType::Dictionary(_, value) => is_class(value),
        of => of.is_integer(),
    }
}

/// Where f32, in which `.npy` files are read, no longer tells whole numbers apart.
const LARGEST: f32 = 16_777_216.0;

/// Whole numbers, `[rows]` or `[rows, 1]`.
fn of_npy(path: &str, go_on: &dyn Fn() -> Result<()>) -> Result<Vec<i64>> {
    let (labels, _) = npy::read_column(Path::new(path), go_on)?;
    let code = |(row, &value): (usize, &f32)| match value.fract() == 0.0 && value.abs() < LARGEST {
        true => Ok(value as i64),
        false => Err(Error::Value {
            column: path.to_owned(),
            row: row as u64,
            found: value.to_string(),
            expected: "the whole number of a class, below 16,777,216".into(),
            hint: "save the class of every row as an integer".into(),
        }),
    };
    labels.iter().enumerate().map(code).collect()
}

/// Values of a column, each of which gets a number.
struct Codes<'a> {
    column: &'a str,
    known: HashMap<String, i64>,
    codes: Vec<i64>,
}

impl<'a> Codes<'a> {
    fn new(column: &'a str) -> Self {
        Self {
            column,
            known: HashMap::new(),
            codes: Vec::new(),
        }
    }

    fn add(&mut self, column: &ArrayRef) -> Result<()> {
        if !is_class(column.data_type()) {
            return Err(Error::Schema {
                column: self.column.to_owned(),
                expected: "whole numbers, texts or booleans".into(),
                found: column.data_type().to_string(),
                place: "a column of classes".into(),
                hint: "name another column with --labels".into(),
            });
        }
        let texts = arrow_cast::cast(column, &DataType::Utf8)
            .map_err(|error| Error::storage("reading labels", self.column, error))?;
        for text in texts.as_string::<i32>() {
            let Some(text) = text else {
                return Err(Error::Value {
                    column: self.column.to_owned(),
                    row: self.codes.len() as u64,
                    found: "nothing".into(),
                    expected: "a class".into(),
                    hint: "leave such rows out first".into(),
                });
            };
            let next = self.known.len() as i64;
            let code = match self.known.get(text) {
                Some(code) => *code,
                None => *self.known.entry(text.to_owned()).or_insert(next),
            };
            self.codes.push(code);
        }
        Ok(())
    }
}
