//! Tables from CSV files.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use super::csv_records::Records;
use super::{Batches, Imported, Skipped, Source, import, malformed, unreadable};
use crate::storage::Location;
use crate::table::chunks::CHUNK_ROWS;
use crate::table::{Role, Table, schema};
use crate::{Error, Result};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// How to read a CSV file; the default is commas, a header line and inferred types.
///
/// ```
/// use emberlens::table::{Role, import::CsvOptions};
/// let options = CsvOptions::new()
///     .delimiter(b';')
///     .role("species", Role::category(Vec::<String>::new())) // names come from the file, sorted
///     .role("weight", Role::Weight);
/// ```
#[derive(Clone, Debug)]
pub struct CsvOptions {
    /// `None` until it is named: a comma, as far as the header looks like it.
    delimiter: Option<u8>,
    header: bool,
    types: HashMap<String, DataType>,
    roles: Vec<(String, Role)>,
    lenient: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: None,
            header: true,
            types: HashMap::new(),
            roles: Vec::new(),
            lenient: false,
        }
    }
}

impl CsvOptions {
    /// Commas, a header line, inferred types, no roles.
    pub fn new() -> Self {
        Self::default()
    }

    /// The byte between fields, for example `b';'` or `b'\t'`.
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Whether the first line holds the column names; without one they are `column_1`, `column_2`, ...
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Sets a column's type where inference guesses wrong, for example text for `007`.
    pub fn column_type(mut self, column: impl Into<String>, data_type: DataType) -> Self {
        self.types.insert(column.into(), data_type);
        self
    }

    /// Sets a column's role. A [`Role::Category`] on a column of strings turns them into class
    /// indices: into the names given, or into the file's own names, sorted, when none are.
    pub fn role(mut self, column: impl Into<String>, role: Role) -> Self {
        self.roles.push((column.into(), role));
        self
    }

    /// Leaves out records with another number of fields than the first, bytes that are not UTF-8 or a
    /// quote that does not end, and counts them (default: the first is an error).
    pub fn lenient(mut self, lenient: bool) -> Self {
        self.lenient = lenient;
        self
    }

    fn byte_between(&self) -> u8 {
        self.delimiter.unwrap_or(b',')
    }

    /// Whether the role of a column asks for numbers.
    fn is_numeric(&self, column: &str) -> bool {
        let mut roles = self.roles.iter().filter(|(name, _)| name == column);
        roles.any(|(_, role)| matches!(role, Role::Weight | Role::Probability))
    }

    fn format(&self) -> Format {
        Format::default()
            .with_header(self.header)
            .with_delimiter(self.byte_between())
    }
}

/// Creates a table from a CSV file with a header line; see [`csv_with`].
pub fn csv(folder: &Location, name: &str, path: &Path) -> Result<Table> {
    csv_with(folder, name, path, &CsvOptions::new()).map(|imported| imported.table)
}

/// Creates a table from a CSV file.
///
/// The file is read three times: to check every record, to infer the types from every row (bool, i64, f64 with `NaN` and
/// `inf`, date, timestamp, else string), and to write. An empty field is null. Times without a zone
/// are taken as UTC. A byte-order mark is skipped, blank lines are too. A column name keeps its text
/// except for what tables refuse: `sepal length (cm)` becomes `sepal_length_cm`; a column without a
/// name becomes `column_1` by its place. A file of a header only makes a table without rows.
///
/// # Shapes and units
/// Row k of the table is record k of the file, the header not counted.
///
/// # Errors
/// `Invalid` with the path and the line for a row that has more or fewer fields than the header, a quote
/// that does not end, or bytes that are not UTF-8; these are counted with [`CsvOptions::lenient`], but
/// in the first line. `Invalid` for a value that does not fit a type that was named, or is no number
/// where the role asks for one, an empty file, a header of one column that looks like several between other delimiters (name the delimiter, also
/// where it is a comma), repeated column names, or a role for a column that is not there; `NotFound` for a missing
/// file; `AlreadyExists` for a table of that name. After an error there is no table.
///
/// ```
/// use emberlens::{storage::Location, table::{Role, import::{CsvOptions, csv_with}}};
/// # let dir = std::env::temp_dir().join(format!("emberlens-csv-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let path = dir.join("flowers.csv");
/// std::fs::write(&path, "petal length (cm),species\n1.4,setosa\n5.1,virginica\n")?;
/// let options = CsvOptions::new().role("species", Role::category(Vec::<String>::new()));
/// let table = csv_with(&Location::open("memory://")?.join("tables"), "flowers", &path, &options)?.table;
/// assert_eq!(table.column::<f64>("petal_length_cm")?, [1.4, 5.1]);
/// assert_eq!(table.category_names("species").unwrap(), ["setosa", "virginica"]);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn csv_with(
    folder: &Location,
    name: &str,
    path: &Path,
    options: &CsvOptions,
) -> Result<Imported> {
    let file = CsvFile::open(path, options)?;
    let table = import(folder, name, &file, &options.roles)?;
    Ok(Imported::new(table, file.skipped))
}

struct CsvFile<'a> {
    path: PathBuf,
    options: &'a CsvOptions,
    schema: SchemaRef,
    skipped: Skipped,
}

