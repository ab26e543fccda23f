//! A YOLO data set becomes a table in pixels of its images, and a table becomes a YOLO data set that
//! reads as the same rows.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use crate::yolo::{boxes, data_set, import};
use emberlens::ErrorKind;
use emberlens::geometry::{AngleDirection, AngleUnit, OrientedBox, Rle};
use emberlens::metrics::{InstanceMasks, OrientedBoxes};
use emberlens::storage::Location;
use emberlens::table::export::{self, Existing, YoloExport};
use emberlens::table::import::{CocoOptions, ImageFolder, SkipReason, YoloOptions, YoloTask, coco};
use emberlens::table::{ImageStorage, Table};
use serde_json::json;
use tempfile::TempDir;

#[test]
fn boxes_come_in_as_pixels_of_their_image() {
    let folder = data_set(
        "0 0.5 0.5 0.25 0.5\n\n2 0.1 0.1 0.2 0.2\r\n",
        "1 0.5 0.5 1 1",
    );
    let table = import(folder.path(), &YoloOptions::new(YoloTask::Boxes))
        .unwrap()
        .table;
    assert_eq!(
        table.column::<String>("file_name").unwrap(),
        ["a.png", "more/b.jpg", "z.png"]
    );
    assert_eq!(table.column::<i32>("width").unwrap(), [200, 64, 9]);
    assert_eq!(
        table.category_names("boxes").unwrap(),
        ["cat", "dog: a", "bird"]
    );
    let found = boxes(&table);
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0]);
    let expected = [
        (0, [75.0, 25.0, 125.0, 75.0]),
        (2, [0.0, 0.0, 40.0, 20.0]),
        (1, [0.0, 0.0, 64.0, 48.0]),
    ];
    assert_eq!(found.iter().flatten().count(), expected.len());
    for (found, (label, sides)) in found.iter().flatten().zip(expected) {
        assert_eq!(found.0, label);
        let mut pairs = found.1.iter().zip(sides);
        assert!(pairs.all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
    }
    let bytes = table.column::<Vec<u8>>("image").unwrap();
    assert_eq!(
        bytes[1],
        fs::read(folder.path().join("images/train/more/b.jpg")).unwrap()
    );
}

#[test]
fn corners_become_rotated_boxes_and_polygons_masks() {
    let turned = OrientedBox::new(
        [90.0, 40.0, 60.0, 20.0, 0.4],
        AngleUnit::Radians,
        AngleDirection::Clockwise,
    );
    let fractions: Vec<String> = turned
        .corners()
        .iter()
        .map(|[x, y]| format!("{} {}", x / 200.0, y / 100.0))
        .collect();
    let folder = data_set(&format!("2 {}", fractions.join(" ")), "");
    let table = import(folder.path(), &YoloOptions::new(YoloTask::Oriented))
        .unwrap()
        .table;
    let truths = OrientedBoxes::pixels()
        .truths(&table, "oriented_boxes")
        .unwrap();
    let found = &truths[0][0];
    assert_eq!((found.label, truths[1].len()), (2, 0));
    let values =
        |one: &OrientedBox| one.values(AngleUnit::Degrees, AngleDirection::CounterClockwise);
    for (found, given) in values(&found.geometry).into_iter().zip(values(&turned)) {
        assert!((found - given).abs() < 1e-9, "{found} is not {given}");
    }

    let folder = data_set("1 0.1 0.2 0.9 0.2 0.5 0.9 0.3 0.8", "0 0 0 1 0 1 1 0 1");
    let table = import(folder.path(), &YoloOptions::new(YoloTask::Segments))
        .unwrap()
        .table;
    let truths = InstanceMasks.truths(&table, "masks").unwrap();
    let polygon = [20.0, 20.0, 180.0, 20.0, 100.0, 90.0, 60.0, 80.0];
    assert_eq!(
        truths[0][0].geometry,
        Rle::from_polygon(100, 200, &polygon).unwrap()
    );
    assert_eq!(truths[1][0].geometry.area(), 64 * 48);
}

/// The text of all labels of a split, by file.
fn labels(folder: &Path, split: &str) -> Vec<(String, Vec<f64>)> {
    ["a.txt", "more/b.txt", "z.txt"]
        .map(|name| {
            let text = fs::read_to_string(folder.join("labels").join(split).join(name));
            let text = text.unwrap_or_default();
            let numbers = text
                .split_whitespace()
                .map(|number| number.parse().unwrap());
            (name.to_owned(), numbers.collect())
        })
        .to_vec()
}

