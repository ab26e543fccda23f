//! Encoding batches into Parquet files of bounded size, ready to be committed.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow_array::{ArrayRef, RecordBatch, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::bounds::{FileStats, StatsRecord};
use super::column_names;
use super::fields::same_type;
use super::select::EXAMPLE_ID;
use crate::storage::Location;
use crate::{Error, Result};

/// A row group is closed at this size, which bounds what a reader decodes at once.
const ROW_GROUP_BYTES: usize = 16 << 20;
/// A file is closed at this size, which bounds the writer's memory.
const FILE_BYTES: usize = 32 << 20;
/// Rows between two looks at the sizes.
const CHECK_ROWS: usize = 8192;
/// Sizes beyond this, as others claim them, are no sizes.
const MAX_CLAIMED: u64 = 1 << 48;
/// Bytes in memory between two looks at the sizes, for rows that are large.
const CHECK_BYTES: usize = 4 << 20;

/// A Parquet file that is in the table's folder but in no commit yet.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    /// Name in the table's folder.
    pub(crate) name: String,
    pub(crate) size_bytes: u64,
    pub(crate) modified_ms: i64,
    stats: FileStats,
}

impl DataFile {
    pub(crate) fn rows(&self) -> u64 {
        self.stats.rows()
    }

    /// What others need to know of it to commit it.
    pub(super) fn record(&self) -> FileRecord {
        FileRecord {
            name: self.name.clone(),
            size_bytes: self.size_bytes,
            modified_ms: self.modified_ms,
            stats: self.stats.record(),
        }
    }

    /// The file of a record, in a table of that schema; `None` when it does not fit.
    pub(super) fn of_record(record: FileRecord, schema: &Schema) -> Option<Self> {
        let name = record
            .name
            .strip_prefix("part-")?
            .strip_suffix(".parquet")?;
        let is_ours = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (is_ours && record.size_bytes <= MAX_CLAIMED).then_some(())?;
        Some(Self {
            stats: FileStats::of_record(record.stats, schema)?,
            name: record.name,
            size_bytes: record.size_bytes,
            modified_ms: record.modified_ms,
        })
    }

    pub(super) fn stats(&self) -> Result<StructArray, ArrowError> {
        self.stats.to_struct()
    }

    /// The columns that have minima and maxima.
    pub(super) fn bounded(&self) -> HashSet<String> {
        self.stats.bounded()
    }

    /// The file described with minima and maxima of these columns only.
    pub(super) fn with_bounds_of(&self, columns: &HashSet<String>) -> Self {
        Self {
            stats: self.stats.with_bounds_of(columns),
            ..self.clone()
        }
    }
}

/// A [`DataFile`] as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FileRecord {
    name: String,
    size_bytes: u64,
    modified_ms: i64,
    stats: StatsRecord,
}

/// Streams batches of one schema into data files.
///
/// Memory is bounded by one file of encoded data ([`FILE_BYTES`]) and one row group in the making.
pub(crate) struct FileWriter {
    folder: Location,
    schema: SchemaRef,
    naming: Naming,
    open: Option<OpenFile>,
    files: Vec<DataFile>,
}

/// How files are named, which is how the rows of a table are ordered.
enum Naming {
    /// Files one after the other.
    Numbered {
        /// Sorts the files of a table by name: all files of one writer share it.
        order: u64,
        /// Number of the next file of this writer.
        index: u32,
    },
    /// One file, however large, where another one was.
    InPlaceOf(String),
}

struct OpenFile {
    parquet: ArrowWriter<Vec<u8>>,
    stats: FileStats,
    unchecked_rows: usize,
    unchecked_bytes: usize,
}

impl FileWriter {
    /// A writer whose files snapshots read after those of a smaller `order`.
    pub(crate) fn starting_at(folder: Location, schema: SchemaRef, order: u64) -> Self {
        let naming = Naming::Numbered { order, index: 0 };
        Self::new(folder, schema, naming)
    }

    /// A writer of one file that snapshots read where they read the file of that name, which leaves
    /// the table with the commit.
    pub(super) fn in_place_of(folder: Location, schema: SchemaRef, name: &str) -> Self {
        let naming = Naming::InPlaceOf(place_of(name).to_owned());
        Self::new(folder, schema, naming)
    }

    fn new(folder: Location, schema: SchemaRef, naming: Naming) -> Self {
        Self {
            folder,
            schema,
            naming,
            open: None,
            files: Vec::new(),
        }
    }

    /// Whether the file under way has at least so many encoded bytes; what is not encoded yet is
    /// encoded where it may decide.
    pub(super) fn has_bytes(&mut self, bytes: usize) -> Result<bool> {
        let Some(open) = &mut self.open else {
            return Ok(false);
        };
        if open.parquet.bytes_written() + open.parquet.in_progress_size() >= bytes {
            open.parquet
                .flush()
                .map_err(|error| Error::storage("encode rows", self.folder.url(), error))?;
        }
        Ok(open.parquet.bytes_written() >= bytes)
    }

