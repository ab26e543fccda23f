//! Names in a filter, and the columns that they mean.

use arrow_schema::DataType;
use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

use super::column::FilterColumn;
use super::mark::Source;
use super::node::{Kind, Node, Op};
use crate::{Error, Result};

/// Columns that an error lists, at most.
const MOST_LISTED: usize = 24;

/// The column of that name, maybe behind that of its table.
pub(super) fn column(
    source: Source<'_>,
    columns: &[FilterColumn],
    names: &[Ident],
    span: Span,
) -> Result<Node> {
    let (table, name) = match names {
        [name] => (None, name),
        [table, name] => (Some(table), name),
        _ => return Err(source.error(span, "a name has two parts at most", "write table.column")),
    };
    let is_same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let found = columns.iter().position(|column| {
        is_same(&column.name, &name.value)
            && table.is_none_or(|table| is_same(&column.table, &table.value))
    });
    let Some((place, known)) = found.and_then(|place| Some((place, columns.get(place)?))) else {
        return Err(unknown(source, columns, names, span));
    };
    let kind = match (&known.classes, &known.data_type) {
        (Some(names), data_type) if data_type.is_integer() => Kind::Class(names.clone()),
        (_, DataType::Boolean) => Kind::Bool,
        (_, DataType::Float32) => Kind::Float32,
        (_, DataType::Float64) => Kind::Float64,
        (_, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Kind::Text,
        (_, data_type) if data_type.is_integer() => Kind::Integer,
        (_, other) => Kind::Opaque(other.to_string()),
    };
    Ok(Node {
        kind,
        is_literal: false,
        span,
        op: Op::Column(place),
    })
}

fn unknown(source: Source<'_>, columns: &[FilterColumn], names: &[Ident], span: Span) -> Error {
    let name: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    let mut hint = match names.last().and_then(|name| name.quote_style) {
        Some(_) => "double quotes are for names, text stands in single quotes; ".to_owned(),
        None => String::new(),
    };
    let mut listed: Vec<&str> = Vec::new();
    for column in columns {
        if !listed.contains(&column.name.as_str()) {
            listed.push(&column.name);
        }
    }
    let more = listed.len().saturating_sub(MOST_LISTED);
    listed.truncate(MOST_LISTED);
    hint.push_str(&format!("there are: {}", listed.join(", ")));
    if more > 0 {
        hint.push_str(&format!(" and {more} more"));
    }
    source.error(
        span,
        format!("there is no column `{}`", name.join(".")),
        hint,
    )
}
