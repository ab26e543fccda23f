//! What makes boxes boxes and masks masks: how alike two instances are, and how they are stored.

use std::sync::Arc;

use arrow_array::ArrayRef;

use super::{ImageInstances, TrueInstance};
use crate::Result;
use crate::table::Role;

/// A kind of instances: the similarity of two of them, their area, and the column of predictions.
///
/// Built-in: [`AxisAlignedBoxes`](crate::metrics::AxisAlignedBoxes),
/// [`OrientedBoxes`](crate::metrics::OrientedBoxes),
/// [`InstanceMasks`](crate::metrics::InstanceMasks) and [`Poses`](crate::metrics::Poses).
pub trait InstanceTask: Send + Sync {
    /// What is known of a true instance.
    type Truth: Send + Sync;
    /// What a model predicts of one.
    type Predicted: Send + Sync;

    /// Refuses geometry that means nothing: NaN, a right side left of the left one.
    ///
    /// # Errors
    /// A [`Defect`] that names the instance and the value.
    fn check(&self, image: &ImageInstances<Self::Truth, Self::Predicted>) -> Result<(), Defect>;

    /// How alike a prediction and a truth of one image are, from 0 to 1. For a crowd: the share of
    /// the prediction that lies in it.
    fn similarity(&self, predicted: &Self::Predicted, truth: &TrueInstance<Self::Truth>) -> f64;

    /// The area of a true instance that gives none, in square units of its coordinates.
    fn truth_area(&self, truth: &Self::Truth) -> f64;

    /// The area of a predicted instance.
    fn predicted_area(&self, predicted: &Self::Predicted) -> f64;

    /// Whether areas are in square pixels, as area ranges are.
    fn has_pixel_areas(&self) -> bool {
        true
    }

    /// Whether a truth counts neither for nor against, though it is no crowd.
    fn is_ignored(&self, _truth: &Self::Truth) -> bool {
        false
    }

    /// The name of the column with the predictions, such as `boxes_predicted`.
    fn column(&self) -> &'static str;

    /// What the similarity is called, such as `iou`.
    fn similarity_name(&self) -> &'static str;

    /// The role of that column, with the conventions of its coordinates.
    fn role(&self, class_names: Arc<[String]>) -> Role;

    /// The geometry of predictions as fields of a struct; all arrays as long as `predicted`.
    ///
    /// # Errors
    /// `Invalid` for more values than a batch holds.
    fn fields(&self, predicted: &[&Self::Predicted]) -> Result<Vec<(&'static str, ArrayRef)>>;
}

/// What is wrong with an instance; becomes an error that names the image too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// Which value of which instance, for example `x0 of truth 3`.
    pub what: String,
    /// The value.
    pub value: String,
    /// Why it cannot be.
    pub reason: String,
    /// The way out.
    pub hint: String,
}

impl Defect {
    /// A defect from anything printable.
    pub fn new(
        what: impl Into<String>,
        value: impl ToString,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            value: value.to_string(),
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}
