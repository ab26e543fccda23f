//! One cell's value, and what a column takes.

use std::fmt;
use std::sync::Arc;

use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::parse::Parser;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::table::schema::{self, Role};
use crate::{Error, Result};

/// The value of one cell.
///
/// Made by `into` from numbers, bools, strings and `Option`s of them. A class of a category column may
/// be given by its index or by its name.
///
/// ```
/// use emberlens::table::Value;
/// assert_eq!(Value::from(3), Value::Integer(3));
/// assert_eq!(Value::from(None::<f64>), Value::Null);
/// assert_eq!(Value::from("cat").to_string(), "cat");
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number, of a category its index.
    Integer(i64),
    /// Any number; an f32 is the number that its shortest decimal is.
    Float(f64),
    /// Text, or the name of a class.
    Text(String),
    /// A cell of another type (bytes, lists, dates, times), as text for people. Dates and times are set by
    /// text: `2026-05-01`, `2026-05-01T12:30:00Z`.
    Other(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

macro_rules! value_from {
    ($($given:ty => $variant:ident),* $(,)?) => {$(
        impl From<$given> for Value {
            fn from(value: $given) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
value_from! {
    bool => Bool, i8 => Integer, i16 => Integer, i32 => Integer, i64 => Integer, u8 => Integer,
    u16 => Integer, u32 => Integer, f64 => Float, String => Text, &str => Text,
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::Float(shortest(value))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The f64 that is written as the f32 is: 0.1, and not 0.10000000149.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Values as an array of the column's type.
///
/// # Errors
/// `Invalid` for a column that edits do not set, and for a value that the column does not take.
pub(in crate::table) fn array_of(values: &[Value], field: &Field) -> Result<ArrayRef> {
    let role = schema::role(field);
    check_writable(field, role.as_ref())?;
    for value in values {
        check_role(value, field, role.as_ref())?;
    }
    if values.iter().all(|value| *value == Value::Null) {
        return Ok(new_null_array(field.data_type(), values.len()));
    }
    let wide: ArrayRef = match field.data_type() {
        DataType::Boolean => Arc::new(
            each(values, field, |value| match value {
                Value::Bool(value) => Some(*value),
                _ => None,
            })?
            .collect::<BooleanArray>(),
        ),
        DataType::Utf8 => Arc::new(
            each(values, field, |value| match value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            })?
            .collect::<StringArray>(),
        ),
        DataType::Date32 => {
            Arc::new(each(values, field, parsed::<Date32Type>)?.collect::<Date32Array>())
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => Arc::new(
            each(values, field, |value| {
                parsed::<TimestampMicrosecondType>(value)
            })?
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
        ),
        data_type if data_type.is_floating() => {
            Arc::new(each(values, field, number)?.collect::<Float64Array>())
        }
        _ => Arc::new(
            each(values, field, |value| index(value, role.as_ref()))?.collect::<Int64Array>(),
        ),
    };
    narrow(&wide, values, field)
}

/// The values as `T`s; an error for the first that is none.
fn each<'a, T: 'a>(
    values: &'a [Value],
    field: &Field,
    convert: impl Fn(&Value) -> Option<T> + 'a,
) -> Result<impl Iterator<Item = Option<T>> + 'a> {
    let misfit = values
        .iter()
        .find(|value| **value != Value::Null && convert(value).is_none());
    match misfit {
        Some(value) => Err(refused(value, field)),
        None => Ok(values.iter().map(convert)),
    }
}

/// A date or a point in time that is given as text; times without a zone are UTC.
fn parsed<T: Parser>(value: &Value) -> Option<T::Native> {
    match value {
        Value::Text(text) => T::parse(text),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

fn index(value: &Value, role: Option<&Role>) -> Option<i64> {
    match (value, role) {
        (Value::Integer(value), _) => Some(*value),
        (Value::Text(name), Some(Role::Category { names })) => {
            let index = names.iter().position(|known| known == name)?;
            i64::try_from(index).ok()
        }
        _ => None,
    }
}

/// The same values as the column's own type, when all of them fit.
fn narrow(wide: &ArrayRef, values: &[Value], field: &Field) -> Result<ArrayRef> {
    let cast =
        cast_with_options(wide, field.data_type(), &CastOptions::default()).map_err(|error| {
            Error::invalid(
                told(field),
                values.len(),
                error.to_string(),
                "use another value",
            )
        })?;
    let is_finite = |array: &ArrayRef, row: usize| {
        let value = super::value_at(array, row);
        !matches!(value, Value::Float(value) if !value.is_finite())
    };
    let lost = (0..wide.len()).find(|&row| {
        wide.is_null(row) != cast.is_null(row) || is_finite(wide, row) != is_finite(&cast, row)
    });
    if let Some(value) = lost.and_then(|row| values.get(row)) {
        return Err(refused(value, field));
    }
    for (row, value) in values.iter().enumerate() {
        let held = super::value_at(&cast, row);
        if is_rounded(value, &held) {
            return Err(Error::invalid(
                told(field),
                value,
                format!("{} would hold {held} in its place", field.data_type()),
                "use a number that it holds, or a column of another type",
            ));
        }
    }
    Ok(cast)
}

/// Whether a float column would hold something else than was given. Fractions are rounded as every float
/// is (0.1); whole numbers are exact, and what is not 0 does not become it.
fn is_rounded(given: &Value, held: &Value) -> bool {
    match (given, held) {
        (Value::Integer(given), Value::Float(held)) => *held as i128 != i128::from(*given),
        (Value::Float(given), Value::Float(held)) => {
            let is_whole = given.is_finite() && given.fract() == 0.0;
            (is_whole && held != given) || (*given != 0.0 && *held == 0.0)
        }
        _ => false,
    }
}

fn check_writable(field: &Field, role: Option<&Role>) -> Result<()> {
    let why = match role {
        Some(Role::Id) => "it identifies the rows, and what was recorded about them names it",
        Some(Role::Image { .. }) => "it holds the images, which metrics were measured on",
        Some(Role::Embedding { .. }) => "it holds embeddings, which a model computed",
        _ if is_scalar(field.data_type()) => return Ok(()),
        _ => "edits set numbers, bools, strings, dates and times",
    };
    Err(Error::invalid(
        "column",
        field.name(),
        format!("{why} (it is {})", field.data_type()),
        "set another column, or write another table",
    ))
}

fn is_scalar(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Utf8
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _)
    ) || data_type.is_floating()
        || data_type.is_integer()
}

fn check_role(value: &Value, field: &Field, role: Option<&Role>) -> Result<()> {
    let fits = match (role, value) {
        (Some(Role::Weight), value) => {
            number(value).is_some_and(|weight| weight.is_finite() && weight >= 0.0)
        }
        (Some(Role::Category { names }), Value::Integer(index)) => {
            *index >= 0 && (names.is_empty() || (*index as u64) < names.len() as u64)
        }
        (Some(Role::Category { names }), Value::Text(name)) => names.contains(name),
        (Some(Role::Probability), Value::Integer(_) | Value::Float(_)) => {
            number(value).is_some_and(|value| (0.0..=1.0).contains(&value))
        }
        _ => true,
    };
    match fits {
        true => Ok(()),
        false => Err(refused(value, field)),
    }
}

fn told(field: &Field) -> String {
    format!("value of `{}`", field.name())
}

fn refused(value: &Value, field: &Field) -> Error {
    let reason = match schema::role(field) {
        Some(Role::Weight) => {
            "a weight is a finite number of 0 or more; 0 leaves the row out".into()
        }
        Some(Role::Category { names }) if names.is_empty() => {
            "a class is an index of 0 or more".into()
        }
        Some(Role::Category { names }) => format!("the classes are {}", classes(&names)),
        _ if *field.data_type() == DataType::Date32 => "a date is written as 2026-05-01".into(),
        _ if matches!(field.data_type(), DataType::Timestamp(..)) => {
            "a time is written as 2026-05-01T12:30:00Z".into()
        }
        Some(Role::Probability) => "a probability is a number from 0 to 1".into(),
        _ => format!("the column holds {}", field.data_type()),
    };
    Error::invalid(
        told(field),
        value,
        reason,
        "use a value that the column takes",
    )
}

/// Class names with their indices, the first of many.
fn classes(names: &[String]) -> String {
    const MOST: usize = 12;
    let listed = names.iter().enumerate().take(MOST);
    let mut text: Vec<String> = listed
        .map(|(index, name)| format!("{index} {name}"))
        .collect();
    if names.len() > MOST {
        text.push(format!("and {} more", names.len() - MOST));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::field;

    fn column(data_type: DataType, role: Option<Role>) -> Field {
        field("x", data_type, role.as_ref()).unwrap()
    }

    fn refusal(value: impl Into<Value>, column: &Field) -> String {
        array_of(&[value.into()], column).unwrap_err().to_string()
    }

    #[test]
    fn a_class_is_an_index_in_range_or_a_name() {
        let label = column(DataType::Int32, Some(Role::category(["cat", "dog"])));
        let set = array_of(&["dog".into(), 0.into(), Value::Null], &label).unwrap();
        assert_eq!(
            value_of(&set),
            [Value::Integer(1), Value::Integer(0), Value::Null]
        );
        for bad in [
            Value::from(2),
            Value::from(-1),
            "cow".into(),
            0.5.into(),
            true.into(),
        ] {
            assert!(refusal(bad, &label).contains("0 cat, 1 dog"));
        }
        let unnamed = column(DataType::Int32, Some(Role::Category { names: [].into() }));
        assert!(array_of(&[7.into()], &unnamed).is_ok());
        assert!(refusal(-1, &unnamed).contains("0 or more"));
    }

    #[test]
    fn weights_and_probabilities_stay_in_their_range() {
        let weight = column(DataType::Float32, Some(Role::Weight));
        assert!(array_of(&[0.into(), 2.5.into()], &weight).is_ok());
        for bad in [
            Value::from(-0.5),
            f64::NAN.into(),
            f64::INFINITY.into(),
            Value::Null,
            1e39.into(),
        ] {
            assert!(refusal(bad, &weight).contains("`x`"));
        }
        let p = column(DataType::Float64, Some(Role::Probability));
        assert!(array_of(&[0.into(), 1.0.into(), Value::Null], &p).is_ok());
        assert!(refusal(1.5, &p).contains("from 0 to 1"));
    }

    #[test]
    fn numbers_that_the_type_does_not_hold_are_refused() {
        let small = column(DataType::Int8, None);
        assert!(array_of(&[127.into()], &small).is_ok());
        assert!(refusal(128, &small).contains("Int8"));
        assert!(refusal(1.5, &small).contains("1.5"));
        let float = column(DataType::Float32, None);
        assert!(array_of(&[f64::NAN.into(), f64::NEG_INFINITY.into()], &float).is_ok());
        assert!(refusal(1e39, &float).contains("Float32"));
        assert!(refusal("high", &float).contains("high"));
        // Fractions are rounded; whole numbers that a float does not hold, and what would vanish, are not.
        for fits in [
            Value::from(0.1),
            16_777_216.into(),
            1e20_f32.into(),
            (-0.0).into(),
        ] {
            assert!(
                array_of(std::slice::from_ref(&fits), &float).is_ok(),
                "{fits}"
            );
        }
        assert!(refusal(16_777_217, &float).contains("16777217"));
        assert!(refusal(16_777_217.0, &float).contains("16777217"));
        assert!(refusal(1e-60, &float).contains("Float32"));
        let double = column(DataType::Float64, None);
        assert!(array_of(&[(1_i64 << 53).into(), 1e300.into()], &double).is_ok());
        assert!(refusal((1_i64 << 53) + 1, &double).contains("9007199254740993"));
        assert!(refusal(i64::MAX, &double).contains("9223372036854775807"));
    }

    #[test]
    fn ids_images_embeddings_and_lists_are_not_set() {
        let image = Role::Image {
            storage: schema::ImageStorage::Url,
        };
        for (data_type, role) in [
            (DataType::Int64, Some(Role::Id)),
            (DataType::Utf8, Some(image)),
            (schema::embedding_type(), Some(Role::Embedding { width: 2 })),
            (schema::list_type(DataType::Int64), None),
            (DataType::Binary, None),
        ] {
            let error = refusal(Value::Null, &column(data_type, role));
            assert!(error.contains("column = x"), "{error}");
        }
    }

    fn value_of(array: &ArrayRef) -> Vec<Value> {
        (0..array.len())
            .map(|row| crate::table::edit::value_at(array, row))
            .collect()
    }
}
