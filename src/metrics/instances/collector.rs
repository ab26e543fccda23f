//! The collector of boxes, masks and keypoints: columns of every image, rows of every class at the
//! end of a pass.

use std::borrow::Cow;

use arrow_schema::Schema;

use super::image::{ImageColumns, similarities};
use super::instance::check;
use super::{Evaluator, ImageInstances, InstanceOptions, InstanceTask, instance_columns};
use crate::Result;
use crate::metrics::{FromBatch, FromOutput, MetricsCollector, PassCollector, Prediction};
use crate::table::Columns;

/// Model outputs from which the instances of a batch can be read.
///
/// Implement it once for an output type and the collector needs no closure. `B` is the batch, for
/// the truths, which outputs usually leave there.
pub trait InstancesOf<B, T: InstanceTask> {
    /// The instances of the batch, one entry for each image.
    ///
    /// # Errors
    /// Whatever reading them back from the device may give.
    fn instances(&self, batch: &B) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>>;
}

impl<B, T> InstancesOf<B, T> for Vec<ImageInstances<T::Truth, T::Predicted>>
where
    T: InstanceTask,
    T::Truth: Clone,
    T::Predicted: Clone,
{
    fn instances(&self, _batch: &B) -> Result<Self> {
        Ok(self.clone())
    }
}

impl<B, T: InstanceTask, O: InstancesOf<B, T>> InstancesOf<B, T> for Prediction<O> {
    fn instances(&self, batch: &B) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>> {
        self.output.instances(batch)
    }
}

/// Where a collector takes the instances from: the output itself, or a closure.
pub trait InstanceSource<B, O, T: InstanceTask> {
    /// The instances of the batch, one entry for each image.
    ///
    /// # Errors
    /// Those of [`InstancesOf`] or of the closure.
    fn read(&self, batch: &B, output: &O) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>>;
}

impl<B, O: InstancesOf<B, T>, T: InstanceTask> InstanceSource<B, O, T> for FromOutput {
    fn read(&self, batch: &B, output: &O) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>> {
        output.instances(batch)
    }
}

impl<B, O, T: InstanceTask, F> InstanceSource<B, O, T> for FromBatch<F>
where
    F: Fn(&B, &O) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>>,
{
    fn read(&self, batch: &B, output: &O) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>> {
        (self.0)(batch, output)
    }
}

/// Collects the columns of [`instance_columns`] from every batch, and the rows of
/// [`evaluate`](super::evaluate) when the pass ends.
///
/// Use it by its names [`Detection`](crate::metrics::Detection),
/// [`OrientedDetection`](crate::metrics::OrientedDetection),
/// [`InstanceSegmentation`](crate::metrics::InstanceSegmentation) and
/// [`PoseEstimation`](crate::metrics::PoseEstimation), whose constructors say which conventions hold.
///
/// The rows of the classes go to the stream `per_class`, at the split and epoch of the pass. The mean
/// of `ap` over them, COCO's mAP, becomes the scalar `<split>_per_class_ap_avg`. They describe the
/// images of this pass: the ranks of a distributed training each write rows of their own images, and
/// average precision of the whole cannot be computed from these. To have it, let one rank collect
/// the whole split.
///
/// # Memory
/// As [`Evaluator`] until the end of the pass.
///
/// # Errors
/// `collect` returns what [`instance_columns`] returns, and errors of the closure.
#[derive(Clone, Debug)]
pub struct InstanceCollector<T, S = FromOutput> {
    task: T,
    options: InstanceOptions,
    source: S,
    per_class: Option<String>,
    compute_aggregates: bool,
    leave_out_broken: bool,
}

impl<T: InstanceTask> InstanceCollector<T> {
    /// A collector of any task.
    pub fn with_options(task: T, options: InstanceOptions) -> Self {
        Self {
            task,
            options,
            source: FromOutput,
            per_class: Some("per_class".into()),
            compute_aggregates: true,
            leave_out_broken: false,
        }
    }

    /// Reads the instances with a closure; write its argument types out.
    pub fn from_fn<B, O, F>(self, instances: F) -> InstanceCollector<T, FromBatch<F>>
    where
        F: Fn(&B, &O) -> Result<Vec<ImageInstances<T::Truth, T::Predicted>>>,
    {
        InstanceCollector {
            task: self.task,
            options: self.options,
            source: FromBatch(instances),
            per_class: self.per_class,
            compute_aggregates: self.compute_aggregates,
            leave_out_broken: self.leave_out_broken,
        }
    }
}

impl<T: InstanceTask, S> InstanceCollector<T, S> {
    /// Names of the classes by label, kept with the columns.
    pub fn class_names(self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.map_options(|options| options.class_names(names))
    }

    /// The similarity from which a prediction of an image is right (default: 0.5).
    pub fn threshold(self, threshold: f64) -> Self {
        self.map_options(|options| options.threshold(threshold))
    }

    /// The confidence from which predictions are stored and counted (default: 0).
    pub fn confidence(self, confidence: f64) -> Self {
        self.map_options(|options| options.confidence(confidence))
    }

    /// The most predictions of one image that are stored and counted for it (default: 100).
    pub fn max_per_image(self, count: usize) -> Self {
        self.map_options(|options| options.max_per_image(count))
    }

    /// The most predictions of one class in one image that average precision takes.
    pub fn max_per_class(self, count: usize) -> Self {
        self.map_options(|options| options.max_per_class(count))
    }

