//! One version of a table: schema, counts and rows.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use delta_kernel::engine::arrow_conversion::TryIntoArrow;
use delta_kernel::scan::ScanMetadata;
use delta_kernel::scan::state::ScanFile;
use delta_kernel::snapshot::SnapshotRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::append::conform;
use super::column_names;
use super::damage;
use super::decode::{self, guarded};
use crate::storage::{Location, leads_out};
use crate::{Error, Result};

/// Rows decoded at once.
const BATCH_ROWS: usize = 8192;

/// One version of a Delta table; later commits do not change what it shows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    location: Location,
    kernel: SnapshotRef,
    schema: SchemaRef,
}

impl Snapshot {
    pub(super) fn try_new(location: Location, kernel: SnapshotRef) -> Result<Self> {
        let schema: Schema = kernel
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|error| corrupt(&location, error.to_string()))?;
        Ok(Self {
            location,
            kernel,
            schema: Arc::new(schema),
        })
    }

    pub(super) fn kernel(&self) -> &SnapshotRef {
        &self.kernel
    }

    /// The version, 0-based.
    pub fn version(&self) -> u64 {
        self.kernel.version()
    }

    /// The schema with roles in the field metadata.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of rows, from the log; no data is read unless a foreign writer left counts out.
    pub fn row_count(&self) -> Result<u64> {
        let mut total: u64 = 0;
        for file in self.files()? {
            let rows = match &file.stats {
                Some(stats) => stats.num_records,
                None => self.count_rows(&file)?,
            };
            total = total.checked_add(rows).ok_or_else(|| {
                let reason = format!("it counts {total} and {rows} rows, which no table holds");
                corrupt(&self.location, reason)
            })?;
        }
        Ok(total)
    }

    /// Size of the data files in bytes.
    pub fn size_bytes(&self) -> Result<u64> {
        let files = self.files()?;
        let sizes = files.iter().map(|file| file.size.unsigned_abs());
        Ok(sizes.fold(0, u64::saturating_add))
    }

    /// The rows, a bounded batch at a time, files in the order they were written.
    ///
    /// # Errors
    /// `MissingColumn` for a column that the table lacks; `Corrupt` names the damaged file.
    pub fn batches(
        &self,
        columns: Option<&[&str]>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        self.batches_of(columns, None)
    }

    /// As [`Snapshot::batches`], from these files only, unless one of them is not there any more
    /// (a rewrite moved its rows elsewhere): then from all files.
    pub(crate) fn batches_of(
        &self,
        columns: Option<&[&str]>,
        names: Option<&HashSet<String>>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        let schema = match columns {
            Some(columns) => self.project(columns)?,
            None => self.schema.clone(),
        };
        let location = self.location.clone();
        let mut files = self.files()?;
        if let Some(names) = names {
            let named = files.iter().filter(|file| names.contains(&file.path));
            if named.count() == names.len() {
                files.retain(|file| names.contains(&file.path));
            }
        }
        let batches = files.into_iter().flat_map(move |file| {
            let (schema, location) = (schema.clone(), location.clone());
            match open(&location, &file, &schema) {
                Ok(reader) => Rows::Reading(Box::new(reader), location, schema, file.path),
                Err(error) => Rows::Failed(Some(error)),
            }
        });
        Ok(Box::new(batches))
    }

    /// All rows in one batch.
    ///
    /// # Errors
    /// As [`Snapshot::batches`].
    pub fn read(&self, columns: Option<&[&str]>) -> Result<RecordBatch> {
        let schema = match columns {
            Some(columns) => self.project(columns)?,
            None => self.schema.clone(),
        };
        let batches: Vec<RecordBatch> = self.batches(columns)?.collect::<Result<_>>()?;
        arrow_select::concat::concat_batches(&schema, &batches)
            .map_err(|error| Error::storage("join batches", self.location.url(), error))
    }

    fn project(&self, columns: &[&str]) -> Result<SchemaRef> {
        let fields: Result<Vec<_>> = columns
            .iter()
            .map(|column| match self.schema.fields().find(column) {
                Some((_, field)) => Ok(field.clone()),
                None => Err(Error::MissingColumn {
                    column: (*column).to_owned(),
                    place: self.location.url(),
                    available: column_names(&self.schema),
                }),
            })
            .collect();
        Ok(Arc::new(Schema::new(fields?)))
    }

    /// The data files of this version in the order of their names, which is the order of writing.
    pub(super) fn files(&self) -> Result<Vec<ScanFile>> {
        let mut files: Vec<ScanFile> = Vec::new();
        for page in self.scan_pages()? {
            files = damage::guarded(&self.location, || {
                page.visit_scan_files(files, |files, file| files.push(file))
            })?;
        }
        for file in &files {
            check_file(&self.location, file)?;
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    /// Whether this version has a data file of one of these names.
    pub(super) fn holds_any(&self, names: &HashSet<String>) -> Result<bool> {
        Ok(self.files()?.iter().any(|file| names.contains(&file.path)))
    }

    /// The log's entries for the data files of this version.
    pub(super) fn scan_pages(&self) -> Result<Vec<ScanMetadata>> {
        let engine = self.location.engine();
        damage::guarded(&self.location, || {
            let scan = self.kernel.clone().scan_builder().build()?;
            scan.scan_metadata(engine.as_ref())?.collect()
        })
    }

    fn count_rows(&self, file: &ScanFile) -> Result<u64> {
        let empty = Arc::new(Schema::empty());
        let mut rows = 0;
        for batch in open(&self.location, file, &empty)? {
            let place = self.location.join(&file.path);
            let batch = batch.map_err(|error| decode::damaged(&place, error.to_string()))?;
            rows += batch.num_rows() as u64;
        }
        Ok(rows)
    }
}

/// The batches of one file, or the error that stands for them.
enum Rows {
    Reading(Box<ParquetRecordBatchReader>, Location, SchemaRef, String),
    Failed(Option<Error>),
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Failed(error) => error.take().map(Err),
            Self::Reading(reader, location, schema, path) => {
                let next = guarded(&location.join(path), || reader.next().transpose());
                let conformed = next.transpose()?;
                Some(conformed.and_then(|batch| conform(&batch, schema, &location.url())))
            }
        }
    }
}

