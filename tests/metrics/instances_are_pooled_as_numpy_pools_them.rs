//! Embeddings of boxes and masks are the means of a feature map that numpy has, one row for each
//! instance, joined to the table of the pass and placed like any embeddings.
//!
//! `tests/inputs/pooling.py` made the maps, boxes, masks and means with numpy.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use emberlens::collect::{Loader, PassReport, collect_metrics};
use emberlens::embedding::FitOn;
use emberlens::metrics::{BBox, EmbeddedInstances, FeatureMap, InstanceEmbeddings, Rle};
use emberlens::reduce::Pca;
use emberlens::run::{Project, Run};
use emberlens::table::{BoxFormat, Columns, Role, embedding, role, values};
use emberlens::{ErrorKind, Result};
use ndarray::{Array2, Array3};
use serde_json::Value;

struct Image {
    map: Array3<f32>,
    boxes: Vec<BBox>,
    masks: Vec<Rle>,
    of_boxes: Vec<Vec<f64>>,
    of_masks: Vec<Vec<f64>>,
}

fn images() -> Vec<Image> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/pooling.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let of = |one: &Value| {
        let map: Vec<Vec<Vec<f32>>> = serde_json::from_value(one["map"].clone()).unwrap();
        let boxes: Vec<[f64; 4]> = serde_json::from_value(one["boxes"].clone()).unwrap();
        let masks: Vec<Vec<Vec<u8>>> = serde_json::from_value(one["masks"].clone()).unwrap();
        let mask = |rows: Vec<Vec<u8>>| {
            let size = (rows.len(), rows[0].len());
            let mask = Array2::from_shape_fn(size, |(row, column)| rows[row][column] == 1);
            Rle::from_mask(mask.view()).unwrap()
        };
        Image {
            map: Array3::from_shape_fn((3, 3, 4), |(c, row, column)| map[c][row][column]),
            boxes: boxes
                .into_iter()
                .map(|edges| BBox::new(edges, BoxFormat::Xyxy))
                .collect(),
            masks: masks.into_iter().map(mask).collect(),
            of_boxes: serde_json::from_value(one["of_boxes"].clone()).unwrap(),
            of_masks: serde_json::from_value(one["of_masks"].clone()).unwrap(),
        }
    };
    document["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect()
}

fn boxes(batch: &Vec<&Image>, _: &()) -> Result<Vec<EmbeddedInstances>> {
    let of = |image: &&Image| {
        let map = FeatureMap::new(image.map.view(), 12, 20)?;
        let right: Vec<f32> = image
            .boxes
            .iter()
            .map(|b| b.values(BoxFormat::Xyxy)[2] as f32)
            .collect();
        EmbeddedInstances::new(map.pool_boxes(&image.boxes)?)
            .columns(Columns::new().with("right", right))
    };
    batch.iter().map(of).collect()
}

fn masks(batch: &Vec<&Image>, _: &()) -> Result<Vec<EmbeddedInstances>> {
    let of = |image: &&Image| {
        let map = FeatureMap::new(image.map.view(), 12, 20)?;
        Ok(EmbeddedInstances::new(map.pool_masks(&image.masks)?))
    };
    batch.iter().map(of).collect()
}

fn run() -> (Project, Run) {
    let project = Project::open("memory://", "instances").unwrap();
    let run = project.run("detector").start().unwrap();
    (project, run)
}

fn collect<F>(run: &Run, images: &[Image], collector: InstanceEmbeddings<F>) -> Result<PassReport>
where
    F: Fn(&Vec<&Image>, &()) -> Result<Vec<EmbeddedInstances>> + Send + Sync,
{
    let images: Vec<&Image> = images.iter().collect();
    collect_metrics(&images)
        .collector(collector)
        .without_table()
        .split("valid")
        .epoch(0)
        .loader(Loader::batch_size(4))
        .into_run(run)
}

fn assert_rows(run: &Run, stream: &str, expected: &[Vec<f64>]) {
    let rows = run.reader().unwrap().metrics(stream).read().unwrap();
    let ids: Vec<i64> = values(&rows, "example_id").unwrap();
    assert_eq!(ids, [0, 0, 0, 2, 3, 3, 3, 3, 3, 4, 4, 5, 5, 5, 5]);
    let numbers: Vec<i64> = values(&rows, "instance").unwrap();
    assert_eq!(numbers, [0, 1, 2, 0, 0, 1, 2, 3, 4, 0, 1, 0, 1, 2, 3]);
    let field = rows
        .schema()
        .field_with_name("instance_embedding")
        .unwrap()
        .clone();
    assert_eq!(role(&field), Some(Role::Embedding { width: 3 }));
    let found = embedding(&rows, "instance_embedding").unwrap();
    for (row, (found, expected)) in found.outer_iter().zip(expected).enumerate() {
        for (found, expected) in found.iter().zip(expected) {
            let difference = (f64::from(*found) - expected).abs();
            assert!(difference < 1e-6, "row {row}: {found} is not {expected}");
        }
    }
}

