//! Evaluating a filter on arrays.

use std::sync::Arc;

use arrow_arith::boolean::{and_kleene, is_null, not, or_kleene};
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, NullArray, Scalar,
    StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use arrow_string::like::{ilike, like};

use super::kernels::{Values, call, compare, names, reckon, time_type, to_common};
use super::mark::Source;
use super::node::{Common, Comparison, Function, Kind, Node, Op};
use crate::Result;

/// `AND` or `OR` of two columns.
type Logic = fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, ArrowError>;

/// The columns of some rows.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) source: Source<'a>,
    /// By place; those that the filter names are there.
    pub(super) columns: &'a [Option<ArrayRef>],
    pub(super) rows: usize,
}

impl Batch<'_> {
    /// What a part evaluates to.
    ///
    /// # Errors
    /// `Filter` for integers that overflow.
    pub(super) fn values(self, node: &Node) -> Result<Values> {
        let failed = |error: ArrowError| {
            let hint = "bring the values into the range of 64 bits, for example with 1.0 * x";
            self.source.error(node.span, error.to_string(), hint)
        };
        Ok(match &node.op {
            Op::Column(place) => match self.columns.get(*place) {
                Some(Some(array)) => Values::Rows(own_type(array, &node.kind).map_err(failed)?),
                _ => Values::Rows(new_null_array(&DataType::Null, self.rows)),
            },
            Op::Bool(value) => one(BooleanArray::from(vec![*value])),
            Op::Integer(value) => one(Int64Array::from(vec![*value])),
            Op::Float(value) => one(Float64Array::from(vec![*value])),
            Op::Text(text) => one(StringArray::from(vec![text.as_str()])),
            Op::Date(days) => one(Date32Array::from(vec![*days])),
            Op::Time(micros) => {
                one(TimestampMicrosecondArray::from(vec![*micros]).with_timezone("UTC"))
            }
            Op::Null => one(NullArray::new(1)),
            Op::Not(inner) => self.logic(inner, not).map_err(failed)??,
            Op::And(parts) => self.chain(node, parts, and_kleene)?,
            Op::Or(parts) => self.chain(node, parts, or_kleene)?,
            Op::IsNull(inner) => {
                let inner = self.values(inner)?;
                let is_null = |array: &ArrayRef| Ok(Arc::new(is_null_of(array)?) as ArrayRef);
                inner.map(is_null).map_err(failed)?
            }
            Op::Is(inner, wanted) => {
                let inner = self.common(inner, Common::Bool)?;
                let wanted = one(BooleanArray::from(vec![*wanted]));
                compare(Comparison::NotDistinct, &inner, &wanted).map_err(failed)?
            }
            Op::Compare(how, left, right, common) => {
                let (left, right) = (self.common(left, *common)?, self.common(right, *common)?);
                compare(*how, &left, &right).map_err(failed)?
            }
            Op::Between(value, low, high, common) => {
                let value = self.common(value, *common)?;
                let (low, high) = (self.common(low, *common)?, self.common(high, *common)?);
                let above = compare(Comparison::GreaterOrEqual, &value, &low).map_err(failed)?;
                let below = compare(Comparison::LessOrEqual, &value, &high).map_err(failed)?;
                self.join(&above, &below, and_kleene).map_err(failed)?
            }
            Op::In(value, list, common) => {
                let value = self.common(value, *common)?;
                let mut found = one(BooleanArray::from(vec![false]));
                for item in list {
                    let item = self.common(item, *common)?;
                    let is_item = compare(Comparison::Equal, &value, &item).map_err(failed)?;
                    found = self.join(&found, &is_item, or_kleene).map_err(failed)?;
                }
                found
            }
            Op::Like {
                text,
                pattern,
                ignores_case,
            } => {
                let text = self.common(text, Common::Text)?;
                // Filters have no escapes in patterns; Arrow's is the backslash.
                let pattern = pattern.replace('\\', "\\\\");
                let pattern = Scalar::new(StringArray::from(vec![pattern]));
                let find = if *ignores_case { ilike } else { like };
                text.map(|text| Ok(Arc::new(find(text, &pattern)?) as ArrayRef))
                    .map_err(failed)?
            }
            Op::Arithmetic(how, left, right, common) => {
                let (left, right) = (self.common(left, *common)?, self.common(right, *common)?);
                reckon(*how, &left, &right).map_err(failed)?
            }
            Op::Names(inner, known) => {
                let inner = self.common(inner, Common::Integer)?;
                let named = |array: &ArrayRef| Ok(Arc::new(names(array, known)) as ArrayRef);
                inner.map(named).map_err(failed)?
            }
            Op::Call(function, inner) => {
                let takes_text = matches!(
                    function,
                    Function::Lower | Function::Upper | Function::Length
                );
                let common = match inner.kind {
                    // NULL alone has the type that the function takes.
                    _ if takes_text => Common::Text,
                    Kind::Text => Common::Text,
                    Kind::Float32 => Common::Float32,
                    Kind::Float64 => Common::Float64,
                    _ => Common::Integer,
                };
                let inner = self.common(inner, common)?;
                inner.map(|array| call(*function, array)).map_err(failed)?
            }
        })
    }

    fn common(self, node: &Node, common: Common) -> Result<Values> {
        to_common(&self.values(node)?, common).map_err(|error| {
            self.source
                .error(node.span, error.to_string(), "use another column")
        })
    }

    fn logic(
        self,
        inner: &Node,
        apply: impl Fn(&BooleanArray) -> Result<BooleanArray, ArrowError>,
    ) -> Result<Result<Values>, ArrowError> {
        let inner = match self.common(inner, Common::Bool) {
            Ok(inner) => inner,
            Err(error) => return Ok(Err(error)),
        };
        let applied = inner.map(|array| Ok(Arc::new(apply(array.as_boolean())?) as ArrayRef));
        applied.map(Ok)
    }

    fn chain(self, node: &Node, parts: &[Node], apply: Logic) -> Result<Values> {
        let mut joined: Option<Values> = None;
        for part in parts {
            let part = self.common(part, Common::Bool)?;
            joined = Some(match joined {
                None => part,
                Some(before) => self.join(&before, &part, apply).map_err(|error| {
                    self.source
                        .error(node.span, error.to_string(), "use other columns")
                })?,
            });
        }
        Ok(joined.unwrap_or_else(|| one(BooleanArray::from(vec![true]))))
    }

    fn join(self, left: &Values, right: &Values, apply: Logic) -> Result<Values, ArrowError> {
        if let (Values::One(left), Values::One(right)) = (left, right) {
            return Ok(one(apply(left.as_boolean(), right.as_boolean())?));
        }
        let (left, right) = (left.rows(self.rows)?, right.rows(self.rows)?);
        let joined = apply(left.as_boolean(), right.as_boolean())?;
        Ok(Values::Rows(Arc::new(joined)))
    }
}

fn one(array: impl Array + 'static) -> Values {
    Values::One(Arc::new(array))
}

/// A column of the one type that its kind is evaluated in.
fn own_type(array: &ArrayRef, kind: &Kind) -> Result<ArrayRef, ArrowError> {
    let target = match kind {
        Kind::Integer | Kind::Class(_) => DataType::Int64,
        Kind::Text => DataType::Utf8,
        Kind::Time => time_type(),
        _ => return Ok(Arc::clone(array)),
    };
    match *array.data_type() == target {
        true => Ok(Arc::clone(array)),
        false => cast(array, &target),
    }
}

fn is_null_of(array: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    match array.data_type() {
        // Arrow's null arrays have no mask.
        DataType::Null => Ok(BooleanArray::from(vec![true; array.len()])),
        _ => is_null(array.as_ref()),
    }
}
