//! Arrow's kernels with the meaning that filters have.

use std::sync::Arc;

use arrow_arith::numeric::{add, div, mul, neg, rem, sub};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Datum, Int64Array, Scalar, StringArray, new_null_array,
};
use arrow_cast::cast;
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use arrow_select::nullif::nullif;
use arrow_select::take::take;

use super::node::{Arithmetic, Common, Comparison, Function};

/// Values of all rows, or one for all of them.
#[derive(Clone)]
pub(super) enum Values {
    Rows(ArrayRef),
    One(ArrayRef),
}

impl Values {
    pub(super) fn array(&self) -> &ArrayRef {
        match self {
            Self::Rows(array) | Self::One(array) => array,
        }
    }

    pub(super) fn map(
        &self,
        change: impl FnOnce(&ArrayRef) -> Result<ArrayRef, ArrowError>,
    ) -> Result<Self, ArrowError> {
        Ok(match self {
            Self::Rows(array) => Self::Rows(change(array)?),
            Self::One(array) => Self::One(change(array)?),
        })
    }

    /// One value for each of so many rows.
    pub(super) fn rows(&self, rows: usize) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Rows(array) => Ok(Arc::clone(array)),
            Self::One(array) => take(array, &Int64Array::from(vec![0; rows]), None),
        }
    }

    fn datum(&self) -> Box<dyn Datum> {
        match self {
            Self::Rows(array) => Box::new(Arc::clone(array)),
            Self::One(array) => Box::new(Scalar::new(Arc::clone(array))),
        }
    }

    /// Of the same length as the result of both.
    fn with(self, other: &Self, array: ArrayRef) -> Self {
        match (self, other) {
            (Self::One(_), Self::One(_)) => Self::One(array),
            _ => Self::Rows(array),
        }
    }
}

/// The type in which points in time are compared.
pub(super) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Values of the type that operands have in common.
pub(super) fn to_common(values: &Values, common: Common) -> Result<Values, ArrowError> {
    let target = match common {
        Common::Bool => DataType::Boolean,
        Common::Integer => DataType::Int64,
        Common::Float32 => DataType::Float32,
        Common::Float64 => DataType::Float64,
        Common::Text => DataType::Utf8,
        Common::Date => DataType::Date32,
        Common::Time => time_type(),
    };
    values.map(|array| match array.data_type() {
        own if *own == target => Ok(Arc::clone(array)),
        DataType::Null => Ok(new_null_array(&target, array.len())),
        _ => cast(array, &target),
    })
}

/// Floats so that Arrow's total order is that of filters: one NaN above all numbers, and one zero.
fn ordered(values: &Values) -> Result<Values, ArrowError> {
    values.map(|array| {
        Ok(match array.data_type() {
            DataType::Float32 => Arc::new(
                array
                    .as_primitive::<Float32Type>()
                    .unary::<_, Float32Type>(|value| {
                        if value.is_nan() {
                            f32::NAN
                        } else {
                            value + 0.0
                        }
                    }),
            ),
            DataType::Float64 => Arc::new(
                array
                    .as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(|value| {
                        if value.is_nan() {
                            f64::NAN
                        } else {
                            value + 0.0
                        }
                    }),
            ),
            _ => Arc::clone(array),
        })
    })
}

pub(super) fn compare(
    how: Comparison,
    left: &Values,
    right: &Values,
) -> Result<Values, ArrowError> {
    let (left, right) = (ordered(left)?, ordered(right)?);
    let (one, other) = (left.datum(), right.datum());
    let (one, other) = (one.as_ref(), other.as_ref());
    let found = match how {
        Comparison::Equal => cmp::eq(one, other),
        Comparison::NotEqual => cmp::neq(one, other),
        Comparison::Less => cmp::lt(one, other),
        Comparison::LessOrEqual => cmp::lt_eq(one, other),
        Comparison::Greater => cmp::gt(one, other),
        Comparison::GreaterOrEqual => cmp::gt_eq(one, other),
        Comparison::Distinct => cmp::distinct(one, other),
        Comparison::NotDistinct => cmp::not_distinct(one, other),
    }?;
    Ok(left.with(&right, Arc::new(found)))
}

pub(super) fn reckon(how: Arithmetic, left: &Values, right: &Values) -> Result<Values, ArrowError> {
    let right = match (how, right.array().data_type()) {
        // Arrow has no remainder by zero; filters have null.
        (Arithmetic::Remainder, DataType::Int64) => right.map(|array| {
            let zero = Scalar::new(Int64Array::from(vec![0]));
            nullif(array, &cmp::eq(array, &zero)?)
        })?,
        _ => right.clone(),
    };
    let (one, other) = (left.datum(), right.datum());
    let (one, other) = (one.as_ref(), other.as_ref());
    let found = match how {
        Arithmetic::Add => add(one, other),
        Arithmetic::Subtract => sub(one, other),
        Arithmetic::Multiply => mul(one, other),
        Arithmetic::Divide => div(one, other),
        Arithmetic::Remainder => rem(one, other),
    }?;
    Ok(left.clone().with(&right, found))
}

pub(super) fn call(function: Function, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match function {
        Function::Negate => neg(array.as_ref())?,
        Function::Abs => absolute(array)?,
        Function::IsNan => Arc::new(asked(array, f64::is_nan)?),
        Function::IsFinite => Arc::new(asked(array, f64::is_finite)?),
        Function::IsInfinite => Arc::new(asked(array, f64::is_infinite)?),
        Function::Lower => Arc::new(spelled(array, str::to_lowercase)),
        Function::Upper => Arc::new(spelled(array, str::to_uppercase)),
        Function::Length => {
            let lengths = array.as_string::<i32>().iter();
            let lengths =
                lengths.map(|text| Some(i64::try_from(text?.chars().count()).unwrap_or(i64::MAX)));
            Arc::new(lengths.collect::<Int64Array>())
        }
    })
}

fn absolute(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let overflow = || ArrowError::ArithmeticOverflow("abs of the smallest integer".into());
    Ok(match array.data_type() {
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(f32::abs),
        ),
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(f64::abs),
        ),
        _ => Arc::new(
            array
                .as_primitive::<Int64Type>()
                .try_unary::<_, Int64Type, _>(|value| value.checked_abs().ok_or_else(overflow))?,
        ),
    })
}

fn asked(array: &ArrayRef, ask: impl Fn(f64) -> bool) -> Result<BooleanArray, ArrowError> {
    let wide = cast(array, &DataType::Float64)?;
    let values = wide.as_primitive::<Float64Type>();
    Ok(values.iter().map(|value| value.map(&ask)).collect())
}

fn spelled(array: &ArrayRef, spell: impl Fn(&str) -> String) -> StringArray {
    let texts = array.as_string::<i32>().iter();
    texts.map(|text| text.map(&spell)).collect()
}

/// The names of classes; null for an index without one.
pub(super) fn names(array: &ArrayRef, names: &[String]) -> StringArray {
    let indices = array.as_primitive::<Int64Type>().iter();
    let named = indices.map(|index| names.get(usize::try_from(index?).ok()?));
    named.collect()
}
