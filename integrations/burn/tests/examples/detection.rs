//! `detection`: images, classes and boxes of a detector that learns.

use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int32Type};
use emberlens::metrics::{AxisAlignedBoxes, class_mask_from_png};
use emberlens::run::{Metrics, RunReader, Status};
use emberlens::table::export::{self, Existing};
use emberlens::table::import::{CocoOptions, coco};
use emberlens::table::{BoxFormat, CoordinateUnit, Table, embedding};

use crate::program::{self, numbers, project, text};

const NAME: &str = "detection";
const PROJECT: &str = "scenes";
const REDUCED: [&str; 6] = ["--scenes", "500", "--epochs", "7", "--every", "6"];

/// AP@0.5 of every class.
fn average_precision(run: &RunReader, epoch: i64) -> Vec<f64> {
    let classes = run.metrics("per_class").split("valid").epoch(epoch);
    let values = classes.values::<Option<f64>>("ap_50").unwrap();
    assert_eq!(values.len(), 5, "a row for each class");
    values.into_iter().map(Option::unwrap).collect()
}

/// Confidence, class and IoU of a box.
type Seen = ((f32, i32), f32);

/// The image and place of every box of `boxes_predicted`, and what is said of it.
fn predicted_boxes(images: &Metrics) -> Vec<((i64, i64), Seen)> {
    let ids = images.values::<i64>("example_id").unwrap();
    let images = images.clone().columns(&["boxes_predicted"]).read().unwrap();
    let lists = images
        .column_by_name("boxes_predicted")
        .unwrap()
        .as_list::<i32>();
    let mut all = Vec::new();
    for (id, list) in ids.into_iter().zip(lists.iter()) {
        let list = list.unwrap();
        let boxes = list.as_struct();
        let field = |name| boxes.column_by_name(name).unwrap();
        let confidences = field("confidence").as_primitive::<Float32Type>().values();
        let labels = field("label").as_primitive::<Int32Type>().values();
        let ious = field("iou").as_primitive::<Float32Type>().values();
        let seen = confidences.iter().copied().zip(labels.iter().copied());
        let seen = seen.zip(ious.iter().copied());
        all.extend((0..).map(|place| (id, place)).zip(seen));
    }
    all
}

