//! `Run::reduce_embeddings`: coordinates of every pass in one coordinate system.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ndarray::{Array2, Axis};
use ulid::Ulid;

use super::source::{FitOn, Source};
use super::status::Reducing;
use crate::progress::{Progress, Silent};
use crate::reduce::{Projection, Reducer};
use crate::run::{PassRecord, Run, RunReader};
use crate::storage::{Location, names};
use crate::table::{DataFile, DeltaTable, FileWriter};
use crate::{Error, Result};

/// A reduction of one embedding column, to be configured; made by [`Run::reduction`].
///
/// ```
/// use emberlens::embedding::FitOn;
/// use emberlens::reduce::Pca;
/// use emberlens::run::{Position, Project};
/// use emberlens::table::{Column, Columns};
/// use ndarray::arr2;
///
/// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
/// let embeddings = arr2(&[[0.0_f32, 0.0, 1.0], [3.0, 4.0, 1.0]]);
/// let columns = Columns::new()
///     .with("example_id", vec![0_i64, 1])
///     .with("embedding", Column::embedding(embeddings.view()));
/// run.add_metrics("default", columns, None, Some(Position::new("train").epoch(0)))?;
///
/// let report = run.reduce_embeddings("embedding", &Pca::params().dims(2), FitOn::Latest)?;
/// assert_eq!(report.rows, 2);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Reduction<'a> {
    run: &'a Run,
    column: &'a str,
    stream: Option<&'a str>,
    fit_on: FitOn<'a>,
    progress: &'a dyn Progress,
}

/// What a reduction did.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct ReductionReport {
    /// The method, for example `pca`.
    pub method: String,
    /// The embedding column.
    pub column: String,
    /// The stream that holds it.
    pub stream: String,
    /// The pass that the projection was learnt from.
    pub fitted_on: PassRecord,
    /// Complete passes whose rows were placed.
    pub passes: usize,
    /// Rows placed.
    pub rows: u64,
    /// Rows of these passes that have no embedding, and so no coordinates.
    pub rows_without_embedding: u64,
    /// The share of the fitted rows' variance on each axis, where the method has it.
    pub explained_variance_ratio: Option<Vec<f64>>,
    /// The table of coordinates.
    pub projections_url: String,
    /// The fitted projection; [`load`](crate::reduce::load) reads it.
    pub model_url: String,
}

impl Run {
    /// Reduces an embedding column: fits on one pass and places all passes, splits and epochs.
    ///
    /// Writes the table `projections/<column>-<method>` (`example_id`, `split`, `epoch`, `pass_id`,
    /// then `x`, `y`, `z`, or `x0`, `x1`, ... beyond three coordinates) in one commit, so that
    /// readers see all of it or nothing, and the fitted projection
    /// `models/<column>-<method>-<ulid>.bin`. Both are recorded as outputs. Reducing again replaces
    /// the rows of the table; earlier ones stay readable as its earlier version. The run shows as
    /// `reducing` meanwhile and gets its status back afterwards. See [`Run::reduction`] for more
    /// options.
    ///
    /// # Shapes and units
    /// Coordinates are f32 in the units of the method.
    ///
    /// # Memory
    /// The embeddings of the pass that is fitted, and one batch of the others at a time.
    ///
    /// # Errors
    /// `MissingColumn` for a column that no stream has, `InvalidArgument` for one that several
    /// have, `NotFound` without a complete pass to fit on, `NonFinite` naming split, epoch and
    /// example, and those of [`Reducer::fit`]. After an error the run's metrics, and an earlier
    /// reduction, are as they were.
    pub fn reduce_embeddings(
        &self,
        column: &str,
        reducer: &impl Reducer,
        fit_on: FitOn<'_>,
    ) -> Result<ReductionReport> {
        self.reduction(column).fit_on(fit_on).reduce(reducer)
    }

    /// A reduction with more options than [`Run::reduce_embeddings`].
    pub fn reduction<'a>(&'a self, column: &'a str) -> Reduction<'a> {
        Reduction {
            run: self,
            column,
            stream: None,
            fit_on: FitOn::Latest,
            progress: &Silent,
        }
    }
}

impl<'a> Reduction<'a> {
    /// Names the stream, where several have the column.
    pub fn stream(mut self, stream: &'a str) -> Self {
        self.stream = Some(stream);
        self
    }

    /// Sets the pass that the projection is learnt from.
    pub fn fit_on(mut self, fit_on: FitOn<'a>) -> Self {
        self.fit_on = fit_on;
        self
    }

    /// Reports progress: one unit per row placed.
    pub fn progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Fits, places, writes and records; see [`Run::reduce_embeddings`].
    ///
    /// # Errors
    /// Those of [`Run::reduce_embeddings`].
    pub fn reduce(self, reducer: &impl Reducer) -> Result<ReductionReport> {
        let status = Reducing::begin(self.run)?;
        let report = self.work(reducer)?;
        status.end()?;
        Ok(report)
    }

