//! Arrow types that tables do not store, turned into those that they do without losing a value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, ArrayRef};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, TimeUnit};

use super::schema::list_type;
use super::values::Place;
use crate::{Error, Result};

/// The characters that Parquet readers, and so Delta tables, refuse in column names.
const REFUSED: [char; 8] = [' ', ',', ';', '{', '}', '(', ')', '='];

/// The type under which a table stores values of `data_type`; `None` when it would lose some.
///
/// | given | stored |
/// |---|---|
/// | `u8`, `u16`, `u32` | the next wider signed integer |
/// | `u64` | `i64` where every value fits |
/// | `f16` | `f32` |
/// | large and view strings and bytes, fixed-size bytes | string, binary |
/// | dictionaries | their values |
/// | fixed-size, large and view lists | list |
/// | timestamps | microseconds in UTC; nanoseconds only where nothing is cut off |
/// | a column of nulls only | string |
pub(super) fn stored_type(data_type: &DataType) -> Option<DataType> {
    use DataType::*;
    Some(match data_type {
        Boolean | Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Utf8 | Binary | Date32 => {
            data_type.clone()
        }
        Null | LargeUtf8 | Utf8View => Utf8,
        UInt8 => Int16,
        UInt16 => Int32,
        UInt32 | UInt64 => Int64,
        Float16 => Float32,
        LargeBinary | BinaryView | FixedSizeBinary(_) => Binary,
        Date64 | Timestamp(_, _) => Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Dictionary(_, values) => stored_type(values)?,
        List(item)
        | LargeList(item)
        | FixedSizeList(item, _)
        | ListView(item)
        | LargeListView(item) => list_type(stored_item(item.data_type())?),
        Struct(fields) => {
            let stored = fields.iter().map(|field| {
                Some(Field::new(
                    field.name(),
                    stored_item(field.data_type())?,
                    true,
                ))
            });
            Struct(stored.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// As [`stored_type`], without nanoseconds: inside lists and structs a cut value goes unnoticed.
fn stored_item(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => None,
        other => stored_type(other),
    }
}

/// The error for a type that [`stored_type`] refuses.
pub(super) fn refused_type(column: &str, data_type: &DataType, place: &str) -> Error {
    Error::Schema {
        column: column.to_owned(),
        expected: "integers, floats, bool, strings, bytes, dates, timestamps, lists and structs"
            .into(),
        found: data_type.to_string(),
        place: place.to_owned(),
        hint: "convert the column first, or leave it out".into(),
    }
}

/// The values as `target`, each of them exactly.
///
/// # Errors
/// `Invalid` with the column, the row where it is known, and both types.
pub(super) fn convert(array: &ArrayRef, target: &DataType, place: Place<'_>) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    if let Some(row) = cut_nanosecond(array) {
        return Err(misfit(array, target, row, place));
    }
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, target, &strict).map_err(|error| {
        // The lenient cast turns what does not fit into null, which tells the row.
        let lenient = cast_with_options(array, target, &CastOptions::default());
        let row = lenient.ok().and_then(|lenient| {
            (0..array.len()).find(|&row| array.is_valid(row) && lenient.is_null(row))
        });
        match row {
            Some(row) => misfit(array, target, row, place),
            None => Error::Schema {
                column: place.column.to_owned(),
                expected: target.to_string(),
                found: array.data_type().to_string(),
                place: "the table".into(),
                hint: format!("convert the column first ({error})"),
            },
        }
    })
}

fn misfit(array: &ArrayRef, target: &DataType, row: usize, place: Place<'_>) -> Error {
    let value = arrow_cast::display::array_value_to_string(array, row);
    let value = value.unwrap_or_else(|_| "a value".into());
    place.value(
        row,
        format!("{value} ({})", array.data_type()),
        format!("a value that fits {target}"),
        "convert the column first, for example to strings or floats",
    )
}

/// The first row whose nanoseconds a timestamp in microseconds would lose.
fn cut_nanosecond(array: &ArrayRef) -> Option<usize> {
    if !matches!(
        array.data_type(),
        DataType::Timestamp(TimeUnit::Nanosecond, _)
    ) {
        return None;
    }
    let times = array.as_primitive::<TimestampNanosecondType>();
    times
        .iter()
        .position(|time| time.is_some_and(|time| time % 1000 != 0))
}

/// A column name that tables can have: runs of refused characters become one `_`.
pub(super) fn stored_name(name: &str) -> String {
    let parts: Vec<&str> = name
        .split(is_refused)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("_")
}

/// Whether tables refuse this character in column names.
pub(super) fn is_refused(character: char) -> bool {
    REFUSED.contains(&character) || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::builder::{FixedSizeListBuilder, Float32Builder};
    use arrow_array::types::Int8Type;
    use arrow_array::{
        DictionaryArray, Int16Array, Int64Array, LargeStringArray, StringArray,
        TimestampNanosecondArray, UInt8Array, UInt64Array,
    };

    const AT: Place<'static> = Place {
        column: "x",
        first_row: 10,
    };

    fn stored(array: ArrayRef) -> Result<ArrayRef> {
        convert(&array, &stored_type(array.data_type()).unwrap(), AT)
    }

    #[test]
    fn unsigned_integers_keep_their_largest_values() {
        let bytes = stored(Arc::new(UInt8Array::from(vec![0, 255]))).unwrap();
        assert_eq!(
            bytes.as_ref(),
            &Int16Array::from(vec![0, 255]) as &dyn Array
        );
        let words = stored(Arc::new(UInt64Array::from(vec![
            Some(i64::MAX as u64),
            None,
        ])))
        .unwrap();
        assert_eq!(
            words.as_ref(),
            &Int64Array::from(vec![Some(i64::MAX), None]) as &dyn Array
        );
    }

    #[test]
    fn a_u64_that_does_not_fit_is_named_with_its_row() {
        let values = UInt64Array::from(vec![Some(1), None, Some(u64::MAX)]);
        let error = stored(Arc::new(values)).unwrap_err().to_string();
        assert!(error.contains("`x`") && error.contains("row 12"), "{error}");
        assert!(
            error.contains("18446744073709551615") && error.contains("Int64"),
            "{error}"
        );
    }

    #[test]
    fn dictionaries_and_large_strings_become_strings() {
        let words: DictionaryArray<Int8Type> = ["b", "a", "b"].into_iter().collect();
        let expected = StringArray::from(vec!["b", "a", "b"]);
        assert_eq!(
            stored(Arc::new(words)).unwrap().as_ref(),
            &expected as &dyn Array
        );
        let large = LargeStringArray::from(vec!["b", "a", "b"]);
        assert_eq!(
            stored(Arc::new(large)).unwrap().as_ref(),
            &expected as &dyn Array
        );
    }

    #[test]
    fn a_fixed_size_list_becomes_a_list_with_the_same_rows() {
        let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), 2);
        builder.values().append_slice(&[1.0, 2.0, 3.0, 4.0]);
        builder.append(true);
        builder.append(true);
        let list = stored(Arc::new(builder.finish())).unwrap();
        assert_eq!(list.data_type(), &list_type(DataType::Float32));
        let row = list.as_list::<i32>().value(1);
        assert_eq!(
            row.as_primitive::<arrow_array::types::Float32Type>()
                .values(),
            &[3.0, 4.0]
        );
    }

    #[test]
    fn nanoseconds_are_refused_only_where_they_would_be_cut() {
        assert!(
            stored(Arc::new(TimestampNanosecondArray::from(vec![
                Some(2000),
                None
            ])))
            .is_ok()
        );
        let error = stored(Arc::new(TimestampNanosecondArray::from(vec![2000, 2001]))).unwrap_err();
        assert!(matches!(error, Error::Value { row: 11, .. }), "{error}");
    }

    #[test]
    fn names_lose_only_what_tables_refuse() {
        assert_eq!(stored_name("sepal length (cm)"), "sepal_length_cm");
        assert_eq!(stored_name("größe/µm"), "größe/µm");
        assert_eq!(stored_name(" , "), "");
    }
}