#[test]
fn it_learns_and_records_images_classes_and_boxes() {
    let root = tempfile::tempdir().unwrap();
    let printed = text(NAME, root.path(), &REDUCED);
    let run = project(root.path(), PROJECT).open_run("detector").unwrap();
    assert_eq!(*run.status(), Status::Completed);
    for stream in ["default", "per_class", "boxes"] {
        let passes = run.passes(stream);
        let at: Vec<(&str, Option<i64>)> = passes
            .iter()
            .map(|pass| (pass.split.as_str(), pass.epoch))
            .collect();
        let due = [("train", 0), ("valid", 0), ("train", 6), ("valid", 6)];
        assert_eq!(
            at,
            due.map(|(split, epoch)| (split, Some(epoch))),
            "{stream}"
        );
    }
    assert_eq!(program::next_commands_work(root.path(), &printed).len(), 7);

    // Boxes of the right size at random places hardly ever overlap an object by half.
    let (first, last) = (average_precision(&run, 0), average_precision(&run, 6));
    assert!(last.iter().all(|&ap| ap > 0.1), "{last:?}\n{printed}");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (first, last) = (mean(&first), mean(&last));
    assert!(
        last > 0.25 && last > first + 0.1,
        "{first} {last}\n{printed}"
    );
    let shown = numbers(&printed, "6 ")[1];
    assert!((shown - last).abs() < 1e-3, "{shown} {last}\n{printed}");

    // Every confident box has a row, and `instance` is its place in `boxes_predicted`.
    let images = run.metrics("default").split("valid").epoch(6);
    let found = images.values::<i32>("tp").unwrap().into_iter().sum::<i32>();
    let wrong = images.values::<i32>("fp").unwrap().into_iter().sum::<i32>();
    let boxes = run.metrics("boxes").split("valid").epoch(6);
    let rows = boxes.read().unwrap();
    assert_eq!(rows.num_rows() as i32, found + wrong);
    let scenes = boxes.values::<i64>("example_id").unwrap();
    let instances = boxes.values::<i64>("instance").unwrap();
    let seen = boxes.values::<f32>("confidence").unwrap().into_iter();
    let seen = seen.zip(boxes.values::<i32>("predicted").unwrap());
    let seen = seen.zip(boxes.values::<f32>("iou").unwrap());
    let keys = scenes.iter().copied().zip(instances.iter().copied());
    assert_eq!(keys.zip(seen).collect::<Vec<_>>(), predicted_boxes(&images));
    let within = |column: &str, from: f32, to: f32| {
        let values = boxes.values::<Option<f32>>(column).unwrap();
        assert!(
            values
                .iter()
                .flatten()
                .all(|value| (from..=to).contains(value)),
            "{column}"
        );
    };
    within("iou", 0.0, 1.0);
    within("luminosity", 0.0, 255.0);
    within("size", 1.0, 120.0);
    within("overlap", 0.0, 1.0);
    assert_eq!(
        embedding(&rows, "box_embedding").unwrap().dim(),
        (scenes.len(), 64)
    );

    // The rows join the table: boxes are shown with columns of it, and choose its rows.
    let split = ["--split", "valid"];
    let of_boxes = ["--root", ".", "--project", PROJECT];
    let top = ["top", "detector", "--stream", "boxes", "--by", "iou"];
    let top = [&of_boxes[..], &top, &split, &["--show", "file_name"]].concat();
    assert!(program::emberlens(root.path(), top).contains("scene-"));
    let table = table(root.path(), "valid");
    let (where_, chosen) = ("iou < 0.5", boxes.values::<f32>("iou").unwrap());
    let chosen = scenes.iter().zip(chosen).filter(|(_, iou)| *iou < 0.5);
    let chosen: BTreeSet<i64> = chosen.map(|(scene, _)| *scene).collect();
    let edit = [
        "edit",
        table.name(),
        "--add",
        "again:bool",
        "--set",
        "again=true",
    ];
    let edit = [&of_boxes[..], &edit, &["--where", where_], &split].concat();
    let of_run = ["--run", "detector", "--stream", "boxes"];
    program::emberlens(root.path(), [&edit[..], &of_run].concat());
    let again = table
        .latest()
        .unwrap()
        .column::<Option<bool>>("again")
        .unwrap();
    let again = (0..).zip(again).filter(|(_, yes)| *yes == Some(true));
    assert_eq!(again.map(|(row, _)| row).collect::<BTreeSet<i64>>(), chosen);

    // Boxes of all epochs and splits, and images, have coordinates of their own.
    let all = run.metrics("boxes").read().unwrap().num_rows();
    assert_eq!(
        run.projection("box_embedding-pacmap")
            .matrix()
            .unwrap()
            .dim(),
        (all, 2)
    );
    let images = 2 * (500 + 125);
    assert_eq!(
        run.projection("embedding-pacmap").matrix().unwrap().dim(),
        (images, 2)
    );
}

#[test]
fn a_detector_that_sees_nothing_yet_is_reported_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let printed = text(NAME, root.path(), &["--scenes", "4", "--epochs", "1"]);
    let run = project(root.path(), PROJECT).open_run("detector").unwrap();
    assert_eq!(*run.status(), Status::Completed);
    let rows: u64 = run.passes("boxes").iter().map(|pass| pass.rows).sum();
    assert_eq!(rows, 0, "{printed}");
    assert!(!printed.contains("NaN"), "{printed}");
}

/// The table of a split.
fn table(root: &Path, split: &str) -> Table {
    let run = project(root, PROJECT).open_run("detector").unwrap();
    let pass = run.latest_pass("default", split).unwrap();
    run.input_table(&pass.table.unwrap()).unwrap()
}

