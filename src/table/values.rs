//! Typed reading of one column.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use super::embedding::f32_list;
use super::schema;
use crate::{Error, Result};

/// Reads one column as a vector, one value per row.
///
/// A type is read as itself or as a wider one: integers as any integer type or float that holds
/// every value exactly, `f32` as `f64`, timestamps as `i64` microseconds since 1970. Nothing is
/// rounded. Nulls need an `Option`.
///
/// # Shapes and units
/// One value per row of the batch, in its order.
///
/// # Errors
/// `Invalid` when the column is missing, has another type, or holds a null or a number that `T`
/// cannot; the text names the column, the row and both types.
///
/// ```
/// use emberlens::table::{Columns, values};
/// let batch = Columns::new().with("label", vec![Some(3_i32), None]).into_batch("example")?;
/// assert_eq!(values::<Option<i64>>(&batch, "label")?, [Some(3), None]);
/// assert!(values::<i64>(&batch, "label").unwrap_err().to_string().contains("row 1"));
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn values<T: ColumnValue>(batch: &RecordBatch, column: &str) -> Result<Vec<T>> {
    T::read(
        find(batch, column)?,
        Place {
            column,
            first_row: 0,
        },
    )
}

/// A type that [`values`] reads a column as: `f32`, `f64`, `i32`, `i64`, `bool`, `String`,
/// `Vec<u8>`, `Vec<f32>` (lists of any length), and `Option`s of them.
pub trait ColumnValue: sealed::Sealed + Sized {
    #[doc(hidden)]
    fn read(array: &ArrayRef, place: Place<'_>) -> Result<Vec<Self>>;
}

mod sealed {
    pub trait Sealed {}
}

/// Where a value stands, for errors.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub(super) column: &'a str,
    /// The row of the table that is row 0 of the array.
    pub(super) first_row: u64,
}

impl Place<'_> {
    pub(super) fn value(
        self,
        row: usize,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error::Value {
            column: self.column.to_owned(),
            row: self.first_row + row as u64,
            found: found.into(),
            expected: expected.into(),
            hint: hint.into(),
        }
    }
}

