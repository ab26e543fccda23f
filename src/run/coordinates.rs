//! Reading the coordinates that a reduction gave.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use ndarray::Array2;

use super::passes::{KEYS, POSITION};
use super::projection_info::INSTANCE;
use super::skipped::Skips;
use super::{ProjectionInfo, RunReader};
use crate::storage::Location;
use crate::table::{ColumnValue, DeltaTable, Snapshot, column_names, values};
use crate::{Error, Result};

/// Which rows and columns of a table of coordinates to read; made by [`RunReader::projection`].
///
/// Rows are those of the version that the run's record names, in the order of the metrics they
/// belong to; without a filter all splits and epochs. A row whose embedding was not finite has
/// null coordinates.
#[derive(Clone, Debug)]
pub struct Coordinates<'a> {
    reader: &'a RunReader,
    name: String,
    split: Option<String>,
    epoch: Option<Option<i64>>,
    columns: Option<Vec<String>>,
}

impl RunReader {
    /// The run's reductions in the order they were last made.
    pub fn projections(&self) -> &[ProjectionInfo] {
        &self.state.projections
    }

    /// The coordinates of a reduction, by its name (`embedding-pacmap`).
    ///
    /// ```
    /// use emberlens::embedding::FitOn;
    /// use emberlens::reduce::Pca;
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::{Column, Columns};
    /// use ndarray::arr2;
    ///
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// let columns = Columns::new()
    ///     .with("example_id", vec![0_i64, 1])
    ///     .with("embedding", Column::embedding(arr2(&[[0.0_f32, 0.0], [3.0, 4.0]]).view()));
    /// run.add_metrics("default", columns, None, Some(Position::new("train").epoch(0)))?;
    /// run.reduce_embeddings("embedding", &Pca::params().dims(1), FitOn::Latest)?;
    ///
    /// let reader = run.reader()?;
    /// assert_eq!(reader.projections()[0].name, "embedding-pca");
    /// let x: Vec<f32> = reader.projection("embedding-pca").split("train").epoch(0).values("x")?;
    /// assert_eq!(x, [-2.5, 2.5]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn projection(&self, name: &str) -> Coordinates<'_> {
        Coordinates {
            reader: self,
            name: name.to_owned(),
            split: None,
            epoch: None,
            columns: None,
        }
    }
}

impl<'a> Coordinates<'a> {
    /// Only rows of this split.
    pub fn split(mut self, split: &str) -> Self {
        self.split = Some(split.to_owned());
        self
    }

    /// Only rows of this epoch (0-based, or `None` for passes without one).
    pub fn epoch(mut self, epoch: impl Into<Option<i64>>) -> Self {
        self.epoch = Some(epoch.into());
        self
    }

    /// Only these columns, in this order.
    pub fn columns(mut self, columns: &[&str]) -> Self {
        self.columns = Some(columns.iter().map(|&column| column.to_owned()).collect());
        self
    }

