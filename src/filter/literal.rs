//! Values that are written out.

use sqlparser::ast::Value;
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
