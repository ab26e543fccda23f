//! A COCO file becomes a table whose truths pycocotools would evaluate the same, and a table
//! becomes a COCO file: with the same ids, boxes, polygons, run lengths and keypoints as the one it
//! came from.
//!
//! `tests/inputs/datasets.py` made the files and pycocotools' summaries of them. What is exported
//! is given to pycocotools itself where there is one: `EMBERLENS_PYTHON=V/bin/python`.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow_array::RecordBatch;
use emberlens::geometry::{BBox, BoxFormat, CoordinateUnit, Rle};
use emberlens::metrics::{
    AxisAlignedBoxes, ClassEvaluation, ImageInstances, InstanceMasks, InstanceOptions,
    InstanceTask, Keypoint, Pose, Poses, PredictedInstance, TrueInstance, evaluate,
};
use emberlens::storage::Location;
use emberlens::table::export::{self, Existing, Format};
use emberlens::table::import::{CocoOptions, coco, parquet};
use emberlens::table::{ColumnKind, Table, Value as Cell};
use serde_json::Value;
use tempfile::TempDir;

/// Files, detections and summaries of one kind: `instances` or `keypoints`.
fn made(kind: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../inputs/datasets.json")).unwrap();
    all[kind].clone()
}

fn import(document: &Value) -> (TempDir, Table) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("annotations.json");
    std::fs::write(&file, document.to_string()).unwrap();
    let tables = Location::open("memory://").unwrap();
    let imported = coco(&tables, "t", &file, &CocoOptions::new()).unwrap();
    assert_eq!(imported.skipped.count(), 0);
    (folder, imported.table)
}

fn floats(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|number| number.as_f64().unwrap()).collect()
}

/// COCO's summary of a task, made of these columns.
fn summary<T: InstanceTask>(
    task: &T,
    table: &Table,
    truths: Vec<Vec<TrueInstance<T::Truth>>>,
    detections: &Value,
    predicted: impl Fn(&Value) -> T::Predicted,
    most: usize,
    columns: &[fn(&ClassEvaluation) -> Option<f64>],
) -> Vec<Option<f64>> {
    let ids = table.column::<i64>("image_id").unwrap();
    let names = table.category_names("boxes").unwrap();
    let known = [
        (1, "person"),
        (3, "car"),
        (17, "cat"),
        (18, "dog"),
        (90, "toothbrush"),
    ];
    let label = |id: i64| {
        let name = known.iter().find(|(known, _)| *known == id).unwrap().1;
        names.iter().position(|other| other == name).unwrap() as i64
    };
    let mut images: Vec<ImageInstances<T::Truth, T::Predicted>> = truths
        .into_iter()
        .map(|truth| ImageInstances::new(truth, Vec::new()))
        .collect();
    for one in detections.as_array().unwrap() {
        let image = ids.iter().position(|id| one["image_id"] == *id).unwrap();
        let label = label(one["category_id"].as_i64().unwrap());
        let seen = PredictedInstance::new(predicted(one), label, one["score"].as_f64().unwrap());
        images[image].predicted.push(seen);
    }
    let options = InstanceOptions::new(names.len()).max_per_class(most);
    let evaluation = evaluate(task, &images, &options).unwrap();
    columns.iter().map(|of| evaluation.mean(of)).collect()
}

fn assert_close(found: &[Option<f64>], expected: &Value) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len());
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = match (found, expected.as_f64()) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-9,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(near, "number {at}: {found:?} is not {expected}");
    }
}

const ALL: [fn(&ClassEvaluation) -> Option<f64>; 12] = [
    |c| c.ap,
    |c| c.ap_50,
    |c| c.ap_75,
    |c| c.ap_small,
    |c| c.ap_medium,
    |c| c.ap_large,
    |c| c.ar_1,
    |c| c.ar_10,
    |c| c.ar,
    |c| c.ar_small,
    |c| c.ar_medium,
    |c| c.ar_large,
];

