//! Writing rows to one file that other tools read: Parquet, CSV or JSON lines; tables of images and
//! their instances as COCO and YOLO data sets; other files by [`whole_file`].
//!
//! The file appears whole or not at all: rows go to a temporary file beside it, which is synced and
//! renamed at the end.

mod coco;
mod images;
mod json;
mod split_folder;
mod target;
mod yolo;
mod yolo_lines;
mod yolo_yaml;

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

pub use coco::coco;
pub use images::Exported;
pub use json::float_as_json;
use target::Target;
pub use yolo::{YoloExport, yolo};

use crate::{BoxError, Error, Result};

/// The formats that [`to_file`] writes.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Parquet, zstd; types and display roles are kept.
    Parquet,
    /// CSV with a header; lists and structs become JSON text, bytes hexadecimal, null is empty.
    Csv,
    /// One JSON object a line; NaN and infinities are the strings `NaN`, `Infinity`, `-Infinity`.
    JsonLines,
}

impl Format {
    /// The format that a file name asks for: `.parquet`, `.csv`, `.jsonl` or `.ndjson`.
    ///
    /// # Errors
    /// `Invalid` for any other ending.
    ///
    /// ```
    /// use emberlens::table::export::Format;
    /// assert_eq!(Format::of("rows.CSV".as_ref()).unwrap(), Format::Csv);
    /// assert!(Format::of("rows.xlsx".as_ref()).is_err());
    /// ```
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            _ => Err(Error::invalid(
                "file",
                path.display(),
                "its ending names no known format",
                "end it in .parquet, .csv or .jsonl",
            )),
        }
    }
}

/// What to do when the file exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it and return an error.
    Refuse,
    /// Replace it when the new file is complete.
    Replace,
}

/// Writes `batches` to `path` and returns the number of rows.
///
/// # Memory
/// One batch at a time; Parquet holds one row group besides.
///
/// # Errors
/// `AlreadyExists` when the file is there and `existing` is [`Existing::Refuse`]; `Storage` when
/// it cannot be written; any error of the batches. In every case the file is as it was before.
///
/// ```
/// use emberlens::table::Columns;
/// use emberlens::table::export::{Existing, Format, to_file};
/// # fn main() -> emberlens::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("rows.csv");
/// let batch = Columns::new().with("loss", vec![0.5_f32, f32::NAN]).into_batch("example")?;
/// to_file(&path, Format::Csv, &batch.schema(), [Ok(batch)], Existing::Refuse)?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "loss\n0.5\nNaN\n");
/// # Ok(())
/// # }
/// ```
pub fn to_file(
    path: &Path,
    format: Format,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    existing: Existing,
) -> Result<u64> {
    let target = Target::create(path, existing)?;
    let failed = |error: BoxError| Error::storage("exporting rows", path.to_string_lossy(), error);
    let mut file = BufWriter::new(target.file());
    let rows = match format {
        Format::Parquet => write_parquet(&mut file, schema, batches, failed)?,
        Format::Csv => write_csv(&mut file, schema, batches, failed)?,
        Format::JsonLines => write_json_lines(&mut file, batches, failed)?,
    };
    file.flush().map_err(|error| failed(error.into()))?;
    drop(file);
    target.publish()?;
    Ok(rows)
}

/// Writes a file of any format so that it appears whole or not at all.
///
/// # Durability
/// The file is synced before it gets its name.
///
/// # Errors
/// As [`to_file`], with the error that `write` returns.
///
/// ```
/// use emberlens::table::export::{Existing, whole_file};
/// # fn main() -> emberlens::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("note.txt");
/// whole_file(&path, Existing::Refuse, |file| file.write_all(b"all of it"))?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"all of it");
/// assert!(whole_file(&path, Existing::Refuse, |_| Ok(())).is_err());
/// # Ok(())
/// # }
/// ```
pub fn whole_file(
    path: &Path,
    existing: Existing,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let target = Target::create(path, existing)?;
    let mut file = BufWriter::new(target.file());
    write(&mut file)
        .and_then(|()| file.flush())
        .map_err(|error| Error::storage("writing the file", path.to_string_lossy(), error))?;
    drop(file);
    target.publish()
}

/// Finds out whether a file can be written, before the work whose result it is to hold.
///
/// # Errors
/// `AlreadyExists` and `Storage` as [`to_file`]; nothing is left behind.
///
/// ```
/// use emberlens::table::export::{Existing, check_writable};
/// let error = check_writable("/no/such/folder/rows.csv".as_ref(), Existing::Refuse).unwrap_err();
/// assert!(error.to_string().contains("/no/such/folder/rows.csv"));
/// ```
pub fn check_writable(path: &Path, existing: Existing) -> Result<()> {
    Target::create(path, existing).map(drop)
}

fn write_parquet(
    file: impl Write + Send,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    failed: impl Fn(BoxError) -> Error,
) -> Result<u64> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
        .map_err(|error| failed(error.into()))?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(|error| failed(error.into()))?;
    }
    writer.close().map_err(|error| failed(error.into()))?;
    Ok(rows)
}