/// Opens one data file for the columns of `schema` that it has.
fn open(
    location: &Location,
    file: &ScanFile,
    schema: &SchemaRef,
) -> Result<ParquetRecordBatchReader> {
    let place = location.join(&file.path);
    // A local file is read piece by piece; elsewhere one request for the (bounded) file is cheapest.
    match place.local_path() {
        Some(path) => {
            let opened =
                File::open(&path).map_err(|error| Error::storage("read", place.url(), error))?;
            let builder = decode::open(&place, opened)?;
            let mask = projection(&builder, schema);
            let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
            guarded(&place, || builder.build())
        }
        None => {
            let builder = decode::open(&place, place.read()?)?;
            let mask = projection(&builder, schema);
            let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
            guarded(&place, || builder.build())
        }
    }
}

fn projection<T: ChunkReader>(
    builder: &ParquetRecordBatchReaderBuilder<T>,
    schema: &Schema,
) -> ProjectionMask {
    let roots = builder
        .schema()
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, field)| schema.fields().find(field.name()).is_some())
        .map(|(root, _)| root);
    ProjectionMask::roots(builder.parquet_schema(), roots)
}

/// Refuses what our own tables never hold and what could lead out of the table's folder.
fn check_file(location: &Location, file: &ScanFile) -> Result<()> {
    if let Some(why) = leads_out(&file.path) {
        let reason = format!("it names the file {:?}, which {why}", file.path);
        return Err(corrupt(location, reason));
    }
    if file.size < 0 {
        let reason = format!(
            "it says that the file {:?} has {} bytes",
            file.path, file.size
        );
        return Err(corrupt(location, reason));
    }
    if file.dv_info.has_vector() || !file.partition_values.is_empty() {
        return Err(corrupt(
            location,
            "deletion vectors and partitions are not supported; rewrite the table without them"
                .into(),
        ));
    }
    Ok(())
}