fn bbox(one: &Value) -> BBox {
    let sides: [f64; 4] = floats(&one["bbox"]).try_into().unwrap();
    BBox::new(sides, BoxFormat::Xywh)
}

fn mask(one: &Value) -> Rle {
    let size = floats(&one["segmentation"]["size"]);
    let text = one["segmentation"]["counts"].as_str().unwrap();
    Rle::from_text(size[0] as u32, size[1] as u32, text).unwrap()
}

#[test]
fn boxes_of_a_table_are_evaluated_as_pycocotools_evaluates_the_file() {
    for kind in ["instances", "keypoints"] {
        let made = made(kind);
        let (_folder, table) = import(&made["document"]);
        let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
        let truths = task.truths(&table, "boxes").unwrap();
        let found = summary(
            &task,
            &table,
            truths,
            &made["results"]["bbox"],
            bbox,
            100,
            &ALL,
        );
        assert_close(&found, &made["summary"]["bbox"]);
    }
}

#[test]
fn masks_are_those_of_pycocotools_and_evaluated_as_there() {
    let made = made("instances");
    let (_folder, table) = import(&made["document"]);
    let truths = InstanceMasks.truths(&table, "masks").unwrap();
    let ids = table.column::<i64>("image_id").unwrap();
    let mut of_image: Vec<_> = ids
        .iter()
        .zip(&truths)
        .map(|(id, all)| (*id, all.iter()))
        .collect();
    let annotations = made["document"]["annotations"].as_array().unwrap();
    for (one, expected) in annotations.iter().zip(made["masks"].as_array().unwrap()) {
        let image = of_image
            .iter_mut()
            .find(|(id, _)| one["image_id"] == *id)
            .unwrap();
        let truth = image.1.next().unwrap();
        assert_eq!(truth.geometry.to_text(), expected.as_str().unwrap());
        assert_eq!(truth.area, one["area"].as_f64());
        assert_eq!(truth.crowd, one["iscrowd"] == 1);
    }
    let found = summary(
        &InstanceMasks,
        &table,
        truths,
        &made["results"]["segm"],
        mask,
        100,
        &ALL,
    );
    assert_close(&found, &made["summary"]["segm"]);
}

#[test]
fn keypoints_of_a_table_are_evaluated_as_pycocotools_evaluates_the_file() {
    let made = made("keypoints");
    let (_folder, table) = import(&made["document"]);
    let task = Poses::coco_person();
    let truths = task.truths(&table, "keypoints", "boxes").unwrap();
    let pose = |one: &Value| {
        let numbers = floats(&one["keypoints"]);
        Pose::new(
            numbers
                .chunks(3)
                .map(|point| Keypoint::new(point[0], point[1], 1.0)),
        )
    };
    let columns = [0, 1, 2, 4, 5].map(|at: usize| ALL[at]);
    let found = summary(
        &task,
        &table,
        truths,
        &made["results"]["keypoints"],
        pose,
        20,
        &columns,
    );
    let expected = made["summary"]["keypoints"].as_array().unwrap()[..5].to_vec();
    assert_close(&found, &expected.into());
}

/// All of a table: columns with their roles and metadata, and every value.
fn rows(table: &Table) -> RecordBatch {
    table.snapshot().read(None).unwrap()
}

