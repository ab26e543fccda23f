//! What values of two types have in common when they are compared or reckoned with.

use std::sync::Arc;

use sqlparser::tokenizer::Span;

use super::mark::Source;
use super::node::{Common, Kind, Node, Op};
use crate::{Error, Result};

/// Classes that an error lists, at most.
const MOST_LISTED: usize = 24;

/// Brings values to types that can be compared, and says to which type. With `by_index` classes may be
/// compared by their index, where only equality matters.
pub(super) fn meet(
    source: Source<'_>,
    mut nodes: Vec<Node>,
    by_index: bool,
    span: Span,
) -> Result<(Vec<Node>, Common)> {
    if nodes.iter().any(|node| matches!(node.kind, Kind::Class(_))) {
        nodes = classes(source, nodes, by_index)?;
    }
    check_range(source, &nodes)?;
    let mut common: Option<(Common, bool)> = None;
    for node in &nodes {
        let is_literal = node.is_literal && fits_f32(node);
        let own = match &node.kind {
            Kind::Null => continue,
            Kind::Bool => Common::Bool,
            Kind::Integer | Kind::Class(_) => Common::Integer,
            Kind::Float32 => Common::Float32,
            Kind::Float64 => Common::Float64,
            Kind::Text => Common::Text,
            Kind::Date => Common::Date,
            Kind::Time => Common::Time,
            Kind::Opaque(name) => {
                let reason = format!("filters do not compare values of type {name}");
                return Err(source.error(node.span, reason, "ask whether it IS NULL"));
            }
        };
        common = match common {
            None => Some((own, is_literal)),
            Some((known, all_literal)) => {
                let both = wider((known, all_literal), (own, is_literal));
                let both = both.ok_or_else(|| misfit(source, &nodes, node, span))?;
                Some((both, all_literal && is_literal))
            }
        };
    }
    let common = common.map_or(Common::Integer, |(common, _)| common);
    Ok((nodes, common))
}

/// Whether a number that is written out is no infinity and no zero as f32 unless it is one.
fn fits_f32(node: &Node) -> bool {
    match node.op {
        Op::Float(value) => {
            let narrow = value as f32;
            narrow.is_finite() == value.is_finite() && (narrow == 0.0) == (value == 0.0)
        }
        _ => true,
    }
}

/// Refuses to compare whole numbers with one that is written out and beyond 64 bits: as floats they
/// would be rounded together.
fn check_range(source: Source<'_>, nodes: &[Node]) -> Result<()> {
    let is_whole =
        |node: &Node| !node.is_literal && matches!(node.kind, Kind::Integer | Kind::Class(_));
    let is_beyond = |node: &&Node| matches!(node.op, Op::Float(value) if value.fract() == 0.0 && value.abs() >= 2_f64.powi(63));
    match nodes.iter().find(is_beyond) {
        Some(node) if nodes.iter().any(is_whole) => Err(source.error(
            node.span,
            "the number is beyond the whole numbers of 64 bits",
            "use one from -9223372036854775808 to 9223372036854775807",
        )),
        _ => Ok(()),
    }
}

/// The type that both can be brought to; a literal takes the type of the other.
fn wider(
    (one, one_is_literal): (Common, bool),
    (other, other_is_literal): (Common, bool),
) -> Option<Common> {
    use Common::*;
    Some(match (one, other) {
        _ if one == other => one,
        (Bool | Text | Date | Time, _) | (_, Bool | Text | Date | Time) => return None,
        (Float32, _) if other_is_literal => Float32,
        (_, Float32) if one_is_literal => Float32,
        _ => Float64,
    })
}

/// The error for `odd`, which does not go with those before it; of a list it is pointed at.
fn misfit(source: Source<'_>, nodes: &[Node], odd: &Node, span: Span) -> Error {
    let mut known = nodes.iter().filter(|node| node.kind != Kind::Null);
    let first = known.next().unwrap_or(odd);
    let span = if nodes.len() > 2 { odd.span } else { span };
    let reason = format!(
        "{} and {} cannot be compared",
        first.kind.told(),
        odd.kind.told()
    );
    let is_of_time = |node: &Node| matches!(node.kind, Kind::Date | Kind::Time);
    let hint = match nodes.iter().any(is_of_time) {
        true => "write DATE '2026-05-01' for a date, TIMESTAMP '2026-05-01 12:30:00' for a time",
        false => "numbers are written without quotes, text in single quotes",
    };
    source.error(span, reason, hint)
}

/// Classes by index where all that they meet are indices or names of theirs, else by name.
fn classes(source: Source<'_>, nodes: Vec<Node>, by_index: bool) -> Result<Vec<Node>> {
    let first = nodes.iter().find_map(|node| match &node.kind {
        Kind::Class(names) if !names.is_empty() => Some(Arc::clone(names)),
        _ => None,
    });
    let is_index = |node: &Node| match &node.kind {
        Kind::Class(names) => names.is_empty() || first.as_ref() == Some(names),
        Kind::Text => by_index && first.is_some() && matches!(node.op, Op::Text(_)),
        _ => true,
    };
    let has_text = nodes.iter().any(|node| node.kind == Kind::Text);
    if nodes.iter().all(is_index) && (!has_text || by_index) {
        let names = first.unwrap_or_else(|| Arc::from([]));
        return nodes
            .into_iter()
            .map(|node| indexed(source, node, &names))
            .collect();
    }
    nodes
        .into_iter()
        .map(|node| match node.kind {
            Kind::Class(_) => class_of(source, node),
            _ => Ok(node),
        })
        .collect()
}

/// A class's name that is written out as its index.
fn indexed(source: Source<'_>, node: Node, names: &Arc<[String]>) -> Result<Node> {
    let Op::Text(name) = &node.op else {
        return Ok(node);
    };
    let Some(index) = names.iter().position(|known| known == name) else {
        let mut listed: Vec<&str> = names.iter().map(String::as_str).take(MOST_LISTED).collect();
        if names.len() > MOST_LISTED {
            listed.push("...");
        }
        let hint = format!("there are: {}", listed.join(", "));
        return Err(source.error(node.span, format!("there is no class `{name}`"), hint));
    };
    Ok(Node {
        kind: Kind::Class(Arc::clone(names)),
        op: Op::Integer(i64::try_from(index).unwrap_or(i64::MAX)),
        ..node
    })
}

/// A class as its name.
pub(super) fn class_of(source: Source<'_>, node: Node) -> Result<Node> {
    match node.kind.clone() {
        Kind::Class(names) if !names.is_empty() => Ok(Node {
            kind: Kind::Text,
            is_literal: false,
            span: node.span,
            op: Op::Names(Box::new(node), names),
        }),
        _ => {
            let reason = "the names of these classes are not known";
            Err(source.error(node.span, reason, "compare it with an index"))
        }
    }
}
