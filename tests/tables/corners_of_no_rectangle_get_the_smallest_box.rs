//! Rotated boxes whose four corners were drawn by hand become the smallest rectangles around them,
//! those of Shapely and OpenCV, and the import counts them.
//!
//! `tests/inputs/corners.py` made the corners and rectangles.

#![allow(clippy::unwrap_used)]

use emberlens::geometry::OrientedBox;
use emberlens::metrics::OrientedBoxes;
use emberlens::table::import::{YoloOptions, YoloTask};
use serde_json::Value;

use crate::yolo::{data_set, import};

fn made() -> Vec<Value> {
    serde_json::from_str(include_str!("../inputs/corners.json")).unwrap()
}

fn points(value: &Value) -> [[f64; 2]; 4] {
    let number = |value: &Value| value.as_f64().unwrap();
    let all = value.as_array().unwrap().iter();
    let all: Vec<[f64; 2]> = all
        .map(|point| [number(&point[0]), number(&point[1])])
        .collect();
    all.try_into().unwrap()
}

#[test]
fn the_box_is_that_of_shapely_and_has_the_area_of_opencvs() {
    let made = made();
    assert_eq!(made.len(), 61);
    let mut same = 0;
    for one in &made {
        let found = OrientedBox::around_corners(points(&one["corners"])).unwrap();
        let expected = points(&one["rectangle"]);
        let [a, b, c, _] = expected;
        let area = (a[0] - b[0]).hypot(a[1] - b[1]) * (c[0] - b[0]).hypot(c[1] - b[1]);
        assert!((found.area() / area - 1.0).abs() < 1e-9, "{one}");
        let area = one["opencv_area"].as_f64().unwrap();
        assert!((found.area() / area - 1.0).abs() < 1e-4, "{one}");
        let is_corner = |[x, y]: [f64; 2]| {
            let away = found.corners().map(|[a, b]| (a - x).hypot(b - y));
            away.into_iter().any(|away| away < 1e-6)
        };
        same += usize::from(expected.into_iter().all(is_corner));
    }
    // Where two sides give the same area, either may be taken.
    assert!(same > 50, "{same}");
}

#[test]
fn an_import_takes_corners_drawn_by_hand_and_counts_them() {
    // Of 200 x 100 pixels: a rectangle, and a quadrilateral as data sets of aerial images have them.
    let text = "0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n1 0.5 0.5 0.9 0.55 0.89 0.9 0.51 0.85\n";
    let folder = data_set(text, "");
    let imported = import(folder.path(), &YoloOptions::new(YoloTask::Oriented)).unwrap();
    assert_eq!((imported.approximated, imported.skipped.count()), (1, 0));
    let truths = OrientedBoxes::pixels()
        .truths(&imported.table, "oriented_boxes")
        .unwrap();
    assert_eq!(truths[0].len(), 2);
    let corners = [[100.0, 50.0], [180.0, 55.0], [178.0, 90.0], [102.0, 85.0]];
    let expected = OrientedBox::around_corners(corners).unwrap();
    let pairs = truths[0][1]
        .geometry
        .corners()
        .into_iter()
        .zip(expected.corners());
    for (found, expected) in pairs {
        assert!((found[0] - expected[0]).abs() < 1e-6 && (found[1] - expected[1]).abs() < 1e-6);
    }
}
