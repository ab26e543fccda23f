//! What is wrong in a YOLO data set is told with its file and line, or skipped and counted when asked, in
//! all the layouts that people have.

#![allow(clippy::unwrap_used)]

use std::fs;

use crate::yolo::{NAMES, boxes, data_set, import, picture, write};
use emberlens::ErrorKind;
use emberlens::table::import::{SkipReason, YoloOptions, YoloTask};
use tempfile::TempDir;

#[test]
fn malformed_lines_are_told_with_file_and_line_or_counted() {
    let folder = data_set(
        "0 0.5 0.5 0.2 0.2\n0 0.5 1.5 0.2 0.2\n7 0.5 0.5 0.2 0.2\n0 x 0.5 0.2 0.2\n1 0.5\n",
        "0 0.5 0.5 0 1",
    );
    let options = YoloOptions::new(YoloTask::Boxes);
    let error = import(folder.path(), &options).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        text.contains("1.5") && text.contains("line 2") && text.contains("labels/train/a.txt"),
        "{text}"
    );
    let imported = import(folder.path(), &options.clone().lenient(true)).unwrap();
    let counts: Vec<_> = imported
        .skipped
        .by_reason()
        .map(|(reason, kind)| (reason, kind.count))
        .collect();
    let expected = [
        (SkipReason::UnknownCategory, 1),
        (SkipReason::Box, 1),
        (SkipReason::Line, 2),
        (SkipReason::Range, 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(
        boxes(&imported.table)
            .iter()
            .map(Vec::len)
            .collect::<Vec<_>>(),
        [1, 0, 0]
    );

    // Images that cannot be read, labels that belong to none, and bytes that are no text.
    let at = |name: &str| folder.path().join(name);
    fs::write(
        at("labels/train/a.txt"),
        b"0 0.5 0.5 0.2 0.2\n\xff\xfe 1 1 1 1\n",
    )
    .unwrap();
    write(at("labels/train/more/b.txt"), "0 0.5 0.5 0.2 0.2\n");
    write(at("labels/train/ghost.txt"), "0 0.5 0.5 0.2 0.2\n");
    write(at("labels/train/classes.txt"), "cat\n");
    write(at("images/train/more/b.jpg"), "no picture");
    write(at("images/train/c.webp"), "another format");
    let imported = import(folder.path(), &options.clone().lenient(true)).unwrap();
    let counts: Vec<_> = imported
        .skipped
        .by_reason()
        .map(|(reason, kind)| (reason, kind.count))
        .collect();
    let expected = [
        (SkipReason::ImageFile, 2),
        (SkipReason::SkippedImage, 1),
        (SkipReason::Line, 1),
        (SkipReason::LabelFile, 1),
    ];
    assert_eq!(counts, expected);
    assert_eq!(imported.table.row_count(), 2);
    let error = import(folder.path(), &options).unwrap_err().to_string();
    assert!(error.contains("c.webp"), "{error}");
}

#[test]
fn data_sets_are_found_in_the_layouts_that_people_have() {
    let options = YoloOptions::new(YoloTask::Boxes);
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    picture(at("train/images/a.png"), 20, 10);
    write(at("train/labels/a.txt"), "0 0.5 0.5 0.5 0.5");
    write(
        at("set.yaml"),
        &format!("path: elsewhere\ntrain: ../train/images\nval: list.txt\n{NAMES}"),
    );
    write(at("list.txt"), "./train/images/a.png\n\n");
    for (path, split, name) in [
        (folder.path().to_owned(), "train", "a.png"),
        (at("set.yaml"), "val", "train/a.png"),
    ] {
        let table = import(&path, &options.clone().split(split)).unwrap().table;
        assert_eq!(table.column::<String>("file_name").unwrap(), [name]);
        assert_eq!(boxes(&table)[0], [(0, [5.0, 2.5, 15.0, 7.5])]);
    }
    let error = import(folder.path(), &options.clone().split("test")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("there are: train, val"),
        "{error}"
    );
    write(at("two.yml"), NAMES);
    let error = import(folder.path(), &options).unwrap_err().to_string();
    assert!(error.contains("several others"), "{error}");
    let error = import(&at("no.yaml"), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    write(at("two.yml"), &format!("train: nowhere\n{NAMES}"));
    let error = import(&at("two.yml"), &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
