//! What is wrong in a COCO file is told with the file, the id and the value, or skipped and counted
//! when asked; files that are no JSON are refused with line and column, wherever they break off.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use emberlens::storage::Location;
use emberlens::table::import::{CocoOptions, ImageFolder, Imported, SkipReason, coco};
use emberlens::table::{DeltaTable, ImageStorage};
use emberlens::{Error, ErrorKind, Result};
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Two images, three categories, two whole annotations, of which every test breaks something.
pub(crate) fn good() -> Value {
    json!({
        "images": [
            {"id": 7, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 5, "file_name": "b/b.jpg", "width": 8, "height": 8},
        ],
        "categories": [
            {"id": 4, "name": "cat"},
            {"id": 2, "name": "person", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]},
        ],
        "annotations": [
            {"id": 70, "image_id": 7, "category_id": 4, "bbox": [1, 2, 3, 4], "area": 9.5,
             "segmentation": [[1, 2, 4, 2, 4, 6]], "iscrowd": 0},
            {"id": 71, "image_id": 5, "category_id": 2, "bbox": [0, 0, 8, 8], "iscrowd": 1,
             "segmentation": {"size": [8, 8], "counts": [3, 60, 1]},
             "keypoints": [1, 1, 2, 0, 0, 0]},
        ],
    })
}

pub(crate) fn import_text(text: &str, options: &CocoOptions) -> Result<Imported> {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("annotations.json");
    std::fs::write(&file, text).unwrap();
    let tables = Location::open("memory://").unwrap();
    let imported = coco(&tables, "t", &file, options);
    if let Err(error) = &imported {
        let names_file = ["annotations.json", "b.jpg"];
        let text = error.to_string();
        assert!(names_file.iter().any(|name| text.contains(name)), "{text}");
        assert!(!DeltaTable::exists(&tables.join("t")).unwrap());
    }
    imported
}