impl<'a> CsvFile<'a> {
    fn open(path: &Path, options: &'a CsvOptions) -> Result<Self> {
        let skipped = records(path, options)?.check()?;
        let (inferred, _) = options
            .format()
            .infer_schema(sound(path, options)?, None)
            .map_err(|error| csv_error(path, &error))?;
        if inferred.fields().is_empty() {
            let hint = "give a file with a header line";
            return Err(malformed(path, "there are no columns", "line 1", hint));
        }
        check_delimiter(path, options, &inferred)?;
        for column in options.types.keys() {
            if inferred.index_of(column).is_err() {
                return Err(Error::MissingColumn {
                    column: column.clone(),
                    place: path.display().to_string(),
                    available: schema::names(&inferred),
                });
            }
        }
        let fields = inferred.fields().iter().map(|field| {
            let data_type = match options.types.get(field.name()) {
                Some(given) => given.clone(),
                // What is no number among them is then named with its line.
                None if options.is_numeric(field.name()) && !field.data_type().is_numeric() => {
                    DataType::Float64
                }
                None if *field.data_type() == DataType::Null => DataType::Utf8,
                None => field.data_type().clone(),
            };
            Field::new(field.name(), data_type, true)
        });
        Ok(Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            path: path.to_owned(),
            options,
            skipped,
        })
    }
}

impl Source for CsvFile<'_> {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn batches(&self, only: Option<usize>) -> Result<Batches<'_>> {
        let mut builder = ReaderBuilder::new(Arc::clone(&self.schema))
            .with_format(self.options.format())
            .with_batch_size(CHUNK_ROWS);
        if let Some(index) = only {
            builder = builder.with_projection(vec![index]);
        }
        let batches = builder
            .build_buffered(sound(&self.path, self.options)?)
            .map_err(|error| csv_error(&self.path, &error))?;
        Ok(Box::new(batches.map(|batch| {
            batch.map_err(|error| value_error(&self.path, self.options, &self.schema, &error))
        })))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// The records of the file.
fn records<'a>(path: &'a Path, options: &CsvOptions) -> Result<Records<'a, BufReader<File>>> {
    let delimiter = options.byte_between();
    Ok(Records::new(
        reader(path)?,
        path,
        delimiter,
        options.lenient,
    ))
}

/// The bytes of a file that was checked, without those that a lenient import leaves out.
fn sound<'a>(path: &'a Path, options: &CsvOptions) -> Result<Box<dyn BufRead + 'a>> {
    Ok(match options.lenient {
        true => Box::new(BufReader::new(records(path, options)?)),
        false => Box::new(reader(path)?),
    })
}

/// Refuses a header that looks like several columns between other delimiters than commas.
fn check_delimiter(path: &Path, options: &CsvOptions, header: &Schema) -> Result<()> {
    let [column] = &header.fields()[..] else {
        return Ok(());
    };
    if options.delimiter.is_some() || !options.header {
        return Ok(());
    }
    let others = [(';', ";"), ('\t', "a tab"), ('|', "|")];
    let Some((_, told)) = others
        .iter()
        .find(|(other, _)| column.name().contains(*other))
    else {
        return Ok(());
    };
    let reason = format!("one column {:?}, which holds {told}", column.name());
    let hint = "pass the file's delimiter; pass a comma if this is one column";
    Err(malformed(path, reason, "line 1", hint))
}

/// The file from after its byte-order mark.
fn reader(path: &Path) -> Result<BufReader<File>> {
    let file = File::open(path).map_err(|error| unreadable("open", path, error))?;
    let mut reader = BufReader::new(file);
    let start = reader
        .fill_buf()
        .map_err(|error| unreadable("read", path, error))?;
    if start.starts_with(BOM) {
        reader.consume(BOM.len());
    }
    Ok(reader)
}

/// An error of splitting the file into fields; its text ends with the line.
fn csv_error(path: &Path, error: &ArrowError) -> Error {
    let text = error.to_string();
    let text = text.strip_prefix("Csv error: ").unwrap_or(&text);
    let (reason, line) = match text.rsplit_once(" at line ") {
        Some((reason, line)) => (reason, format!("line {line}")),
        None => (text, "an unknown line".to_owned()),
    };
    let hint = "mend the line, or pass the file's delimiter; fields that hold it need quotes";
    malformed(path, reason, line, hint)
}

/// An error of reading a field as its column's type; its text holds the record's number.
fn value_error(path: &Path, options: &CsvOptions, schema: &Schema, error: &ArrowError) -> Error {
    let text = error.to_string();
    let message = text.split(". Row data: ").next().unwrap_or(&text);
    let Some((reason, record)) = message.rsplit_once(" at line ") else {
        return csv_error(path, error);
    };
    let (what, column) = reason.rsplit_once(" for column ").unwrap_or((reason, ""));
    let column = column
        .parse()
        .ok()
        .and_then(|index: usize| schema.fields().get(index));
    let is_numeric = column.is_some_and(|field| options.is_numeric(field.name()));
    let column = column.map_or_else(String::new, |field| format!("column `{}`: ", field.name()));
    let line = record.parse().ok().and_then(|record| {
        let records = records(path, options).ok()?;
        records.line_of(record)
    });
    malformed(
        path,
        format!("{column}{}", what.trim_start_matches("Parser error: ")),
        line.map_or_else(|| format!("record {record}"), |line| format!("line {line}")),
        match options.types.is_empty() {
            _ if is_numeric => "mend the value: weights and probabilities are numbers",
            true => "pass the column's type, for example text",
            false => "mend the value, or pass another type for the column",
        },
    )
}