#[test]
fn the_true_boxes_are_in_the_table_and_go_out_as_coco() {
    let root = tempfile::tempdir().unwrap();
    let arguments = ["--scenes", "40", "--epochs", "1", "--reduce", "none"];
    text(NAME, root.path(), &arguments);
    let table = table(root.path(), "train");
    let (name, file) = (table.name(), root.path().join("train.json"));
    let export =
        format!("--root . --project scenes export --table {name} --format coco -o train.json");
    program::emberlens(root.path(), export.split_whitespace());

    // The file says of boxes and masks what the class mask of each scene shows.
    let project = project(root.path(), "again");
    let again = coco(&project.tables(), "again", &file, &CocoOptions::new()).unwrap();
    let names = again.table.category_names("boxes").unwrap();
    assert_eq!(names, ["disc", "ring", "square", "triangle", "cross"]);
    let boxes = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let truths = boxes.truths(&again.table, "boxes").unwrap();
    let drawn = table.column::<Vec<u8>>("mask").unwrap();
    let objects = table.column::<i32>("objects").unwrap();
    assert!(objects.iter().sum::<i32>() > 40);
    for ((truth, mask), count) in truths.iter().zip(&drawn).zip(objects) {
        assert_eq!(truth.len(), count as usize);
        let mask = class_mask_from_png(mask).unwrap();
        for ((y, x), &class) in mask.indexed_iter() {
            let inside = |bbox: [f64; 4]| {
                let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
                bbox[0] < x && x < bbox[2] && bbox[1] < y && y < bbox[3]
            };
            let of_class = truth.iter().filter(|one| one.label + 1 == i64::from(class));
            let mut boxes = of_class.map(|one| one.geometry.values(BoxFormat::Xyxy));
            assert!(class == 0 || class == 255 || boxes.any(inside), "{y} {x}");
        }
        // Every pixel of a class is one of its objects'; of void pixels some are.
        let pixels = |class| mask.iter().filter(|&&of| of == class).count() as f64;
        for class in 1..=5 {
            let objects = truth.iter().filter(|one| one.label + 1 == i64::from(class));
            let area: f64 = objects.map(|one| one.area.unwrap()).sum();
            assert!(pixels(class) <= area && area <= pixels(class) + pixels(255));
        }
    }
}

/// The tables of a run as a COCO data set with images.
fn write_data_set(root: &Path, folder: &Path) {
    for (split, part) in [("train", "train"), ("valid", "val")] {
        let table = table(root, split);
        let images = folder.join(part);
        std::fs::create_dir_all(&images).unwrap();
        std::fs::create_dir_all(folder.join("annotations")).unwrap();
        let file = format!("annotations/instances_{part}.json");
        export::coco(&table, &folder.join(file), Existing::Refuse).unwrap();
        let files = table.column::<String>("file_name").unwrap();
        for (name, png) in files.iter().zip(table.column::<Vec<u8>>("image").unwrap()) {
            std::fs::write(images.join(name), png).unwrap();
        }
    }
}

