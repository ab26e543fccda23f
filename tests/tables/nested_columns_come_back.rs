//! Boxes, rotated boxes, masks and keypoints of a pass come back as they were computed, with their
//! conventions, here and in other tools; other conventions are refused.
//!
//! The other tools are asked where Python has them:
//! `python3 -m venv V && V/bin/pip install polars deltalake pyarrow duckdb`, then
//! `EMBERLENS_PYTHON=V/bin/python cargo test --test tables nested_columns`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Write;
use std::path::Path;
use std::process::Command;

use arrow_array::RecordBatch;
use emberlens::Result;
use emberlens::collect::{Loader, collect_metrics};
use emberlens::metrics::{
    AxisAlignedBoxes, BBox, Detection, ImageInstances, InstanceMasks, InstanceOptions,
    InstanceSegmentation, InstanceTask, Keypoint, OrientedBox, OrientedBoxes, OrientedDetection,
    Pose, PoseEstimation, Poses, PredictedInstance, Rle, TrueInstance, TruePose, instance_columns,
};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{
    AngleDirection, AngleUnit, BoxFormat, Columns, CoordinateUnit, MaskEncoding, Role, role,
};
use ndarray::Array2;
use serde_json::{Value, json};

const IMAGES: usize = 10;

/// Up to four instances for an image, none for the first, made of a number each.
fn instances<T, P>(
    truth: impl Fn(usize) -> T,
    predicted: impl Fn(usize) -> P,
) -> Vec<ImageInstances<T, P>> {
    let image = |image: usize| {
        let there = (0..image % 3).map(|i| TrueInstance::new(truth(image + i), (i % 2) as i64));
        let seen = (0..image % 5).map(|i| {
            let confidence = ((image * 5 + i * 3) % 16) as f32 / 16.0;
            PredictedInstance::new(predicted(image + i), (i % 2) as i64, confidence)
        });
        ImageInstances::new(there.collect(), seen.collect())
    };
    (0..IMAGES).map(image).collect()
}

fn bbox(number: usize) -> BBox {
    let x = number as f32 * 1.5;
    BBox::new([x, 2.0, x + 8.25, 9.0], BoxFormat::Xyxy)
}

fn turned(number: usize) -> OrientedBox {
    let values = [number as f32, 3.0, 8.0, 2.0, 15.0 * number as f32];
    OrientedBox::new(values, AngleUnit::Degrees, AngleDirection::Clockwise)
}

fn mask(number: usize) -> Rle {
    let inside = |(row, column): (usize, usize)| (row + column * number) % 7 < 3;
    Rle::from_mask(Array2::from_shape_fn((12, 9), inside).view()).unwrap()
}

fn pose(number: usize) -> Pose {
    let point = |i: usize| Keypoint::new((number + i) as f32, i as f32 * 0.5, 0.25);
    Pose::new((0..3).map(point))
}

fn true_pose(number: usize) -> TruePose {
    let at = number as f64;
    TruePose::from_coco(
        &[at, 0.0, 2.0, at + 1.0, 0.5, 2.0, 0.0, 0.0, 0.0],
        bbox(number),
    )
}

fn poses() -> Poses {
    Poses::with_sigmas([0.5; 3]).unwrap()
}

fn options(prefix: &str) -> InstanceOptions {
    InstanceOptions::new(2)
        .class_names(["cat", "dog"])
        .prefix(prefix)
}

/// What the four pure functions give for all images at once.
fn expected() -> RecordBatch {
    fn of<T: InstanceTask>(
        task: &T,
        images: Vec<ImageInstances<T::Truth, T::Predicted>>,
        prefix: &str,
    ) -> Columns {
        instance_columns(task, &images, &options(prefix)).unwrap()
    }
    let pixels = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let mut all = of(&pixels, instances(bbox, bbox), "");
    all.extend(of(
        &OrientedBoxes::pixels(),
        instances(turned, turned),
        "turned_",
    ));
    all.extend(of(&InstanceMasks, instances(mask, mask), "mask_"));
    all.extend(of(&poses(), instances(true_pose, pose), "pose_"));
    all.into_batch("expected").unwrap()
}

/// The same through a pass with batches of three.
fn collect(run: &Run) -> Result<()> {
    fn part<T: Clone>(all: &[T], numbers: &[usize]) -> Vec<T> {
        numbers.iter().map(|&number| all[number].clone()).collect()
    }
    let (boxes, oriented) = (instances(bbox, bbox), instances(turned, turned));
    let (masks, seen) = (instances(mask, mask), instances(true_pose, pose));
    let numbers: Vec<usize> = (0..IMAGES).collect();
    let names = ["cat", "dog"];
    let report = collect_metrics(&numbers)
        .collector(
            Detection::pixels(2)
                .class_names(names)
                .from_fn(|batch: &Vec<usize>, _: &()| Ok(part(&boxes, batch))),
        )
        .collector(
            OrientedDetection::pixels(2)
                .class_names(names)
                .prefix("turned_")
                .per_class(Some("per_class_turned"))
                .from_fn(|batch: &Vec<usize>, _: &()| Ok(part(&oriented, batch))),
        )
        .collector(
            InstanceSegmentation::masks(2)
                .class_names(names)
                .prefix("mask_")
                .per_class(Some("per_class_mask"))
                .from_fn(|batch: &Vec<usize>, _: &()| Ok(part(&masks, batch))),
        )
        .collector(
            PoseEstimation::of(poses(), 2)
                .class_names(names)
                .prefix("pose_")
                .per_class(Some("per_class_pose"))
                .from_fn(|batch: &Vec<usize>, _: &()| Ok(part(&seen, batch))),
        )
        .without_table()
        .split("valid")
        .epoch(0)
        .loader(Loader::batch_size(3))
        .into_run(run)?;
    assert_eq!((report.rows, report.summed_rows.len()), (IMAGES as u64, 4));
    Ok(())
}