    /// Put before every column name, for models with several heads.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        self.map_options(|options| options.prefix(prefix))
    }

    /// Put after every column name.
    pub fn suffix(self, suffix: impl Into<String>) -> Self {
        self.map_options(|options| options.suffix(suffix))
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

    /// Whether predictions that would be refused are left out and counted in a column `broken`, instead of
    /// ending the pass with an error (default: no).
    ///
    /// These have coordinates or a confidence of NaN, a right side left of the left one, a label that is
    /// no class, another number of keypoints, or a mask of another size than the true ones (without any,
    /// than the first predicted one). For models that are at the beginning of their training, or that
    /// diverge. What is wrong with a truth stays an error.
    pub fn leave_out_broken(mut self, yes: bool) -> Self {
        self.leave_out_broken = yes;
        self
    }

    /// The parameters.
    pub fn options(&self) -> &InstanceOptions {
        &self.options
    }

    /// The instances of a batch, and the column of those that were left out, if any may be.
    fn read<B, O>(&self, batch: &B, output: &O) -> Result<(Images<T>, Columns)>
    where
        S: InstanceSource<B, O, T>,
    {
        let mut images = self.source.read(batch, output)?;
        let mut columns = Columns::new();
        if self.leave_out_broken {
            let broken = leave_out_broken(&self.task, &mut images, self.options.n_classes);
            columns.push(self.options.column_name("broken"), broken);
        }
        Ok((images, columns))
    }

    fn map_options(mut self, change: impl FnOnce(InstanceOptions) -> InstanceOptions) -> Self {
        self.options = change(self.options);
        self
    }

    /// The columns of an empty batch; none when the parameters are wrong, which the first batch
    /// then reports.
    fn known_schema(&self) -> Option<Schema> {
        let mut columns = instance_columns(&self.task, &[], &self.options).ok()?;
        if self.leave_out_broken {
            columns.push(self.options.column_name("broken"), Vec::<i32>::new());
        }
        let batch = columns.into_batch(self.task.column()).ok()?;
        Some(batch.schema().as_ref().clone())
    }
}

/// The images of a batch.
type Images<T> = Vec<ImageInstances<<T as InstanceTask>::Truth, <T as InstanceTask>::Predicted>>;

/// Leaves out the predictions that would be refused; how many, by image.
fn leave_out_broken<T: InstanceTask>(
    task: &T,
    images: &mut [ImageInstances<T::Truth, T::Predicted>],
    n_classes: usize,
) -> Vec<i32> {
    let is_sound = |image: &ImageInstances<_, _>| check(task, 0, image, n_classes).is_ok();
    let of_image = |image: &mut ImageInstances<T::Truth, T::Predicted>| {
        if is_sound(image) {
            return 0;
        }
        let predicted = std::mem::take(&mut image.predicted);
        if !is_sound(image) {
            // The truths are at fault, which the check of the batch names.
            image.predicted = predicted;
            return 0;
        }
        // Each beside the truths and the first that is sound, whose size all masks have.
        let (mut kept, mut broken) = (Vec::new(), 0);
        for prediction in predicted {
            image.predicted.push(prediction);
            if !is_sound(image) {
                image.predicted.pop();
                broken += 1;
            } else if image.predicted.len() > 1 {
                kept.extend(image.predicted.pop());
            }
        }
        image.predicted.append(&mut kept);
        broken
    };
    images.iter_mut().map(of_image).collect()
}

/// The evaluation of a pass under way.
struct Pass<'a, T, S> {
    collector: &'a InstanceCollector<T, S>,
    stream: &'a str,
    evaluator: Evaluator<'a, T>,
}

impl<B, O, T, S> PassCollector<B, O> for Pass<'_, T, S>
where
    T: InstanceTask,
    S: InstanceSource<B, O, T>,
{
    fn stream(&self) -> &str {
        self.stream
    }

    fn collect(&mut self, batch: &B, output: &O) -> Result<Columns> {
        let (images, broken) = self.collector.read(batch, output)?;
        let InstanceCollector { task, options, .. } = self.collector;
        for (number, image) in images.iter().enumerate() {
            check(task, number, image, options.n_classes)?;
        }
        let mut columns = ImageColumns::new(task, options);
        for image in &images {
            let similarities = similarities(task, image);
            columns.add(image, &similarities);
            self.evaluator.add_known(image, &similarities);
        }
        let mut columns = columns.finish()?;
        columns.extend(broken);
        Ok(columns)
    }

    fn finish(self: Box<Self>) -> Result<Columns> {
        Ok(self.evaluator.finish().columns())
    }
}

impl<B, O, T, S> MetricsCollector<B, O> for InstanceCollector<T, S>
where
    T: InstanceTask,
    S: InstanceSource<B, O, T>,
{
    fn collect(&self, batch: &B, output: &O) -> Result<Columns> {
        let (images, broken) = self.read(batch, output)?;
        let mut columns = instance_columns(&self.task, &images, &self.options)?;
        columns.extend(broken);
        Ok(columns)
    }

    fn schema(&self) -> Option<Schema> {
        self.known_schema()
    }

    fn compute_aggregates(&self) -> bool {
        self.compute_aggregates
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Owned(format!("instances ({})", self.task.column()))
    }

    fn begin_pass<'a>(&'a self) -> Option<Box<dyn PassCollector<B, O> + 'a>> {
        let stream = self.per_class.as_deref()?;
        // Wrong parameters are reported by the first batch.
        let evaluator = Evaluator::new(&self.task, &self.options).ok()?;
        Some(Box::new(Pass {
            collector: self,
            stream,
            evaluator,
        }))
    }
}
