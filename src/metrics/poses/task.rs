//! Poses as a task: their similarity is the object keypoint similarity.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float32Array};

use super::oks::oks;
use super::{Keypoint, Pose, TrueKeypoint, TruePose};
use crate::geometry::CoordinateUnit;
use crate::metrics::instances::{refuse_unit, truths};
use crate::metrics::{
    Defect, FromOutput, ImageInstances, InstanceCollector, InstanceOptions, InstanceTask,
    TrueInstance,
};
use crate::table::{InstanceColumns, Role, Table, list_of_structs};
use crate::{Error, Result};

/// Deviations of COCO's 17 keypoints of a person, from nose to ankles.
const PERSON: [f64; 17] = [
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107,
    0.087, 0.087, 0.089, 0.089,
];

/// Poses, compared by their object keypoint similarity (OKS).
///
/// Coordinates are pixels: distances in fractions of an image that is not square mean nothing.
///
/// # Shapes and units
/// The column `keypoints_predicted` holds `keypoints`, a list of structs `x`, `y`, `confidence`
/// (f32), pixels, and `oks` in place of `iou`.
///
/// # Errors
/// Poses of another number of keypoints than there are sigmas, coordinates that are not finite, a
/// confidence that is NaN, and boxes that mean nothing are refused by whatever takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Poses {
    sigmas: Vec<f64>,
}

impl Poses {
    /// The 17 keypoints of a person, as COCO orders and weighs them.
    pub fn coco_person() -> Self {
        Self {
            sigmas: PERSON.to_vec(),
        }
    }

    /// Keypoints of anything: for each, how far annotators of it stray, as a share of the root of the
    /// instance's area.
    ///
    /// # Errors
    /// `Invalid` for no sigma, or one that is not above 0.
    pub fn with_sigmas(sigmas: impl Into<Vec<f64>>) -> Result<Self> {
        let sigmas = sigmas.into();
        let wrong = sigmas
            .iter()
            .position(|sigma| !(*sigma > 0.0 && sigma.is_finite()));
        let (value, reason) = match wrong {
            Some(at) => (
                format!("{} of keypoint {at}", sigmas[at]),
                "a deviation is above 0",
            ),
            None if sigmas.is_empty() => ("(none)".to_owned(), "a pose has keypoints"),
            None => return Ok(Self { sigmas }),
        };
        Err(Error::invalid(
            "sigmas",
            value,
            reason,
            "give one for each keypoint; COCO's lie between 0.025 and 0.107",
        ))
    }

    fn check_count(&self, what: String, count: usize) -> Result<(), Defect> {
        if count == self.sigmas.len() {
            return Ok(());
        }
        Err(Defect::new(
            format!("keypoints of {what}"),
            count,
            format!("there are {} sigmas", self.sigmas.len()),
            "give every pose all keypoints (those of a truth may be not labelled); of predictions, the \
             collector leaves such poses out with leave_out_broken",
        ))
    }
}

fn check_finite(what: &str, keypoint: usize, values: [(&str, f64); 2]) -> Result<(), Defect> {
    match values.into_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((name, value)) => Err(Defect::new(
            format!("{name} of keypoint {keypoint} of {what}"),
            value,
            "coordinates are finite",
            "leave such poses out, as the collector does with leave_out_broken for predictions",
        )),
    }
}

impl Poses {
    /// The true poses of every row of a table, for example of one that
    /// [`import::coco`](crate::table::import::coco()) made. Instances without keypoints are left out.
    ///
    /// # Shapes and units
    /// `keypoints` is a list of structs with the role [`Role::Keypoints`], `boxes` one with
    /// [`Role::Boxes`], both in pixels: the box is a pose's scale where no area is known. Position k is
    /// example k.
    ///
    /// # Errors
    /// `Invalid` for columns without these roles or in fractions of the image, and an instance that lacks
    /// its label or a coordinate.
    pub fn truths(
        &self,
        table: &Table,
        keypoints: &str,
        boxes: &str,
    ) -> Result<Vec<Vec<TrueInstance<TruePose>>>> {
        let (schema, place) = (table.schema(), table.url());
        let columns = InstanceColumns::named(schema, keypoints, "keypoints", &place)?
            .with(InstanceColumns::named(schema, boxes, "boxes", &place)?);
        refuse_unit(&columns, CoordinateUnit::Pixels, table)?;
        truths(table, &columns, |instance| {
            let points = instance.keypoints.as_ref()?;
            let keypoints = points.iter().map(|&[x, y, visibility]| TrueKeypoint {
                x,
                y,
                labelled: visibility > 0.0,
            });
            Some(TruePose {
                keypoints: keypoints.collect(),
                bbox: instance.bbox?.to_bbox(),
            })
        })
    }
}

impl InstanceTask for Poses {
    type Truth = TruePose;
    type Predicted = Pose;

