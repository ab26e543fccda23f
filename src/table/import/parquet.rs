//! Tables from Parquet files.

use std::fs::File;
use std::path::{Path, PathBuf};

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use arrow_schema::Schema;

use super::{Batches, Source, import, malformed, unreadable};
use crate::storage::Location;
use crate::table::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use crate::table::{Role, Table};
use crate::{Error, Result};

/// How to read a Parquet file.
///
/// ```
/// use emberlens::table::{Role, import::ParquetOptions};
/// let options = ParquetOptions::new().role("label", Role::category(["cat", "dog"]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ParquetOptions {
    roles: Vec<(String, Role)>,
}

impl ParquetOptions {
    /// No roles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a column's role. A [`Role::Category`] on a column of strings turns them into class
    /// indices: into the names given, or into the file's own names, sorted, when none are.
    pub fn role(mut self, column: impl Into<String>, role: Role) -> Self {
        self.roles.push((column.into(), role));
        self
    }
}

/// Creates a table from a Parquet file; see [`parquet_with`].
pub fn parquet(folder: &Location, name: &str, path: &Path) -> Result<Table> {
    parquet_with(folder, name, path, &ParquetOptions::new())
}

/// Creates a table from a Parquet file, uncompressed or compressed with Snappy or Zstandard.
///
/// Types that tables do not have are converted where no value is lost: unsigned to wider signed
/// integers (`u64` where all values fit), dictionaries to their values, large and view strings,
/// fixed-size bytes and lists, `f16`; timestamps become microseconds in UTC (times without a zone
/// are taken as UTC). A fixed-size list of f32 gets the role of an embedding. Roles that another
/// table wrote into the file are kept, with what its data set said of the classes (ids, supercategories).
/// The file is taken whole or not at all: a damaged page leaves no rows to skip. Column names lose only what tables refuse
/// (`sepal length (cm)` becomes `sepal_length_cm`).
///
/// # Shapes and units
/// Row k of the table is row k of the file.
///
/// # Memory
/// One chunk of at most 8,192 rows, fewer where rows are large, and the pages that it needs.
///
/// # Errors
/// `Invalid` for a column of another type (decimals, maps, times of day, ...) with its name, a value
/// that the conversion would change with its row, or a file that is no Parquet; `NotFound` for a
/// missing file; `AlreadyExists` for a table of that name. After an error there is no table.
pub fn parquet_with(
    folder: &Location,
    name: &str,
    path: &Path,
    options: &ParquetOptions,
) -> Result<Table> {
    import(folder, name, &ParquetFile::open(path)?, &options.roles)
}

struct ParquetFile {
    path: PathBuf,
    file: File,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| unreadable("open", path, error))?;
        let metadata = ArrowReaderMetadata::load(&file, Default::default())
            .map_err(|error| parquet_error(path, "the footer", error))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            metadata,
        })
    }

    /// Rows that fill a chunk, from the largest rows that the footer tells of.
    fn batch_rows(&self) -> usize {
        let row_bytes = self.metadata.metadata().row_groups().iter().map(|group| {
            let bytes = usize::try_from(group.total_byte_size()).unwrap_or(0);
            bytes.div_ceil(usize::try_from(group.num_rows()).unwrap_or(1).max(1))
        });
        (CHUNK_BYTES / row_bytes.max().unwrap_or(1).max(1)).clamp(1, CHUNK_ROWS)
    }
}

impl Source for ParquetFile {
    fn schema(&self) -> &Schema {
        self.metadata.schema()
    }

    fn batches(&self, only: Option<usize>) -> Result<Batches<'_>> {
        let file = self
            .file
            .try_clone()
            .map_err(|error| unreadable("open", &self.path, error))?;
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
                .with_batch_size(self.batch_rows());
        if let Some(index) = only {
            let mask = ProjectionMask::roots(builder.parquet_schema(), [index]);
            builder = builder.with_projection(mask);
        }
        let batches = builder
            .build()
            .map_err(|error| parquet_error(&self.path, "the first row group", error))?;
        let mut row = 0;
        Ok(Box::new(batches.map(move |batch| {
            let batch = batch.map_err(|error| {
                parquet_error(&self.path, &format!("row {row} or a later one"), error)
            })?;
            row += batch.num_rows();
            Ok(batch)
        })))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

fn parquet_error(path: &Path, position: &str, error: impl ToString) -> Error {
    let hint = "write the file anew, uncompressed or with Snappy or Zstandard";
    malformed(
        path,
        format!("no readable Parquet ({})", error.to_string()),
        position,
        hint,
    )
}
