use std::fs;
use std::path::Path;

use emberlens::run::Project;
use serde_json::{Value, json};

use crate::example::{Example, stderr};

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A grey image in a format that data sets have.
fn picture(path: &Path, width: u32, height: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), width, height);
    encoder.set_color(png::ColorType::Grayscale);
    let pixels = vec![90; (width * height) as usize];
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&pixels)
        .unwrap();
}

/// A file of two images, of which the second annotation has a box of this height.
fn annotations(folder: &Path, height: f64) -> String {
    let file = folder.join("annotations.json");
    let document = json!({
        "images": [
            {"id": 4, "file_name": "a.png", "width": 20, "height": 10},
            {"id": 2, "file_name": "b.png", "width": 8, "height": 8},
        ],
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 4, "category_id": 9, "bbox": [1, 2, 3, 4], "iscrowd": 0, "area": 12},
            {"id": 2, "image_id": 2, "category_id": 3, "bbox": [1, 2, 3, height], "iscrowd": 0, "area": 5},
        ],
    });
    write(&file, &document.to_string());
    picture(&folder.join("pictures/a.png"), 20, 10);
    picture(&folder.join("pictures/b.png"), 8, 8);
    file.display().to_string()
}

fn names(value: &Value) -> Vec<&str> {
    let columns = value["columns"].as_array().unwrap();
    columns
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_csv_file_becomes_a_table_of_a_new_project() {
    let example = Example::new();
    let file = example.root().join("flowers.csv");
    write(
        &file,
        "petal length (cm);species;w\n1.4;setosa;1\n5.1;virginica;0\n",
    );
    let file = file.display().to_string();
    let call = [
        "import",
        "csv",
        &file,
        "--name",
        "Flowers!",
        "--project",
        "My Garden",
        "--delimiter",
        ";",
        "--category",
        "species",
        "--weight",
        "w",
    ];
    let made = example.json(&call);
    assert_eq!(
        (&made["rows"], &made["project"]),
        (&2.into(), &"My Garden".into())
    );
    assert_eq!(names(&made), ["petal_length_cm", "species", "w"]);
    assert_eq!(
        made["columns"][1]["role"]["names"],
        json!(["setosa", "virginica"])
    );
    assert_eq!(made["skipped"]["count"], 0);
    let root = example.root().display().to_string();
    let project = Project::open(&root, "My Garden").unwrap();
    assert_eq!(
        project.table("Flowers!").unwrap().url(),
        made["url"].as_str().unwrap()
    );
    assert!(example.text(&["ls"]).contains("My Garden"));

    let again = example.emberlens(&call);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("exists already"),
        "{}",
        stderr(&again)
    );

    example.text(&["edit", "Flowers!", "--set", "species=setosa", "--all"]);
    for (revision, expected) in [("Flowers!@0", "5.1,1,0"), ("Flowers!", "5.1,0,0")] {
        let out = example.root().join("out.csv").display().to_string();
        example.text(&["export", "--table", revision, "-o", &out, "--force"]);
        let text = fs::read_to_string(&out).unwrap();
        assert_eq!(
            text,
            format!("petal_length_cm,species,w\n1.4,0,1\n{expected}\n")
        );
    }
    let out = example.root().join("out.csv").display().to_string();
    let exported = example.emberlens(&["export", "--table", "Flowers!", "-o", &out, "--force"]);
    let told = stderr(&exported);
    assert!(told.contains("not their names (`species`)"), "{told}");
    let out = example.root().join("out.parquet").display().to_string();
    let exported = example.emberlens(&["export", "--table", "Flowers!", "-o", &out]);
    assert_eq!(stderr(&exported), "", "a file with roles loses nothing");
    let exported = example.json(&["export", "--table", "Flowers!", "-o", &out, "--force"]);
    assert_eq!(
        (&exported["rows"], &exported["revision"]),
        (&2.into(), &1.into())
    );
    let made = example.json(&[
        "import",
        "parquet",
        &out,
        "--name",
        "again",
        "--project",
        "other",
    ]);
    assert_eq!(names(&made), ["petal_length_cm", "species", "w"]);
}

