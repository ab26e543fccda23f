//! Items that serde can serialise, as Arrow batches.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use emberlens::{Error, Result};
use serde::ser::{Error as _, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_arrow::ArrayBuilder;
use serde_arrow::schema::{STRATEGY_KEY, SchemaLike, Strategy, TracingOptions};
use serde_arrow::utils::Item;

/// Most rows of a batch, and bytes after which it has fewer.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 32 << 20;
/// Items of the first batch, before their size is known.
const FIRST_ROWS: usize = 16;

/// Items by index.
pub(crate) struct Items<'a, F> {
    pub(crate) name: &'a str,
    pub(crate) len: usize,
    pub(crate) get: F,
}

/// The type of all items.
pub(crate) struct Shape {
    /// What is built: one field with the whole item.
    whole: Vec<FieldRef>,
    /// The columns.
    schema: SchemaRef,
    /// Whether they are the fields of the item, or it itself.
    has_fields: bool,
}

impl Shape {
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl<T: Serialize, F: Fn(usize) -> Result<T>> Items<'_, F> {
    /// The type of all items, each of which is read once.
    pub(crate) fn shape(&self) -> Result<Shape> {
        let options = TracingOptions::new()
            .allow_null_fields(true)
            .sequence_as_large_list(false)
            .strings_as_large_utf8(false)
            .bytes_as_large_binary(false)
            .enums_without_data_as_strings(true);
        let all = AllItems {
            items: self,
            at: Cell::new(0),
            failed: RefCell::new(None),
        };
        let traced = Vec::<FieldRef>::from_samples(&all, options);
        let whole: Vec<FieldRef> = match (all.failed.take(), traced) {
            (Some(error), _) => return Err(error),
            (None, Ok(fields)) => fields.iter().map(listed).collect(),
            (None, Err(error)) => return Err(self.refused(all.at.get(), &told(&error))),
        };
        let fields = whole.first().and_then(|item| match item.data_type() {
            // An item that may be missing as a whole stays one column.
            DataType::Struct(fields) if !item.is_nullable() => Some(fields.clone()),
            _ => None,
        });
        let has_fields = fields.is_some();
        let fields = fields.unwrap_or_else(|| Fields::from(whole.clone()));
        Ok(Shape {
            whole,
            schema: Arc::new(Schema::new(fields)),
            has_fields,
        })
    }

    /// All items in batches of a bounded size.
    pub(crate) fn batches<'b>(
        &'b self,
        shape: &'b Shape,
    ) -> impl Iterator<Item = Result<RecordBatch>> + 'b {
        let (mut first, mut largest) = (0, 0);
        std::iter::from_fn(move || {
            let rows = match largest {
                0 => FIRST_ROWS,
                bytes => (BATCH_BYTES / bytes).clamp(1, BATCH_ROWS),
            };
            let rows = rows.min(self.len - first);
            if rows == 0 {
                return None;
            }
            let built = self.array(shape, first, rows);
            first += rows;
            Some(built.and_then(|array| {
                largest = largest.max(array.get_array_memory_size().div_ceil(rows));
                self.batch(shape, array)
            }))
        })
    }

    fn read(&self, index: usize) -> Result<T> {
        (self.get)(index).map_err(|error| Error::Dataset {
            split: self.name.to_owned(),
            index,
            source: Box::new(error),
        })
    }

    fn refused(&self, index: usize, reason: &str) -> Error {
        Error::invalid(
            "dataset",
            self.name,
            format!("item {index} fits no columns with those before it: {reason}"),
            "give all items one type of fields, numbers, strings, lists and options of them",
        )
    }

    /// Items one after the other, each a value of one array.
    fn array(&self, shape: &Shape, first: usize, rows: usize) -> Result<ArrayRef> {
        let refused =
            |index: usize| move |error: serde_arrow::Error| self.refused(index, &told(&error));
        let mut builder = ArrayBuilder::from_arrow(&shape.whole).map_err(refused(first))?;
        for index in first..first + rows {
            let item = self.read(index)?;
            builder.push(Item(item)).map_err(refused(index))?;
        }
        let mut arrays = builder.into_arrow().map_err(refused(first))?;
        arrays
            .pop()
            .ok_or_else(|| self.refused(first, "it has no value"))
    }

    fn batch(&self, shape: &Shape, items: ArrayRef) -> Result<RecordBatch> {
        let failed = |error: ArrowError| self.refused(0, &error.to_string());
        let options = RecordBatchOptions::new().with_row_count(Some(items.len()));
        let columns = match items.as_struct_opt() {
            Some(items) if shape.has_fields => items.columns().to_vec(),
            _ => vec![items],
        };
        let schema = Arc::clone(&shape.schema);
        RecordBatch::try_new_with_options(schema, columns, &options).map_err(failed)
    }
}

/// The reason with the field, without advice about options that callers do not have.
fn told(error: &serde_arrow::Error) -> String {
    let whole = error.to_string();
    let reason = error.message().split(": consider").next();
    let reason = reason.unwrap_or(error.message()).trim_end_matches('.');
    let path = whole
        .split_once("\"$.item")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(path, _)| path.trim_start_matches('.'));
    match path {
        Some(path) if !path.is_empty() => format!("field `{path}`: {reason}"),
        _ => reason.to_owned(),
    }
}

/// A sequence of all items.
struct AllItems<'a, 'n, F> {
    items: &'a Items<'n, F>,
    at: Cell<usize>,
    failed: RefCell<Option<Error>>,
}

impl<T: Serialize, F: Fn(usize) -> Result<T>> Serialize for AllItems<'_, '_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.items.len))?;
        for index in 0..self.items.len {
            self.at.set(index);
            let item = self.items.read(index).map_err(|error| {
                self.failed.replace(Some(error));
                S::Error::custom("the item cannot be read")
            })?;
            sequence.serialize_element(&Item(item))?;
        }
        sequence.end()
    }
}

/// Arrays are traced as tuples, which are structs: those of one type become lists.
fn listed(field: &FieldRef) -> FieldRef {
    let with_type =
        |data_type: DataType| Arc::new(field.as_ref().clone().with_data_type(data_type));
    match field.data_type() {
        DataType::List(item) => with_type(DataType::List(listed(item))),
        DataType::Struct(fields) => {
            let fields: Fields = fields.iter().map(listed).collect();
            let strategy = field.metadata().get(STRATEGY_KEY);
            let is_tuple = strategy == Some(&Strategy::TupleAsStruct.to_string());
            match fields.first() {
                Some(first) if is_tuple && has_one_type(&fields, first) => {
                    let is_nullable = fields.iter().any(|field| field.is_nullable());
                    let item = first.as_ref().clone().with_name("element");
                    let list = DataType::List(Arc::new(item.with_nullable(is_nullable)));
                    Arc::new(Field::new(field.name(), list, field.is_nullable()))
                }
                _ => with_type(DataType::Struct(fields)),
            }
        }
        _ => Arc::clone(field),
    }
}

fn has_one_type(fields: &Fields, first: &FieldRef) -> bool {
    fields
        .iter()
        .all(|field| field.data_type() == first.data_type())
}
