//! The collector: columns of every image, rows of every class at the end of a pass.

use std::borrow::Cow;

use arrow_schema::Schema;

use super::columns::columns_of;
use super::counts::Counts;
use super::{SegmentationEvaluator, SegmentationOptions, SegmentedImage, segmentation_columns};
use crate::Result;
use crate::metrics::{FromBatch, FromOutput, MetricsCollector, PassCollector, Prediction};
use crate::table::Columns;

/// Model outputs from which the masks of a batch can be read; `B` is the batch, for the truths.
pub trait SegmentedOf<B> {
    /// The masks of the batch, one entry for each image.
    ///
    /// # Errors
    /// Whatever reading them back from the device may give.
    fn segmented(&self, batch: &B) -> Result<Vec<SegmentedImage>>;
}

impl<B> SegmentedOf<B> for Vec<SegmentedImage> {
    fn segmented(&self, _batch: &B) -> Result<Self> {
        Ok(self.clone())
    }
}

impl<B, O: SegmentedOf<B>> SegmentedOf<B> for Prediction<O> {
    fn segmented(&self, batch: &B) -> Result<Vec<SegmentedImage>> {
        self.output.segmented(batch)
    }
}

/// Where a collector takes the masks from: the output itself, or a closure.
pub trait SegmentationSource<B, O> {
    /// The masks of the batch, one entry for each image.
    ///
    /// # Errors
    /// Those of [`SegmentedOf`] or of the closure.
    fn read(&self, batch: &B, output: &O) -> Result<Vec<SegmentedImage>>;
}

impl<B, O: SegmentedOf<B>> SegmentationSource<B, O> for FromOutput {
    fn read(&self, batch: &B, output: &O) -> Result<Vec<SegmentedImage>> {
        output.segmented(batch)
    }
}

impl<B, O, F: Fn(&B, &O) -> Result<Vec<SegmentedImage>>> SegmentationSource<B, O> for FromBatch<F> {
    fn read(&self, batch: &B, output: &O) -> Result<Vec<SegmentedImage>> {
        (self.0)(batch, output)
    }
}

/// Collects the columns of [`segmentation_columns`] from every batch, and the rows of
/// [`evaluate_segmentation`](super::evaluate_segmentation) when the pass ends.
///
/// The rows of the classes go to the stream `per_class`, at the split and epoch of the pass; the mean
/// of `iou` over them becomes the scalar `<split>_per_class_iou_avg`. The ranks of a distributed
/// training each write rows of their own images.
///
/// ```
/// use emberlens::metrics::{MetricsCollector, Segmentation, SegmentedImage};
/// use ndarray::{Array2, arr2};
/// let collector = Segmentation::new(2).void(255).from_fn(
///     |batch: &Vec<Array2<u16>>, output: &Vec<Array2<u16>>| {
///         let pairs = batch.iter().zip(output);
///         Ok(pairs.map(|(truth, seen)| SegmentedImage::new(truth.clone(), seen.clone())).collect())
///     },
/// );
/// let columns = collector.collect(&vec![arr2(&[[0, 1]])], &vec![arr2(&[[0, 0]])])?;
/// assert!(columns.get("mask_predicted").is_some());
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Segmentation<S = FromOutput> {
    options: SegmentationOptions,
    source: S,
    per_class: Option<String>,
    compute_aggregates: bool,
}

impl Segmentation {
    /// Masks of `n_classes` classes.
    pub fn new(n_classes: usize) -> Self {
        Self::with_options(SegmentationOptions::new(n_classes))
    }

    /// From ready-made options.
    pub fn with_options(options: SegmentationOptions) -> Self {
        Self {
            options,
            source: FromOutput,
            per_class: Some("per_class".into()),
            compute_aggregates: true,
        }
    }

    /// Reads the masks with a closure; write its argument types out.
    pub fn from_fn<B, O, F>(self, masks: F) -> Segmentation<FromBatch<F>>
    where
        F: Fn(&B, &O) -> Result<Vec<SegmentedImage>>,
    {
        Segmentation {
            options: self.options,
            source: FromBatch(masks),
            per_class: self.per_class,
            compute_aggregates: self.compute_aggregates,
        }
    }
}

impl<S> Segmentation<S> {
    /// Names of the classes by index, kept with the columns.
    pub fn class_names(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.options = self.options.class_names(names);
        self
    }

    /// The value of pixels that belong to no class, see [`SegmentationOptions::void`].
    pub fn void(mut self, value: u16) -> Self {
        self.options = self.options.void(value);
        self
    }

    /// Computes boundary IoU too, see [`SegmentationOptions::boundary`].
    pub fn boundary(mut self, share: f64) -> Self {
        self.options = self.options.boundary(share);
        self
    }

    /// The stream for the rows of the classes, or `None` for no such rows (default: `per_class`).
    pub fn per_class(mut self, stream: Option<&str>) -> Self {
        self.per_class = stream.map(str::to_owned);
        self
    }

    /// Whether the pass aggregates these columns and the rows of the classes (default: yes).
    pub fn compute_aggregates(mut self, yes: bool) -> Self {
        self.compute_aggregates = yes;
        self
    }
}

/// The evaluation of a pass under way.
struct Pass<'a, S> {
    collector: &'a Segmentation<S>,
    stream: &'a str,
    evaluator: SegmentationEvaluator<'a>,
}

impl<B, O, S: SegmentationSource<B, O>> PassCollector<B, O> for Pass<'_, S> {
    fn stream(&self) -> &str {
        self.stream
    }

    fn collect(&mut self, batch: &B, output: &O) -> Result<Columns> {
        let images = self.collector.source.read(batch, output)?;
        let options = &self.collector.options;
        let counts = images.iter().enumerate();
        let counts: Vec<Counts> = counts
            .map(|(number, image)| Counts::of(image, number, options))
            .collect::<Result<_>>()?;
        counts
            .iter()
            .for_each(|one| self.evaluator.add_counted(one));
        columns_of(&images, &counts, options)
    }

    fn finish(self: Box<Self>) -> Result<Columns> {
        Ok(self.evaluator.finish().columns())
    }
}

impl<B, O, S: SegmentationSource<B, O>> MetricsCollector<B, O> for Segmentation<S> {
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        segmentation_columns(&self.source.read(batch, output)?, &self.options)
    }

    fn schema(&self) -> Option<Schema> {
        let columns = segmentation_columns(&[], &self.options).ok()?;
        let batch = columns.into_batch("Segmentation").ok()?;
        Some(batch.schema().as_ref().clone())
    }

    fn compute_aggregates(&self) -> bool {
        self.compute_aggregates
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("Segmentation")
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        let stream = self.per_class.as_deref()?;
        // Wrong parameters are reported by the first batch.
        let evaluator = SegmentationEvaluator::new(&self.options).ok()?;
        Some(Box::new(Pass {
            collector: self,
            stream,
            evaluator,
        }))
    }
}