#[test]
fn a_coco_file_comes_in_with_its_images_and_goes_out_as_it_was() {
    let example = Example::new();
    let folder = example.root().join("coco");
    let file = annotations(&folder, 4.5);
    let images = folder.join("pictures").display().to_string();
    let call = [
        "import",
        "coco",
        &file,
        "--name",
        "pets",
        "--images",
        &images,
        "--project",
        "p",
    ];
    let made = example.json(&call);
    let expected = ["image", "file_name", "image_id", "width", "height", "boxes"];
    assert_eq!(names(&made), expected);
    assert_eq!(made["columns"][5]["role"]["names"], json!(["cat", "dog"]));
    let out = example.root().join("out.json");
    let path = out.display().to_string();
    let text = example.text(&["export", "--table", "pets@0", "-o", &path]);
    assert!(
        text.starts_with("2 images, 2 instances of pets@0"),
        "{text}"
    );
    let written: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
    assert_eq!(
        written["annotations"][1]["bbox"],
        json!([1.0, 2.0, 3.0, 4.5])
    );
    assert_eq!(written["annotations"][0]["category_id"], 9);
    assert_eq!(written["images"][0]["id"], 4);
    let again = example.emberlens(&["export", "--table", "pets", "-o", &path]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
}

#[test]
fn what_is_malformed_fails_or_is_skipped_and_told() {
    let example = Example::new();
    let file = annotations(&example.root().join("coco"), -1.0);
    let call = [
        "import",
        "coco",
        &file,
        "--name",
        "pets",
        "--project",
        "new",
    ];
    let strict = example.emberlens(&call);
    let text = stderr(&strict);
    assert_eq!(strict.status.code(), Some(1));
    for part in [
        "annotation 2 of image 2",
        "height -1",
        "--lenient",
        "annotations.json",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !example.root().join("new").exists(),
        "a project is left of a failed import"
    );
    let lenient = example.emberlens(&[&call[..], &["--lenient"]].concat());
    assert!(lenient.status.success());
    let text = stderr(&lenient);
    assert!(
        text.contains("skipped 1: no proper box; the first:"),
        "{text}"
    );
    let call = [
        &call[..3],
        &["--name", "second", "--project", "new", "--lenient"],
    ]
    .concat();
    let made = example.json(&call);
    assert_eq!(made["skipped"]["count"], 1);
    let reason = &made["skipped"]["reasons"][0];
    assert_eq!(
        (&reason["reason"], &reason["count"]),
        (&"no proper box".into(), &1.into())
    );
    assert!(
        reason["examples"][0]
            .as_str()
            .unwrap()
            .contains("annotation 2")
    );
}

#[test]
fn a_yolo_data_set_comes_in_and_goes_out_split_by_split() {
    let example = Example::new();
    let folder = example.root().join("set");
    write(
        &folder.join("data.yaml"),
        "train: images/train\nval: images/train\nnames:\n  0: cat\n",
    );
    write(&folder.join("labels/train/a.txt"), "0 0.5 0.5 0.5 0.5\n");
    picture(&folder.join("images/train/a.png"), 20, 10);
    picture(&folder.join("images/train/b.png"), 20, 10);
    let path = folder.display().to_string();
    let call = [
        "import",
        "yolo",
        &path,
        "--name",
        "pets",
        "--project",
        "p",
        "--urls",
    ];
    let made = example.json(&call);
    assert_eq!(
        (&made["rows"], &made["columns"][0]["type"]),
        (&2.into(), &"Utf8".into())
    );
    let out = example.root().join("out");
    let target = out.display().to_string();
    let export = [
        "export", "--table", "pets", "--format", "yolo", "-o", &target,
    ];
    let text = example.text(&export);
    assert!(text.starts_with("2 images, 1 instance of pets@0"), "{text}");
    let labels = fs::read_to_string(out.join("labels/train/a.txt")).unwrap();
    assert_eq!(labels, "0 0.5 0.5 0.5 0.5\n");
    assert!(out.join("images/train/b.png").is_file() && out.join("labels/train/b.txt").is_file());
    let again = example.emberlens(&export);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    example.text(&[&export[..], &["--force"]].concat());
    example.text(&[&export[..], &["--split", "val", "--no-images"]].concat());
    let made = example.json(&[
        "import",
        "yolo",
        &target,
        "--name",
        "again",
        "--project",
        "p",
    ]);
    assert_eq!(made["rows"], 2);

    write(&folder.join("labels/train/b.txt"), "0 0.5 0.5 0.5 1.5\n");
    let wrong = example.emberlens(&["import", "yolo", &path, "--name", "n", "--project", "p"]);
    let text = stderr(&wrong);
    let parts = ["1.5", "line 1", "labels/train/b.txt"];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    let wrong = example.emberlens(&[
        "export", "--table", "pets", "--format", "yolo", "--task", "oriented", "-o", "x",
    ]);
    assert!(
        stderr(&wrong).contains("oriented boxes"),
        "{}",
        stderr(&wrong)
    );
}

#[test]
fn a_folder_of_images_becomes_a_table_of_the_only_project() {
    let example = Example::new();
    let (root, pictures) = (
        example.root().join("fresh"),
        example.root().join("pictures"),
    );
    picture(&pictures.join("cat/a.png"), 3, 4);
    let (root, pictures) = (root.display().to_string(), pictures.display().to_string());
    let import = |name: &str, more: &[&str]| {
        let call = [
            "import", "images", &pictures, "--name", name, "--root", &root,
        ];
        example.emberlens(&[&call[..], more].concat())
    };
    let none = stderr(&import("a", &[]));
    assert!(
        none.contains("has no project yet") && none.contains("--project"),
        "{none}"
    );
    assert!(import("a", &["--project", "p"]).status.success());
    assert!(import("b", &[]).status.success());
    assert!(import("c", &["--project", "q"]).status.success());
    let several = stderr(&import("d", &[]));
    assert!(several.contains("there are: p, q"), "{several}");
}

#[test]
fn runs_and_tables_are_not_mixed_up() {
    let example = Example::new();
    let output = example.emberlens(&["export", "ink", "-o", "x.csv"]);
    assert!(stderr(&output).contains("--table"), "{}", stderr(&output));
    let output = example.emberlens(&["export", "cnn", "-o", "x.json", "--format", "coco"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--table"), "{}", stderr(&output));
    let output = example.emberlens(&["export", "--table", "ink", "-o", "x.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("role of boxes"),
        "{}",
        stderr(&output)
    );
    let output = example.emberlens(&["export", "--table", "ink", "-o", "x.xlsx"]);
    assert!(
        stderr(&output).contains("known format"),
        "{}",
        stderr(&output)
    );
    for wrong in [
        &["export", "-o", "x.csv"][..],
        &["export", "cnn", "--table", "ink", "-o", "x.csv"],
        &["export", "cnn", "--lenient", "-o", "x.csv"],
        &["import"],
        &["import", "csv", "x.csv"],
        &["import", "coco", "--name", "x"],
        &["import", "yolo", "x", "--name", "x", "--task", "poses"],
        &["import", "csv", "x", "--name", "x", "--delimiter", "ab"],
    ] {
        let output = example.emberlens(wrong);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{wrong:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_cannot_be_read_is_left_out_of_images_and_records_when_asked() {
    let example = Example::new();
    let folder = example.root().join("pets");
    picture(&folder.join("cat/a.png"), 3, 2);
    write(&folder.join("cat/b.png"), "no picture");
    let path = folder.display().to_string();
    let images = [
        "import",
        "images",
        &path,
        "--name",
        "pets",
        "--project",
        "p",
    ];
    let strict = example.emberlens(&images);
    assert_eq!(strict.status.code(), Some(1));
    assert!(stderr(&strict).contains("cat/b.png"), "{}", stderr(&strict));
    let made = example.json(&[&images[..], &["--lenient"]].concat());
    assert_eq!(
        (&made["rows"], &made["skipped"]["count"]),
        (&json!(1), &json!(1))
    );

    let file = example.root().join("a.csv");
    write(&file, "a,b\n1,2\n3\n4,5\n");
    let path = file.display().to_string();
    let csv = ["import", "csv", &path, "--name", "a", "--project", "p"];
    let strict = example.emberlens(&csv);
    assert!(stderr(&strict).contains("line 3"), "{}", stderr(&strict));
    let lenient = example.emberlens(&[&csv[..], &["--lenient"]].concat());
    assert!(lenient.status.success());
    assert!(
        stderr(&lenient).contains("skipped 1: no proper line"),
        "{}",
        stderr(&lenient)
    );

    write(&file, "a;b\n1;2\n");
    let other = ["import", "csv", &path, "--name", "b", "--project", "p"];
    let told = stderr(&example.emberlens(&other));
    assert!(
        told.contains("holds ;") && told.contains("--delimiter"),
        "{told}"
    );
    example.text(&[&other[..], &["--delimiter", ";"]].concat());
}

#[test]
fn two_names_of_one_table_are_told_and_mean_it() {
    let example = Example::new();
    let file = example.root().join("a.csv");
    write(&file, "a\n1\n");
    let path = file.display().to_string();
    let import =
        |name: &str| example.emberlens(&["import", "csv", &path, "--name", name, "--project", "p"]);
    let told = stderr(&import("../x"));
    assert!(told.contains("`x` and `../x` are one table"), "{told}");
    for name in ["x", "../x", "X"] {
        let again = import(name);
        assert_eq!(again.status.code(), Some(1));
        let told = stderr(&again);
        assert!(
            told.contains("exists already") && told.contains("tables/x"),
            "{told}"
        );
        let listed = example.json(&["revisions", name, "--project", "p"]);
        assert_eq!(listed["table"], "../x");
    }
    assert_eq!(stderr(&import("plain")), "");
}
