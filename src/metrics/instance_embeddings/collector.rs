//! The collector: one row for each instance, written after every batch.

use std::borrow::Cow;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Schema;
use arrow_select::concat::concat;
use ndarray::{Array2, Axis, Slice};

use super::EmbeddedInstances;
use crate::metrics::{MetricsCollector, PassCollector};
use crate::table::{Column, Columns, Role};
use crate::{Error, Result};

/// Collects an embedding of every instance (box, mask, word) of the images of a pass.
///
/// They go to a stream of their own, `instances` unless named otherwise, at the split and epoch of the
/// pass and joined to its table. [`FeatureMap`](super::FeatureMap) makes the vectors of boxes and masks
/// from a layer; vectors of a model that has them already are taken as they are, NaN too.
///
/// | column | type | |
/// |---|---|---|
/// | `example_id` | i64 | the image |
/// | `instance` | i64 | the place of the instance in its image, from 0 |
/// | `instance_embedding` | list of f32 | the vector |
///
/// and the columns of [`EmbeddedInstances::columns`]. Images without instances have no rows.
/// `run.reduction("instance_embedding").stream("instances")` gives every instance coordinates.
///
/// # Memory
/// One batch.
///
/// # Errors
/// `collect` returns errors of the closure, `Shape` for another number of images than the batch has, and
/// `Schema` for a vector of another width or other columns than before.
///
/// ```
/// use emberlens::collect::collect_metrics;
/// use emberlens::metrics::{BBox, EmbeddedInstances, FeatureMap, InstanceEmbeddings};
/// use emberlens::run::Project;
/// use emberlens::table::BoxFormat;
/// use ndarray::Array3;
///
/// let run = Project::open("memory://", "docs")?.run("detector").start()?;
/// let images = vec![vec![[0.0, 0.0, 16.0, 16.0], [8.0, 8.0, 16.0, 16.0]], vec![]];
/// let report = collect_metrics(&images)
///     .predictor(|batch: &Vec<Vec<[f64; 4]>>| Ok(vec![Array3::<f32>::ones((64, 4, 4)); batch.len()]))
///     .collector(InstanceEmbeddings::from_fn(|batch: &Vec<Vec<[f64; 4]>>, layer: &Vec<Array3<f32>>| {
///         let images = batch.iter().zip(layer).map(|(boxes, activations)| {
///             let boxes: Vec<BBox> = boxes.iter().map(|b| BBox::new(*b, BoxFormat::Xywh)).collect();
///             let map = FeatureMap::new(activations.view(), 32, 32)?;
///             Ok(EmbeddedInstances::new(map.pool_boxes(&boxes)?))
///         });
///         images.collect()
///     }))
///     .without_table()
///     .split("valid")
///     .epoch(0)
///     .into_run(&run)?;
/// assert_eq!(report.summed_rows, [("instances".to_owned(), 2)]);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InstanceEmbeddings<F> {
    instances: F,
    stream: String,
    column: String,
    compute_aggregates: bool,
}

impl<F> InstanceEmbeddings<F> {
    /// Reads the instances with a closure, one entry for each image of the batch; write its argument
    /// types out.
    pub fn from_fn<B, O>(instances: F) -> Self
    where
        F: Fn(&B, &O) -> Result<Vec<EmbeddedInstances>>,
    {
        Self {
            instances,
            stream: "instances".into(),
            column: "instance_embedding".into(),
            compute_aggregates: true,
        }
    }

    /// Names the stream of the rows (default: `instances`).
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.stream = name.into();
        self
    }

    /// Names the column of the vectors (default: `instance_embedding`).
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// Whether the pass aggregates the columns that instances have beside their vectors (default: yes).
    pub fn compute_aggregates(mut self, yes: bool) -> Self {
        self.compute_aggregates = yes;
        self
    }
}

impl<B, O, F: Fn(&B, &O) -> Result<Vec<EmbeddedInstances>>> MetricsCollector<B, O>
    for InstanceEmbeddings<F>
{
    fn collect(&self, _batch: &B, _output: &O) -> Result<Columns> {
        Ok(Columns::new()) // of the images themselves there is nothing
    }

    fn schema(&self) -> Option<Schema> {
        Some(Schema::empty())
    }

    fn compute_aggregates(&self) -> bool {
        self.compute_aggregates
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("InstanceEmbeddings(\"{}\")", self.column))
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        Some(Box::new(Pass {
            collector: self,
            images: 0,
            width: None,
            ready: Columns::new(),
        }))
    }
}

/// The rows of a pass under way.
struct Pass<'a, F> {
    collector: &'a InstanceEmbeddings<F>,
    images: i64,
    width: Option<usize>,
    /// Of the batch before.
    ready: Columns,
}

