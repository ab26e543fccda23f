//! One stream of a run as a file of rows.

use emberlens::table::export::to_file;
use emberlens::{Error, ErrorKind, Result};
use serde_json::json;

use super::Export;
use crate::find::Place;
use crate::output::{existing, name_force};
use crate::print::{Report, clean, counted};

impl Export {
    /// Writes the rows of complete passes; tells which passes are left out.
    pub(super) fn stream(&self, place: &Place, run: &str) -> Result<Report> {
        self.refuse_unused(None)?;
        let Some(format) = self.kind()?.of_rows() else {
            return Err(Error::invalid(
                "format",
                "coco or yolo",
                "the metrics of a run are rows, and no images",
                "name the table with --table",
            ));
        };
        let stream = self.stream.as_deref().unwrap_or("default");
        let reader = self.skip.run(place, run);
        let reader = reader.map_err(|error| name_table(error, place, run))?;
        let metrics = reader.metrics(stream);
        let passes = metrics.passes();
        let batches = metrics.batches()?;
        let schema = batches.schema().clone();
        let rows = to_file(&self.output, format, &schema, batches, existing(self.force))
            .map_err(name_force)?;
        let mut incomplete = reader.incomplete_passes();
        incomplete.retain(|pass| pass.stream == stream);
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
                "{} of {}, {}: {}\n",
                counted(rows, "row", "rows"),
                counted(passes.len(), "pass", "passes"),
                counted(columns.len(), "column", "columns"),
                clean(&self.output.to_string_lossy())
            ),
            notes: notes.collect(),
            json: json!({
                "run": reader.id(),
                "stream": stream,
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

/// Tells of a table of that name where there is no such run.
fn name_table(error: Error, place: &Place, name: &str) -> Error {
    let is_table = error.kind() == ErrorKind::NotFound && place.table(name).is_ok();
    match error {
        Error::NotFound {
            what, name, place, ..
        } if is_table => Error::NotFound {
            what,
            hint: format!("there is a table `{name}`: name it with --table"),
            name,
            place,
        },
        other => other,
    }
}
