//! Boxes are matched, counted and evaluated as pycocotools does it, on random scenes with crowds,
//! equal scores, areas of their own, more predictions than are taken, and boxes beyond the image.
//!
//! `tests/inputs/coco.py` made the scenes and the expected values with pycocotools 2.0.11.

#![allow(clippy::unwrap_used)]

use crate::scenes::{self, numbers};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use emberlens::metrics::{
    AxisAlignedBoxes, BBox, ImageInstances, InstanceOptions, evaluate, instance_columns,
};
use emberlens::table::{BoxFormat, CoordinateUnit};
use serde_json::Value;

const SUMMARY: [&str; 12] = [
    "ap",
    "ap_50",
    "ap_75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar_1",
    "ar_10",
    "ar",
    "ar_small",
    "ar_medium",
    "ar_large",
];

fn bbox(one: &Value) -> BBox {
    let four: [f64; 4] = numbers(&one["bbox"]).try_into().unwrap();
    BBox::new(four, BoxFormat::Xywh)
}

fn images(scenes: &Value) -> Vec<ImageInstances<BBox>> {
    scenes::images(scenes, bbox, bbox)
}

const PIXELS: AxisAlignedBoxes = AxisAlignedBoxes::new(CoordinateUnit::Pixels);

#[test]
fn every_number_of_every_class() {
    let scenes = scenes::read("detection");
    let images = images(&scenes);
    let classes = scenes["classes"].as_u64().unwrap() as usize;
    let options = InstanceOptions::new(classes);
    let evaluation = scenes::assert_evaluation(&PIXELS, &images, &scenes, &options, &SUMMARY);
    // Class 4 is predicted and never there; class 5 is there and never predicted.
    let (never, missed) = (&evaluation.classes[4], &evaluation.classes[5]);
    assert_eq!((never.ap, never.recall, never.best_f1), (None, None, None));
    assert_eq!((never.instances, never.precision), (0, Some(0.0)));
    assert_eq!(
        (missed.ap, missed.recall, missed.precision),
        (Some(0.0), Some(0.0), None)
    );
    assert_eq!(
        (missed.best_f1, missed.best_f1_confidence),
        (Some(0.0), None)
    );
}

/// Images are looked at in pieces, on all threads; those without instances change nothing.
#[test]
fn however_many_images_lie_between() {
    let scenes = scenes::read("detection");
    let between = || (0..40).map(|_| ImageInstances::default());
    let images = images(&scenes).into_iter();
    let spread: Vec<_> = images.flat_map(|image| between().chain([image])).collect();
    assert!(spread.len() > 1_000);
    let options = InstanceOptions::new(scenes["classes"].as_u64().unwrap() as usize);
    scenes::assert_evaluation(&PIXELS, &spread, &scenes, &options, &SUMMARY);
}

#[test]
fn counts_of_every_image_with_labels_and_without() {
    let scenes = scenes::read("detection");
    scenes::assert_counts(&PIXELS, &images(&scenes), &scenes);
}

#[test]
fn the_iou_of_every_prediction() {
    let scenes = scenes::read("detection");
    let options = InstanceOptions::new(6).max_per_image(usize::MAX);
    let columns = instance_columns(&PIXELS, &images(&scenes), &options).unwrap();
    let batch = columns.into_batch("test").unwrap();
    let boxes = batch["boxes_predicted"]
        .as_list::<i32>()
        .values()
        .as_struct();
    let found = |name: &str| {
        let column = boxes.column_by_name(name).unwrap();
        column.as_primitive::<Float32Type>().values().to_vec()
    };
    // Predictions of an image are stored by falling confidence: compare them by their places.
    let key = |image: usize, corner: [f32; 4], confidence: f32| {
        (image, corner.map(f32::to_bits), confidence.to_bits())
    };
    let results = scenes["results"].as_array().unwrap();
    let mut expected: Vec<_> = results
        .iter()
        .zip(numbers(&scenes["best_iou"]))
        .map(|(one, iou)| {
            let image = one["image_id"].as_u64().unwrap() as usize - 1;
            let corner = bbox(one).values(BoxFormat::Xyxy).map(|value| value as f32);
            (
                key(image, corner, one["score"].as_f64().unwrap() as f32),
                iou,
            )
        })
        .collect();
    let [x0, y0, x1, y1] = ["x0", "y0", "x1", "y1"].map(found);
    let (confidence, iou) = (found("confidence"), found("iou"));
    let offsets = batch["boxes_predicted"].as_list::<i32>().offsets().clone();
    let mut rows: Vec<_> = (0..boxes.len())
        .map(|at| {
            let image = offsets.partition_point(|&end| end as usize <= at) - 1;
            let corner = [x0[at], y0[at], x1[at], y1[at]];
            (key(image, corner, confidence[at]), f64::from(iou[at]))
        })
        .collect();
    expected.sort_by_key(|(key, _)| *key);
    rows.sort_by_key(|(key, _)| *key);
    assert_eq!(rows.len(), expected.len());
    for (found, expected) in rows.iter().zip(&expected) {
        assert_eq!(found.0, expected.0);
        assert!(
            (found.1 - expected.1).abs() < 1e-7,
            "{found:?} is not {expected:?}"
        );
    }
    let labels = boxes.column_by_name("label").unwrap();
    assert!(
        labels
            .as_primitive::<Int32Type>()
            .values()
            .iter()
            .all(|label| (0..6).contains(label))
    );
}

#[test]
fn normalised_boxes_have_the_same_precision_and_no_area_ranges() {
    let scenes = scenes::read("detection");
    let pixels = evaluate(&PIXELS, &images(&scenes), &InstanceOptions::new(6)).unwrap();
    let scaled = |one: &Value| bbox(one).to_normalised(640.0, 480.0);
    let task = AxisAlignedBoxes::new(CoordinateUnit::Normalised);
    let images = scenes::images(&scenes, scaled, scaled);
    let normalised = evaluate(&task, &images, &InstanceOptions::new(6)).unwrap();
    for (a, b) in pixels.classes.iter().zip(&normalised.classes) {
        assert_eq!((a.ap, a.ar, a.best_f1), (b.ap, b.ar, b.best_f1));
        assert_eq!((b.ap_small, b.ap_medium, b.ar_large), (None, None, None));
    }
}