#[test]
fn what_goes_out_comes_in_again_for_every_task() {
    let corners = "0.3 0.5 0.5 0.1 0.6 0.3 0.4 0.7";
    for (task, first, second) in [
        (
            YoloTask::Boxes,
            "0 0.313 0.5 0.25 0.4999\n2 0.1 0.1 0.2 0.2",
            "1 0.5 0.5 1 1",
        ),
        (YoloTask::Oriented, corners, "0 0 0 1 0 1 1 0 1"),
        (
            YoloTask::Segments,
            "1 0.123456 0.2 0.9 0.2 0.5 0.9\n1 0 0 1 1 0.2 0.9",
            "0 0 0 1 0 1 1 0 1",
        ),
    ] {
        let first = match task {
            // A rectangle in pixels of 200 x 100: sides (40, -40) and (20, 20).
            YoloTask::Oriented => format!("0 {corners}"),
            _ => first.to_owned(),
        };
        let given = data_set(&first, second);
        let options = YoloOptions::new(task);
        let table = import(given.path(), &options).unwrap().table;
        let out = TempDir::new().unwrap();
        let exported = export::yolo(&table, out.path(), &YoloExport::new(task), Existing::Refuse);
        assert_eq!(exported.unwrap().images, 3);
        let pairs = labels(given.path(), "train")
            .into_iter()
            .zip(labels(out.path(), "train"));
        for ((name, given), (_, found)) in pairs {
            assert_eq!(given.is_empty(), name == "z.txt", "{task:?} {name}");
            assert_eq!(given.len(), found.len(), "{task:?} {name}");
            for (given, found) in given.iter().zip(&found) {
                assert!(
                    (given - found).abs() < 1e-9,
                    "{task:?} {name}: {found} is not {given}"
                );
            }
        }
        let again = import(out.path(), &options).unwrap().table;
        for column in ["file_name", "image"] {
            let read = |table: &Table| table.snapshot().read(Some(&[column])).unwrap();
            assert!(read(&again) == read(&table), "{column}");
        }
        assert_eq!(again.schema(), table.schema());
        // The third time nothing rounds any more.
        let last = TempDir::new().unwrap();
        export::yolo(
            &again,
            last.path(),
            &YoloExport::new(task),
            Existing::Refuse,
        )
        .unwrap();
        if task != YoloTask::Oriented {
            assert_eq!(
                labels(last.path(), "train"),
                labels(out.path(), "train"),
                "{task:?}"
            );
        }
    }
}

#[test]
fn tables_become_the_splits_of_one_data_set() {
    let given = data_set("0 0.5 0.5 0.25 0.5", "");
    let by_url = ImageFolder {
        storage: ImageStorage::Url,
        ..ImageFolder::default()
    };
    let options = YoloOptions::new(YoloTask::Boxes).images(by_url);
    let table = import(given.path(), &options).unwrap().table;
    let out = TempDir::new().unwrap();
    let export =
        |options: YoloExport, existing| export::yolo(&table, out.path(), &options, existing);
    let train = YoloExport::new(YoloTask::Boxes);
    export(train.clone(), Existing::Refuse).unwrap();
    export(train.clone().split("val").images(false), Existing::Refuse).unwrap();
    assert!(out.path().join("images/train/more/b.jpg").is_file());
    assert!(!out.path().join("images/val").exists());
    let yaml = fs::read_to_string(out.path().join("data.yaml")).unwrap();
    assert!(
        yaml.contains("train: images/train") && yaml.contains("val: images/val"),
        "{yaml}"
    );

    let error = export(train.clone(), Existing::Refuse).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    fs::write(out.path().join("labels/train/notes.txt"), "mine").unwrap();
    fs::write(out.path().join("labels/train/a.txt"), "0 0 0 0 0").unwrap();
    export(train.clone(), Existing::Replace).unwrap();
    assert_eq!(
        fs::read_to_string(out.path().join("labels/train/notes.txt")).unwrap(),
        "mine"
    );
    assert_eq!(labels(out.path(), "train")[0].1, [0.0, 0.5, 0.5, 0.25, 0.5]);
    let error = export(train.split("../x"), Existing::Refuse).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    fs::write(
        out.path().join("data.yaml"),
        "train: images/train\nnames: [cat]\n",
    )
    .unwrap();
    let error = export(
        YoloExport::new(YoloTask::Boxes).split("test"),
        Existing::Replace,
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("other classes") && error.contains("data.yaml"),
        "{error}"
    );
    assert!(!out.path().join("labels/test").exists());
    let left = fs::read_dir(out.path().join("labels")).unwrap().count();
    assert_eq!(left, 2, "a temporary folder is left");
}