fn corrupt(location: &Location, reason: String) -> Error {
    Error::Corrupt {
        what: "table log",
        reason,
        path: location.url(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Columns, DeltaTable, Role, role};
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float32Type, Int64Type};

    fn losses(values: Vec<f32>) -> RecordBatch {
        Columns::new()
            .with("loss", values)
            .into_batch("test")
            .unwrap()
    }

    fn table(first: &RecordBatch) -> DeltaTable {
        let location = Location::open("memory://").unwrap().join("t");
        DeltaTable::create(location, &first.schema()).unwrap()
    }

    #[test]
    fn rows_come_back_in_the_order_they_were_appended() {
        let table = table(&losses(vec![]));
        for k in 0..12 {
            table
                .append("w", k, &[losses(vec![k as f32, k as f32 + 0.5])])
                .unwrap();
        }
        let read = table.snapshot().unwrap().read(Some(&["loss"])).unwrap();
        let values = read
            .column(0)
            .as_primitive::<Float32Type>()
            .values()
            .to_vec();
        assert_eq!(values, (0..24).map(|k| k as f32 / 2.0).collect::<Vec<_>>());
    }

    #[test]
    fn rows_of_a_new_writer_come_after_those_of_the_old() {
        let table = table(&losses(vec![]));
        for k in 0..3 {
            table.append("old", k, &[losses(vec![k as f32])]).unwrap();
        }
        table.append("new", 0, &[losses(vec![9.0])]).unwrap();
        let read = table.snapshot().unwrap().read(None).unwrap();
        let values = read.column(0).as_primitive::<Float32Type>();
        assert_eq!(values.values().to_vec(), [0.0, 1.0, 2.0, 9.0]);
    }

    #[test]
    fn a_commit_of_the_same_name_is_not_written_twice() {
        let table = table(&losses(vec![]));
        let first = table.append("w", 0, &[losses(vec![1.0])]).unwrap();
        assert_eq!(table.append("w", 0, &[losses(vec![1.0])]).unwrap(), first);
        assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 1);
    }

    #[test]
    fn a_new_column_reads_as_null_in_old_rows_and_keeps_its_role() {
        let table = table(&losses(vec![]));
        table.append("w", 0, &[losses(vec![1.0])]).unwrap();
        let wider = Columns::new()
            .with("loss", vec![2.0_f32])
            .with(
                "label",
                crate::table::Column::from(vec![7_i64]).role(Role::category(["a"])),
            )
            .into_batch("test")
            .unwrap();
        table.append("w", 1, &[wider]).unwrap();
        let read = table.snapshot().unwrap().read(None).unwrap();
        let labels = read
            .column_by_name("label")
            .unwrap()
            .as_primitive::<Int64Type>()
            .clone();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [None, Some(7)]);
        assert_eq!(
            role(read.schema().field_with_name("label").unwrap()),
            Some(Role::category(["a"]))
        );
    }

    #[test]
    fn a_changed_type_is_refused_with_both_types() {
        let table = table(&losses(vec![]));
        let other = Columns::new()
            .with("loss", vec!["high"])
            .into_batch("test")
            .unwrap();
        let error = table.append("w", 0, &[other]).unwrap_err().to_string();
        assert!(
            error.contains("Float32") && error.contains("Utf8"),
            "{error}"
        );
    }

    #[test]
    fn an_old_version_stays_as_it_was() {
        let table = table(&losses(vec![]));
        let old = table.append("w", 0, &[losses(vec![1.0])]).unwrap();
        table.append("w", 1, &[losses(vec![2.0])]).unwrap();
        assert_eq!(table.snapshot_at(old).unwrap().row_count().unwrap(), 1);
        assert!(matches!(table.snapshot_at(99), Err(Error::NotFound { .. })));
    }

    #[test]
    fn writers_at_once_lose_and_double_nothing() {
        let table = table(&losses(vec![]));
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let table = table.clone();
                scope.spawn(move || {
                    for k in 0..5 {
                        let batch = losses(vec![writer as f32]);
                        table.append(&format!("w{writer}"), k, &[batch]).unwrap();
                    }
                });
            }
        });
        assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 20);
    }
}
