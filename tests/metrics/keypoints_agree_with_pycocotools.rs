//! Poses are compared, matched and evaluated as pycocotools does it, with keypoints that are not
//! labelled, persons without any, and crowds.
//!
//! `tests/inputs/coco.py` made the scenes and the expected values with pycocotools 2.0.11.

#![allow(clippy::unwrap_used)]

use crate::scenes::{self, NOT_OURS, numbers};
use emberlens::metrics::{
    BBox, ImageInstances, InstanceOptions, Keypoint, Pose, Poses, PredictedInstance, TrueInstance,
    TruePose, evaluate,
};
use emberlens::table::BoxFormat;
use serde_json::Value;

/// Recalls at 0.5 and at 0.75 alone are no columns of ours.
const SUMMARY: [&str; 10] = [
    "ap",
    "ap_50",
    "ap_75",
    "ap_medium",
    "ap_large",
    "ar",
    NOT_OURS,
    NOT_OURS,
    "ar_medium",
    "ar_large",
];

fn images(scenes: &Value) -> Vec<ImageInstances<TruePose, Pose>> {
    let truth = |one: &Value| {
        let four: [f64; 4] = numbers(&one["bbox"]).try_into().unwrap();
        let bbox = BBox::new(four, BoxFormat::Xywh);
        TruePose::from_coco(&numbers(&one["keypoints"]), bbox)
    };
    let predicted = |one: &Value| {
        let flat = numbers(&one["keypoints"]);
        Pose::new(
            flat.chunks(3)
                .map(|xyv| Keypoint::new(xyv[0], xyv[1], xyv[2])),
        )
    };
    scenes::images(scenes, truth, predicted)
}

#[test]
fn every_number_of_every_class() {
    let scenes = scenes::read("poses");
    let options = InstanceOptions::new(scenes["classes"].as_u64().unwrap() as usize);
    let options = options.max_per_class(20);
    let (task, images) = (Poses::coco_person(), images(&scenes));
    scenes::assert_evaluation(&task, &images, &scenes, &options, &SUMMARY);
}

#[test]
fn counts_of_every_image() {
    let scenes = scenes::read("poses");
    scenes::assert_counts(&Poses::coco_person(), &images(&scenes), &scenes);
}

#[test]
fn poses_that_mean_nothing_are_named() {
    let bbox = BBox::new([0.0, 0.0, 9.0, 9.0], BoxFormat::Xywh);
    let task = Poses::with_sigmas([0.1, 0.1]).unwrap();
    let truth = |triples: &[f64], bbox| TrueInstance::new(TruePose::from_coco(triples, bbox), 0);
    let good = || truth(&[1.0, 1.0, 2.0, 2.0, 2.0, 2.0], bbox);
    let pose = |points: &[[f64; 3]]| {
        let points = points.iter().map(|[x, y, c]| Keypoint::new(*x, *y, *c));
        PredictedInstance::new(Pose::new(points), 0, 0.5)
    };
    let fine = || pose(&[[1.0, 1.0, 1.0]; 2]);
    let turned = BBox::new([5.0, 0.0, 2.0, 9.0], BoxFormat::Xyxy);
    for (truth, predicted, part) in [
        (
            good(),
            pose(&[[1.0, 1.0, 1.0]]),
            "keypoints of prediction 0 of image 0 = 1: there are 2",
        ),
        (
            good(),
            pose(&[[1.0, f64::NAN, 1.0]; 2]),
            "y of keypoint 0 of prediction 0 of image 0",
        ),
        (
            good(),
            pose(&[[1.0, 1.0, f64::NAN]; 2]),
            "confidence of keypoint 0 of prediction 0",
        ),
        (
            truth(&[1.0, 1.0, 2.0], bbox),
            fine(),
            "keypoints of truth 0 of image 0 = 1",
        ),
        (
            truth(&[1.0, 1.0, 2.0, f64::INFINITY, 0.0, 0.0], bbox),
            fine(),
            "x of keypoint 1 of truth 0",
        ),
        (
            truth(&[1.0; 6], turned),
            fine(),
            "width of the box of truth 0 of image 0 = -3",
        ),
    ] {
        let images = [ImageInstances::new(vec![truth], vec![predicted])];
        let error = evaluate(&task, &images, &InstanceOptions::new(1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error} does not say {part}");
    }
    assert!(
        Poses::with_sigmas([])
            .unwrap_err()
            .to_string()
            .contains("sigmas = (none)")
    );
    let error = Poses::with_sigmas([0.1, 0.0]).unwrap_err().to_string();
    assert!(error.contains("0 of keypoint 1"), "{error}");
}
