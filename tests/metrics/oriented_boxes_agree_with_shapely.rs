//! Rotated boxes share what shapely says that they share: anywhere, one inside the other, touching,
//! nearly equal, and the same box told in other words.
//!
//! `tests/inputs/oriented.py` made the pairs and the expected values with shapely 2.2.0.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use emberlens::metrics::{
    ImageInstances, InstanceOptions, OrientedBox, OrientedBoxes, PredictedInstance, TrueInstance,
    evaluate, instance_columns,
};
use emberlens::table::{AngleDirection, AngleUnit, values};
use serde_json::Value;

const TASK: OrientedBoxes = OrientedBoxes::pixels();

fn pairs() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/oriented.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn five(value: &Value) -> [f64; 5] {
    let five: Vec<f64> = value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    five.try_into().unwrap()
}

fn turned(value: &Value) -> OrientedBox {
    OrientedBox::new(five(value), AngleUnit::Degrees, AngleDirection::Clockwise)
}

#[test]
fn in_every_convention() {
    let pairs = pairs();
    assert_eq!(pairs.len(), 200);
    for pair in &pairs {
        let (a, b) = (turned(&pair["a"]), turned(&pair["b"]));
        let expected = pair["iou"].as_f64().unwrap();
        for found in [a.iou(&b), b.iou(&a)] {
            assert!(
                (found - expected).abs() < 1e-9,
                "{found} is not {expected}: {pair}"
            );
        }
        let share = a.share_in(&b) - pair["in"].as_f64().unwrap();
        assert!(share.abs() < 1e-9, "{pair}");
        // The same two boxes with angles against the clock, in radians.
        let mirrored = |value: &Value| {
            let mut values = five(value);
            values[4] = -values[4].to_radians();
            OrientedBox::new(values, AngleUnit::Radians, AngleDirection::CounterClockwise)
        };
        let other = mirrored(&pair["a"]).iou(&mirrored(&pair["b"]));
        assert!((other - expected).abs() < 1e-9, "{pair}");
    }
}

#[test]
fn a_wrong_direction_is_another_iou() {
    // Guards the test above: for most pairs the direction matters.
    let differs = |pair: &&Value| {
        let reversed = |value: &Value| {
            OrientedBox::new(
                five(value),
                AngleUnit::Degrees,
                AngleDirection::CounterClockwise,
            )
        };
        let found = turned(&pair["a"]).iou(&reversed(&pair["b"]));
        (found - pair["iou"].as_f64().unwrap()).abs() > 1e-3
    };
    assert!(pairs().iter().filter(differs).count() > 75);
}

#[test]
fn precision_rests_on_that_iou() {
    // One image a pair: average precision is the share of the ten thresholds that the IoU reaches.
    for pair in pairs().iter().step_by(3) {
        let iou = pair["iou"].as_f64().unwrap();
        let near_threshold = (0..10).any(|t| (iou - (0.5 + 0.05 * f64::from(t))).abs() < 1e-6);
        if near_threshold {
            continue;
        }
        let image = ImageInstances::new(
            vec![TrueInstance::new(turned(&pair["b"]), 0)],
            vec![PredictedInstance::new(turned(&pair["a"]), 0, 0.5)],
        );
        let images = [image];
        let class = evaluate(&TASK, &images, &InstanceOptions::new(1))
            .unwrap()
            .classes
            .remove(0);
        let reached = (0..10)
            .filter(|&t| iou >= 0.5 + 0.05 * f64::from(t))
            .count();
        assert!(
            (class.ap.unwrap() - reached as f64 / 10.0).abs() < 1e-12,
            "{pair}"
        );
        let columns = instance_columns(&TASK, &images, &InstanceOptions::new(1)).unwrap();
        let batch = columns.into_batch("test").unwrap();
        assert_eq!(
            values::<i32>(&batch, "tp").unwrap(),
            [i32::from(iou >= 0.5)]
        );
    }
}

#[test]
fn values_that_mean_nothing_are_named() {
    for (values, part) in [
        (
            [0.0, f64::NAN, 1.0, 1.0, 0.0],
            "cy of prediction 0 of image 0 = NaN",
        ),
        (
            [0.0, 0.0, -1.0, 1.0, 0.0],
            "width of prediction 0 of image 0 = -1",
        ),
        (
            [0.0, 0.0, 1.0, 1.0, f64::INFINITY],
            "angle of prediction 0 of image 0 = inf",
        ),
    ] {
        let bbox = OrientedBox::new(values, AngleUnit::Radians, AngleDirection::Clockwise);
        let image = ImageInstances::new(vec![], vec![PredictedInstance::new(bbox, 0, 0.5)]);
        let error = evaluate(&TASK, &[image], &InstanceOptions::new(1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
}
