//! The true and the predicted instances of one image.

use super::{Defect, InstanceTask};
use crate::{Error, Result};

/// One true instance of an image.
///
/// # Shapes and units
/// `label` from 0, below the number of classes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueInstance<G> {
    /// Box, mask or keypoints.
    pub geometry: G,
    /// The class.
    pub label: i64,
    /// Stands for a group: predictions inside it count neither for nor against (COCO's `iscrowd`).
    pub crowd: bool,
    /// The area by which it belongs to an area range, in square pixels; `None` takes the geometry's.
    /// COCO gives that of the segmentation, also for boxes.
    pub area: Option<f64>,
}

impl<G> TrueInstance<G> {
    /// An instance that is no crowd and has the area of its geometry.
    pub fn new(geometry: G, label: i64) -> Self {
        Self {
            geometry,
            label,
            crowd: false,
            area: None,
        }
    }

    /// Says whether it stands for a group.
    pub fn crowd(mut self, crowd: bool) -> Self {
        self.crowd = crowd;
        self
    }

    /// Sets the area by which it belongs to an area range.
    pub fn area(mut self, area: f64) -> Self {
        self.area = Some(area);
        self
    }
}

/// One predicted instance of an image.
///
/// # Shapes and units
/// `label` from 0, below the number of classes; `confidence` in any unit that grows with certainty.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedInstance<G> {
    /// Box, mask or keypoints.
    pub geometry: G,
    /// The class.
    pub label: i64,
    /// How sure the model is; not NaN.
    pub confidence: f64,
}

impl<G> PredictedInstance<G> {
    /// A prediction.
    pub fn new(geometry: G, label: i64, confidence: impl Into<f64>) -> Self {
        Self {
            geometry,
            label,
            confidence: confidence.into(),
        }
    }
}

/// The true and the predicted instances of one image, either of which may be none.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageInstances<T, P = T> {
    /// What is there.
    pub truth: Vec<TrueInstance<T>>,
    /// What the model sees, in any order.
    pub predicted: Vec<PredictedInstance<P>>,
}

impl<T, P> Default for ImageInstances<T, P> {
    fn default() -> Self {
        Self {
            truth: Vec::new(),
            predicted: Vec::new(),
        }
    }
}

impl<T, P> ImageInstances<T, P> {
    /// The instances of one image.
    pub fn new(truth: Vec<TrueInstance<T>>, predicted: Vec<PredictedInstance<P>>) -> Self {
        Self { truth, predicted }
    }
}

/// Refuses labels without a class, NaN confidences, areas that are none, and defects of the
/// geometry.
///
/// # Errors
/// `Invalid`, naming image, instance and value.
pub(super) fn check<T: InstanceTask>(
    task: &T,
    number: usize,
    image: &ImageInstances<T::Truth, T::Predicted>,
    n_classes: usize,
) -> Result<()> {
    let defect = |defect: Defect| {
        Error::invalid(
            format!("{} of image {number}", defect.what),
            defect.value,
            defect.reason,
            defect.hint,
        )
    };
    let label = |what: String, label: i64, hint: &str| match usize::try_from(label) {
        Ok(class) if class < n_classes => Ok(()),
        _ => Err(defect(Defect::new(
            what,
            label,
            format!("the classes are 0..{n_classes}"),
            hint,
        ))),
    };
    for (index, truth) in image.truth.iter().enumerate() {
        let hint = "number the classes from 0 and give their number";
        label(format!("label of truth {index}"), truth.label, hint)?;
        if let Some(area) = truth.area
            && (area.is_nan() || area < 0.0)
        {
            return Err(defect(Defect::new(
                format!("area of truth {index}"),
                area,
                "an area is 0 or more",
                "leave it out to take that of the geometry",
            )));
        }
    }
    for (index, predicted) in image.predicted.iter().enumerate() {
        let hint = "number the classes from 0 and give their number; the collector leaves such \
                    predictions out with leave_out_broken";
        label(
            format!("label of prediction {index}"),
            predicted.label,
            hint,
        )?;
        if predicted.confidence.is_nan() {
            return Err(defect(Defect::new(
                format!("confidence of prediction {index}"),
                predicted.confidence,
                "predictions are ordered by it",
                "leave such predictions out, as the collector does with leave_out_broken",
            )));
        }
    }
    task.check(image).map_err(defect)
}

/// Indices of the predictions, the most confident first; equal ones stay in their order.
pub(super) fn by_confidence<P>(
    predicted: &[PredictedInstance<P>],
    kept: impl Fn(&PredictedInstance<P>) -> bool,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..predicted.len())
        .filter(|&index| kept(&predicted[index]))
        .collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (predicted[a].confidence, predicted[b].confidence);
        // No NaN comes here, and 0.0 equals -0.0.
        b.partial_cmp(&a).unwrap_or(std::cmp::Ordering::Equal)
    });
    order
}
