//! Reading single cells as values.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

use super::value::{Value, shortest};

/// Characters of a cell that edits do not set, at most.
const MOST_CHARACTERS: usize = 60;

/// The value in a row of a column; null beyond its end.
pub(in crate::table) fn value_at(array: &ArrayRef, row: usize) -> Value {
    if row >= array.len() || array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Value::Integer(array.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Value::Integer(array.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Value::Integer(array.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => Value::Float(shortest(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => Value::Text(array.as_string::<i32>().value(row).to_owned()),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            // The checksum tells one image from another of the same size.
            Value::Other(format!(
                "{} bytes, crc32 {:08x}",
                bytes.len(),
                crc32fast::hash(bytes)
            ))
        }
        other => Value::Other(match array_value_to_string(array, row) {
            Ok(text) => cut(text),
            Err(_) => other.to_string(),
        }),
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
