//! `emberlens export`: one stream as a file for other tools.

use std::path::PathBuf;

use clap::Args;
use emberlens::Result;
use emberlens::table::export::{Format, to_file};
use serde_json::json;

use crate::find::Place;
use crate::output::{existing, name_force};
use crate::print::{Report, clean};
use crate::skip::SkipCorrupt;

/// The arguments of `emberlens export`.
#[derive(Args)]
pub struct Export {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,

    /// Stream to export
    #[arg(long, default_value = "default")]
    stream: String,

    /// File to write: .parquet, .csv or .jsonl
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace the file when it exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    skip: SkipCorrupt,
}

impl Export {
    /// Writes the rows of complete passes; tells which passes are left out.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let format = Format::of(&self.output)?;
        let reader = self.skip.run(place, &self.run)?;
        let metrics = reader.metrics(&self.stream);
        let passes = metrics.passes();
        let batches = metrics.batches()?;
        let schema = batches.schema().clone();
        let rows = to_file(&self.output, format, &schema, batches, existing(self.force))
            .map_err(name_force)?;
        let mut incomplete = reader.incomplete_passes();
        incomplete.retain(|pass| pass.stream == self.stream);
        let notes = incomplete.iter().map(|pass| {
            let epoch = pass
                .epoch
                .map_or(String::new(), |epoch| format!(", epoch {epoch}"));
            let ranks: Vec<String> = pass.missing_ranks.iter().map(u32::to_string).collect();
            let missing = match ranks.is_empty() {
                true => String::new(),
                false => format!(", without ranks {}", ranks.join(", ")),
            };
            format!(
                "left out an incomplete pass: {}{epoch}{missing} ({})",
                pass.split, pass.pass_id
            )
        });
        let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let mut report = Report {
            text: format!(
                "{rows} rows of {} passes, {} columns: {}\n",
                passes.len(),
                columns.len(),
                clean(&self.output.to_string_lossy())
            ),
            notes: notes.collect(),
            json: json!({
                "run": reader.id(),
                "stream": self.stream,
                "file": self.output.to_string_lossy(),
                "rows": rows,
                "passes": passes.len(),
                "incomplete_passes": incomplete.len(),
                "columns": columns,
            }),
            failure: None,
        };
        self.skip.tell(&reader, &mut report);
        Ok(report)
    }
}
