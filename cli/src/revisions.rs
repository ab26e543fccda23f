//! `emberlens revisions`: what became of a table, and who did it.

use clap::Args;
use emberlens::Result;
use emberlens::table::{Revision, RevisionKind};
use serde_json::{Value, json};

use crate::find::Place;
use crate::print::{Report, Table, clean, counted, shortened, time};

/// The arguments of `emberlens revisions`.
#[derive(Args)]
pub struct Revisions {
    /// Name or folder of the table
    #[arg(value_name = "TABLE")]
    table: String,
}

impl Revisions {
    /// Lists the revisions, the latest one first.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let table = place.table(&self.table)?;
        let revisions = table.revisions()?;
        let mut shown = Table::new([
            ">revision",
            ">parent",
            "time",
            "what",
            ">rows",
            "columns",
            "author",
            "note",
        ]);
        for revision in revisions.iter().rev() {
            let (what, rows, columns) = described(&revision.kind);
            let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
            shown.push(vec![
                revision.version.to_string(),
                revision
                    .parent
                    .map_or_else(|| "-".into(), |parent| parent.to_string()),
                revision.time_us.map_or_else(|| "-".into(), time),
                what,
                rows.map_or_else(|| "-".into(), |rows| rows.to_string()),
                columns.map_or_else(|| "-".into(), |columns| columns.join(", ")),
                or_none(&revision.author),
                shortened(&or_none(&revision.note)),
            ]);
        }
        let rows = counted(table.row_count(), "row", "rows");
        let title = format!("{}: {rows}", clean(table.name()));
        Ok(Report {
            text: format!("{title}\n{}", shown.render(2)),
            json: json!({
                "table": table.name(),
                "url": table.url(),
                "rows": table.row_count(),
                "revisions": revisions.iter().map(told).collect::<Vec<_>>(),
            }),
            ..Report::default()
        })
    }
}

fn described(kind: &RevisionKind) -> (String, Option<u64>, Option<&[String]>) {
    match kind {
        RevisionKind::Created { rows } | RevisionKind::Appended { rows } => {
            (kind.name().into(), Some(*rows), None)
        }
        RevisionKind::Edited { rows, columns } => (kind.name().into(), Some(*rows), Some(columns)),
        RevisionKind::Undone {
            revision,
            rows,
            columns,
        } => (format!("undoes {revision}"), Some(*rows), Some(columns)),
        other => (other.name().into(), None, None),
    }
}

fn told(revision: &Revision) -> Value {
    let (_, rows, columns) = described(&revision.kind);
    let undoes = match revision.kind {
        RevisionKind::Undone { revision, .. } => Some(revision),
        _ => None,
    };
    json!({
        "revision": revision.version,
        "time_us": revision.time_us,
        "what": revision.kind.name(),
        "rows": rows,
        "columns": columns,
        "undoes": undoes,
        "author": revision.author,
        "note": revision.note,
        "parent": revision.parent,
        "program": revision.program,
    })
}
