//! The typed tree of a filter.

use std::sync::Arc;

use sqlparser::tokenizer::Span;

/// What an expression evaluates to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Bool,
    Integer,
    Float32,
    Float64,
    Text,
    Date,
    /// A point in time.
    Time,
    /// Class indices, with names by index; none where they are unknown.
    Class(Arc<[String]>),
    /// The word NULL.
    Null,
    /// A column that can be null or not, by the name of its type.
    Opaque(String),
}

/// A part of a filter whose types fit.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// A number or text that is written out: it takes the type of what it meets.
    pub(super) is_literal: bool,
    pub(super) span: Span,
    pub(super) op: Op,
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// By its place among the columns.
    Column(usize),
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since then, in UTC.
    Time(i64),
    Null,
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    IsNull(Box<Node>),
    /// Whether it is this, and not unknown.
    Is(Box<Node>, bool),
    Compare(Comparison, Box<Node>, Box<Node>, Common),
    Between(Box<Node>, Box<Node>, Box<Node>, Common),
    In(Box<Node>, Vec<Node>, Common),
    Like {
        text: Box<Node>,
        pattern: String,
        ignores_case: bool,
    },
    Arithmetic(Arithmetic, Box<Node>, Box<Node>, Common),
    /// The names of classes.
    Names(Box<Node>, Arc<[String]>),
    Call(Function, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Distinct,
    NotDistinct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Negate,
    Abs,
    IsNan,
    IsFinite,
    IsInfinite,
    Lower,
    Upper,
    Length,
}

/// The type that operands are brought to before they meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Common {
    Bool,
    Integer,
    Float32,
    Float64,
    Text,
    Date,
    Time,
}

impl Kind {
    /// For people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Bool => "a condition".into(),
            Self::Integer => "a whole number".into(),
            Self::Float32 | Self::Float64 => "a number".into(),
            Self::Text => "text".into(),
            Self::Date => "a date".into(),
            Self::Time => "a time".into(),
            Self::Class(_) => "a class".into(),
            Self::Null => "null".into(),
            Self::Opaque(name) => format!("of type {name}"),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Integer | Self::Float32 | Self::Float64 | Self::Class(_)
        )
    }
}
