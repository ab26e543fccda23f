//! The keypoints of one instance, true and predicted.

use crate::geometry::BBox;

/// A predicted keypoint.
///
/// # Shapes and units
/// Pixels; y points down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keypoint {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// How sure the model is of this one; the likeness of poses does not depend on it.
    pub confidence: f64,
}

impl Keypoint {
    /// A keypoint, from f32 or f64.
    pub fn new(x: impl Into<f64>, y: impl Into<f64>, confidence: impl Into<f64>) -> Self {
        Self {
            x: x.into(),
            y: y.into(),
            confidence: confidence.into(),
        }
    }
}

/// The predicted keypoints of one instance, in the order of the task's sigmas.
#[derive(Clone, Debug, PartialEq)]
pub struct Pose {
    /// The keypoints.
    pub keypoints: Vec<Keypoint>,
}

impl Pose {
    /// A pose of these keypoints.
    pub fn new(keypoints: impl IntoIterator<Item = Keypoint>) -> Self {
        Self {
            keypoints: keypoints.into_iter().collect(),
        }
    }

    /// The area of the smallest box around all keypoints, by which COCO puts a prediction into an
    /// area range; 0 without keypoints.
    pub(super) fn area(&self) -> f64 {
        let extent = |of: fn(&Keypoint) -> f64| {
            let values = || self.keypoints.iter().map(of);
            values().fold(f64::NEG_INFINITY, f64::max) - values().fold(f64::INFINITY, f64::min)
        };
        if self.keypoints.is_empty() {
            return 0.0;
        }
        extent(|keypoint| keypoint.x) * extent(|keypoint| keypoint.y)
    }
}

/// A true keypoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrueKeypoint {
    /// From the left, pixels.
    pub x: f64,
    /// From the top, pixels.
    pub y: f64,
    /// Whether its place is known, be it visible or hidden (COCO: `v` above 0). Others are left out.
    pub labelled: bool,
}

/// The true keypoints of one instance and the box around it.
///
/// A pose without a labelled keypoint counts neither for nor against, as in COCO.
#[derive(Clone, Debug, PartialEq)]
pub struct TruePose {
    /// The keypoints, in the order of the task's sigmas.
    pub keypoints: Vec<TrueKeypoint>,
    /// The box around the instance. Its area is the scale of distances where the instance gives no
    /// area of its own.
    pub bbox: BBox,
}

impl TruePose {
    /// From COCO's flat `x, y, v, x, y, v, ...`; numbers beyond the last whole triple are left out.
    ///
    /// ```
    /// use emberlens::metrics::{BBox, TruePose};
    /// use emberlens::table::BoxFormat;
    /// let bbox = BBox::new([0.0, 0.0, 9.0, 9.0], BoxFormat::Xywh);
    /// let pose = TruePose::from_coco(&[4.0, 5.0, 2.0, 0.0, 0.0, 0.0], bbox);
    /// assert!(pose.keypoints[0].labelled && !pose.keypoints[1].labelled);
    /// ```
    pub fn from_coco(triples: &[f64], bbox: BBox) -> Self {
        let keypoints = triples.chunks_exact(3).map(|triple| TrueKeypoint {
            x: triple[0],
            y: triple[1],
            labelled: triple[2] > 0.0,
        });
        Self {
            keypoints: keypoints.collect(),
            bbox,
        }
    }
}