#[test]
fn coco_becomes_yolo_without_what_yolo_cannot_say() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("annotations.json");
    let annotation = |id: i64, image: i64, bbox: [f64; 4], crowd: i64, parts: serde_json::Value| json!({"id": id, "image_id": image, "category_id": 5, "bbox": bbox, "iscrowd": crowd, "segmentation": parts});
    let triangle = || json!([[0, 0, 10, 0, 10, 10]]);
    let document = json!({
        "images": [{"id": 1, "file_name": "a/x.jpg", "width": 40, "height": 20}],
        "categories": [{"id": 5, "name": "cat"}],
        "annotations": [
            annotation(1, 1, [0.0, 0.0, 10.0, 10.0], 0, triangle()),
            annotation(2, 1, [0.0, 0.0, 10.0, 10.0], 1, triangle()),
            annotation(3, 1, [30.0, 0.0, 30.0, 10.0], 0, json!([[0, 0, 9, 0, 9, 9], [1, 1, 5, 1, 5, 5]])),
        ],
    });
    fs::write(&file, document.to_string()).unwrap();
    let tables = Location::open("memory://").unwrap();
    let table = coco(&tables, "t", &file, &CocoOptions::new())
        .unwrap()
        .table;
    let out = |name: &str| folder.path().join(name);
    let boxes = YoloExport::new(YoloTask::Boxes);
    let error = export::yolo(&table, &out("strict"), &boxes, Existing::Refuse).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a crowd in instance 1 (annotation 2) of \"a/x.jpg\"")
            && text.contains("row 0")
            && text.contains("column `boxes`"),
        "{text}"
    );
    assert!(!out("strict").exists(), "an empty folder is left");
    let exported = export::yolo(&table, &out("b"), &boxes.lenient(true), Existing::Refuse).unwrap();
    // The third box has its centre in x at 45 of 40 pixels.
    let reasons: Vec<_> = exported
        .skipped
        .by_reason()
        .map(|(reason, kind)| (reason, kind.count))
        .collect();
    assert_eq!(
        (exported.instances, reasons),
        (
            1,
            vec![(SkipReason::Range, 1), (SkipReason::Inexpressible, 1)]
        )
    );
    let text = fs::read_to_string(out("b").join("labels/train/a/x.txt")).unwrap();
    assert_eq!(text, "0 0.125 0.25 0.25 0.5\n");
    let segments = YoloExport::new(YoloTask::Segments).lenient(true);
    let exported = export::yolo(&table, &out("s"), &segments, Existing::Refuse).unwrap();
    assert_eq!((exported.instances, exported.skipped.count()), (1, 2));
    let none = YoloExport::new(YoloTask::Oriented);
    let error = export::yolo(&table, &out("o"), &none, Existing::Refuse)
        .unwrap_err()
        .to_string();
    assert!(error.contains("oriented boxes"), "{error}");
}

#[test]
fn names_that_lead_out_or_share_their_labels_are_refused() {
    let folder = data_set("0 0.5 0.5 0.2 0.2", "");
    let mut table = import(folder.path(), &YoloOptions::new(YoloTask::Boxes))
        .unwrap()
        .table;
    let out = TempDir::new().unwrap();
    for (name, part) in [
        ("../a.png", "leads out"),
        ("z.jpg", "whose labels stand before"),
    ] {
        table = table
            .edit()
            .set("file_name", [0_u64], name)
            .commit()
            .unwrap()
            .table;
        let options = YoloExport::new(YoloTask::Boxes);
        let error = export::yolo(&table, out.path(), &options, Existing::Refuse).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(part) && text.contains("`file_name`"),
            "{text}"
        );
        assert!(!out.path().join("labels/train").exists() && !out.path().join("../a.txt").exists());
    }
}
