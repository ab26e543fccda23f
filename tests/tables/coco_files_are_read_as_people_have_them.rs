//! COCO files as people have them: what one part of an annotation lacks costs that part alone, names
//! of files matter where files are opened, and an error of the disk is no defect of the data.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::geometry::CoordinateUnit;
use emberlens::metrics::{AxisAlignedBoxes, InstanceMasks};
use emberlens::storage::Location;
use emberlens::table::import::{CocoOptions, ImageFolder, SkipReason, coco};
use image::RgbImage;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::malformed_annotations_are_named_or_skipped::{good, import_text, refused, with};

#[test]
fn a_part_that_is_malformed_leaves_the_rest_of_its_annotation() {
    let lenient = CocoOptions::new().lenient(true);
    let boxes = |document: &Value| {
        let table = import_text(&document.to_string(), &lenient).unwrap().table;
        let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
        let truths = task.truths(&table, "boxes").unwrap();
        let masks = InstanceMasks.truths(&table, "masks").unwrap();
        let count = |lists: Vec<usize>| lists.into_iter().sum::<usize>();
        (
            count(truths.iter().map(Vec::len).collect()),
            count(masks.iter().map(Vec::len).collect()),
        )
    };
    let set = |field: &str, value: Value| with(&format!("/annotations/0/{field}"), value);
    assert_eq!(boxes(&good()), (2, 2));
    // The mask goes, the box stays; an area that means nothing is that of the mask.
    assert_eq!(boxes(&set("segmentation", json!([[1, 2, 3, 4]]))), (2, 1));
    assert_eq!(boxes(&set("area", json!(-1))), (2, 2));
    // Whether it is a crowd, nobody knows.
    assert_eq!(boxes(&set("iscrowd", json!(2))), (1, 1));
    let skeleton = with("/categories/1/skeleton", json!([[1]]));
    assert_eq!(boxes(&skeleton), (2, 2));
    // An empty list is none, for keypoints as for segmentations.
    let mut empty = good();
    empty["annotations"][1]["keypoints"] = json!([]);
    empty["annotations"][0]["segmentation"] = json!([]);
    let imported = import_text(&empty.to_string(), &CocoOptions::new()).unwrap();
    assert_eq!(imported.skipped.count(), 0);
}

#[test]
fn annotations_of_an_id_that_two_images_have_belong_to_neither() {
    let mut document = good();
    let again = json!({"id": 5, "file_name": "c.jpg", "width": 8, "height": 8});
    document["images"].as_array_mut().unwrap().push(again);
    let lenient = CocoOptions::new().lenient(true);
    let imported = import_text(&document.to_string(), &lenient).unwrap();
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    // Nor is one of the images left as an image of nothing.
    let truths = task.truths(&imported.table, "boxes").unwrap();
    assert_eq!(truths.iter().map(Vec::len).collect::<Vec<_>>(), [1]);
    let names = imported.table.column::<String>("file_name").unwrap();
    assert_eq!(names.len(), 1);
    assert_ne!(names[0], "c.jpg");
    let reasons: Vec<_> = imported.skipped.by_reason().collect();
    assert_eq!(
        (reasons[0].0, reasons[0].1.count),
        (SkipReason::DuplicateId, 3)
    );
}

#[test]
fn images_of_one_id_are_all_left_out() {
    let twins = with("/images/0/id", json!(5)).to_string();
    let error = refused(&twins);
    assert!(error.contains("earlier image at image 5"), "{error}");
    let error = import_text(&twins, &CocoOptions::new().lenient(true)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("no image is left") && text.contains("3 x an id twice"),
        "{text}"
    );
}

#[test]
fn whole_numbers_may_be_written_as_floats_after_a_byte_order_mark() {
    let text = good().to_string();
    let floats = text
        .replace("\"id\":7,", "\"id\":7.0,")
        .replace("\"image_id\":7", "\"image_id\":7.0")
        .replace("\"width\":20", "\"width\":20.0")
        .replace("\"iscrowd\":1", "\"iscrowd\":1.0");
    assert_eq!(floats.matches(".0").count(), 4, "{floats}");
    let read = |text: &str| {
        let table = import_text(text, &CocoOptions::new()).unwrap().table;
        table.snapshot().read(None).unwrap()
    };
    assert!(read(&format!("\u{feff}{floats}")) == read(&text));
}

#[test]
fn nothing_that_is_left_is_an_error() {
    let lenient = CocoOptions::new().lenient(true);
    let mut document = good();
    for image in document["images"].as_array_mut().unwrap() {
        image["width"] = json!(0);
    }
    let error = import_text(&document.to_string(), &lenient).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("no image is left") && text.contains("2 x an image without a proper size"),
        "{text}"
    );
    document["images"] = json!([]);
    document["annotations"] = json!([]);
    assert!(refused(&document.to_string()).contains("there are no images"));
}

#[test]
fn names_of_files_matter_only_where_a_file_is_opened() {
    let folder = TempDir::new().unwrap();
    for (name, why) in [
        ("../../etc/passwd", "leads out"),
        ("/data/a.png", "leads out"),
        ("data\\a.png", "backslash"),
    ] {
        let document = with("/images/0/file_name", json!(name));
        let table = import_text(&document.to_string(), &CocoOptions::new())
            .unwrap()
            .table;
        assert_eq!(table.column::<String>("file_name").unwrap()[0], name);
        let images = CocoOptions::new().images(folder.path(), ImageFolder::default());
        let error = import_text(&document.to_string(), &images).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    RgbImage::new(20, 10)
        .save(folder.path().join("a.png"))
        .unwrap();
    let document = with("/images/0/file_name", json!("./a.png"));
    let images = CocoOptions::new().images(folder.path(), ImageFolder::default());
    // The second image is missing.
    let imported = import_text(&document.to_string(), &images.lenient(true)).unwrap();
    assert_eq!(
        imported.table.column::<String>("file_name").unwrap(),
        ["./a.png"]
    );
}

#[cfg(unix)]
#[test]
fn what_the_disk_refuses_is_never_skipped() {
    let folder = TempDir::new().unwrap();
    // A folder cannot be read as a file, whoever runs the test.
    std::fs::create_dir(folder.path().join("a.png")).unwrap();
    let images = CocoOptions::new().images(folder.path(), ImageFolder::default());
    let file = folder.path().join("annotations.json");
    std::fs::write(&file, good().to_string()).unwrap();
    let tables = Location::open("memory://").unwrap();
    let error = coco(&tables, "t", &file, &images.lenient(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
}