#[test]
fn here_with_their_conventions() {
    let folder = tempfile::tempdir().unwrap();
    for root in ["memory://", &folder.path().display().to_string()] {
        let run = Project::open(root, "p").unwrap().run("r").start().unwrap();
        collect(&run).unwrap();
        let found = run.reader().unwrap().metrics("default").read().unwrap();
        let expected = expected();
        for (field, values) in expected.schema().fields().iter().zip(expected.columns()) {
            assert_eq!(&found[field.name().as_str()], values, "{}", field.name());
        }
        let schema = found.schema();
        let role_of = |name: &str| role(schema.field_with_name(name).unwrap());
        let names: std::sync::Arc<[String]> = ["cat".to_owned(), "dog".to_owned()].into();
        assert_eq!(
            role_of("boxes_predicted"),
            Some(Role::Boxes {
                format: BoxFormat::Xyxy,
                normalised: false,
                names: names.clone()
            })
        );
        assert_eq!(
            role_of("turned_oriented_boxes_predicted"),
            Some(Role::OrientedBoxes {
                normalised: false,
                angle: AngleUnit::Radians,
                direction: AngleDirection::Clockwise,
                names: names.clone()
            })
        );
        assert_eq!(
            role_of("mask_masks_predicted"),
            Some(Role::Masks {
                encoding: MaskEncoding::CocoRle,
                names: names.clone()
            })
        );
        assert_eq!(
            role_of("pose_keypoints_predicted"),
            Some(Role::Keypoints {
                normalised: false,
                names
            })
        );
    }
}

#[test]
fn other_conventions_are_refused() {
    let run = Project::open("memory://", "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let write = |unit, epoch| {
        let images = instances(bbox, bbox);
        let columns = instance_columns(&AxisAlignedBoxes::new(unit), &images, &options(""))?;
        let columns = columns.with("example_id", (0..IMAGES as i64).collect::<Vec<_>>());
        run.add_metrics(
            "default",
            columns,
            None,
            Some(Position::new("valid").epoch(epoch)),
        )
    };
    write(CoordinateUnit::Pixels, 0).unwrap();
    write(CoordinateUnit::Pixels, 1).unwrap();
    let error = write(CoordinateUnit::Normalised, 2)
        .unwrap_err()
        .to_string();
    for part in [
        "`boxes_predicted`",
        r#""normalised":true"#,
        r#""normalised":false"#,
        "stream",
    ] {
        assert!(error.contains(part), "{error} does not say {part}");
    }
}

#[test]
fn in_other_tools() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let run = Project::open(&root, "p").unwrap().run("r").start().unwrap();
    collect(&run).unwrap();
    let place = run.stream_location("default").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nested.py");
    let output = Command::new(python)
        .arg(script)
        .arg(place.local_path().unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let theirs = widened(serde_json::from_slice(&output.stdout).unwrap());
    let rows = rows(&expected());
    for tool in ["polars", "pyarrow", "duckdb"] {
        for name in rows[0].as_object().unwrap().keys() {
            let ours: Vec<&Value> = rows.iter().map(|row| &row[name]).collect();
            assert_eq!(theirs[tool][name], json!(ours), "{name} in {tool}");
        }
    }
    // Both tools reach into the lists.
    let sure = |row: &Value| {
        let boxes = row["boxes_predicted"].as_array().unwrap();
        boxes
            .iter()
            .filter(|one| one["confidence"].as_f64().unwrap() >= 0.5)
            .count()
    };
    let sure: Vec<usize> = rows.iter().map(sure).collect();
    assert!(sure.iter().sum::<usize>() > 3);
    assert_eq!(theirs["duckdb"]["sure"], json!(sure));
    assert_eq!(theirs["polars"]["sure"], json!(sure));
}

/// Every float as the f32 that it was: JSON readers may be off by the last digit of an f64.
fn widened(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            json!(f64::from(number.as_f64().unwrap_or_default() as f32))
        }
        Value::Array(values) => values.into_iter().map(widened).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, widened(value)))
            .collect(),
        other => other,
    }
}

/// The rows of a batch as JSON.
fn rows(batch: &RecordBatch) -> Vec<Value> {
    let mut writer = arrow_json::ArrayWriter::new(Vec::new());
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    let rows: Vec<Value> = serde_json::from_slice(&writer.into_inner()).unwrap();
    rows.into_iter().map(widened).collect()
}

/// An interpreter that has the tools; without one the test says loudly that it was skipped.
fn python() -> Option<String> {
    let named = std::env::var("EMBERLENS_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let import = "import polars, deltalake, pyarrow, duckdb";
    let found = Command::new(&python).args(["-c", import]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(
        named.is_none(),
        "EMBERLENS_PYTHON={python} cannot `{import}`"
    );
    // Past the capture of the test harness: a skipped promise should be seen.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {}: {python} cannot `{import}`; its head says how to run it",
        file!()
    );
    None
}
