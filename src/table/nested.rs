//! Lists of structs: one list for each row, one struct for each instance.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, ListArray, RecordBatch, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Fields};

use super::values::{Place, find, wrong_type};
use crate::{Error, Result};

/// Structs of these fields, so many for each row; `present` says which of them are not null.
pub(crate) fn list_of_structs(
    fields: Vec<(&'static str, ArrayRef)>,
    lengths: Vec<usize>,
    present: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let (names, arrays): (Vec<_>, Vec<ArrayRef>) = fields.into_iter().unzip();
    let typed = names.iter().zip(&arrays);
    let typed: Fields = typed
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    check_count(lengths.iter().sum())?;
    let structs = StructArray::try_new(typed, arrays, present).map_err(wrong_fields)?;
    list_of(Arc::new(structs), lengths, None)
}

/// Lists of these values, so many for each row; `present` says which lists are not null.
pub(crate) fn list_of(
    values: ArrayRef,
    lengths: Vec<usize>,
    present: Option<NullBuffer>,
) -> Result<ArrayRef> {
    check_count(lengths.iter().sum())?;
    let element = Arc::new(Field::new("element", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let lists = ListArray::try_new(element, offsets, values, present).map_err(wrong_fields)?;
    Ok(Arc::new(lists))
}

fn check_count(all: usize) -> Result<()> {
    if i32::try_from(all).is_ok() {
        return Ok(());
    }
    Err(Error::invalid(
        "instances",
        format!("{all} values"),
        "one batch holds fewer than 2^31 of them",
        "pass fewer images at a time",
    ))
}

fn wrong_fields(error: ArrowError) -> Error {
    Error::invalid(
        "fields",
        "of a nested column",
        error.to_string(),
        "give every field one value for each instance",
    )
}

/// A column of lists of structs that is read.
pub(crate) struct Nested<'a> {
    lists: &'a ListArray,
    structs: &'a StructArray,
    place: Place<'a>,
}

impl<'a> Nested<'a> {
    /// The column of a batch whose first row is `first_row` of its table.
    ///
    /// # Errors
    /// `MissingColumn`, and `Schema` for a column of another type.
    pub(crate) fn of(batch: &'a RecordBatch, column: &'a str, first_row: u64) -> Result<Self> {
        let place = Place { column, first_row };
        let array = find(batch, column)?;
        let structs = array
            .as_list_opt::<i32>()
            .and_then(|lists| Some((lists, lists.values().as_struct_opt()?)));
        match structs {
            Some((lists, structs)) => Ok(Self {
                lists,
                structs,
                place,
            }),
            None => Err(wrong_type("instances", "a list of structs", array, place)),
        }
    }

    /// Where the structs of a row are.
    pub(crate) fn range(&self, row: usize) -> Range<usize> {
        if self.lists.is_null(row) {
            return 0..0;
        }
        let offsets = self.lists.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    /// Rows.
    pub(crate) fn rows(&self) -> usize {
        self.lists.len()
    }

    /// Whether the struct is there.
    pub(crate) fn is_there(&self, at: usize) -> bool {
        self.structs.is_valid(at)
    }

    /// A field as an array of `target`, or `None` without such a field.
    fn field(&self, name: &str, target: &DataType) -> Result<Option<ArrayRef>> {
        let Some(array) = self.structs.column_by_name(name) else {
            return Ok(None);
        };
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        let cast = cast_with_options(array, target, &strict);
        cast.map(Some).map_err(|error| Error::Schema {
            column: format!("{}.{name}", self.place.column),
            expected: target.to_string(),
            found: array.data_type().to_string(),
            place: "a column of instances".into(),
            hint: format!("convert it ({error})"),
        })
    }

    /// The numbers of a field; nulls throughout without it.
    pub(crate) fn floats(&self, name: &str) -> Result<Vec<Option<f64>>> {
        let array = self.field(name, &DataType::Float64)?;
        Ok(self.or_nulls(array, |array| {
            array.as_primitive::<Float64Type>().iter().collect()
        }))
    }

    /// The whole numbers of a field; nulls throughout without it.
    pub(crate) fn integers(&self, name: &str) -> Result<Vec<Option<i64>>> {
        let array = self.field(name, &DataType::Int64)?;
        Ok(self.or_nulls(array, |array| {
            array.as_primitive::<Int64Type>().iter().collect()
        }))
    }

    /// The truths of a field; nulls throughout without it.
    pub(crate) fn flags(&self, name: &str) -> Result<Vec<Option<bool>>> {
        let array = self.field(name, &DataType::Boolean)?;
        Ok(self.or_nulls(array, |array| array.as_boolean().iter().collect()))
    }

    /// The texts of a field; nulls throughout without it.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<Option<String>>> {
        let array = self.field(name, &DataType::Utf8)?;
        let own = |text: Option<&str>| text.map(str::to_owned);
        Ok(self.or_nulls(array, |array| {
            array.as_string::<i32>().iter().map(own).collect()
        }))
    }

    fn or_nulls<T: Clone>(
        &self,
        array: Option<ArrayRef>,
        read: impl FnOnce(&ArrayRef) -> Vec<Option<T>>,
    ) -> Vec<Option<T>> {
        match array {
            Some(array) => read(&array),
            None => vec![None; self.structs.len()],
        }
    }

    /// The raw array of a field.
    pub(crate) fn array(&self, name: &str) -> Option<&'a ArrayRef> {
        self.structs.column_by_name(name)
    }

    /// The row of the table that is row `row` of the batch.
    pub(crate) fn row(&self, row: usize) -> u64 {
        self.place.first_row + row as u64
    }

    /// An error about an instance of a row.
    pub(crate) fn wrong(
        &self,
        row: usize,
        instance: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        let found = format!("{} in instance {instance}", found.into());
        self.place.value(row, found, expected, hint)
    }
}
