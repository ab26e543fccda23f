//! The columns that an edit may add.

use std::fmt;
use std::str::FromStr;

use arrow_schema::{DataType, Field};

use super::value::Value;
use crate::table::schema::{self, Role};
use crate::{Error, Result};

/// The type of a column that an edit adds; every row holds null at first, and of weights 1.
///
/// As text `bool`, `int`, `float`, `string` or `weight`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// True or false.
    Bool,
    /// Whole numbers of 64 bits.
    Integer,
    /// Floats of 64 bits.
    Float,
    /// Text, for example tags.
    String,
    /// Sample weights: floats of 32 bits with the role [`Role::Weight`], 1 in every row.
    Weight,
}

const NAMES: [(&str, ColumnKind); 5] = [
    ("bool", ColumnKind::Bool),
    ("int", ColumnKind::Integer),
    ("float", ColumnKind::Float),
    ("string", ColumnKind::String),
    ("weight", ColumnKind::Weight),
];

impl ColumnKind {
    pub(super) fn field(self, name: &str) -> Result<Field> {
        let (data_type, role) = match self {
            Self::Bool => (DataType::Boolean, None),
            Self::Integer => (DataType::Int64, None),
            Self::Float => (DataType::Float64, None),
            Self::String => (DataType::Utf8, None),
            Self::Weight => (DataType::Float32, Some(Role::Weight)),
        };
        schema::field(name, data_type, role.as_ref())
    }

    /// What every row holds at first, where it is not null.
    pub(super) fn at_first(self) -> Option<Value> {
        (self == Self::Weight).then_some(Value::Float(1.0))
    }
}

impl FromStr for ColumnKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, kind)| *kind).ok_or_else(|| {
            let hint = "use bool, int, float, string or weight";
            Error::invalid("type of a column", text, "there is no such type", hint)
        })
    }
}

impl fmt::Display for ColumnKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = NAMES.iter().find(|(_, kind)| kind == self);
        f.write_str(own.map_or("", |(name, _)| name))
    }
}
