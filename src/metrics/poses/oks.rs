//! How alike two poses are.

use super::{Pose, TruePose};
use crate::table::BoxFormat;

/// Object keypoint similarity, from 0 to 1: the mean over labelled keypoints of `exp(-d^2 / (2 area
/// (2 sigma)^2))`, where `d` is the distance of the keypoint from its true place.
///
/// Without labelled keypoints `d` is the distance from a box of twice the size of the true one, over
/// all keypoints, so that predictions near such an instance can be told from others.
///
/// # Source
/// `computeOks` of pycocotools' `cocoeval.py`.
pub(super) fn oks(predicted: &Pose, truth: &TruePose, area: f64, sigmas: &[f64]) -> f64 {
    let labelled = truth
        .keypoints
        .iter()
        .filter(|keypoint| keypoint.labelled)
        .count();
    let [x, y, width, height] = truth.bbox.values(BoxFormat::Xywh);
    let beyond = |value: f64, start: f64, size: f64| {
        (start - size - value).max(0.0) + (value - (start + 2.0 * size)).max(0.0)
    };
    let pairs = predicted.keypoints.iter().zip(&truth.keypoints).zip(sigmas);
    let (mut sum, mut count) = (0.0, 0_u32);
    for ((predicted, truth), sigma) in pairs {
        let (dx, dy) = match (labelled, truth.labelled) {
            (0, _) => (
                beyond(predicted.x, x, width),
                beyond(predicted.y, y, height),
            ),
            (_, true) => (predicted.x - truth.x, predicted.y - truth.y),
            (_, false) => continue,
        };
        let scale = 2.0 * (2.0 * sigma).powi(2) * (area + f64::EPSILON);
        sum += (-(dx * dx + dy * dy) / scale).exp();
        count += 1;
    }
    if count == 0 {
        0.0
    } else {
        sum / f64::from(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{BBox, Keypoint};

    #[test]
    fn a_distance_of_one_deviation_is_one_over_the_root_of_e() {
        // Two sigmas are 0.1 of the side of the instance: 10 pixels of 100.
        let bbox = BBox::new([0.0, 0.0, 100.0, 100.0], BoxFormat::Xywh);
        let truth = TruePose::from_coco(&[50.0, 50.0, 2.0, 20.0, 20.0, 1.0, 0.0, 0.0, 0.0], bbox);
        let predicted = Pose::new(
            [(50.0, 60.0), (20.0, 20.0), (7.0, 7.0)].map(|(x, y)| Keypoint::new(x, y, 1.0)),
        );
        let found = oks(&predicted, &truth, 1e4, &[0.05; 3]);
        let expected = f64::midpoint((-0.5_f64).exp(), 1.0);
        assert!((found - expected).abs() < 1e-12, "{found}");
    }
}