#[test]
fn what_goes_out_comes_in_again_as_the_same_rows() {
    for kind in ["instances", "keypoints"] {
        let given = made(kind)["document"].clone();
        let (folder, table) = import(&given);
        let file = folder.path().join("again.json");
        let exported = export::coco(&table, &file, Existing::Refuse).unwrap();
        assert_eq!(exported.images, 24);
        let again: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let (_second, second) = import(&again);
        assert!(rows(&second) == rows(&table), "{kind}");
        // Not the rows alone: ids, boxes, polygons, run lengths and names are the given ones.
        let by_id = |list: &Value| {
            let mut list = list.as_array().unwrap().clone();
            list.sort_by_key(|one| one["id"].as_i64());
            list
        };
        for (one, other) in by_id(&given["annotations"])
            .iter()
            .zip(by_id(&again["annotations"]))
        {
            for field in [
                "id",
                "image_id",
                "category_id",
                "bbox",
                "area",
                "keypoints",
                "num_keypoints",
            ] {
                assert_eq!(one[field], other[field], "{field}");
            }
            if one["segmentation"].is_array() {
                assert_eq!(one["segmentation"], other["segmentation"]);
            }
        }
        assert_eq!(
            by_id(&given["annotations"]).len(),
            exported.instances as usize
        );
        assert_eq!(by_id(&given["categories"]), by_id(&again["categories"]));
        let names = |document: &Value| {
            let images = document["images"].as_array().unwrap().iter();
            images
                .map(|one| (one["id"].clone(), one["file_name"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(&given), names(&again));
    }
}

#[test]
fn an_edited_revision_goes_out_as_it_is() {
    let (folder, table) = import(&made("instances")["document"]);
    let edit = table.edit().add_column("tag", ColumnKind::String);
    let edit = edit.set("file_name", [0_u64], Cell::from("other.jpg"));
    let edited = edit.commit().unwrap().table;
    let of = |table: &Table, name: &str| -> Value {
        let file = folder.path().join(name);
        export::coco(table, &file, Existing::Refuse).unwrap();
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
    };
    let (before, after) = (of(&table, "before.json"), of(&edited, "after.json"));
    assert_eq!(after["images"][0]["file_name"], "other.jpg");
    assert_ne!(before["images"][0], after["images"][0]);
    assert_eq!(before["annotations"], after["annotations"]);
    assert_eq!(before["categories"], after["categories"]);
}

#[test]
fn ids_of_categories_survive_a_parquet_file() {
    for kind in ["instances", "keypoints"] {
        let (folder, table) = import(&made(kind)["document"]);
        let at = |name: &str| folder.path().join(name);
        let file = at("good.parquet");
        let rows = table.snapshot().batches(None).unwrap();
        let (parquet_file, refuse) = (Format::Parquet, Existing::Refuse);
        export::to_file(&file, parquet_file, table.schema(), rows, refuse).unwrap();
        let tables = Location::open("memory://").unwrap();
        let again = parquet(&tables, "t", &file).unwrap();
        let of = |table: &Table, name: &str| -> Value {
            export::coco(table, &at(name), Existing::Refuse).unwrap();
            serde_json::from_slice(&std::fs::read(at(name)).unwrap()).unwrap()
        };
        assert_eq!(of(&table, "before.json"), of(&again, "after.json"));
    }
}

#[test]
fn pycocotools_loads_what_goes_out_and_evaluates_it_the_same() {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/datasets.py");
    for kind in ["instances", "keypoints"] {
        let made = made(kind);
        let (folder, table) = import(&made["document"]);
        let file: PathBuf = folder.path().join("out.json");
        export::coco(&table, &file, Existing::Refuse).unwrap();
        let mut command = Command::new(&python);
        let output = command
            .arg(&script)
            .arg("evaluate")
            .arg(&file)
            .arg(kind)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (name, expected) in made["summary"].as_object().unwrap() {
            let found = found["summary"][name].as_array().unwrap();
            let found: Vec<Option<f64>> = found.iter().map(Value::as_f64).collect();
            assert_close(&found, expected);
        }
        if kind == "instances" {
            // Annotations go out image by image, those of an image in the file's order.
            let mut drawn: Vec<&str> = strings(&found["masks"]);
            let mut expected = strings(&made["masks"]);
            drawn.sort_unstable();
            expected.sort_unstable();
            assert_eq!(drawn, expected);
        }
    }
}

fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

/// An interpreter that has pycocotools; without one the test says loudly that it was skipped.
fn python() -> Option<String> {
    let python = std::env::var("EMBERLENS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python)
        .args(["-c", "import pycocotools"])
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    // Past the capture of the test harness: a skipped promise should be seen.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED {}: {python} has no pycocotools; name one that has with EMBERLENS_PYTHON",
        file!()
    );
    None
}
