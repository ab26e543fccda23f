//! What becomes of every column of an imported file.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchOptions};
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema};

use super::{Source, malformed};
use crate::table::convert::{convert, refused_type, stored_name, stored_type};
use crate::table::instances::CATEGORIES_KEY;
use crate::table::schema::{self, Role};
use crate::table::values::{ColumnValue, Place};
use crate::{Error, Result};

/// Distinct strings up to which a column can be a category.
pub(super) const MAX_CLASSES: usize = 65_536;

/// How each column of a source is stored: name, type, role, and class indices for strings.
pub(super) struct Plan {
    columns: Vec<PlannedColumn>,
}

struct PlannedColumn {
    field: Field,
    /// Class index by name, where strings become a category.
    classes: Option<HashMap<String, i32>>,
}

impl Plan {
    /// Plans all columns; reads string columns that become a category of unknown names once.
    pub(super) fn new(source: &dyn Source, roles: &[(String, Role)]) -> Result<Self> {
        let place = source.path().display().to_string();
        let given = source.schema();
        let mut columns: Vec<PlannedColumn> = Vec::with_capacity(given.fields().len());
        let mut used = vec![false; roles.len()];
        for (index, field) in given.fields().iter().enumerate() {
            let name = match stored_name(field.name().trim()) {
                empty if empty.is_empty() => format!("column_{}", index + 1),
                name => name,
            };
            check_new(&name, field.name(), &columns, source)?;
            let asked = roles.iter().position(|(column, _)| {
                column == field.name() || *column == name || column == field.name().trim()
            });
            let role = asked.map(|asked| {
                used[asked] = true;
                roles[asked].1.clone()
            });
            columns.push(plan_column(source, index, &name, role, &place)?);
        }
        if let Some(unused) = used.iter().position(|used| !used) {
            return Err(Error::MissingColumn {
                column: roles[unused].0.clone(),
                place,
                available: schema::names(given),
            });
        }
        Ok(Self { columns })
    }

    /// The schema of the table.
    pub(super) fn schema(&self) -> Schema {
        Schema::new(
            self.columns
                .iter()
                .map(|column| column.field.clone())
                .collect::<Vec<_>>(),
        )
    }

    /// A batch of the source as a batch of the table.
    pub(super) fn convert(&self, batch: &RecordBatch, first_row: u64) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (column, array) in self.columns.iter().zip(batch.columns()) {
            let place = Place {
                column: column.field.name(),
                first_row,
            };
            arrays.push(match &column.classes {
                Some(classes) => class_indices(array, classes, place)?,
                None => convert(array, column.field.data_type(), place)?,
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(self.schema()), arrays, &options).map_err(
            |error| Error::invalid("batch", first_row, error.to_string(), "check the file"),
        )
    }
}

fn check_new(name: &str, given: &str, known: &[PlannedColumn], source: &dyn Source) -> Result<()> {
    let lower = name.to_lowercase();
    let twin = known
        .iter()
        .position(|column| column.field.name().to_lowercase() == lower);
    match twin {
        None => Ok(()),
        Some(twin) => {
            let first = source.schema().field(twin).name();
            Err(malformed(
                source.path(),
                format!("two columns would be `{name}`: {first:?} and {given:?}"),
                format!("columns {} and {}", twin + 1, known.len() + 1),
                "rename one of them; names are compared without case",
            ))
        }
    }
}

fn plan_column(
    source: &dyn Source,
    index: usize,
    name: &str,
    role: Option<Role>,
    place: &str,
) -> Result<PlannedColumn> {
    let field = source.schema().field(index);
    let stored = stored_type(field.data_type())
        .ok_or_else(|| refused_type(field.name(), field.data_type(), place))?;
    let is_as_it_came = role.is_none();
    let role = role
        .or_else(|| schema::role(field))
        .or_else(|| fixed_width(field.data_type()));
    let (stored, role, classes) = match (stored, role) {
        (DataType::Utf8, Some(Role::Category { names })) => {
            let names = match names.is_empty() {
                true => distinct(source, index, name)?.into(),
                false => names,
            };
            let classes = names.iter().cloned().zip(0..).collect();
            (
                DataType::Int32,
                Some(Role::Category { names }),
                Some(classes),
            )
        }
        (DataType::Boolean, Some(Role::Category { names })) => {
            let names = match names.is_empty() {
                true => ["false", "true"].map(str::to_owned).into(),
                false => names,
            };
            (DataType::Int32, Some(Role::Category { names }), None)
        }
        (stored, role) => (stored, role, None),
    };
    let mut planned = schema::field(name, stored, role.as_ref())?;
    // What the data set says of its classes belongs to the names in the role that came with it.
    let categories = field.metadata().get(CATEGORIES_KEY);
    if let Some(categories) = categories.filter(|_| is_as_it_came) {
        planned
            .metadata_mut()
            .insert(CATEGORIES_KEY.to_owned(), categories.clone());
    }
    Ok(PlannedColumn {
        field: planned,
        classes,
    })
}

/// Fixed-width lists of f32 are what embeddings are elsewhere.
fn fixed_width(data_type: &DataType) -> Option<Role> {
    match data_type {
        DataType::FixedSizeList(item, width) if *item.data_type() == DataType::Float32 => {
            Some(Role::Embedding {
                width: usize::try_from(*width).ok()?,
            })
        }
        _ => None,
    }
}

/// The distinct strings of a column, sorted.
fn distinct(source: &dyn Source, index: usize, name: &str) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    for batch in source.batches(Some(index))? {
        let batch = batch?;
        let array = convert(
            batch.column(0),
            &DataType::Utf8,
            Place {
                column: name,
                first_row: 0,
            },
        )?;
        for value in strings(&array, name)?.into_iter().flatten() {
            seen.insert(value);
        }
        if seen.len() > MAX_CLASSES {
            return Err(Error::invalid(
                "role",
                format!("category of column `{name}`"),
                format!("it holds more than {MAX_CLASSES} different strings"),
                "import it as strings, without the role",
            ));
        }
    }
    Ok(seen.into_iter().collect())
}

fn strings(array: &ArrayRef, column: &str) -> Result<Vec<Option<String>>> {
    <Option<String> as ColumnValue>::read(
        array,
        Place {
            column,
            first_row: 0,
        },
    )
}

/// The class index of every string; null stays null.
fn class_indices(
    array: &ArrayRef,
    classes: &HashMap<String, i32>,
    place: Place<'_>,
) -> Result<ArrayRef> {
    let words = cast(array, &DataType::Utf8).map_err(|error| {
        Error::invalid("column", place.column, error.to_string(), "use strings")
    })?;
    let indices = strings(&words, place.column)?
        .into_iter()
        .enumerate()
        .map(|(row, word)| {
            let Some(word) = word else { return Ok(None) };
            match classes.get(&word) {
                Some(&class) => Ok(Some(class)),
                None => Err(place.value(
                    row,
                    format!("{word:?}"),
                    "one of the class names",
                    "add it to the names of the category, or give none to take them from the file",
                )),
            }
        });
    Ok(Arc::new(indices.collect::<Result<Int32Array>>()?))
}
