//! A linfa dataset as the library's map-style dataset, and its batches.

use emberlens::collect::MapDataset;
use emberlens::{Error, Result};
use linfa::dataset::{AsSingleTargets, DatasetBase, Label};
use linfa_ndarray::{Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};

use crate::border::Value;
use crate::classes::Classes;

/// The samples of a linfa dataset for [`collect_metrics`](emberlens::collect::collect_metrics):
/// sample k is row k of the table.
///
/// # Memory
/// Records are seen where they lie; targets are copied.
#[derive(Clone, Debug)]
pub struct Samples<'a, F, T = i64> {
    records: ArrayView2<'a, F>,
    targets: Vec<T>,
}

impl<'a, F> Samples<'a, F> {
    /// Samples whose target is their class index.
    ///
    /// # Errors
    /// `Invalid` for a label outside the classes, or another number of targets than of records.
    pub fn labelled<D, T, L>(
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
        classes: &Classes<L>,
    ) -> Result<Self>
    where
        D: Data<Elem = F>,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        let labels = dataset.targets.as_single_targets();
        let indices = classes.indices("label of sample", labels)?;
        let targets = indices.into_iter().map(|index| index as i64).collect();
        Self::checked(dataset.records.view(), targets)
    }
}

impl<'a, F, T: Clone> Samples<'a, F, T> {
    /// Samples with their target as it is, for regressions and for data without targets.
    ///
    /// # Errors
    /// `Invalid` for another number of targets than of records.
    pub fn with_targets<D>(
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, impl AsSingleTargets<Elem = T>>,
    ) -> Result<Self>
    where
        D: Data<Elem = F>,
    {
        Self::checked(
            dataset.records.view(),
            dataset.targets.as_single_targets().to_vec(),
        )
    }
}

impl<'a, F, T> Samples<'a, F, T> {
    fn checked(records: ArrayView2<'a, F>, targets: Vec<T>) -> Result<Self> {
        if records.nrows() == targets.len() {
            return Ok(Self { records, targets });
        }
        Err(Error::Shape {
            column: "targets".into(),
            expected: records.nrows(),
            found: targets.len(),
            place: "linfa dataset".into(),
        })
    }
}

/// One sample of [`Samples`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a, F, T = i64> {
    /// `[features]`.
    pub features: ArrayView1<'a, F>,
    /// The class index, or the target as it is.
    pub target: T,
}

impl<'a, F, T: Clone> MapDataset for Samples<'a, F, T> {
    type Item = Sample<'a, F, T>;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn get(&self, index: usize) -> Result<Self::Item> {
        let target = MapDataset::get(&self.targets, index)?;
        let features = self.records.index_axis_move(Axis(0), index);
        Ok(Sample { features, target })
    }
}

/// A batch of samples, in the shape that linfa's models predict.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<F, T = i64> {
    /// `[batch, features]`.
    pub records: Array2<F>,
    /// `[batch]`.
    pub targets: Vec<T>,
}

impl<F: Value, T> Batch<F, T> {
    /// The batch of these samples: what
    /// [`collate`](emberlens::collect::CollectMetrics::collate) takes.
    ///
    /// # Errors
    /// `Invalid` for samples of different numbers of features.
    pub fn of(samples: Vec<Sample<'_, F, T>>) -> Result<Self> {
        let width = samples.first().map_or(0, |sample| sample.features.len());
        let mut records = Vec::with_capacity(samples.len() * width);
        let mut targets = Vec::with_capacity(samples.len());
        for sample in samples {
            records.extend(sample.features);
            targets.push(sample.target);
        }
        let dim = (targets.len(), width);
        let records = Array2::from_shape_vec(dim, records).map_err(|error| {
            Error::invalid(
                "samples",
                format!("{} x {width}", dim.0),
                error.to_string(),
                "give every sample the same features",
            )
        })?;
        Ok(Self { records, targets })
    }
}