    fn check(&self, image: &ImageInstances<TruePose, Pose>) -> Result<(), Defect> {
        for (index, truth) in image.truth.iter().enumerate() {
            let (what, pose) = (format!("truth {index}"), &truth.geometry);
            self.check_count(what.clone(), pose.keypoints.len())?;
            for (at, keypoint) in pose.keypoints.iter().enumerate() {
                check_finite(&what, at, [("x", keypoint.x), ("y", keypoint.y)])?;
            }
            if let Some((name, value, reason)) = pose.bbox.defect() {
                return Err(Defect::new(
                    format!("{name} of the box of {what}"),
                    value,
                    reason,
                    "leave such poses out, and check the BoxFormat",
                ));
            }
        }
        for (index, predicted) in image.predicted.iter().enumerate() {
            let (what, pose) = (format!("prediction {index}"), &predicted.geometry);
            self.check_count(what.clone(), pose.keypoints.len())?;
            for (at, keypoint) in pose.keypoints.iter().enumerate() {
                check_finite(&what, at, [("x", keypoint.x), ("y", keypoint.y)])?;
                if keypoint.confidence.is_nan() {
                    return Err(Defect::new(
                        format!("confidence of keypoint {at} of {what}"),
                        keypoint.confidence,
                        "it says how sure the model is",
                        "give 1 where the model has none",
                    ));
                }
            }
        }
        Ok(())
    }

    fn similarity(&self, predicted: &Pose, truth: &TrueInstance<TruePose>) -> f64 {
        let area = truth.area.unwrap_or_else(|| truth.geometry.bbox.area());
        oks(predicted, &truth.geometry, area, &self.sigmas)
    }

    fn truth_area(&self, truth: &TruePose) -> f64 {
        truth.bbox.area()
    }

    fn predicted_area(&self, predicted: &Pose) -> f64 {
        predicted.area()
    }

    fn is_ignored(&self, truth: &TruePose) -> bool {
        !truth.keypoints.iter().any(|keypoint| keypoint.labelled)
    }

    fn column(&self) -> &'static str {
        "keypoints_predicted"
    }

    fn similarity_name(&self) -> &'static str {
        "oks"
    }

    fn role(&self, names: Arc<[String]>) -> Role {
        Role::Keypoints {
            normalised: false,
            names,
        }
    }

    fn fields(&self, predicted: &[&Pose]) -> Result<Vec<(&'static str, ArrayRef)>> {
        let values = |of: fn(&Keypoint) -> f64| -> ArrayRef {
            let all = predicted.iter().flat_map(|pose| &pose.keypoints);
            Arc::new(Float32Array::from_iter_values(
                all.map(|keypoint| of(keypoint) as f32),
            ))
        };
        let fields = vec![
            ("x", values(|keypoint| keypoint.x)),
            ("y", values(|keypoint| keypoint.y)),
            ("confidence", values(|keypoint| keypoint.confidence)),
        ];
        let lengths = predicted.iter().map(|pose| pose.keypoints.len()).collect();
        Ok(vec![("keypoints", list_of_structs(fields, lengths, None)?)])
    }
}

/// The collector of poses; see [`InstanceCollector`] for its settings and
/// [`instance_columns`](crate::metrics::instance_columns) for its columns.
///
/// ```
/// use emberlens::metrics::{BBox, ImageInstances, Keypoint, MetricsCollector, Pose, PoseEstimation};
/// use emberlens::metrics::{Poses, PredictedInstance, TrueInstance, TruePose};
/// use emberlens::table::BoxFormat;
/// let bbox = BBox::new([0.0, 0.0, 40.0, 60.0], BoxFormat::Xywh);
/// let truth = TruePose::from_coco(&[10.0, 20.0, 2.0, 30.0, 20.0, 1.0], bbox);
/// let seen = Pose::new([Keypoint::new(11.0, 20.0, 0.9), Keypoint::new(30.0, 24.0, 0.4)]);
/// let image = ImageInstances::new(
///     vec![TrueInstance::new(truth, 0).area(1800.0)],
///     vec![PredictedInstance::new(seen, 0, 0.8)],
/// );
/// let eyes = Poses::with_sigmas([0.025, 0.025])?;
/// let columns = PoseEstimation::of(eyes, 1).collect(&(), &vec![image])?;
/// assert!(columns.get("keypoints_predicted").is_some());
/// # Ok::<(), emberlens::Error>(())
/// ```
pub type PoseEstimation<S = FromOutput> = InstanceCollector<Poses, S>;

impl PoseEstimation {
    /// COCO's 17 keypoints of persons, the one class there is; at most 20 poses of an image, as COCO
    /// takes them.
    pub fn coco_persons() -> Self {
        Self::of(Poses::coco_person(), 1).class_names(["person"])
    }

    /// Any keypoints, of `n_classes` classes that share them; at most 20 poses of an image and class,
    /// as COCO takes them.
    pub fn of(poses: Poses, n_classes: usize) -> Self {
        Self::with_options(poses, InstanceOptions::new(n_classes).max_per_class(20))
    }
}