/// A type of one cell; a missing cell is `None`.
trait Cell: Sized {
    const NAME: &'static str;
    /// The column types that can be read as this, for the error.
    const FROM: &'static str;
    /// `None` when the column has a type that cannot be read as this.
    fn cells(array: &ArrayRef, place: Place<'_>) -> Result<Option<Vec<Option<Self>>>>;
}

fn cells<T: Cell>(array: &ArrayRef, place: Place<'_>) -> Result<Vec<Option<T>>> {
    T::cells(array, place)?.ok_or_else(|| wrong_type(T::NAME, T::FROM, array, place))
}

macro_rules! column_values {
    ($($cell:ty),* $(,)?) => {$(
        impl sealed::Sealed for $cell {}
        impl ColumnValue for $cell {
            fn read(array: &ArrayRef, place: Place<'_>) -> Result<Vec<Self>> {
                let cells = cells::<$cell>(array, place)?.into_iter().enumerate();
                cells
                    .map(|(row, cell)| {
                        cell.ok_or_else(|| null(<$cell>::NAME, row, array.data_type(), place))
                    })
                    .collect()
            }
        }
        impl sealed::Sealed for Option<$cell> {}
        impl ColumnValue for Option<$cell> {
            fn read(array: &ArrayRef, place: Place<'_>) -> Result<Vec<Self>> {
                cells::<$cell>(array, place)
            }
        }
    )*};
}
column_values!(f32, f64, i32, i64, bool, String, Vec<u8>, Vec<f32>);

/// A number that others widen to; `None` when the value does not fit exactly.
trait Number: Sized {
    fn from_integer(value: i64) -> Option<Self>;
}

macro_rules! numbers {
    ($($number:ident, $from:literal, $integer:expr, [$($float:ident),*];)*) => {$(
        impl Number for $number {
            fn from_integer(value: i64) -> Option<Self> {
                let exact: fn(i64) -> Option<Self> = $integer;
                exact(value)
            }
        }
        impl Cell for $number {
            const NAME: &'static str = stringify!($number);
            const FROM: &'static str = $from;
            fn cells(array: &ArrayRef, place: Place<'_>) -> Result<Option<Vec<Option<Self>>>> {
                Ok(Some(match array.data_type() {
                    DataType::Int8 => integers::<Int8Type, _>(array, place)?,
                    DataType::Int16 => integers::<Int16Type, _>(array, place)?,
                    DataType::Int32 => integers::<Int32Type, _>(array, place)?,
                    DataType::Int64 => integers::<Int64Type, _>(array, place)?,
                    DataType::Timestamp(TimeUnit::Microsecond, _) => {
                        integers::<TimestampMicrosecondType, _>(array, place)?
                    }
                    $(own if *own == <$float>::DATA_TYPE => {
                        let values = array.as_primitive::<$float>();
                        values.iter().map(|value| value.map(Self::from)).collect()
                    })*
                    _ => return Ok(None),
                }))
            }
        }
    )*};
}
numbers! {
    // Compared as i128: casting back to i64 would saturate and call i64::MAX exact.
    f32, "f32 or an integer type", |v| (v as f32 as i128 == v as i128).then_some(v as f32), [Float32Type];
    f64, "f64, f32 or an integer type", |v| (v as f64 as i128 == v as i128).then_some(v as f64), [Float32Type, Float64Type];
    i32, "an integer type", |v| i32::try_from(v).ok(), [];
    i64, "an integer type or a timestamp", Some, [];
}

fn integers<A, T>(array: &ArrayRef, place: Place<'_>) -> Result<Vec<Option<T>>>
where
    A: ArrowPrimitiveType<Native: Into<i64>>,
    T: Number + Cell,
{
    let values = array.as_primitive::<A>().iter().enumerate();
    values
        .map(|(row, value)| {
            let Some(value) = value else { return Ok(None) };
            let value: i64 = value.into();
            T::from_integer(value).map(Some).ok_or_else(|| {
                place.value(
                    row,
                    format!("{value} ({})", array.data_type()),
                    T::NAME,
                    "read it as i64",
                )
            })
        })
        .collect()
}

impl Cell for bool {
    const NAME: &'static str = "bool";
    const FROM: &'static str = "bool";
    fn cells(array: &ArrayRef, _: Place<'_>) -> Result<Option<Vec<Option<Self>>>> {
        Ok(array.as_boolean_opt().map(|values| values.iter().collect()))
    }
}

impl Cell for String {
    const NAME: &'static str = "String";
    const FROM: &'static str = "a string type";
    fn cells(array: &ArrayRef, _: Place<'_>) -> Result<Option<Vec<Option<Self>>>> {
        let own = |value: Option<&str>| value.map(str::to_owned);
        Ok(match array.data_type() {
            DataType::Utf8 => Some(array.as_string::<i32>().iter().map(own).collect()),
            DataType::LargeUtf8 => Some(array.as_string::<i64>().iter().map(own).collect()),
            DataType::Utf8View => Some(array.as_string_view().iter().map(own).collect()),
            _ => None,
        })
    }
}

impl Cell for Vec<u8> {
    const NAME: &'static str = "Vec<u8>";
    const FROM: &'static str = "a binary type";
    fn cells(array: &ArrayRef, _: Place<'_>) -> Result<Option<Vec<Option<Self>>>> {
        let own = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        Ok(match array.data_type() {
            DataType::Binary => Some(array.as_binary::<i32>().iter().map(own).collect()),
            DataType::LargeBinary => Some(array.as_binary::<i64>().iter().map(own).collect()),
            DataType::BinaryView => Some(array.as_binary_view().iter().map(own).collect()),
            _ => None,
        })
    }
}

impl Cell for Vec<f32> {
    const NAME: &'static str = "Vec<f32>";
    const FROM: &'static str = "a list of f32";
    fn cells(array: &ArrayRef, place: Place<'_>) -> Result<Option<Vec<Option<Self>>>> {
        let Some(list) = f32_list(array) else {
            return Ok(None);
        };
        let rows = list.iter().enumerate().map(|(row, values)| match values {
            Some(values) if values.null_count() > 0 => {
                Err(null("f32", row, list.data_type(), place))
            }
            Some(values) => Ok(Some(values.as_primitive::<Float32Type>().values().to_vec())),
            None => Ok(None),
        });
        rows.collect::<Result<_>>().map(Some)
    }
}

/// The column of a batch, or an error that lists what is there.
pub(super) fn find<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a ArrayRef> {
    batch
        .column_by_name(column)
        .ok_or_else(|| Error::MissingColumn {
            column: column.to_owned(),
            place: "the batch".into(),
            available: schema::names(batch.schema_ref()),
        })
}

pub(super) fn wrong_type(asked: &str, from: &str, array: &ArrayRef, place: Place<'_>) -> Error {
    Error::Schema {
        column: place.column.to_owned(),
        expected: from.to_owned(),
        found: array.data_type().to_string(),
        place: format!("a column read as {asked}"),
        hint: "read it as the type that it has".into(),
    }
}

pub(super) fn null(asked: &str, row: usize, data_type: &DataType, place: Place<'_>) -> Error {
    place.value(
        row,
        format!("null ({data_type})"),
        asked,
        format!("read it as Option<{asked}> or fill the gap"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Columns};

    fn batch(column: impl Into<Column>) -> RecordBatch {
        Columns::new().with("x", column).into_batch("test").unwrap()
    }

    #[test]
    fn numbers_widen_exactly_or_not_at_all() {
        let whole = batch(vec![1_i32, -2]);
        assert_eq!(values::<i64>(&whole, "x").unwrap(), [1, -2]);
        assert_eq!(values::<f32>(&whole, "x").unwrap(), [1.0, -2.0]);
        assert_eq!(
            values::<f64>(&batch(vec![0.1_f32]), "x").unwrap(),
            [f64::from(0.1_f32)]
        );
        assert_eq!(values::<i32>(&batch(vec![7_i64]), "x").unwrap(), [7]);
        // 2^24 + 1 and 2^53 + 1 are the first integers that f32 and f64 do not have (IEEE 754).
        assert!(values::<f32>(&batch(vec![1_i64 << 24]), "x").is_ok());
        assert!(values::<f32>(&batch(vec![(1_i64 << 24) + 1]), "x").is_err());
        assert!(values::<f64>(&batch(vec![(1_i64 << 53) + 1]), "x").is_err());
        assert!(values::<f64>(&batch(vec![i64::MAX]), "x").is_err());
        assert!(values::<f64>(&batch(vec![i64::MIN]), "x").is_ok());
    }

    #[test]
    fn errors_name_column_row_and_both_types() {
        let error = values::<i32>(&batch(vec![1, 1_i64 << 40]), "x")
            .unwrap_err()
            .to_string();
        for part in ["`x`", "row 1", "Int64", "i32", "1099511627776"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = values::<f32>(&batch(vec![None, Some(1.0_f32)]), "x")
            .unwrap_err()
            .to_string();
        for part in ["`x`", "row 0", "Float32", "Option<f32>"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        let error = values::<f32>(&batch(vec![0.5_f64]), "x")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`x`") && error.contains("Float64") && error.contains("f32"),
            "{error}"
        );
        let error = values::<f32>(&batch(vec!["a"]), "y")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`y`") && error.contains("it has: x"),
            "{error}"
        );
    }
}
