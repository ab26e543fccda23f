//! Masks of classes are evaluated as scikit-learn evaluates their pixels, with pixels that belong to
//! no class, classes that never occur, and masks that are void; statistics of images are OpenCV's.
//!
//! `tests/inputs/segmentation.py` made the masks and the expected values with scikit-learn 1.9.1;
//! `torchmetrics_values.py` says what torchmetrics 1.9 has of the same masks, `boundaries.py` what OpenCV's erosion
//! makes of boundaries.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, RecordBatch};
use emberlens::collect::{Loader, collect_metrics};
use emberlens::metrics::{
    ImageStatistics, Segmentation, SegmentationOptions, SegmentedImage, class_mask_from_png,
    evaluate_segmentation, image_statistics_columns, segmentation_columns,
};
use emberlens::run::Project;
use emberlens::table::{Role, role, values};
use ndarray::{Array2, Array3};
use serde_json::Value;

fn document() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/segmentation.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn mask(rows: &Value) -> Array2<u16> {
    let rows: Vec<Vec<u16>> = serde_json::from_value(rows.clone()).unwrap();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| {
        rows[row][column]
    })
}

fn images(document: &Value) -> Vec<SegmentedImage> {
    let images = document["images"].as_array().unwrap().iter();
    images
        .map(|one| SegmentedImage::new(mask(&one["truth"]), mask(&one["predicted"])))
        .collect()
}

fn options() -> SegmentationOptions {
    SegmentationOptions::new(5).void(255)
}

fn close(found: Option<f64>, expected: &Value, what: &str) {
    let near = match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-7,
        (found, expected) => found.is_none() && expected.is_none(),
    };
    assert!(near, "{what}: {found:?} is not {expected}");
}

fn assert_images(batch: &RecordBatch, document: &Value) {
    let lists = batch["iou"].as_list::<i32>();
    let mean = values::<Option<f64>>(batch, "mean_iou").unwrap();
    let accuracy = values::<Option<f64>>(batch, "pixel_accuracy").unwrap();
    let masks = values::<Vec<u8>>(batch, "mask_predicted").unwrap();
    let expected = document["images"].as_array().unwrap();
    assert_eq!(batch.num_rows(), expected.len());
    for (row, expected) in expected.iter().enumerate() {
        let list = lists.value(row);
        let list = list.as_primitive::<Float32Type>();
        for class in 0..5 {
            let found = list.is_valid(class).then(|| f64::from(list.value(class)));
            close(
                found,
                &expected["iou"][class],
                &format!("iou {class} of image {row}"),
            );
        }
        close(mean[row], &expected["mean_iou"], "mean_iou");
        close(accuracy[row], &expected["accuracy"], "pixel_accuracy");
        assert_eq!(
            class_mask_from_png(&masks[row]).unwrap(),
            mask(&expected["predicted"])
        );
    }
}

#[test]
fn every_image() {
    let document = document();
    let columns = segmentation_columns(&images(&document), &options()).unwrap();
    assert_images(&columns.into_batch("test").unwrap(), &document);
}

#[test]
fn all_pixels_by_class() {
    let document = document();
    let found = evaluate_segmentation(&images(&document), &options()).unwrap();
    let expected = &document["all"];
    for class in &found.classes {
        let label = class.label;
        for (name, value) in [
            ("iou", class.iou),
            ("precision", class.precision),
            ("recall", class.recall),
        ] {
            close(
                value,
                &expected[name][label],
                &format!("{name} of class {label}"),
            );
        }
        assert_eq!(class.pixels, expected["pixels"][label].as_u64().unwrap());
    }
    close(found.mean_iou, &expected["mean_iou"], "mean_iou");
    close(
        found.pixel_accuracy,
        &expected["accuracy"],
        "pixel_accuracy",
    );
    assert_eq!(found.images, 8);
}

#[test]
fn every_image_as_torchmetrics_has_it() {
    let images = images(&document());
    let text = include_str!("../inputs/torchmetrics.json");
    let expected: Value = serde_json::from_str(text).unwrap();
    let expected = expected["masks"].as_array().unwrap();
    assert_eq!(expected.len(), images.len());
    for (image, expected) in images.iter().zip(expected) {
        let found = evaluate_segmentation(std::slice::from_ref(image), &options()).unwrap();
        for class in &found.classes {
            close(class.iou, &expected["iou"][class.label], "iou");
        }
        close(
            found.pixel_accuracy,
            &expected["accuracy"],
            "pixel_accuracy",
        );
    }
}

