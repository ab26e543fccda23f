//! Changed cells, for people and programs.

use std::collections::HashMap;

use clap::Args;
use emberlens::table::{CellChange, Table as Dataset};
use serde_json::{Value, json};

use crate::print::Table;
use crate::tables::{value_json, value_text};

/// Changes that are shown when nobody says how many.
const SHOWN: usize = 10;

/// How many changes are shown.
#[derive(Args, Clone, Copy)]
pub struct Most {
    /// Changes to show [default: 10, with --json all]
    #[arg(short, long = "number", value_name = "N")]
    number: Option<usize>,
}

/// The first changes as a table of text, and how many more there are.
pub fn text(table: &Dataset, changes: &[CellChange], most: Most) -> String {
    let most = most.number.unwrap_or(SHOWN);
    let mut classes: HashMap<&str, Option<Vec<String>>> = HashMap::new();
    let mut shown = Table::new([">example_id", "column", "before", "after"]);
    for change in changes.iter().take(most) {
        let names = classes
            .entry(&change.column)
            .or_insert_with(|| table.category_names(&change.column));
        let names = names.as_deref();
        shown.push(vec![
            change.row.to_string(),
            change.column.to_string(),
            value_text(&change.old, names),
            value_text(&change.new, names),
        ]);
    }
    let mut text = match changes {
        [] => String::new(),
        _ => shown.render(2),
    };
    let more = changes.len().saturating_sub(most);
    if more > 0 {
        text.push_str(&format!(
            "  and {more} more; show them with -n {}\n",
            changes.len()
        ));
    }
    text
}

/// The changes for programs: all of them unless fewer are asked for.
pub fn json(changes: &[CellChange], most: Most) -> Vec<Value> {
    let most = most.number.unwrap_or(usize::MAX);
    let changes = changes.iter().take(most).map(|change| {
        json!({
            "example_id": change.row,
            "column": &*change.column,
            "before": value_json(&change.old),
            "after": value_json(&change.new),
        })
    });
    changes.collect()
}

/// Columns and how many cells of each, for programs.
pub fn counts<'a>(columns: impl IntoIterator<Item = (&'a String, &'a u64)>) -> Vec<Value> {
    let counted = columns.into_iter();
    counted
        .map(|(column, cells)| json!({ "column": column, "cells": cells }))
        .collect()
}

/// The same for people.
pub fn counted<'a>(columns: impl IntoIterator<Item = (&'a String, &'a u64)>) -> String {
    let counted = columns.into_iter();
    let texts: Vec<String> = counted
        .map(|(column, cells)| match cells {
            1 => format!("{column} in 1 row"),
            cells => format!("{column} in {cells} rows"),
        })
        .collect();
    texts.join(", ")
}
