//! Batches of a stream taken apart: the keys of every row that has an embedding, and the matrix.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::{filter, filter_record_batch};
use arrow_select::take::take_record_batch;
use ndarray::{Array2, Axis};

use crate::run::{INSTANCE, KEYS};
use crate::table::{embedding, values};
use crate::{Error, Result};

const PASS_ID: &str = KEYS[3];

/// How a column holds embeddings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One vector per row.
    Vector,
    /// One vector per row, and the rows of a sample are numbered in the column `instance`.
    NumberedVector,
    /// A list of vectors per row, one for each instance of the sample.
    Instances,
}

/// Some rows of an embedding column with the keys of each.
pub(super) struct Rows {
    /// `example_id`, `split`, `epoch`, `pass_id`, and `instance` where samples have several.
    pub(super) keys: RecordBatch,
    pub(super) embeddings: Array2<f32>,
    /// Whether all values of the row are finite.
    pub(super) finite: Vec<bool>,
    /// The pass of every row (or instance) that has no embedding.
    pub(super) without: Vec<Option<String>>,
}

impl Kind {
    /// How a column of that type holds embeddings; `None` when it holds none.
    pub(super) fn of(data_type: &DataType, schema: &Schema) -> Option<Self> {
        let numbered = schema
            .field_with_name(INSTANCE)
            .is_ok_and(|field| field.data_type().is_integer());
        match data_type {
            DataType::List(item) if *item.data_type() == DataType::Float32 => {
                Some(match numbered {
                    true => Self::NumberedVector,
                    false => Self::Vector,
                })
            }
            DataType::List(item) => match item.data_type() {
                DataType::List(value) if *value.data_type() == DataType::Float32 => {
                    Some(Self::Instances)
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether rows carry the number of an instance.
    pub(super) fn has_instances(self) -> bool {
        self != Self::Vector
    }

    /// The columns to read.
    pub(super) fn columns(self, column: &str) -> Vec<&str> {
        let mut columns: Vec<&str> = KEYS.into();
        if self == Self::NumberedVector {
            columns.push(INSTANCE);
        }
        columns.push(column);
        columns
    }
}

impl Rows {
    /// Takes a batch apart; rows without an embedding are left out of it.
    pub(super) fn of(batch: &RecordBatch, column: &str, kind: Kind) -> Result<Self> {
        let passes = values::<Option<String>>(batch, PASS_ID)?;
        let (batch, without) = match kind {
            Kind::Vector | Kind::NumberedVector => present(batch, column),
            Kind::Instances => instances(batch, column),
        }
        .map_err(|error| Error::storage("select rows", "a batch of metrics", error))?;
        let embeddings = embedding(&batch, column)?;
        let finite = embeddings
            .outer_iter()
            .map(|row| row.iter().all(|value| value.is_finite()))
            .collect();
        let mut keys = batch;
        if let Ok(index) = keys.schema().index_of(column) {
            keys.remove_column(index);
        }
        Ok(Self {
            keys,
            embeddings,
            finite,
            without: without.into_iter().map(|row| passes[row].clone()).collect(),
        })
    }

    /// The pass of every row.
    pub(super) fn passes(&self) -> Result<Vec<Option<String>>> {
        values::<Option<String>>(&self.keys, PASS_ID)
    }

    /// The chosen rows.
    pub(super) fn only(self, chosen: &[bool]) -> Result<Self> {
        let rows: Vec<usize> = (0..chosen.len()).filter(|&row| chosen[row]).collect();
        let mask = BooleanArray::from(chosen.to_vec());
        Ok(Self {
            keys: filter_record_batch(&self.keys, &mask)
                .map_err(|error| Error::storage("select rows", "a batch of metrics", error))?,
            embeddings: self.embeddings.select(Axis(0), &rows),
            finite: rows.iter().map(|&row| self.finite[row]).collect(),
            without: self.without,
        })
    }

    /// The error for a row that is not finite, of `what`.
    pub(super) fn not_finite(&self, row: usize, what: &str) -> Error {
        let [example_id, split, epoch, _] = KEYS;
        let split = values::<Option<String>>(&self.keys, split).unwrap_or_default();
        let epoch = values::<Option<i64>>(&self.keys, epoch).unwrap_or_default();
        let id = values::<Option<i64>>(&self.keys, example_id).unwrap_or_default();
        let text = |value: Option<i64>| value.map_or("none".to_owned(), |value| value.to_string());
        let values = self.embeddings.row(row);
        let column = values.iter().position(|value| !value.is_finite());
        let column = column.unwrap_or_default();
        Error::NonFinite {
            what: format!(
                "{what}, in which no row is finite: split `{}`, epoch {}, example_id {}",
                split.into_iter().nth(row).flatten().unwrap_or_default(),
                text(epoch.into_iter().nth(row).flatten()),
                text(id.into_iter().nth(row).flatten()),
            ),
            row,
            column,
            value: values.get(column).copied().unwrap_or(f32::NAN).to_string(),
            hint: "the model gave no finite output there; look at its loss in that epoch".into(),
        }
    }
}

/// The rows whose embedding is not null, and the numbers of the others.
fn present(
    batch: &RecordBatch,
    column: &str,
) -> Result<(RecordBatch, Vec<usize>), arrow_schema::ArrowError> {
    let all = batch.num_rows();
    let present = batch.column_by_name(column).map_or_else(
        || BooleanArray::from(vec![false; all]),
        |values| (0..all).map(|row| Some(values.is_valid(row))).collect(),
    );
    let kept = filter_record_batch(batch, &present)?;
    let without = (0..all).filter(|&row| !present.value(row)).collect();
    Ok((kept, without))
}

/// One row for each instance, numbered from 0 within its sample, and the rows of those that are
/// null.
fn instances(
    batch: &RecordBatch,
    column: &str,
) -> Result<(RecordBatch, Vec<usize>), arrow_schema::ArrowError> {
    let malformed = || arrow_schema::ArrowError::SchemaError(format!("`{column}` is no list"));
    let index = batch.schema().index_of(column)?;
    let lists = batch.column(index).as_list_opt::<i32>();
    let lists = lists.ok_or_else(malformed)?;
    let vectors: &ArrayRef = lists.values();
    let mut keep = vec![false; vectors.len()];
    let (mut rows, mut numbers, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..lists.len() {
        if lists.is_null(row) {
            without.push(row);
            continue;
        }
        let range = lists.value_offsets()[row] as usize..lists.value_offsets()[row + 1] as usize;
        for (number, at) in range.enumerate() {
            if vectors.is_null(at) {
                without.push(row);
                continue;
            }
            keep[at] = true;
            rows.push(row as u32);
            numbers.push(number as i64);
        }
    }
    let vectors = filter(vectors, &BooleanArray::from(keep))?;
    let mut keys = batch.clone();
    keys.remove_column(index);
    let keys = take_record_batch(&keys, &UInt32Array::from(rows))?;
    let mut fields = keys.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(INSTANCE, DataType::Int64, true)));
    fields.push(Arc::new(Field::new(
        column,
        vectors.data_type().clone(),
        true,
    )));
    let mut columns = keys.columns().to_vec();
    columns.push(Arc::new(Int64Array::from(numbers)));
    columns.push(vectors);
    let exploded = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    Ok((exploded, without))
}
