//! Masks are read, written, measured, matched and evaluated as pycocotools does it.
//!
//! `tests/inputs/coco.py` made the scenes and the expected values with pycocotools 2.0.11.

#![allow(clippy::unwrap_used)]

use emberlens::metrics::{
    ImageInstances, InstanceMasks, InstanceOptions, PredictedInstance, Rle, TrueInstance, evaluate,
};
use serde_json::Value;

use crate::scenes;

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

fn mask(one: &Value) -> Rle {
    let encoded = &one["segmentation"];
    let side = |at: usize| encoded["size"][at].as_u64().unwrap() as u32;
    Rle::from_text(side(0), side(1), encoded["counts"].as_str().unwrap()).unwrap()
}

fn images(scenes: &Value) -> Vec<ImageInstances<Rle>> {
    scenes::images(scenes, mask, mask)
}

#[test]
fn the_text_of_every_mask_both_ways_through_its_pixels() {
    let scenes = scenes::read("instances");
    let all = ["truths", "results"].map(|kind| scenes[kind].as_array().unwrap());
    let mut holes = 0;
    for one in all.into_iter().flatten() {
        let read = mask(one);
        let pixels = read.to_mask().unwrap();
        assert_eq!(pixels.dim(), (24, 32));
        let again = Rle::from_mask(pixels.view()).unwrap();
        assert_eq!(
            again.to_text(),
            one["segmentation"]["counts"].as_str().unwrap()
        );
        holes += usize::from(read.counts().len() > 60);
    }
    assert!(holes > 5);
}

#[test]
fn every_number_of_every_class() {
    let scenes = scenes::read("instances");
    let options = InstanceOptions::new(scenes["classes"].as_u64().unwrap() as usize);
    let images = images(&scenes);
    scenes::assert_evaluation(&InstanceMasks, &images, &scenes, &options, &SUMMARY);
}

#[test]
fn counts_of_every_image_with_labels_and_without() {
    let scenes = scenes::read("instances");
    scenes::assert_counts(&InstanceMasks, &images(&scenes), &scenes);
}

#[test]
fn the_best_iou_of_every_prediction() {
    let scenes = scenes::read("instances");
    let (images, best) = (images(&scenes), scenes::numbers(&scenes["best_iou"]));
    let results = scenes["results"].as_array().unwrap();
    for (one, expected) in results.iter().zip(best) {
        let there = &images[one["image_id"].as_u64().unwrap() as usize - 1].truth;
        let ious = there.iter().filter(|truth| !truth.crowd);
        let found = ious.map(|truth| mask(one).iou(&truth.geometry).unwrap());
        let found = found.fold(0.0, f64::max);
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }
}

#[test]
fn masks_of_other_sizes_are_named() {
    let of = |height, width| Rle::from_counts(height, width, vec![0, height * width]).unwrap();
    let image = ImageInstances::new(
        vec![TrueInstance::new(of(4, 6), 0)],
        vec![
            PredictedInstance::new(of(4, 6), 0, 0.5),
            PredictedInstance::new(of(6, 4), 0, 0.5),
        ],
    );
    let images = [ImageInstances::default(), image];
    let error = evaluate(&InstanceMasks, &images, &InstanceOptions::new(1)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("size of prediction 1 of image 1 = 6 x 4") && text.contains("has 4 x 6"),
        "{text}"
    );
}
