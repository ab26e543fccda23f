//! A table as a file of rows, as COCO or as YOLO.

use emberlens::Result;
use emberlens::table::Table;
use emberlens::table::export::{Exported, Format, YoloExport, coco, to_file, yolo};
use serde_json::{Value, json};

use super::{Export, Kind};
use crate::find::Place;
use crate::output::{existing, name_force};
use crate::print::{Report, clean, counted};
use crate::skipped;
use crate::task::Task;

impl Export {
    pub(super) fn table(&self, place: &Place, text: &str) -> Result<Report> {
        let kind = self.kind()?;
        self.refuse_unused(Some(kind))?;
        let table = place.table(text)?;
        match kind.of_rows() {
            Some(format) => self.rows(&table, format),
            None => self.images(&table, kind),
        }
    }

    fn rows(&self, table: &Table, format: Format) -> Result<Report> {
        let schema = table.schema();
        let batches = table.snapshot().batches(None)?;
        let rows = to_file(&self.output, format, schema, batches, existing(self.force))
            .map_err(name_force)?;
        let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let text = format!(
            "{}, {}",
            counted(rows, "row", "rows"),
            counted(columns.len(), "column", "columns")
        );
        let json = json!({ "rows": rows, "columns": columns });
        let mut report = self.report(table, text, json);
        report.notes.extend(lost_names(table, format));
        Ok(report)
    }

    fn images(&self, table: &Table, kind: Kind) -> Result<Report> {
        let existing = existing(self.force);
        let exported = match kind {
            Kind::Coco => coco(table, &self.output, existing),
            _ => {
                let options = YoloExport::new(self.task.unwrap_or(Task::Boxes).into())
                    .split(self.split.as_deref().unwrap_or("train"))
                    .images(!self.no_images)
                    .lenient(self.lenient);
                yolo(table, &self.output, &options, existing)
            }
        };
        let Exported {
            images,
            instances,
            skipped,
            ..
        } = exported.map_err(name_force).map_err(name_lenient)?;
        let text = format!(
            "{}, {}",
            counted(images, "image", "images"),
            counted(instances, "instance", "instances")
        );
        let json = json!({
            "images": images,
            "instances": instances,
            "skipped": skipped::json(&skipped),
        });
        let mut report = self.report(table, text, json);
        report.notes = skipped::notes(&skipped);
        Ok(report)
    }

    /// `text` and `json` say what was written.
    fn report(&self, table: &Table, text: String, mut json: Value) -> Report {
        if let Some(object) = json.as_object_mut() {
            object.insert("table".into(), json!(table.name()));
            object.insert("url".into(), json!(table.url()));
            object.insert("revision".into(), json!(table.revision()));
            object.insert("file".into(), json!(self.output.to_string_lossy()));
        }
        Report {
            text: format!(
                "{text} of {}@{}: {}\n",
                clean(table.name()),
                table.revision(),
                clean(&self.output.to_string_lossy())
            ),
            json,
            ..Report::default()
        }
    }
}

/// What a file without roles does not say of the classes.
fn lost_names(table: &Table, format: Format) -> Option<String> {
    if format == Format::Parquet {
        return None;
    }
    let fields = table.schema().fields().iter();
    let named = fields.filter(|field| {
        let role = emberlens::table::role(field);
        role.is_some_and(|role| role.class_names().is_some_and(|names| !names.is_empty()))
    });
    let named: Vec<String> = named
        .map(|field| format!("`{}`", clean(field.name())))
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "the file has the numbers of classes and not their names ({}); .parquet keeps both",
            named.join(", ")
        )
    })
}

/// Tells the way out in the words of the command line.
fn name_lenient(error: emberlens::Error) -> emberlens::Error {
    match error {
        emberlens::Error::Value {
            column,
            row,
            found,
            expected,
            hint,
        } => emberlens::Error::Value {
            hint: hint.replace("let a lenient export do so", "let --lenient do so"),
            column,
            row,
            found,
            expected,
        },
        other => other,
    }
}
