//! `emberlens diff`: what differs between two revisions of a table.

use clap::Args;
use emberlens::table::Difference;
use emberlens::{Error, Result};
use serde_json::json;

use crate::changes::{self, Most};
use crate::find::Place;
use crate::print::{Report, clean};
use crate::tables::split_revision;

/// The arguments of `emberlens diff`.
#[derive(Args)]
pub struct Diff {
    /// Name or folder of the table, and the first revision
    #[arg(value_name = "TABLE@REVISION")]
    from: String,

    /// The same table at the second revision [default: the latest]
    #[arg(value_name = "TABLE@REVISION")]
    to: Option<String>,

    #[command(flatten)]
    most: Most,
}

impl Diff {
    /// Compares the two revisions.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let first = place.table(&self.from)?;
        let second = match &self.to {
            Some(to) => place.table(to)?,
            None => place.table(split_revision(&self.from).0)?,
        };
        if first.url() != second.url() {
            return Err(Error::invalid(
                "tables",
                format!("{} and {}", first.url(), second.url()),
                "they are two tables",
                "name two revisions of one table",
            ));
        }
        let found = second.diff(first.revision(), second.revision())?;
        let mut text = summary(&clean(first.name()), &found);
        text.push_str(&changes::text(&second, &found.changes, self.most));
        Ok(Report {
            text,
            json: json!({
                "table": first.name(),
                "url": first.url(),
                "from": found.from,
                "to": found.to,
                "rows": found.rows,
                "rows_before": found.rows_before,
                "rows_after": found.rows_after,
                "columns_added": found.columns_added,
                "columns_removed": found.columns_removed,
                "columns": changes::counts(&found.cells),
                "changes": changes::json(&found.changes, self.most),
            }),
            ..Report::default()
        })
    }
}

fn summary(name: &str, found: &Difference) -> String {
    let mut parts = Vec::new();
    if !found.cells.is_empty() {
        parts.push(changes::counted(&found.cells));
    }
    for (what, columns) in [
        ("columns added", &found.columns_added),
        ("columns removed", &found.columns_removed),
    ] {
        if !columns.is_empty() {
            parts.push(format!("{what}: {}", columns.join(", ")));
        }
    }
    match found.rows_after.checked_sub(found.rows_before) {
        Some(0) => {}
        Some(more) => parts.push(format!("{more} rows more")),
        None => parts.push(format!(
            "{} rows fewer",
            found.rows_before - found.rows_after
        )),
    }
    if parts.is_empty() {
        parts.push("no difference".into());
    }
    format!(
        "{name}@{} to {name}@{}: {}\n",
        found.from,
        found.to,
        parts.join("; ")
    )
}