/// Masks, and their boundary IoU by OpenCV's erosion for several widths.
fn boundaries() -> (Vec<SegmentedImage>, Vec<Value>) {
    let text = include_str!("../inputs/boundaries.json");
    let document: Value = serde_json::from_str(text).unwrap();
    let mask = |rows: &Value| {
        let rows: Vec<String> = serde_json::from_value(rows.clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| {
            u16::from(rows[row].as_bytes()[column] - b'0')
        })
    };
    let images = document["images"].as_array().unwrap().iter();
    let images = images
        .map(|one| SegmentedImage::new(mask(&one["truth"]), mask(&one["predicted"])))
        .collect();
    (images, document["shares"].as_array().unwrap().clone())
}

/// The columns of boundary IoU are those of the document.
fn assert_boundaries(batch: &RecordBatch, expected: &Value) {
    let mean = values::<Option<f64>>(batch, "mean_boundary_iou").unwrap();
    let expected = expected["iou"].as_array().unwrap();
    assert_eq!(batch.num_rows(), expected.len());
    for (row, expected) in expected.iter().enumerate() {
        let list = batch["boundary_iou"].as_list::<i32>().value(row);
        let list = list.as_primitive::<Float32Type>();
        let known: Vec<f64> = expected
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        for class in 0..4 {
            let found = list.is_valid(class).then(|| f64::from(list.value(class)));
            close(found, &expected[class], "boundary of an image");
        }
        let expected = known.iter().sum::<f64>() / known.len() as f64;
        assert!((mean[row].unwrap() - expected).abs() < 1e-6);
    }
}

#[test]
fn boundaries_are_those_that_an_erosion_takes_away() {
    let (images, shares) = boundaries();
    let plain = SegmentationOptions::new(4).void(9);
    for expected in &shares {
        let share = expected["share"].as_f64().unwrap();
        let options = plain.clone().boundary(share);
        let found = evaluate_segmentation(&images, &options).unwrap();
        for class in &found.classes {
            close(
                class.boundary_iou,
                &expected["all"][class.label],
                "boundary of all",
            );
        }
        let batch = segmentation_columns(&images, &options).unwrap();
        assert_boundaries(&batch.into_batch("test").unwrap(), expected);
        let rows = found.columns().into_batch("test").unwrap();
        assert!(rows.column_by_name("boundary_iou").is_some());
    }
    // Who does not ask for them has no such columns.
    let found = evaluate_segmentation(&images, &plain).unwrap();
    assert_eq!(
        (found.mean_boundary_iou, found.classes[0].boundary_iou),
        (None, None)
    );
    assert!(found.columns().get("boundary_iou").is_none());
    for share in [0.0, -1.0, 1.5, f64::NAN] {
        let error = evaluate_segmentation(&images, &plain.clone().boundary(share)).unwrap_err();
        assert!(error.to_string().contains("boundary"), "{error}");
    }
}

#[test]
fn through_a_pass_with_masks_and_rows_of_classes() {
    let document = document();
    let images = images(&document);
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let report = collect_metrics(&images)
        .predictor(|batch: &Vec<SegmentedImage>| Ok(batch.clone()))
        .collector(Segmentation::with_options(options()).class_names(["a", "b", "c", "d", "e"]))
        .without_table()
        .split("valid")
        .epoch(0)
        .loader(Loader::batch_size(3))
        .into_run(&run)
        .unwrap();
    close(
        report.aggregate("valid_per_class_iou_avg"),
        &document["all"]["mean_iou"],
        "mean",
    );
    let batch = run.reader().unwrap().metrics("default").read().unwrap();
    assert_images(&batch, &document);
    let names = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
    let schema = batch.schema();
    let found = role(schema.field_with_name("mask_predicted").unwrap());
    assert_eq!(
        found,
        Some(Role::ClassMask {
            names,
            void: Some(255)
        })
    );
    let reader = run.reader().unwrap();
    let iou: Vec<Option<f64>> = reader.metrics("per_class").values("iou").unwrap();
    for (class, found) in iou.into_iter().enumerate() {
        close(found, &document["all"]["iou"][class], "iou");
    }
}

