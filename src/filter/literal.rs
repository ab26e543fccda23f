//! Values that are written out.

use arrow_array::types::{Date32Type, TimestampMicrosecondType};
use arrow_cast::parse::Parser;
use sqlparser::ast::{DataType, TypedString, Value};
use sqlparser::tokenizer::Span;

use super::mark::Source;
use super::node::{Kind, Node, Op};
use crate::Result;

/// A literal; `sign` is `-` for a number behind a minus.
pub(super) fn literal(source: Source<'_>, value: &Value, span: Span, sign: &str) -> Result<Node> {
    let (kind, op) = match value {
        Value::Number(digits, _) => {
            let text = format!("{sign}{digits}");
            match (text.parse::<i64>(), text.parse::<f64>()) {
                (Ok(whole), _) => (Kind::Integer, Op::Integer(whole)),
                (_, Ok(number)) => (Kind::Float64, Op::Float(number)),
                _ => return Err(source.error(span, format!("`{text}` is no number"), "check it")),
            }
        }
        Value::SingleQuotedString(text) => (Kind::Text, Op::Text(text.clone())),
        Value::Boolean(value) => (Kind::Bool, Op::Bool(*value)),
        Value::Null => (Kind::Null, Op::Null),
        other => {
            let reason = format!("`{other}` is no value that filters know");
            let hint = "use numbers, 'text', true, false or null";
            return Err(source.error(span, reason, hint));
        }
    };
    let is_literal = true;
    Ok(Node {
        kind,
        is_literal,
        span,
        op,
    })
}

/// A date or a point in time that is written out: `DATE '2026-05-01'`. Times without a zone are UTC.
pub(super) fn typed(source: Source<'_>, typed: &TypedString, span: Span) -> Result<Node> {
    let text = match &typed.value.value {
        Value::SingleQuotedString(text) => text.as_str(),
        _ => "",
    };
    let found = match typed.data_type {
        DataType::Date => Date32Type::parse(text).map(|days| (Kind::Date, Op::Date(days))),
        DataType::Timestamp(..) => {
            TimestampMicrosecondType::parse(text).map(|micros| (Kind::Time, Op::Time(micros)))
        }
        _ => None,
    };
    let Some((kind, op)) = found else {
        let hint = "write DATE '2026-05-01' or TIMESTAMP '2026-05-01 12:30:00'";
        let reason = format!("`{typed}` is no date and no time that filters know");
        return Err(source.error(span, reason, hint));
    };
    Ok(Node {
        kind,
        is_literal: true,
        span,
        op,
    })
}
