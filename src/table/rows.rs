//! The rows of data files, a bounded batch at a time.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use delta_kernel::scan::state::ScanFile;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::reader::ChunkReader;

use super::append::conform;
use super::checksum;
use super::decode::{self, guarded};
use super::delta::DeltaTable;
use crate::storage::Location;
use crate::{Error, Result};

/// Rows decoded at once.
const BATCH_ROWS: usize = 8192;

/// A file that a reader passed over.
pub(crate) struct Damaged {
    /// Its address.
    pub(crate) file: String,
    /// Rows of it that were not read, where the log tells how many it has.
    pub(crate) rows: Option<u64>,
    pub(crate) error: Error,
}

/// Is told of every damaged file, whose other rows are then left out.
pub(crate) type PassOver = Arc<dyn Fn(Damaged) + Send + Sync>;

/// The rows of some files of one version of a table.
pub(super) struct Rows {
    location: Location,
    version: u64,
    schema: SchemaRef,
    files: std::vec::IntoIter<ScanFile>,
    open: Option<OpenFile>,
    pass_over: Option<PassOver>,
}

struct OpenFile {
    file: ScanFile,
    reader: ParquetRecordBatchReader,
    /// Read so far.
    rows: u64,
}

impl Rows {
    pub(super) fn new(
        location: Location,
        version: u64,
        files: Vec<ScanFile>,
        schema: SchemaRef,
        pass_over: Option<PassOver>,
    ) -> Self {
        Self {
            location,
            version,
            schema,
            files: files.into_iter(),
            open: None,
            pass_over,
        }
    }

    /// Opens one data file for the columns of the schema that it has.
    ///
    /// What is read whole is compared with its checksum. A local file is read piece by piece, and may hold
    /// much more than the columns that are wanted; elsewhere one request for the (bounded) file is cheapest.
    fn reader(&self, file: &ScanFile) -> Result<ParquetRecordBatchReader> {
        let place = self.location.join(&file.path);
        let Some(path) = place.local_path() else {
            let bytes = place.read_if_exists()?.ok_or_else(|| self.missing(file))?;
            let builder = decode::open(&place, bytes.clone())?;
            checksum::check(&place, &file.path, &bytes[..])?;
            return self.decoder(&place, builder);
        };
        let opened = || {
            File::open(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => self.missing(file),
                _ => Error::storage("read", place.url(), error),
            })
        };
        let builder = decode::open(&place, opened()?)?;
        let mut columns = builder.schema().fields().iter();
        if columns.all(|column| self.schema.fields().find(column.name()).is_some()) {
            checksum::check(&place, &file.path, opened()?)?;
        }
        self.decoder(&place, builder)
    }

    fn decoder<T: ChunkReader + 'static>(
        &self,
        place: &Location,
        builder: ParquetRecordBatchReaderBuilder<T>,
    ) -> Result<ParquetRecordBatchReader> {
        let mask = projection(&builder, &self.schema);
        let builder = builder.with_projection(mask).with_batch_size(BATCH_ROWS);
        guarded(place, || builder.build())
    }

    /// The error for a file that is not there: let go since newer versions do without it, or lost.
    fn missing(&self, file: &ScanFile) -> Error {
        let latest = DeltaTable::open(self.location.clone()).and_then(|table| table.snapshot());
        let latest = latest.and_then(|latest| {
            let is_held = latest.holds_any(&[file.path.clone()].into())?;
            Ok((latest.version(), is_held))
        });
        match latest {
            Ok((latest, false)) => Error::NotFound {
                what: "data file",
                name: file.path.clone(),
                hint: format!(
                    "version {} of the table was cleaned up since newer ones do without this \
                     file; open the run again to read version {latest}",
                    self.version
                ),
                place: self.location.url(),
            },
            _ => decode::damaged(&self.location.join(&file.path), "it is missing".into()),
        }
    }

    fn next_batch(&self, open: &mut OpenFile) -> Option<Result<RecordBatch>> {
        let place = self.location.join(&open.file.path);
        let next = guarded(&place, || open.reader.next().transpose()).transpose()?;
        let conformed = next.and_then(|batch| conform(&batch, &self.schema, &self.location.url()));
        if let Ok(batch) = &conformed {
            open.rows += batch.num_rows() as u64;
        }
        Some(conformed)
    }

    /// The error, unless it is damage that is to be passed over.
    fn pass_over(&self, error: Error, file: &ScanFile, read: u64) -> Option<Error> {
        use crate::ErrorKind::{Corrupt, NotFound};
        match &self.pass_over {
            Some(tell) if matches!(error.kind(), Corrupt | NotFound) => {
                let rows = file.stats.as_ref().map(|stats| stats.num_records);
                tell(Damaged {
                    file: self.location.join(&file.path).url(),
                    rows: rows.map(|rows| rows.saturating_sub(read)),
                    error,
                });
                None
            }
            _ => Some(error),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => {
                    let file = self.files.next()?;
                    match self.reader(&file) {
                        Ok(reader) => OpenFile {
                            file,
                            reader,
                            rows: 0,
                        },
                        Err(error) => match self.pass_over(error, &file, 0) {
                            Some(error) => return Some(Err(error)),
                            None => continue,
                        },
                    }
                }
            };
            match self.next_batch(&mut open) {
                None => {}
                Some(Ok(batch)) => {
                    self.open = Some(open);
                    return Some(Ok(batch));
                }
                Some(Err(error)) => {
                    if let Some(error) = self.pass_over(error, &open.file, open.rows) {
                        return Some(Err(error));
                    }
                }
            }
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
