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
    let of_name = columns.iter().enumerate().filter(|(_, column)| {
        is_same(&column.name, &name.value)
            && table.is_none_or(|table| is_same(&column.table, &table.value))
    });
    let meant: Vec<(usize, &FilterColumn)> = of_name.collect();
    let Some(&(place, known)) = meant.first() else {
        return Err(unknown(source, columns, names, span));
    };
    let is_ambiguous = match table {
        Some(_) => meant.len() > 1,
        None => meant.iter().any(|(_, column)| column.is_qualified),
    };
    if is_ambiguous {
        return Err(ambiguous(source, columns, names, span));
    }
    let kind = match (&known.classes, &known.data_type) {
        (Some(names), data_type) if data_type.is_integer() => Kind::Class(names.clone()),
        (_, DataType::Boolean) => Kind::Bool,
        (_, DataType::Float32) => Kind::Float32,
        (_, DataType::Float64) => Kind::Float64,
        (_, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Kind::Text,
        (_, data_type) if data_type.is_integer() => Kind::Integer,
        (_, DataType::Date32) => Kind::Date,
        (_, DataType::Timestamp(_, _)) => Kind::Time,
        (_, other) => Kind::Opaque(other.to_string()),
    };
    Ok(Node {
        kind,
        is_literal: false,
        span,
        op: Op::Column(place),
    })
}

/// The error for a name that may mean one column or another, with the names that mean one.
fn ambiguous(source: Source<'_>, columns: &[FilterColumn], names: &[Ident], span: Span) -> Error {
    let name: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
    let same = |column: &&FilterColumn| {
        names
            .last()
            .is_some_and(|name| column.name.to_lowercase() == name.value.to_lowercase())
    };
    let known: Vec<String> = columns.iter().filter(same).map(spelled).collect();
    let mut single: Vec<&str> = Vec::new();
    for name in &known {
        let is_same = |other: &&String| other.to_lowercase() == name.to_lowercase();
        if known.iter().filter(is_same).count() == 1 {
            single.push(name);
        }
    }
    let is_bare_meant = !columns
        .iter()
        .filter(same)
        .any(|column| column.is_qualified);
    let bare = columns.iter().find(same).filter(|_| is_bare_meant);
    if let Some(bare) = bare {
        single.push(&bare.name);
    }
    source.error(
        span,
        format!("`{}` may mean two columns", name.join(".")),
        match single.is_empty() {
            true => "rename one of the tables or columns".to_owned(),
            false => format!("write {}", single.join(" or ")),
        },
    )
}

/// The column with its table, as a filter names it.
fn spelled(column: &FilterColumn) -> String {
    let part = |name: &str| {
        let is_word = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        match is_word {
            true => name.to_owned(),
            false => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    };
    format!("{}.{}", part(&column.table), part(&column.name))
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