#[test]
fn boxes_and_masks_have_the_means_of_numpy() {
    let images = images();
    let (_project, run) = run();
    let report = collect(&run, &images, InstanceEmbeddings::from_fn(boxes)).unwrap();
    assert_eq!(
        (report.rows, &*report.summed_rows),
        (6, &[("instances".to_owned(), 15)][..])
    );
    let expected: Vec<Vec<f64>> = images.iter().flat_map(|one| one.of_boxes.clone()).collect();
    assert_rows(&run, "instances", &expected);
    let right = report.aggregate("valid_instances_right_avg").unwrap();
    let edges = images.iter().flat_map(|one| &one.boxes);
    let edges: Vec<f64> = edges.map(|b| b.values(BoxFormat::Xyxy)[2]).collect();
    assert!((right - edges.iter().sum::<f64>() / 15.0).abs() < 1e-6);

    let collector = InstanceEmbeddings::from_fn(masks).stream("masks");
    collect(&run, &images, collector).unwrap();
    let expected: Vec<Vec<f64>> = images.iter().flat_map(|one| one.of_masks.clone()).collect();
    assert_rows(&run, "masks", &expected);
}

#[test]
fn every_instance_has_coordinates() {
    let (_project, run) = run();
    collect(&run, &images(), InstanceEmbeddings::from_fn(boxes)).unwrap();
    run.reduce_embeddings(
        "instance_embedding",
        &Pca::params(),
        FitOn::LatestPass("valid"),
    )
    .unwrap();
    let reader = run.reader().unwrap();
    let placed = reader.projection("instance_embedding-pca");
    assert!(placed.info().unwrap().instances);
    assert_eq!(placed.matrix().unwrap().nrows(), 15);
}

#[test]
fn rows_are_of_the_examples_of_the_pass_and_join_its_table() {
    let (project, run) = run();
    let table = project
        .create_table(
            "images",
            Columns::new().with("place", vec!["a", "b", "c", "d", "e", "f", "g", "h"]),
        )
        .unwrap();
    let images = images();
    let images: Vec<&Image> = images.iter().collect();
    collect_metrics(&images)
        .collector(InstanceEmbeddings::from_fn(boxes))
        .table(&table)
        .example_ids(vec![7, 6, 5, 4, 3, 2])
        .into_run(&run)
        .unwrap();
    let reader = run.reader().unwrap();
    let ids: Vec<i64> = reader.metrics("instances").values("example_id").unwrap();
    assert_eq!(ids, [7, 7, 7, 5, 4, 4, 4, 4, 4, 3, 3, 2, 2, 2, 2]);
    assert!(reader.passes("instances")[0].table.is_some());
}

#[test]
fn a_pass_without_instances_has_no_rows_and_the_next_one_has() {
    let (_project, run) = run();
    let images = images();
    let report = collect(&run, &images[1..2], InstanceEmbeddings::from_fn(boxes)).unwrap();
    assert_eq!(report.summed_rows, [("instances".to_owned(), 0)]);
    let report = collect(&run, &[], InstanceEmbeddings::from_fn(boxes)).unwrap();
    assert_eq!((report.rows, report.summed_rows[0].1), (0, 0));
    let report = collect(&run, &images, InstanceEmbeddings::from_fn(boxes)).unwrap();
    assert_eq!(report.summed_rows[0].1, 15);
}

#[test]
fn vectors_that_do_not_fit_are_named() {
    let (_project, run) = run();
    let told = |of: fn(usize) -> Result<EmbeddedInstances>| {
        let numbers: Vec<usize> = (0..3).collect();
        let error = collect_metrics(&numbers)
            .collector(InstanceEmbeddings::from_fn(
                move |batch: &Vec<usize>, _: &()| batch.iter().map(|number| of(*number)).collect(),
            ))
            .without_table()
            .loader(Loader::batch_size(1))
            .into_run(&run)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UserCode);
        error.chain()
    };
    let widths = told(|number| Ok(EmbeddedInstances::new(Array2::zeros((2, 3 + number / 2)))));
    assert!(
        widths.contains("width 4 in example 2") && widths.contains("width 3"),
        "{widths}"
    );
    let none = told(|_| Ok(EmbeddedInstances::new(Array2::zeros((2, 0)))));
    assert!(none.contains("width 0 in example 0"), "{none}");
    let count = told(|number| {
        let ious = vec![0.5_f32; 2 - number / 2];
        EmbeddedInstances::new(Array2::zeros((2, 3))).columns(Columns::new().with("iou", ious))
    });
    assert!(
        count.contains("iou = 1 values: there are 2 vectors"),
        "{count}"
    );
}
