//! Polygons become the same runs, one by one and several together, as pycocotools makes of them: also
//! those that cross themselves, reach beyond the image or repeat a point.
//!
//! `tests/inputs/polygons.py` drew them with pycocotools 2.0.11.

#![allow(clippy::unwrap_used)]

use emberlens::geometry::Rle;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    height: u32,
    width: u32,
    polygons: Vec<Vec<f64>>,
    counts: Vec<u32>,
}

#[test]
fn every_run_of_every_polygon() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../inputs/polygons.json")).unwrap();
    let (mut several, mut filled) = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        let drawn = Rle::from_polygons(case.height, case.width, &case.polygons);
        let drawn = drawn.unwrap().unwrap();
        assert_eq!(
            drawn.counts(),
            case.counts,
            "case {number}: {:?}",
            case.polygons
        );
        several += usize::from(case.polygons.len() > 1);
        filled += usize::from(drawn.area() > 0);
    }
    assert!(cases.len() == 400 && several > 100 && filled > 250);
}