    fn work(&self, reducer: &impl Reducer) -> Result<ReductionReport> {
        let reader = self.run.reader()?;
        let source = Source::find(&reader, self.column, self.stream)?;
        let fitted_on = source.choose(self.fit_on)?;
        let (projection, fitted) = {
            let embeddings = source.read(&fitted_on)?;
            reducer.fit_transform(embeddings.view())?
        };
        let name = format!("{}-{}", names::slug(self.column)?, projection.method());
        let output = format!("projections of {} by {}", self.column, projection.method());
        let folder = self.run.location().join("projections").join(&name);
        self.check_folder(&reader, &name, &output)?;

        let passes = source.passes();
        let total = passes.iter().map(|pass| pass.rows).sum();
        self.progress
            .start(&format!("reducing {}", self.column), total);
        let placed = place(
            &source,
            &projection,
            (&fitted_on, &fitted),
            &folder,
            self.progress,
        );
        self.progress.end();
        let placed = placed?;

        let id = Ulid::new().to_string().to_ascii_lowercase();
        let model = self
            .run
            .location()
            .join("models")
            .join(&format!("{name}-{id}.bin"));
        if !model.create(projection.to_bytes()?)? {
            return Err(Error::AlreadyExists {
                what: "model",
                name: model.name(),
                hint: "reduce again".into(),
                place: model.url(),
            });
        }
        publish(&folder, &placed.schema, placed.files, &id)?;
        self.run.add_output(&output, &folder.url())?;
        let model_output = format!("model of {} by {}", self.column, projection.method());
        self.run.add_output(&model_output, &model.url())?;
        Ok(ReductionReport {
            method: projection.method().to_owned(),
            column: self.column.to_owned(),
            stream: source.stream().to_owned(),
            fitted_on,
            passes: passes.len(),
            rows: placed.rows,
            rows_without_embedding: placed.without,
            explained_variance_ratio: projection.explained_variance_ratio().map(<[f64]>::to_vec),
            projections_url: folder.url(),
            model_url: model.url(),
        })
    }

    /// Refuses to replace the coordinates of another column whose name has the same slug.
    fn check_folder(&self, reader: &RunReader, name: &str, output: &str) -> Result<()> {
        let folder = format!("/projections/{name}");
        let taken = reader
            .outputs()
            .iter()
            .find(|known| known.url.ends_with(&folder) && known.name != output);
        match taken {
            None => Ok(()),
            Some(other) => Err(Error::invalid(
                "column",
                self.column,
                format!("its folder `{name}` holds the {}", other.name),
                "rename one of the columns",
            )),
        }
    }
}

/// The coordinates that were written, not yet committed.
struct Placed {
    schema: SchemaRef,
    files: Vec<DataFile>,
    rows: u64,
    without: u64,
}

/// Places all rows; those of the fitted pass get the coordinates that the fit gave them.
fn place(
    source: &Source<'_>,
    projection: &impl Projection,
    (fitted_on, fitted): (&PassRecord, &Array2<f32>),
    folder: &Location,
    progress: &dyn Progress,
) -> Result<Placed> {
    let mut writer: Option<(FileWriter, SchemaRef)> = None;
    let (mut rows, mut without, mut fitted_rows) = (0, 0, 0);
    for batch in source.all()? {
        let batch = batch?;
        let mut coordinates = projection.transform(batch.embeddings.view())?;
        let passes = crate::table::values::<Option<String>>(&batch.keys, "pass_id")?;
        for (mut row, pass) in coordinates.outer_iter_mut().zip(passes) {
            if pass.as_deref() == Some(fitted_on.pass_id.as_str()) && fitted_rows < fitted.nrows() {
                row.assign(&fitted.row(fitted_rows));
                fitted_rows += 1;
            }
        }
        rows += batch.keys.num_rows() as u64;
        without += batch.without;
        let (writer, schema) = writer.get_or_insert_with(|| {
            let schema = schema(&batch.keys, projection.dims());
            (
                FileWriter::starting_at(folder.clone(), schema.clone(), 0),
                schema,
            )
        });
        writer.write(&with_coordinates(&batch.keys, &coordinates, schema)?)?;
        progress.update(rows + without);
    }
    let (mut writer, schema) = writer.ok_or_else(|| {
        Error::invalid(
            "column",
            fitted_on.stream.clone(),
            "it has no rows",
            "collect a pass first",
        )
    })?;
    Ok(Placed {
        schema,
        files: writer.finish()?,
        rows,
        without,
    })
}

/// Makes the coordinates the content of the table, in one commit.
fn publish(folder: &Location, schema: &SchemaRef, files: Vec<DataFile>, id: &str) -> Result<()> {
    if DeltaTable::exists(folder)? {
        let table = DeltaTable::open(folder.clone())?;
        table.replace_all(id, &files, schema)?;
    } else {
        DeltaTable::create_with(folder.clone(), schema, files)?;
    }
    Ok(())
}

/// Keys, then the axes.
fn schema(keys: &RecordBatch, dims: usize) -> SchemaRef {
    let mut fields = keys.schema().fields().to_vec();
    let axis = |name: String| Arc::new(Field::new(name, DataType::Float32, true));
    match dims {
        ..=3 => fields.extend(
            ["x", "y", "z"][..dims]
                .iter()
                .map(|&name| axis(name.into())),
        ),
        _ => fields.extend((0..dims).map(|index| axis(format!("x{index}")))),
    }
    Arc::new(Schema::new(fields))
}

fn with_coordinates(
    keys: &RecordBatch,
    coordinates: &Array2<f32>,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let mut columns = keys.columns().to_vec();
    let axes = coordinates.axis_iter(Axis(1));
    columns.extend(
        axes.map(|axis| Arc::new(axis.iter().copied().collect::<Float32Array>()) as ArrayRef),
    );
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| Error::storage("join coordinates to their rows", "projections", error))
}
