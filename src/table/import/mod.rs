//! Tables from what people have: CSV, Parquet, text files, folders of images, images with masks of classes,
//! COCO and YOLO data sets.
//!
//! An import reads its source in chunks of at most 8,192 rows or 32 MiB and publishes the table in
//! one commit at the end: until then, and after an error, there is no table.

mod class_masks;
mod coco;
mod csv;
mod csv_records;
mod files;
mod folder;
mod ids;
mod image_file;
mod image_rows;
mod json;
mod mask_file;
mod pairs;
mod parquet;
mod plan;
mod skipped;
mod text_files;
mod text_folders;
mod text_lines;
mod yolo;

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::Table;
use crate::storage::Location;
use crate::table::Role;
use crate::{Error, Result};
use plan::Plan;

pub use class_masks::{ClassMasks, class_masks};
pub use coco::{CocoOptions, coco};
pub use csv::{CsvOptions, csv, csv_with};
pub use folder::{ImageFolder, image_folder};
pub use parquet::{ParquetOptions, parquet, parquet_with};
pub use skipped::{Imported, SkipReason, Skipped, SkippedKind};
pub use text_files::{TextFiles, TextLayout, text_files};
pub use yolo::{YoloOptions, YoloTask, yolo};

pub(super) use skipped::{Defect, Sieve};

/// Batches of a source, in order.
type Batches<'a> = Box<dyn Iterator<Item = Result<RecordBatch>> + 'a>;

/// A file of rows that can be read more than once.
trait Source {
    /// The columns as the source has them.
    fn schema(&self) -> &Schema;
    /// All rows from the start; of one column when its index is given.
    fn batches(&self, only: Option<usize>) -> Result<Batches<'_>>;
    /// The file.
    fn path(&self) -> &Path;
}

/// Writes the rows of a source as a new table.
fn import(
    folder: &Location,
    name: &str,
    source: &dyn Source,
    roles: &[(String, Role)],
) -> Result<Table> {
    let path = source.path();
    let imported = Plan::new(source, roles).and_then(|plan| {
        let mut next_row = 0;
        let batches = source.batches(None)?.map(|batch| {
            let batch = batch?;
            let first_row = next_row;
            next_row += batch.num_rows() as u64;
            plan.convert(&batch, first_row)
        });
        Table::create_from_batches(folder, name, &plan.schema(), batches)
    });
    imported.map_err(|error| at_path(error, path))
}

/// Adds the file to an error about one of its values.
fn at_path(error: Error, path: &Path) -> Error {
    match error {
        Error::Value {
            column,
            row,
            found,
            expected,
            hint,
        } => Error::Import {
            reason: format!("column `{column}` holds {found} where {expected} is needed"),
            position: format!("row {row} (the first is 0)"),
            hint,
            path: path.display().to_string(),
        },
        other => other,
    }
}

/// An error of reading the file itself.
fn unreadable(operation: &'static str, path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound {
            what: "file",
            name: path
                .file_name()
                .unwrap_or(path.as_os_str())
                .to_string_lossy()
                .into_owned(),
            hint: "check the path".into(),
            place: path.display().to_string(),
        },
        _ => Error::storage(operation, path.display().to_string(), error),
    }
}

/// The text of a file, without the mark that some editors put before it.
fn read_text(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => {
            let hint = "write it as UTF-8, or name another file";
            malformed(path, "no text", "its bytes", hint)
        }
        _ => unreadable("read", path, error),
    })?;
    Ok(without_mark(text))
}

/// The text without a byte order mark at its start.
fn without_mark(mut text: String) -> String {
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    text
}

/// An error in the content of the file.
fn malformed(
    path: &Path,
    reason: impl Into<String>,
    position: impl Into<String>,
    hint: impl Into<String>,
) -> Error {
    Error::Import {
        reason: reason.into(),
        position: position.into(),
        hint: hint.into(),
        path: path.display().to_string(),
    }
}