impl<B, O, F: Fn(&B, &O) -> Result<Vec<EmbeddedInstances>>> PassCollector<B, O> for Pass<'_, F> {
    fn stream(&self) -> &str {
        &self.collector.stream
    }

    fn collect(&mut self, batch: &B, output: &O) -> Result<Columns> {
        let images = (self.collector.instances)(batch, output)?;
        let first = self.images;
        let ids: Vec<i64> = (first..first + images.len() as i64).collect();
        self.add(&ids, images)
    }

    fn collect_examples(&mut self, example_ids: &[i64], batch: &B, output: &O) -> Result<Columns> {
        self.add(example_ids, (self.collector.instances)(batch, output)?)
    }

    fn take_rows(&mut self) -> Result<Columns> {
        Ok(std::mem::take(&mut self.ready))
    }

    fn joins_table(&self) -> bool {
        true
    }

    fn finish(self: Box<Self>) -> Result<Columns> {
        Ok(self.ready)
    }
}

impl<F> Pass<'_, F> {
    /// Makes the rows of a batch ready.
    fn add(&mut self, example_ids: &[i64], images: Vec<EmbeddedInstances>) -> Result<Columns> {
        let column = &self.collector.column;
        if images.len() != example_ids.len() {
            return Err(Error::Shape {
                column: column.clone(),
                expected: example_ids.len(),
                found: images.len(),
                place: "images of a batch".into(),
            });
        }
        self.images += images.len() as i64;
        // An image without instances knows neither width nor columns.
        let seen: Vec<(i64, &EmbeddedInstances)> = example_ids
            .iter()
            .copied()
            .zip(&images)
            .filter(|(_, image)| !image.is_empty())
            .collect();
        for &(example_id, image) in &seen {
            let width = image.vectors.ncols();
            let known = *self.width.get_or_insert(width);
            if width == 0 || width != known {
                return Err(Error::Schema {
                    column: column.clone(),
                    expected: format!("vectors of width {}", known.max(1)),
                    found: format!("of width {width} in example {example_id}"),
                    place: format!("stream `{}`", self.collector.stream),
                    hint: "take all vectors from one layer".into(),
                });
            }
        }
        self.ready
            .extend(rows_of(&seen, self.width.unwrap_or(0), column)?);
        Ok(Columns::new())
    }
}

/// One row for each instance of the images, none of which is empty.
fn rows_of(images: &[(i64, &EmbeddedInstances)], width: usize, column: &str) -> Result<Columns> {
    if images.is_empty() {
        return Ok(Columns::new());
    }
    let count = images.iter().map(|(_, image)| image.len()).sum();
    let (mut ids, mut numbers) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut vectors = Array2::zeros((count, width));
    let mut further = Vec::with_capacity(images.len());
    for (example_id, image) in images {
        let start = ids.len();
        ids.resize(start + image.len(), *example_id);
        let mut rows = vectors.slice_axis_mut(Axis(0), Slice::from(start..ids.len()));
        rows.assign(&image.vectors);
        match &image.numbers {
            Some(own) => numbers.extend(own),
            None => numbers.extend(0..image.len() as i64),
        }
        let place = format!("the instances of example {example_id}");
        further.push(image.columns.clone().into_batch(&place)?);
    }
    let mut columns = Columns::new()
        .with("example_id", Column::from(ids).role(Role::Id))
        .with("instance", Column::from(numbers).role(Role::Id))
        .with(column, Column::embedding(vectors.view()));
    columns.extend(joined(images, &further)?);
    Ok(columns)
}

/// The further columns of all images, one below the other.
fn joined(images: &[(i64, &EmbeddedInstances)], parts: &[RecordBatch]) -> Result<Columns> {
    let mut columns = Columns::new();
    let Some(first) = parts.first() else {
        return Ok(columns);
    };
    for ((example_id, _), part) in images.iter().zip(parts) {
        if part.schema() != first.schema() {
            return Err(Error::Schema {
                column: "columns".into(),
                expected: told(first),
                found: format!("{} in example {example_id}", told(part)),
                place: format!("example {}", images[0].0),
                hint: "give the instances of every image the same columns".into(),
            });
        }
    }
    for (index, (name, column)) in images[0].1.columns.iter().enumerate() {
        let arrays: Vec<&dyn arrow_array::Array> = parts
            .iter()
            .map(|part| part.column(index).as_ref())
            .collect();
        let array: ArrayRef = concat(&arrays).map_err(Error::user)?;
        let joined = Column::from_array(array);
        columns.push(
            name,
            match column.get_role() {
                Some(role) => joined.role(role.clone()),
                None => joined,
            },
        );
    }
    Ok(columns)
}

fn told(batch: &RecordBatch) -> String {
    let schema = batch.schema();
    let fields = schema.fields().iter();
    let fields: Vec<String> = fields
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    match fields.is_empty() {
        true => "none".into(),
        false => fields.join(", "),
    }
}