fn write_csv(
    file: impl Write,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    failed: impl Fn(BoxError) -> Error,
) -> Result<u64> {
    let mut writer = arrow_csv::WriterBuilder::new().build(file);
    let mut rows = 0;
    // The writer prints its header with the first batch, so an empty one makes sure there is one.
    let header = RecordBatch::new_empty(schema.clone());
    for batch in std::iter::once(Ok(header)).chain(batches) {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        let flat = without_nesting(&batch).map_err(|error| failed(error.into()))?;
        writer.write(&flat).map_err(|error| failed(error.into()))?;
    }
    Ok(rows)
}

fn write_json_lines(
    file: impl Write,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    failed: impl Fn(BoxError) -> Error,
) -> Result<u64> {
    let mut writer = json::line_writer(file);
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch).map_err(|error| failed(error.into()))?;
    }
    writer.finish().map_err(|error| failed(error.into()))?;
    Ok(rows)
}

/// The same batch with its lists and structs as JSON text, for formats that have only flat values.
fn without_nesting(batch: &RecordBatch) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            arrays.push(Arc::new(json::as_text(field, array)?));
        } else {
            fields.push(field.clone());
            arrays.push(array.clone());
        }
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Columns, Role};
    use arrow_array::Array;
    use ndarray::arr2;

    fn batch() -> RecordBatch {
        let embedding = arr2(&[[1.0_f32, f32::NAN], [-0.25, f32::INFINITY]]);
        Columns::new()
            .with("example_id", vec![7_i64, 8])
            .with("loss", vec![0.1_f32, f32::NEG_INFINITY])
            .with("note", vec!["a \"b\", c\nd".to_owned(), String::new()])
            .with("maybe", vec![None, Some(3_i32)])
            .with("embedding", Column::embedding(embedding.view()))
            .with(
                "kind",
                Column::from(vec![0_i32, 1]).role(Role::category(["cat", "dog"])),
            )
            .into_batch("test")
            .unwrap()
    }

    fn export(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let format = Format::of(&path).unwrap();
        let rows = to_file(
            &path,
            format,
            &batch().schema(),
            [Ok(batch())],
            Existing::Refuse,
        );
        assert_eq!(rows.unwrap(), 2);
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "a temporary file is left"
        );
        (folder, path)
    }

    #[test]
    fn json_lines_spell_what_json_cannot_say() {
        let (_folder, path) = export("rows.jsonl");
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["loss"], serde_json::json!(0.1));
        assert_eq!(lines[1]["loss"], "-Infinity");
        assert_eq!(lines[0]["embedding"], serde_json::json!([1.0, "NaN"]));
        assert_eq!(
            lines[1]["embedding"],
            serde_json::json!([-0.25, "Infinity"])
        );
        assert_eq!(lines[0]["maybe"], serde_json::Value::Null);
        assert_eq!(lines[0]["note"], "a \"b\", c\nd");
    }

    #[test]
    fn csv_holds_nested_values_as_json_text() {
        let (_folder, path) = export("rows.csv");
        let mut reader = arrow_csv::ReaderBuilder::new(Arc::new(Schema::new(
            ["example_id", "loss", "note", "maybe", "embedding", "kind"]
                .map(|name| Field::new(name, DataType::Utf8, true))
                .to_vec(),
        )))
        .with_header(true)
        .build(std::fs::File::open(path).unwrap())
        .unwrap();
        let batch = reader.next().unwrap().unwrap();
        let embeddings = texts(&batch, "embedding");
        assert_eq!(embeddings, ["[1.0,\"NaN\"]", "[-0.25,\"Infinity\"]"]);
        assert_eq!(texts(&batch, "note")[0], "a \"b\", c\nd");
        assert_eq!(texts(&batch, "loss"), ["0.1", "-inf"]);
    }

    fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
        let array = batch.column_by_name(column).unwrap();
        let array = array
            .as_any()
            .downcast_ref::<arrow_array::StringArray>()
            .unwrap();
        (0..array.len())
            .map(|row| array.value(row).to_owned())
            .collect()
    }

    #[test]
    fn parquet_keeps_types_values_and_roles() {
        let (_folder, path) = export("rows.parquet");
        let file = std::fs::File::open(path).unwrap();
        let mut reader =
            parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
                .unwrap()
                .build()
                .unwrap();
        let read = reader.next().unwrap().unwrap();
        assert_eq!(read.schema().fields(), batch().schema().fields());
        // NaN equals no NaN, so the comparison goes through the printed values.
        assert_eq!(
            format!("{:?}", read.columns()),
            format!("{:?}", batch().columns())
        );
    }

    #[test]
    fn no_rows_still_make_a_file_with_the_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.csv");
        let rows = to_file(&path, Format::Csv, &batch().schema(), [], Existing::Refuse).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(
            (rows, text.as_str()),
            (0, "example_id,loss,note,maybe,embedding,kind\n")
        );
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        std::fs::write(&path, "old").unwrap();
        let failing = [Ok(batch()), Err(Error::user("the disk ate it"))];
        let error = to_file(
            &path,
            Format::JsonLines,
            &batch().schema(),
            failing,
            Existing::Replace,
        );
        assert!(error.unwrap_err().to_string().contains("the disk ate it"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_is_kept_unless_replacing_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, "old").unwrap();
        let write = |existing| to_file(&path, Format::Csv, &batch().schema(), [], existing);
        let error = write(Existing::Refuse).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        write(Existing::Replace).unwrap();
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .starts_with("example_id")
        );
    }
}