    /// Encodes a batch; puts a full file into the store.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conform(batch, &self.schema, &self.folder.url())?;
        if self.open.is_none() {
            self.open = Some(self.open_file()?);
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.stats.update(&batch);
        open.parquet
            .write(&batch)
            .map_err(|error| Error::storage("encode rows", self.folder.url(), error))?;
        open.unchecked_rows += batch.num_rows();
        open.unchecked_bytes += batch.get_array_memory_size();
        if open.unchecked_rows < CHECK_ROWS && open.unchecked_bytes < CHECK_BYTES {
            return Ok(());
        }
        (open.unchecked_rows, open.unchecked_bytes) = (0, 0);
        if open.parquet.in_progress_size() >= ROW_GROUP_BYTES {
            open.parquet
                .flush()
                .map_err(|error| Error::storage("encode rows", self.folder.url(), error))?;
        }
        let is_numbered = matches!(self.naming, Naming::Numbered { .. });
        if is_numbered
            && open.parquet.bytes_written() + open.parquet.in_progress_size() >= FILE_BYTES
        {
            self.close_file()?;
        }
        Ok(())
    }

    /// Puts what is left into the store and returns all files since the last call.
    pub(crate) fn finish(&mut self) -> Result<Vec<DataFile>> {
        self.close_file()?;
        Ok(std::mem::take(&mut self.files))
    }

    /// Deletes what was put into the store: these files will be in no commit.
    pub(crate) fn abandon(self) {
        for file in &self.files {
            // Readers never see the file, so a failure costs room and nothing else.
            if let Err(error) = self.folder.join(&file.name).delete() {
                tracing::warn!(file = file.name, %error, "an unused data file stays behind");
            }
        }
    }

    fn open_file(&self) -> Result<OpenFile> {
        let parquet = ArrowWriter::try_new(
            Vec::new(),
            self.schema.clone(),
            Some(properties(&self.schema)),
        )
        .map_err(|error| Error::storage("start a data file", self.folder.url(), error))?;
        Ok(OpenFile {
            parquet,
            stats: FileStats::new(&self.schema),
            unchecked_rows: 0,
            unchecked_bytes: 0,
        })
    }

    fn close_file(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let bytes = open
            .parquet
            .into_inner()
            .map_err(|error| Error::storage("finish a data file", self.folder.url(), error))?;
        // With the checksum in its name a file can be told from a damaged one wherever it is.
        let start = match &self.naming {
            Naming::Numbered { order, index } => format!("part-{order:020}-{index:05}"),
            Naming::InPlaceOf(place) => place.clone(),
        };
        let unique = Ulid::new().to_string().to_lowercase();
        let name = format!("{start}-{unique}-{:08x}.parquet", crc32fast::hash(&bytes));
        let size_bytes = bytes.len() as u64;
        if !self.folder.join(&name).create(bytes)? {
            return Err(Error::storage(
                "write a data file",
                self.folder.url(),
                "its name is taken",
            ));
        }
        if let Naming::Numbered { index, .. } = &mut self.naming {
            *index += 1;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.files.push(DataFile {
            name,
            size_bytes,
            modified_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
            stats: open.stats,
        });
        Ok(())
    }
}

/// What of a file's name says where its rows come among others: `part`, order, number, and the ULID
/// that no two files share which are in a table at once.
fn place_of(name: &str) -> &str {
    let stem = name.strip_suffix(".parquet").unwrap_or(name);
    let is_ours = stem.starts_with("part-");
    match stem.match_indices('-').map(|(at, _)| at).nth(3) {
        Some(end) if is_ours => &stem[..end],
        _ => stem,
    }
}

/// Floats and ids hardly repeat: a dictionary would be built, found useless and thrown away.
fn properties(schema: &Schema) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("emberlens ", env!("CARGO_PKG_VERSION")).into());
    for field in schema.fields() {
        let name = field.name();
        match field.data_type() {
            DataType::Float32 | DataType::Float64 => {
                builder =
                    builder.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), false);
            }
            DataType::List(_) => {
                let values = ColumnPath::new(vec![name.clone(), "list".into(), "element".into()]);
                builder = builder
                    .set_column_dictionary_enabled(values.clone(), false)
                    // Bounds over all components of all vectors help no reader.
                    .set_column_statistics_enabled(values.clone(), EnabledStatistics::None)
                    .set_column_compression(values, Compression::UNCOMPRESSED);
            }
            DataType::Int64 if name == EXAMPLE_ID => {
                builder =
                    builder.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), false);
            }
            _ => {}
        }
    }
    builder.build()
}

/// The batch with exactly the columns of `schema`, in its order; missing ones are null.
pub(super) fn conform(batch: &RecordBatch, schema: &SchemaRef, place: &str) -> Result<RecordBatch> {
    if Arc::ptr_eq(&batch.schema(), schema) {
        return Ok(batch.clone());
    }
    let known = batch.schema();
    if let Some(extra) = known
        .fields()
        .iter()
        .find(|field| schema.field_with_name(field.name()).is_err())
    {
        return Err(Error::MissingColumn {
            column: extra.name().clone(),
            place: place.to_owned(),
            available: column_names(schema),
        });
    }
    let columns: Result<Vec<ArrayRef>> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
            Some(column) if same_type(column.data_type(), field.data_type()) => {
                arrow_cast::cast(column, field.data_type())
                    .map_err(|error| Error::storage("convert a column", place, error))
            }
            Some(column) => Err(Error::Schema {
                column: field.name().clone(),
                expected: field.data_type().to_string(),
                found: column.data_type().to_string(),
                place: place.to_owned(),
                hint: "convert it, or write to another stream".into(),
            }),
        })
        .collect();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns?, &options)
        .map_err(|error| Error::storage("arrange columns", place, error))
}