    /// What the run says about the reduction.
    ///
    /// # Errors
    /// `NotFound` for a name that the run does not have; the text lists those it has.
    pub fn info(&self) -> Result<&'a ProjectionInfo> {
        let known = self.reader.projections();
        known
            .iter()
            .find(|info| info.name == self.name)
            .ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(|info| info.name.as_str()).collect();
                Error::NotFound {
                    what: "projection",
                    name: self.name.clone(),
                    hint: match names.is_empty() {
                        true => "the run's embeddings were not reduced yet".to_owned(),
                        false => format!("the run has: {}", names.join(", ")),
                    },
                    place: self.reader.url(),
                }
            })
    }

    /// The folder of the table.
    pub fn location(&self) -> Location {
        location(self.reader.location(), &self.name)
    }

    /// Reads everything into one batch.
    ///
    /// # Errors
    /// See [`Coordinates::batches`].
    pub fn read(&self) -> Result<RecordBatch> {
        let (snapshot, schema) = self.open()?;
        let batches = self.select(&snapshot, &schema)?;
        let batches = batches.collect::<Result<Vec<_>>>()?;
        concat_batches(&schema, &batches)
            .map_err(|error| Error::storage("join batches", self.location().url(), error))
    }

    /// Reads one column as Rust values; coordinates that may be null as `Option<f32>`.
    ///
    /// # Errors
    /// See [`Coordinates::batches`]; `Schema` for another type, `Value` for a null where `T` is no
    /// `Option`.
    pub fn values<T: ColumnValue>(&self, column: &str) -> Result<Vec<T>> {
        let mut all = Vec::new();
        for batch in self.clone().columns(&[column]).batches()? {
            all.extend(values::<T>(&batch?, column)?);
        }
        Ok(all)
    }

    /// Reads the coordinates as a matrix; NaN where they are null.
    ///
    /// # Shapes and units
    /// `[rows, dims]`, in the units of the method.
    ///
    /// # Errors
    /// See [`Coordinates::batches`].
    pub fn matrix(&self) -> Result<Array2<f32>> {
        let axes = self.info()?.axes();
        let names: Vec<&str> = axes.iter().map(String::as_str).collect();
        let batch = self.clone().columns(&names).read()?;
        let mut matrix = Array2::from_elem((batch.num_rows(), axes.len()), f32::NAN);
        for (axis, mut column) in axes.iter().zip(matrix.columns_mut()) {
            let read = values::<Option<f32>>(&batch, axis)?;
            for (place, value) in column.iter_mut().zip(read) {
                *place = value.unwrap_or(f32::NAN);
            }
        }
        Ok(matrix)
    }

    /// Reads batch by batch: `example_id`, `split`, `epoch`, `pass_id`, `instance` where samples
    /// have several, and the axes.
    ///
    /// # Memory
    /// One batch at a time.
    ///
    /// # Errors
    /// `NotFound` for a name that the run does not have; `MissingColumn`; `Corrupt` when the table
    /// does not hold the rows that the record counts.
    pub fn batches(&self) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        let (snapshot, schema) = self.open()?;
        self.select(&snapshot, &schema)
    }

    fn select(
        &self,
        snapshot: &Snapshot,
        schema: &SchemaRef,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        let [split_name, epoch_name, _] = POSITION;
        let mut wanted: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        for filtered in [split_name, epoch_name] {
            if !wanted.contains(&filtered) {
                wanted.push(filtered);
            }
        }
        let pass_over = self.reader.skips.as_ref().map(Skips::of_files);
        let batches = snapshot.batches_of(Some(&wanted), None, pass_over)?;
        let place = self.location().url();
        let (schema, split, epoch) = (schema.clone(), self.split.clone(), self.epoch);
        Ok(batches.filter_map(move |batch| {
            let kept = batch.and_then(|batch| {
                select(&batch, &schema, split.as_deref(), epoch)
                    .map_err(|error| Error::storage("select rows", place.clone(), error))
            });
            match kept {
                Ok(batch) if batch.num_rows() == 0 => None,
                other => Some(other),
            }
        }))
    }

    /// The version of the record and the schema of what was asked for.
    fn open(&self) -> Result<(Snapshot, SchemaRef)> {
        let info = self.info()?;
        let table = DeltaTable::open(self.location())?;
        let snapshot = match &self.reader.skips {
            Some(skips) => skips.version(&table, info.version),
            None => table.snapshot().and_then(|latest| match latest.version() {
                version if version == info.version => Ok(latest),
                _ => table.snapshot_at(info.version),
            }),
        };
        // The run says that there is one.
        let snapshot = snapshot.map_err(|error| match error {
            Error::NotFound { place, .. } => Error::Corrupt {
                what: "table of coordinates",
                reason: format!(
                    "its log has no version {}, which the run names",
                    info.version
                ),
                path: place,
            },
            error => error,
        })?;
        let (found, expected) = (snapshot.row_count()?, info.rows + info.rows_not_finite);
        if found != expected {
            return Err(Error::Corrupt {
                what: "table of coordinates",
                reason: format!(
                    "version {} holds {found} rows where the run says {expected}",
                    info.version
                ),
                path: self.location().url(),
            });
        }
        let mut fields = Vec::new();
        for name in self.wanted(info) {
            let field = snapshot.schema().field_with_name(&name);
            fields.push(field.cloned().map_err(|_| Error::MissingColumn {
                column: name.clone(),
                place: format!("projection `{}`", self.name),
                available: column_names(snapshot.schema()),
            })?);
        }
        Ok((snapshot, Arc::new(Schema::new(fields))))
    }

    /// The columns asked for; columns of earlier versions of the table are not among the default.
    fn wanted(&self, info: &ProjectionInfo) -> Vec<String> {
        if let Some(columns) = &self.columns {
            return columns.clone();
        }
        let mut wanted: Vec<String> = KEYS.map(str::to_owned).into();
        if info.instances {
            wanted.push(INSTANCE.to_owned());
        }
        wanted.extend(info.axes());
        wanted
    }
}

/// The folder of a table of coordinates.
pub(crate) fn location(run: &Location, name: &str) -> Location {
    run.join("projections").join(name)
}

/// The rows of a split and epoch, with the columns of `schema`.
fn select(
    batch: &RecordBatch,
    schema: &SchemaRef,
    split: Option<&str>,
    epoch: Option<Option<i64>>,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let [split_name, epoch_name, _] = POSITION;
    let mut keep = vec![true; batch.num_rows()];
    let strings = batch.column_by_name(split_name);
    if let (Some(split), Some(found)) = (split, strings.and_then(|c| c.as_string_opt::<i32>())) {
        for (keep, found) in keep.iter_mut().zip(found) {
            *keep &= found.unwrap_or_default() == split;
        }
    }
    let numbers = batch.column_by_name(epoch_name);
    let numbers = numbers.and_then(|column| column.as_primitive_opt::<Int64Type>());
    if let (Some(epoch), Some(found)) = (epoch, numbers) {
        for (keep, found) in keep.iter_mut().zip(found) {
            *keep &= found == epoch;
        }
    }
    let kept = filter_record_batch(batch, &BooleanArray::from(keep))?;
    let columns = schema.fields().iter().map(|field| {
        let column = kept.column_by_name(field.name()).cloned();
        column.ok_or_else(|| arrow_schema::ArrowError::SchemaError(field.name().clone()))
    });
    let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
    RecordBatch::try_new_with_options(
        schema.clone(),
        columns.collect::<Result<Vec<_>, _>>()?,
        &options,
    )
}
