//! `emberlens compact`: joins the small files of a run.

use clap::Args;
use emberlens::Result;
use serde_json::json;

use crate::bar::Bar;
use crate::find::Place;
use crate::print::{Report, Table, clean};

/// The arguments of `emberlens compact`.
#[derive(Args)]
pub struct Compact {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,
}

impl Compact {
    /// Compacts the run's streams and scalars, and says what became of each.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let reader = place.run(&self.run)?;
        let tables = reader.compact(&Bar::new())?;
        let mut table = Table::new([
            "table",
            ">version",
            ">files before",
            ">files",
            ">bytes before",
            ">bytes",
            ">rows moved",
        ]);
        for one in &tables {
            table.push(vec![
                one.folder.clone(),
                one.version.to_string(),
                one.files_before.to_string(),
                one.files_after.to_string(),
                one.bytes_before.to_string(),
                one.bytes_after.to_string(),
                one.rows_moved.to_string(),
            ]);
        }
        let joined: u64 = tables
            .iter()
            .map(|one| one.files_before - one.files_after)
            .sum();
        let name = clean(reader.name());
        let mut text = table.render(0);
        text.push_str(&match joined {
            0 => format!("\n{name}: there are no small files to join\n"),
            joined => format!(
                "\n{name}: {joined} files fewer; the old ones stay until `emberlens vacuum`\n"
            ),
        });
        let tables = tables.iter().map(|one| {
            json!({
                "folder": one.folder,
                "version": one.version,
                "files_before": one.files_before,
                "files_after": one.files_after,
                "bytes_before": one.bytes_before,
                "bytes_after": one.bytes_after,
                "rows_moved": one.rows_moved,
            })
        });
        Ok(Report {
            text,
            json: json!({ "run": reader.id(), "tables": tables.collect::<Vec<_>>() }),
            ..Report::default()
        })
    }
}
