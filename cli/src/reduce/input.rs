//! What `emberlens reduce` reads: what INPUT is, and its rows as a matrix.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use emberlens::run::RunReader;
use emberlens::storage::Location;
use emberlens::table::{DeltaTable, Snapshot};
use emberlens::{Error, ErrorKind, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;

use super::columns::{Gather, Rows, wanted};
use crate::find::Place;
use crate::npy;

/// How every Parquet file begins.
const PARQUET: &[u8] = b"PAR1";

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// What the user named.
pub enum Input {
    Npy(PathBuf),
    Parquet(PathBuf),
    Delta(Box<Snapshot>, String),
    Run(Box<RunReader>),
}

impl Input {
    /// A file that exists, else a Delta table, else a run.
    ///
    /// # Errors
    /// `Import` for a file of another kind; `Invalid` for a folder without a table and for what is
    /// no file; `NotFound` with the runs that exist.
    pub fn find(text: &str, place: &Place) -> Result<Self> {
        let path = Path::new(text);
        if path.is_file() {
            return by_content(path);
        }
        if path.exists() && !path.is_dir() {
            return Err(Error::invalid(
                "input",
                text,
                "it is a pipe, a socket or a device, and no file",
                "write it to a file first: a matrix is not read from start to end",
            ));
        }
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        if !path.is_dir() && ["npy", "parquet"].iter().any(|known| ending == *known) {
            return Err(Error::NotFound {
                what: "file",
                name: text.to_owned(),
                hint: "check the path".into(),
                place: std::env::current_dir()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into(),
            });
        }
        if path.is_dir() || text.contains("://") {
            let location = Location::open(text)?;
            if DeltaTable::exists(&location)? {
                let snapshot = DeltaTable::open(location)?.snapshot()?;
                return Ok(Self::Delta(Box::new(snapshot), text.to_owned()));
            }
        }
        match place.run(text) {
            Ok(reader) => Ok(Self::Run(Box::new(reader))),
            Err(error) if path.is_dir() && error.kind() == ErrorKind::NotFound => {
                Err(Error::invalid(
                    "input",
                    text,
                    "this folder is neither a Delta table nor a run",
                    "name a .npy or Parquet file in it, a Delta table, or a run",
                ))
            }
            Err(error) => Err(error),
        }
    }

    /// What it is, in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Npy(_) => "npy",
            Self::Parquet(_) => "parquet",
            Self::Delta(..) => "delta",
            Self::Run(_) => "run",
        }
    }
}

/// The rows of a `.npy` file.
pub fn npy_rows(path: &Path, go_on: &dyn Fn() -> Result<()>) -> Result<Rows> {
    let (matrix, lost) = npy::read(path, go_on)?;
    Ok(Rows {
        matrix,
        keys: Vec::new(),
        notes: lost.into_iter().collect(),
    })
}

/// The rows of a Parquet file.
///
/// # Memory
/// The matrix, the keys and one batch.
pub fn parquet_rows(
    path: &Path,
    columns: &[String],
    go_on: &dyn Fn() -> Result<()>,
) -> Result<Rows> {
    let place = path.to_string_lossy();
    let failed = |error: ParquetError| unreadable(path, &error);
    let builder = parquet_builder(path)?;
    let schema = builder.schema().clone();
    let wanted = wanted(&schema, columns, &place)?;
    let roots = wanted.iter().filter_map(|name| schema.index_of(name).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let rows = builder.metadata().file_metadata().num_rows();
    let mut gather = Gather::new(columns, &place, usize::try_from(rows).unwrap_or(0));
    let batches = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(failed)?;
    for batch in batches {
        go_on()?;
        gather.add(&batch.map_err(|error| failed(error.into()))?)?;
    }
    gather.finish()
}

/// Hands on one column of a Parquet file, batch by batch.
///
/// # Errors
/// `MissingColumn` for a column that the file does not have; those of `take`.
pub fn parquet_column(
    path: &Path,
    column: &str,
    mut take: impl FnMut(&ArrayRef) -> Result<()>,
) -> Result<()> {
    let place = path.to_string_lossy();
    let builder = parquet_builder(path)?;
    let schema = builder.schema().clone();
    let Ok(index) = schema.index_of(column) else {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        return Err(Error::MissingColumn {
            column: column.to_owned(),
            place: place.into(),
            available: names.collect::<Vec<_>>().join(", "),
        });
    };
    let mask = ProjectionMask::roots(builder.parquet_schema(), [index]);
    let batches = builder.with_projection(mask).build();
    for batch in batches.map_err(|error| unreadable(path, &error))? {
        take(
            batch
                .map_err(|error| unreadable(path, &error.into()))?
                .column(0),
        )?;
    }
    Ok(())
}

fn parquet_builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let opened = File::open(path);
    let file = opened.map_err(|e| Error::storage("reading", path.to_string_lossy(), e))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &ParquetError) -> Error {
    Error::Import {
        reason: format!("no readable Parquet ({error})"),
        position: "the footer or a row group".into(),
        hint: "write the file anew, uncompressed or with Snappy or Zstandard".into(),
        path: path.to_string_lossy().into_owned(),
    }
}

/// The rows of a Delta table, in the order they were written.
///
/// # Memory
/// The matrix, the keys and one batch.
pub fn delta_rows(
    snapshot: &Snapshot,
    place: &str,
    columns: &[String],
    go_on: &dyn Fn() -> Result<()>,
) -> Result<Rows> {
    let wanted = wanted(snapshot.schema(), columns, place)?;
    let rows = usize::try_from(snapshot.row_count()?).unwrap_or(0);
    let mut gather = Gather::new(columns, place, rows);
    for batch in snapshot.batches(Some(&wanted))? {
        go_on()?;
        gather.add(&batch?)?;
    }
    gather.finish()
}

/// The content says what a file is, whatever its name.
fn by_content(path: &Path) -> Result<Input> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(npy::MAGIC.len() as u64).read_to_end(&mut head))
        .map_err(|error| Error::storage("reading", path.to_string_lossy(), error))?;
    if head == npy::MAGIC {
        Ok(Input::Npy(path.to_owned()))
    } else if head.starts_with(PARQUET) {
        Ok(Input::Parquet(path.to_owned()))
    } else {
        Err(Error::Import {
            reason: "neither a .npy nor a Parquet file".into(),
            position: "the first bytes".into(),
            hint: "save the matrix with numpy.save, or the table as Parquet".into(),
            path: path.to_string_lossy().into_owned(),
        })
    }
}