#[test]
fn through_a_pass_with_boundaries() {
    let (images, shares) = boundaries();
    let run = Project::open("memory://", "p").unwrap();
    let run = run.run("r").start().unwrap();
    for (epoch, expected) in shares.iter().enumerate() {
        let share = expected["share"].as_f64().unwrap();
        collect_metrics(&images)
            .predictor(|batch: &Vec<SegmentedImage>| Ok(batch.clone()))
            .collector(Segmentation::new(4).void(9).boundary(share))
            .without_table()
            .split("valid")
            .epoch(epoch as i64)
            .loader(Loader::batch_size(2))
            .into_run(&run)
            .unwrap();
        let reader = run.reader().unwrap();
        let of = |stream| reader.metrics(stream).split("valid").epoch(epoch as i64);
        assert_boundaries(&of("default").read().unwrap(), expected);
        let classes: Vec<Option<f64>> = of("per_class").values("boundary_iou").unwrap();
        assert_eq!(classes.len(), 4);
        for (class, found) in classes.into_iter().enumerate() {
            close(found, &expected["all"][class], "boundary of a class");
        }
    }
}

#[test]
fn masks_that_mean_nothing_are_named() {
    let good = || Array2::<u16>::zeros((2, 3));
    let mut odd = good();
    odd[[1, 2]] = 9;
    for (truth, predicted, part) in [
        (
            good(),
            Array2::zeros((3, 2)),
            "prediction of image 1 = 3 x 2: its truth has 2 x 3",
        ),
        (
            Array2::zeros((0, 0)),
            Array2::zeros((0, 0)),
            "prediction of image 1 = 0 x 0",
        ),
        (
            odd.clone(),
            good(),
            "truth of image 1, row 1, column 2 = 9: the classes are 0..5",
        ),
        (good(), odd, "prediction of image 1, row 1, column 2 = 9"),
    ] {
        let images = [
            SegmentedImage::new(good(), good()),
            SegmentedImage::new(truth, predicted),
        ];
        let of_images = segmentation_columns(&images, &options())
            .unwrap_err()
            .to_string();
        let of_classes = evaluate_segmentation(&images, &options())
            .unwrap_err()
            .to_string();
        assert!(of_images.contains(part), "{of_images}");
        assert_eq!(of_images, of_classes);
    }
    let none = segmentation_columns(&[], &SegmentationOptions::new(0))
        .unwrap_err()
        .to_string();
    assert!(none.contains("n_classes = 0"), "{none}");
}

#[test]
fn classes_beyond_a_byte_take_sixteen_bits() {
    let wide = Array2::from_elem((2, 2), 300_u16);
    let image = SegmentedImage::new(wide.clone(), wide.clone());
    let columns = segmentation_columns(&[image], &SegmentationOptions::new(301)).unwrap();
    let batch = columns.into_batch("test").unwrap();
    let masks = values::<Vec<u8>>(&batch, "mask_predicted").unwrap();
    assert_eq!(class_mask_from_png(&masks[0]).unwrap(), wide);
}

#[test]
fn statistics_of_images_are_those_of_opencv() {
    let document = document();
    for picture in document["pictures"].as_array().unwrap() {
        let pixels: Vec<Vec<Vec<u8>>> = serde_json::from_value(picture["pixels"].clone()).unwrap();
        let shape = (pixels.len(), pixels[0].len(), pixels[0][0].len());
        let pixels = Array3::from_shape_fn(shape, |(y, x, c)| pixels[y][x][c]);
        let found = ImageStatistics::of_pixels(pixels.view()).unwrap();
        let numbers = [found.brightness, found.contrast, found.sharpness];
        for (found, expected) in numbers
            .into_iter()
            .zip(picture["expected"].as_array().unwrap())
        {
            let expected = expected.as_f64().unwrap();
            // OpenCV turns colours into grey in f32.
            assert!(
                (found - expected).abs() <= 1e-6 * expected.max(1.0),
                "{found} {expected}"
            );
        }
        if shape.2 == 3 {
            let size = (shape.1 as u32, shape.0 as u32);
            let raw = pixels.iter().copied().collect();
            let image = image::RgbImage::from_raw(size.0, size.1, raw).unwrap();
            let mut png = std::io::Cursor::new(Vec::new());
            image.write_to(&mut png, image::ImageFormat::Png).unwrap();
            assert_eq!(
                ImageStatistics::of_encoded(&png.into_inner()).unwrap(),
                found
            );
        }
        let batch = image_statistics_columns(&[found])
            .into_batch("test")
            .unwrap();
        assert_eq!(values::<i32>(&batch, "width").unwrap(), [shape.1 as i32]);
    }
}