#[test]
fn the_same_scenes_as_a_data_set_are_learned_the_same() {
    let [root, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    text(
        NAME,
        root.path(),
        &["--scenes=48", "--epochs=2", "--reduce=none"],
    );
    let folder = other.path().join("my shapes"); // with a blank, as many have
    write_data_set(root.path(), &folder);
    let data = folder.display().to_string();
    let arguments = ["--data", &data, "--epochs=2", "--reduce=none"];
    let printed = text(NAME, other.path(), &arguments);
    program::next_commands_work(other.path(), &printed);
    for column in ["loss", "tp", "fp"] {
        let of = |root: &Path| {
            let run = project(root, PROJECT).open_run("detector").unwrap();
            run.metrics("default").values::<f64>(column).unwrap()
        };
        assert_eq!(of(root.path()), of(other.path()), "{column}");
    }
    assert_eq!(table(other.path(), "valid").name(), "my shapes-val");
    // A second run shares the tables.
    text(NAME, other.path(), &arguments);
    let tables = project(other.path(), PROJECT).tables();
    assert_eq!(tables.list_folders().unwrap().len(), 2);
}

/// Moves the left edge of the first box in a file of annotations.
fn move_a_box(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let left = &mut document["annotations"][0]["bbox"][0];
    *left = (left.as_f64().unwrap() + 1.0).into();
    std::fs::write(file, document.to_string()).unwrap();
}

#[test]
fn a_data_set_that_changed_is_not_taken_for_its_table_and_edits_of_the_table_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let short = ["--epochs=1", "--reduce=none"];
    text(NAME, root.path(), &[&short[..], &["--scenes=12"]].concat());
    let folder = root.path().join("shapes");
    write_data_set(root.path(), &folder);
    let data = folder.display().to_string();
    let arguments = [&short[..], &["--data", &data]].concat();
    text(NAME, root.path(), &arguments);
    // An edit of the table counts, and is none of the files.
    let edit =
        "--root . --project scenes edit shapes-train --add note:string --set note=odd --rows 3";
    program::emberlens(root.path(), edit.split_whitespace());
    text(NAME, root.path(), &arguments);
    let scenes = project(root.path(), PROJECT);
    let table = scenes.table("shapes-train").unwrap();
    let runs = scenes.runs().unwrap().into_iter().map(Result::unwrap);
    let last = runs.max_by_key(|run| run.created_us).unwrap();
    let pass = scenes
        .open_run(&last.id)
        .unwrap()
        .latest_pass("default", "train");
    let learned = pass.unwrap().table.unwrap();
    assert_eq!((table.revision(), learned.revision), (1, 1));

    let annotations = folder.join("annotations/instances_train.json");
    let before = std::fs::read(&annotations).unwrap();
    move_a_box(&annotations);
    let output = program::run(NAME, root.path(), &arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    let told = [
        "table `shapes-train` holds other data than",
        "another name",
        data.as_str(),
    ];
    assert!(told.iter().all(|part| error.contains(part)), "{error}");
    let table = table.latest().unwrap();
    let notes = table.column::<Option<String>>("note").unwrap();
    assert_eq!((table.revision(), notes[3].as_deref()), (1, Some("odd")));
    // The way out: another name has a table of its own.
    std::fs::rename(&folder, root.path().join("moved")).unwrap();
    let moved = root.path().join("moved").display().to_string();
    text(
        NAME,
        root.path(),
        &[&short[..], &["--data", &moved]].concat(),
    );
    // An image that changed is told too.
    std::fs::rename(root.path().join("moved"), &folder).unwrap();
    std::fs::write(&annotations, before).unwrap();
    let image = |row: usize| folder.join(format!("train/scene-{row:05}.png"));
    std::fs::copy(image(1), image(0)).unwrap();
    let output = program::run(NAME, root.path(), &arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains("table `shapes-train` holds other data"),
        "{error}"
    );
}

#[test]
fn data_sets_that_are_none_are_told() {
    let root = tempfile::tempdir().unwrap();
    let error = |data: &str| {
        let output = program::run(NAME, root.path(), &["--data", data]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(error("nowhere").contains("nowhere/annotations"));
    let annotations = root.path().join("street/annotations");
    std::fs::create_dir_all(&annotations).unwrap();
    assert!(error("street").contains("0 files instances_train*.json"));
    for name in ["instances_train2014.json", "instances_train2017.json"] {
        std::fs::write(annotations.join(name), "{}").unwrap();
    }
    assert!(error("street").contains("2 files instances_train*.json"));
    std::fs::remove_file(annotations.join("instances_train2014.json")).unwrap();
    std::fs::create_dir_all(root.path().join("street/train2017")).unwrap();
    assert!(error("street").contains("instances_train2017.json"));
}

#[test]
fn a_training_that_diverges_is_told() {
    program::tells_that_it_diverges(NAME, PROJECT, "detector", &["--scenes", "32"]);
}

#[test]
fn arguments_are_told() {
    program::tells_its_arguments(NAME);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_an_interrupted_run() {
    let arguments = ["--scenes", "32", "--every", "1"];
    program::ends_by_ctrl_c(NAME, PROJECT, "detector", &arguments);
}
