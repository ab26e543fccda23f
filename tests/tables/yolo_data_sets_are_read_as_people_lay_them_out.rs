//! YOLO data sets as people lay them out: splits beside the file, lists, links; what has no labels, no
//! images or two images for the same labels is told, and what comes in goes out again.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use emberlens::ErrorKind;
use emberlens::table::Table;
use emberlens::table::export::{self, Existing, YoloExport};
use emberlens::table::import::{SkipReason, YoloOptions, YoloTask};
use tempfile::TempDir;

use crate::yolo::{NAMES, boxes, import, picture, write};

fn options() -> YoloOptions {
    YoloOptions::new(YoloTask::Boxes)
}

fn names(table: &Table) -> Vec<String> {
    table.column::<String>("file_name").unwrap()
}

/// An image with its labels.
fn labelled(folder: &Path, image: &str) {
    picture(folder.join(image), 20, 10);
    let labels = image.replace("images", "labels").replace(".png", ".txt");
    write(folder.join(labels), "\u{feff}1 0.5 0.5 0.5 0.5\n");
}

fn assert_goes_out(table: &Table) {
    let out = TempDir::new().unwrap();
    let options = YoloExport::new(YoloTask::Boxes);
    export::yolo(table, out.path(), &options, Existing::Refuse).unwrap();
    let again = import(out.path(), &self::options()).unwrap().table;
    assert_eq!(names(&again), names(table));
    assert_eq!(boxes(&again).len(), boxes(table).len());
}

#[test]
fn images_beside_the_file_and_in_lists_have_names_that_can_go_out_again() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    for image in ["a/images/x.png", "b/images/x.png"] {
        labelled(folder.path(), image);
    }
    write(
        at("set/data.yaml"),
        &format!("train: [../a/images, ../b/images]\nval: ../list.txt\n{NAMES}"),
    );
    let absolute = at("a/images/x.png");
    let text = format!("\u{feff}{}\n./b/images/x.png\n", absolute.display());
    write(at("list.txt"), &text);
    for split in ["train", "val"] {
        let imported = import(&at("set"), &options().split(split)).unwrap();
        assert_eq!(imported.skipped.count(), 0);
        let table = imported.table;
        assert_eq!(names(&table), ["a/x.png", "b/x.png"]);
        assert_eq!(boxes(&table).iter().map(Vec::len).sum::<usize>(), 2);
        assert_goes_out(&table);
    }
    // The same image twice has one file of labels.
    write(at("list.txt"), "a/images/x.png\nb/../a/images/x.png\n");
    let twice = options().split("val");
    let error = import(&at("set"), &twice).unwrap_err().to_string();
    assert!(
        error.contains("the same labels") && error.contains("x.png"),
        "{error}"
    );
    let imported = import(&at("set"), &twice.lenient(true)).unwrap();
    assert_eq!(
        (names(&imported.table).len(), imported.skipped.count()),
        (1, 1)
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_is_a_link_names_what_is_beside_the_link() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    labelled(folder.path(), "set/images/train/x.png");
    write(
        at("shared/pets.yaml"),
        &format!("train: images/train\n{NAMES}"),
    );
    std::os::unix::fs::symlink(at("shared/pets.yaml"), at("set/data.yaml")).unwrap();
    let table = import(&at("set/data.yaml"), &options()).unwrap().table;
    assert_eq!(names(&table), ["x.png"]);
}

#[test]
fn a_split_without_any_labels_or_images_is_told() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(at("data.yaml"), &format!("train: train/images\n{NAMES}"));
    for image in ["x.png", "y.png"] {
        picture(at("train/images").join(image), 20, 10);
    }
    let error = import(folder.path(), &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("train/labels/x.txt"), "{text}");
    let lenient = options().lenient(true);
    let imported = import(folder.path(), &lenient).unwrap();
    assert_eq!(names(&imported.table), ["x.png", "y.png"]);
    let reasons: Vec<_> = imported.skipped.by_reason().collect();
    assert_eq!(
        (reasons[0].0, reasons[0].1.count),
        (SkipReason::NoLabels, 2)
    );

    // One empty file is a statement.
    write(at("train/labels/x.txt"), "");
    assert_eq!(
        import(folder.path(), &options()).unwrap().skipped.count(),
        0
    );

    for image in ["x.png", "y.png"] {
        fs::write(at("train/images").join(image), "no image").unwrap();
    }
    let text = import(folder.path(), &lenient).unwrap_err().to_string();
    assert!(text.contains("no image is left (2 left out"), "{text}");
    fs::remove_dir_all(at("train")).unwrap();
    fs::create_dir_all(at("train/images")).unwrap();
    let text = import(folder.path(), &options()).unwrap_err().to_string();
    assert!(text.contains("there are no images"), "{text}");
}

#[test]
fn what_the_disk_refuses_is_never_skipped() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    labelled(folder.path(), "images/train/x.png");
    // The second image of the list is a folder, which cannot be read as a file.
    fs::create_dir(at("images/train/y.png")).unwrap();
    write(at("list.txt"), "images/train/x.png\nimages/train/y.png\n");
    write(at("data.yaml"), &format!("train: list.txt\n{NAMES}"));
    let error = import(folder.path(), &options().lenient(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
}

#[test]
fn a_split_is_added_only_to_a_file_whose_splits_are_in_its_folder() {
    let folder = TempDir::new().unwrap();
    labelled(folder.path(), "in/images/train/x.png");
    let yaml = |name: &str, root: &str| {
        let text = format!("path: {root}\ntrain: images/train\n{NAMES}");
        write(folder.path().join(name).join("data.yaml"), &text);
    };
    yaml("in", ".");
    let table = import(&folder.path().join("in"), &options()).unwrap().table;
    let export = |name: &str| {
        let options = YoloExport::new(YoloTask::Boxes).split("val");
        export::yolo(
            &table,
            &folder.path().join(name),
            &options,
            Existing::Refuse,
        )
    };
    for root in ["../in", "/no/such/folder"] {
        yaml("out", root);
        let error = export("out").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("another folder") && text.contains(root),
            "{text}"
        );
        assert!(!folder.path().join("out/labels").exists());
    }
    export("in").unwrap();
    let added = import(&folder.path().join("in"), &options().split("val")).unwrap();
    assert_eq!(names(&added.table), ["x.png"]);
}