pub(crate) fn refused(text: &str) -> String {
    let error = import_text(text, &CocoOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

/// Changes one value, by its path.
pub(crate) fn with(path: &str, value: Value) -> Value {
    let mut document = good();
    *document.pointer_mut(path).unwrap() = value;
    document
}

fn without(path: &str, field: &str) -> Value {
    let mut document = good();
    let object = document.pointer_mut(path).unwrap().as_object_mut().unwrap();
    object.remove(field).unwrap();
    document
}

#[test]
fn a_file_that_is_whole_is_taken_whole() {
    let table = import_text(&good().to_string(), &CocoOptions::new())
        .unwrap()
        .table;
    assert_eq!(
        table.column::<String>("file_name").unwrap(),
        ["a.png", "b/b.jpg"]
    );
    assert_eq!(table.column::<i64>("image_id").unwrap(), [7, 5]);
    assert_eq!(
        table.category_names("keypoints").unwrap(),
        ["person", "cat"]
    );
    let names: Vec<&str> = table
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    let expected = [
        "file_name",
        "image_id",
        "width",
        "height",
        "boxes",
        "masks",
        "keypoints",
    ];
    assert_eq!(names, expected);
}

/// What is broken, how the error names it, and under which reason it is counted.
fn broken() -> Vec<(Value, Vec<&'static str>, SkipReason)> {
    use SkipReason as By;
    let one = "/annotations/0";
    let (first, of_image) = ("annotation 70 of image 7", "annotation 71 of image 5");
    let set = |field: &str, value: Value| with(&format!("{one}/{field}"), value);
    let second = |field: &str, value: Value| with(&format!("/annotations/1/{field}"), value);
    vec![
        (
            set("image_id", json!(6)),
            vec!["`image_id` is 6", "annotation 70 of image 6"],
            By::UnknownImage,
        ),
        (
            set("category_id", json!(3)),
            vec!["`category_id` is 3", first],
            By::UnknownCategory,
        ),
        (
            set("id", json!(71)),
            vec!["earlier annotation", "annotation 71"],
            By::DuplicateId,
        ),
        (
            set("id", json!("x")),
            vec!["`id` is \"x\"", "annotations[0] of image 7"],
            By::Field,
        ),
        (
            set("image_id", json!(1.5)),
            vec!["`image_id` is 1.5", "annotation 70"],
            By::Field,
        ),
        (
            set("image_id", json!(99999999999999999999_u128 as f64)),
            vec!["100000000000000000000"],
            By::Field,
        ),
        (
            set("bbox", json!([1, 2, 3])),
            vec!["`bbox` is [1, 2, 3]", first],
            By::Box,
        ),
        (
            set("bbox", json!("1 2 3 4")),
            vec!["`bbox` is \"1 2 3 4\"", first],
            By::Box,
        ),
        (
            set("bbox", json!([1, 2, -3, 4])),
            vec!["width -3", first],
            By::Box,
        ),
        (
            set("bbox", json!([1, 2, 3, -0.5])),
            vec!["height -0.5", first],
            By::Box,
        ),
        (
            set("bbox", json!([1, "NaN", 3, 4])),
            vec!["NaN", "not finite", first],
            By::Box,
        ),
        (
            set("area", json!(-1)),
            vec!["`area` is -1", first],
            By::Field,
        ),
        (
            set("iscrowd", json!(2)),
            vec!["`iscrowd` is 2", first],
            By::Field,
        ),
        (
            set("segmentation", json!([[1, 2, 3, 4]])),
            vec!["polygon 0", "4 numbers", first],
            By::Polygon,
        ),
        (
            set("segmentation", json!([[0, 0, 1, 1, 2, 2, 3]])),
            vec!["7 numbers", first],
            By::Polygon,
        ),
        (
            set("segmentation", json!([[0, 0, 1, 1, 2, "Infinity"]])),
            vec!["inf", first],
            By::Polygon,
        ),
        (
            set("segmentation", json!([["a"]])),
            vec!["polygon 0", first],
            By::Polygon,
        ),
        (
            set("segmentation", json!([1, 2, 3, 4, 5, 6])),
            vec!["`segmentation` is [1, 2", first],
            By::Polygon,
        ),
        (
            second("segmentation/size", json!([8, 9])),
            vec!["[8, 9]", "[8, 8]", of_image],
            By::RunLengths,
        ),
        (
            second("segmentation/counts", json!([3, 60])),
            vec!["63 pixels", of_image],
            By::RunLengths,
        ),
        (
            second("segmentation/counts", json!([3, -60, 1])),
            vec!["-60", of_image],
            By::RunLengths,
        ),
        (
            second("segmentation/counts", json!("~")),
            vec!["byte 126", of_image],
            By::RunLengths,
        ),
        (
            second("keypoints", json!([1, 1, 2])),
            vec!["3 numbers", "2 keypoints", of_image],
            By::Keypoints,
        ),
        (
            second("keypoints", json!([1, 1, 3, 0, 0, 0])),
            vec!["visibility", "3", of_image],
            By::Keypoints,
        ),
        (
            second("keypoints", json!([1, "NaN", 1, 0, 0, 0])),
            vec!["NaN", of_image],
            By::Keypoints,
        ),
        (
            with(one, json!(5)),
            vec!["5 where an object is needed", "annotations[0]"],
            By::Field,
        ),
        (
            without(one, "bbox"),
            vec!["`bbox` is missing", first],
            By::Field,
        ),
        (
            without(one, "category_id"),
            vec!["`category_id` is missing", first],
            By::Field,
        ),
    ]
}

#[test]
fn every_malformed_annotation_is_named_and_skipped_when_asked() {
    let lenient = CocoOptions::new().lenient(true);
    for (document, parts, reason) in broken() {
        let error = refused(&document.to_string());
        for part in &parts {
            assert!(error.contains(part), "{part}: {error}");
        }
        let imported = import_text(&document.to_string(), &lenient).unwrap();
        assert_eq!(imported.table.row_count(), 2, "{error}");
        let skipped: Vec<_> = imported.skipped.by_reason().collect();
        let [(found, kind)] = skipped.as_slice() else {
            panic!("{skipped:?}")
        };
        assert_eq!((*found, kind.count), (reason, 1), "{error}");
        for part in &parts {
            assert!(kind.examples[0].contains(part), "{part}: {kind:?}");
        }
    }
}

#[test]
fn images_and_categories_that_are_malformed_take_their_annotations_with_them() {
    let lenient = CocoOptions::new().lenient(true);
    for (document, part, rows, count) in [
        (with("/images/0/width", json!(0)), "`width` is 0", 1, 2),
        (with("/images/0/height", json!(-4)), "`height` is -4", 1, 2),
        (
            with("/images/0/height", json!(1_u64 << 31)),
            "2147483648",
            1,
            2,
        ),
        (
            without("/images/0", "file_name"),
            "`file_name` is missing",
            1,
            2,
        ),
        (
            with("/categories/0/id", json!(2)),
            "earlier category at category 2",
            2,
            2,
        ),
        (without("/categories/0", "name"), "`name` is missing", 2, 2),
        (
            with("/categories/1/keypoints", json!([1])),
            "a list of names",
            2,
            2,
        ),
        (
            with("/categories/1/skeleton", json!([[1]])),
            "pairs of keypoints",
            2,
            1,
        ),
    ] {
        let error = refused(&document.to_string());
        assert!(error.contains(part), "{part}: {error}");
        let imported = import_text(&document.to_string(), &lenient).unwrap();
        assert_eq!(
            (imported.table.row_count(), imported.skipped.count()),
            (rows, count),
            "{part}"
        );
    }
}

#[test]
fn nan_as_python_writes_it_is_named_where_it_stands() {
    let text = good()
        .to_string()
        .replace("[1,2,3,4]", "[NaN, 2, Infinity, -Infinity]");
    let error = refused(&text);
    let parts = [
        "not finite: [NaN, 2, inf, -inf]",
        "annotation 70 of image 7",
    ];
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn a_file_that_breaks_off_or_is_another_is_told_with_line_and_column() {
    let whole = serde_json::to_string_pretty(&good()).unwrap();
    for end in 0..whole.len() {
        let error = import_text(&whole[..end], &CocoOptions::new().lenient(true)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Import { .. }), "{end}: {text}");
        assert!(
            text.contains("line ") && text.contains("column "),
            "{end}: {text}"
        );
        let is_told = ["cut off", "invalid number"];
        assert!(
            is_told.iter().any(|part| text.contains(part)),
            "{end}: {text}"
        );
    }
    for (text, part) in [
        (format!("{whole}]"), "trailing characters"),
        ("[]".to_owned(), "an object with the lists"),
        (r#"{"images": {}}"#.to_owned(), "the list `images`"),
        (
            r#"{"images": [], "images": []}"#.to_owned(),
            "the list `images` twice",
        ),
        (
            r#"{"images": [], "categories": []}"#.to_owned(),
            "no list `annotations`",
        ),
        (
            good().to_string().replace("[1,2,3,4]", "[1e999, 2, 3, 4]"),
            "number out of range",
        ),
        (
            good().to_string().replace("[1,2,3,4]", "[1, 2, 3 4]"),
            "expected `,`",
        ),
        ("\u{feff}{}".to_owned(), "no list `images`"),
        ("[".repeat(1000), "line 1, column 1"),
    ] {
        let error = refused(&text);
        assert!(error.contains(part), "{part}: {error}");
    }
    let tables = Location::open("memory://").unwrap();
    let missing = coco(
        &tables,
        "t",
        Path::new("/no/such.json"),
        &CocoOptions::new(),
    );
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn images_are_read_compared_and_skipped_when_they_are_missing() {
    let folder = TempDir::new().unwrap();
    let save = |name: &str, width: u32, height: u32| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let format = ImageFormat::from_path(&path).unwrap();
        RgbImage::new(width, height)
            .save_with_format(&path, format)
            .unwrap();
    };
    save("a.png", 20, 10);
    let options = CocoOptions::new().images(folder.path(), ImageFolder::default());
    let text = good().to_string();
    let error = import_text(&text, &options).unwrap_err().to_string();
    assert!(error.contains("b.jpg"), "{error}");
    let imported = import_text(&text, &options.clone().lenient(true)).unwrap();
    assert_eq!(imported.table.row_count(), 1);
    let reasons: Vec<_> = imported
        .skipped
        .by_reason()
        .map(|(reason, _)| reason)
        .collect();
    assert_eq!(reasons, [SkipReason::ImageFile, SkipReason::SkippedImage]);

    save("b/b.jpg", 8, 9);
    let error = import_text(&text, &options).unwrap_err().to_string();
    assert!(
        error.contains("8 x 8") && error.contains("8 x 9") && error.contains("image 5"),
        "{error}"
    );

    save("b/b.jpg", 8, 8);
    let table = import_text(&text, &options).unwrap().table;
    let bytes = table.column::<Vec<u8>>("image").unwrap();
    assert_eq!(
        bytes[0],
        std::fs::read(folder.path().join("a.png")).unwrap()
    );
    let by_url = ImageFolder {
        storage: ImageStorage::Url,
        ..ImageFolder::default()
    };
    let table = import_text(&text, &CocoOptions::new().images(folder.path(), by_url))
        .unwrap()
        .table;
    assert!(table.column::<String>("image").unwrap()[1].ends_with("/b/b.jpg"));
}
