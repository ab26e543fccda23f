//! Boxes and areas of a COCO file are the file's own to the last bit, in the table's truths and in
//! what goes out again: a box that lies on a threshold counts as pycocotools counts it.
//!
//! `tests/inputs/thresholds.py` made the files and pycocotools' summaries.

#![allow(clippy::unwrap_used)]

use emberlens::geometry::{BBox, BoxFormat, CoordinateUnit};
use emberlens::metrics::{
    AxisAlignedBoxes, ImageInstances, InstanceMasks, InstanceOptions, PredictedInstance, evaluate,
};
use emberlens::storage::Location;
use emberlens::table::Table;
use emberlens::table::export::{self, Existing};
use emberlens::table::import::{CocoOptions, YoloOptions, YoloTask, coco};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::yolo::data_set;

fn made() -> Value {
    serde_json::from_str(include_str!("../inputs/thresholds.json")).unwrap()
}

fn import(document: &Value) -> (TempDir, Table) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("annotations.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let tables = Location::open("memory://").unwrap();
    let imported = coco(&tables, "t", &file, &CocoOptions::new()).unwrap();
    (folder, imported.table)
}

fn export(folder: &TempDir, table: &Table) -> Value {
    let file = folder.path().join("again.json");
    export::coco(table, &file, Existing::Refuse).unwrap();
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn numbers(value: &Value) -> [f64; 4] {
    let all = value.as_array().unwrap().iter();
    let all: Vec<f64> = all.map(|number| number.as_f64().unwrap()).collect();
    all.try_into().unwrap()
}

#[test]
fn a_box_on_a_threshold_counts_as_pycocotools_counts_it() {
    for (name, made) in made().as_object().unwrap() {
        let (_folder, table) = import(&made["document"]);
        let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
        let truths = task.truths(&table, "boxes").unwrap();
        let results = made["results"].as_array().unwrap();
        assert_eq!(truths.len(), results.len());
        // One detection for each image, in the order of the images.
        let images = truths.into_iter().zip(results).map(|(truth, one)| {
            let bbox = BBox::new(numbers(&one["bbox"]), BoxFormat::Xywh);
            let score = one["score"].as_f64().unwrap();
            ImageInstances::new(truth, vec![PredictedInstance::new(bbox, 0, score)])
        });
        let images: Vec<_> = images.collect();
        let found = evaluate(&task, &images, &InstanceOptions::new(1)).unwrap();
        let found = [
            found.mean(|class| class.ap),
            found.mean(|class| class.ap_50),
            found.mean(|class| class.ap_75),
            found.mean(|class| class.ap_small),
            found.mean(|class| class.ap_medium),
            found.mean(|class| class.ap_large),
            found.mean(|class| class.ar_1),
        ];
        for (at, found) in found.into_iter().enumerate() {
            let expected = made["summary"][at].as_f64();
            let near = match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
                (found, expected) => found == expected,
            };
            assert!(near, "{name}, number {at}: {found:?} is not {expected:?}");
        }
    }
}

#[test]
fn boxes_and_areas_go_out_as_they_came_in() {
    for made in made().as_object().unwrap().values() {
        let (folder, table) = import(&made["document"]);
        let again = export(&folder, &table);
        let given = made["document"]["annotations"].as_array().unwrap();
        assert_eq!(again["annotations"].as_array().unwrap().len(), given.len());
        for (one, other) in given.iter().zip(again["annotations"].as_array().unwrap()) {
            assert_eq!(numbers(&one["bbox"]), numbers(&other["bbox"]));
            assert_eq!(one["area"].as_f64(), other["area"].as_f64());
        }
    }
}

/// A triangle and a box without their areas.
fn without_areas() -> Value {
    json!({
        "images": [{"id": 1, "file_name": "a", "width": 20, "height": 20}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10],
             "segmentation": [[0, 0, 10, 10, 0, 10]]},
            {"id": 2, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
        ],
    })
}

#[test]
fn an_area_that_is_missing_is_that_of_the_mask_or_the_box_for_every_reader() {
    let (folder, table) = import(&without_areas());
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let boxes = task.truths(&table, "boxes").unwrap();
    let masks = InstanceMasks.truths(&table, "masks").unwrap();
    let of_mask = masks[0][0].geometry.area() as f64;
    assert!((1.0..100.0).contains(&of_mask));
    assert_eq!(boxes[0][0].area, Some(of_mask));
    assert_eq!(boxes[0][1].area, Some(12.0));
    assert_eq!(masks[0][0].area, Some(of_mask));
    let again = export(&folder, &table);
    let areas = [0, 1].map(|at| again["annotations"][at]["area"].as_f64());
    assert_eq!(areas, [Some(of_mask), Some(12.0)]);
}

#[test]
fn a_polygon_that_draws_no_pixel_goes_out_with_the_box_around_it() {
    // A fifth of a pixel, in an image of 200 x 100.
    let folder = data_set("0 0.001 0.002 0.0015 0.002 0.0015 0.004\n", "");
    let options = YoloOptions::new(YoloTask::Segments);
    let table = crate::yolo::import(folder.path(), &options).unwrap().table;
    let masks = InstanceMasks.truths(&table, "masks").unwrap();
    assert_eq!(masks[0][0].geometry.area(), 0);
    let again = export(&folder, &table);
    let one = &again["annotations"][0];
    let expected = [0.2, 0.2, 0.1, 0.2];
    for (found, expected) in numbers(&one["bbox"]).into_iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{one}");
    }
    assert_eq!(one["area"], 0.0);
}
