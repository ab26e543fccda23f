//! What `emberlens reduce` gives: the file of coordinates and the report.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use emberlens::reduce::Projection;
use emberlens::table::export::{Existing, Format, to_file, whole_file};
use emberlens::{Error, Result};
use ndarray::{ArrayView2, Axis, Slice};
use serde_json::json;

use crate::npy;
use crate::print::{Report, Table, clean};

/// Rows of one batch where the input had none.
const BATCH_ROWS: usize = 1 << 16;

/// The formats of OUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutFormat {
    Npy,
    Parquet,
}

impl OutFormat {
    /// The format that a file name asks for.
    ///
    /// # Errors
    /// `Invalid` for any other ending.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.to_ascii_lowercase().as_str() {
            "npy" => Ok(Self::Npy),
            "parquet" => Ok(Self::Parquet),
            _ => Err(Error::invalid(
                "file",
                path.display(),
                "its ending names no known format",
                "end it in .npy or .parquet",
            )),
        }
    }
}

/// Writes the coordinates, beside the keys of their rows where the format has columns.
pub fn write(
    path: &Path,
    format: OutFormat,
    keys: &[RecordBatch],
    coordinates: ArrayView2<'_, f32>,
    existing: Existing,
) -> Result<()> {
    match format {
        OutFormat::Npy => whole_file(path, existing, |file| npy::write(file, coordinates)),
        OutFormat::Parquet => {
            let schema = schema(keys.first().map(|keys| keys.schema()), coordinates.ncols());
            let batches = batches(&schema, keys, coordinates);
            to_file(path, Format::Parquet, &schema, batches, existing).map(drop)
        }
    }
}

/// The names of the axes: `x`, `y`, `z`, or `x0`, `x1`, ... beyond three, as runs name them.
pub fn axes(dims: usize) -> Vec<String> {
    match dims {
        ..=3 => ["x", "y", "z"][..dims]
            .iter()
            .map(|&axis| axis.to_owned())
            .collect(),
        _ => (0..dims).map(|axis| format!("x{axis}")).collect(),
    }
}

/// The schema of the coordinates: keys, then the axes.
pub fn schema(keys: Option<SchemaRef>, dims: usize) -> SchemaRef {
    let keys = keys
        .into_iter()
        .flat_map(|keys| keys.fields().iter().cloned().collect::<Vec<_>>());
    let axes = axes(dims).into_iter();
    let axes = axes.map(|axis| Arc::new(Field::new(axis, DataType::Float32, true)));
    Arc::new(Schema::new(keys.chain(axes).collect::<Vec<_>>()))
}

/// Keys and coordinates side by side; a row without a place has null coordinates.
pub fn with_coordinates(
    schema: &SchemaRef,
    keys: &[ArrayRef],
    coordinates: ArrayView2<'_, f32>,
) -> Result<RecordBatch, ArrowError> {
    let axes = coordinates.columns().into_iter();
    let axes = axes.map(|axis| {
        let places = axis.iter().map(|value| value.is_finite().then_some(*value));
        Arc::new(places.collect::<Float32Array>()) as ArrayRef
    });
    RecordBatch::try_new(schema.clone(), keys.iter().cloned().chain(axes).collect())
}

fn batches<'a>(
    schema: &'a SchemaRef,
    keys: &'a [RecordBatch],
    coordinates: ArrayView2<'a, f32>,
) -> impl Iterator<Item = Result<RecordBatch>> + 'a {
    let rows = coordinates.nrows();
    let pieces: Vec<(usize, &[ArrayRef])> = match keys {
        [] => (0..rows)
            .step_by(BATCH_ROWS)
            .map(|from| (BATCH_ROWS.min(rows - from), &[][..]))
            .collect(),
        keys => keys
            .iter()
            .map(|keys| (keys.num_rows(), keys.columns()))
            .collect(),
    };
    let mut from = 0;
    pieces.into_iter().map(move |(count, keys)| {
        let piece = coordinates.slice_axis(Axis(0), Slice::from(from..from + count));
        from += count;
        with_coordinates(schema, keys, piece).map_err(|error| {
            Error::storage("joining coordinates to their rows", "the output", error)
        })
    })
}

/// What was done.
pub struct Outcome {
    input: String,
    kind: &'static str,
    /// Rows that were placed, and values in each.
    pub shape: (usize, usize),
    method: &'static str,
    dims: usize,
    pub fitted_rows: Option<usize>,
    explained: Option<Vec<f64>>,
    /// Name and address of the run's table of coordinates.
    pub table: Option<(String, String)>,
    pub output: Option<PathBuf>,
    pub model: Option<PathBuf>,
    pub quality: Vec<(&'static str, f64)>,
    /// Neighbours that the measures look at.
    pub quality_neighbors: usize,
    /// What took how long.
    pub seconds: Vec<(&'static str, f64)>,
    pub notes: Vec<String>,
}

impl Outcome {
    pub fn new(input: &str, kind: &'static str, shape: (usize, usize)) -> Self {
        Self {
            input: input.to_owned(),
            kind,
            shape,
            method: "",
            dims: 0,
            fitted_rows: None,
            explained: None,
            table: None,
            output: None,
            model: None,
            quality: Vec::new(),
            quality_neighbors: 0,
            seconds: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Notes by what the rows were placed.
    pub fn projection(&mut self, by: &dyn Projection) {
        self.method = by.method();
        self.dims = by.dims();
        self.explained = by.explained_variance_ratio().map(<[f64]>::to_vec);
    }

    pub fn report(self) -> Report {
        let total: f64 = self.seconds.iter().map(|(_, seconds)| seconds).sum();
        let mut text = format!(
            "{} rows of {} by {} to {} coordinates in {total:.2} s\n",
            self.shape.0, self.shape.1, self.method, self.dims
        );
        if let Some((name, url)) = &self.table {
            text.push_str(&format!("  projection: {}  {}\n", clean(name), clean(url)));
        }
        for (what, path) in [("coordinates", &self.output), ("model", &self.model)] {
            if let Some(path) = path {
                text.push_str(&format!("  {what}: {}\n", clean(&path.to_string_lossy())));
            }
        }
        if let Some(shares) = &self.explained {
            let shares: Vec<String> = shares.iter().map(|share| format!("{share:.4}")).collect();
            text.push_str(&format!("  variance explained: {}\n", shares.join(", ")));
        }
        if !self.quality.is_empty() {
            let mut table = Table::plain(2);
            for (name, value) in &self.quality {
                table.push(vec![name.replace('_', " "), format!("{value:.4}")]);
            }
            let count = self.quality_neighbors;
            text.push_str(&format!(
                "  quality, of {count} neighbours; 1 is perfect:\n"
            ));
            text.push_str(&table.render(4));
        }
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        let measures = |pairs: &[(&'static str, f64)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)));
            serde_json::Value::Object(pairs.collect())
        };
        let json = json!({
            "input": self.input,
            "kind": self.kind,
            "rows": self.shape.0,
            "width": self.shape.1,
            "method": self.method,
            "dims": self.dims,
            "fitted_rows": self.fitted_rows,
            "explained_variance_ratio": self.explained,
            "projection": self.table.as_ref().map(|(name, _)| name),
            "projection_url": self.table.as_ref().map(|(_, url)| url),
            "output": path(&self.output),
            "model": path(&self.model),
            "quality": (!self.quality.is_empty()).then(|| measures(&self.quality)),
            "quality_neighbors": (!self.quality.is_empty()).then_some(self.quality_neighbors),
            "seconds": measures(&self.seconds),
        });
        Report {
            text,
            json,
            notes: self.notes,
            failure: None,
        }
    }
}
