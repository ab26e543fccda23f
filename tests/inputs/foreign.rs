//! Annotations that others wrote, as a target.

use std::fs;

use emberlens::storage::Location;
use emberlens::table::export::{self, Existing};
use emberlens::table::import::{CocoOptions, YoloOptions, YoloTask, coco, yolo};
use tempfile::TempDir;

/// A file of annotations that others wrote: as COCO's, and line by line as YOLO's with its YAML.
pub fn annotations(input: &[u8]) {
    thread_local! {
        static FOLDER: TempDir = data_set();
    }
    let tables = Location::open("memory://").expect("memory opens");
    FOLDER.with(|folder| {
        let at = |name: &str| folder.path().join(name);
        let put = |name: &str, bytes: &[u8]| {
            fs::write(at(name), bytes).expect("the temporary folder takes files");
        };
        put("coco.json", input);
        for lenient in [false, true] {
            let options = CocoOptions::new().lenient(lenient);
            let imported = coco(&tables, "c", &at("coco.json"), &options);
            // What came in goes out, or is refused; never is it half a file.
            if let Ok(imported) = imported {
                let _ = export::coco(&imported.table, &at("out.json"), Existing::Replace);
                let _ = imported.table.location().list_files();
            }
            clear(&tables.join("c"));
        }
        put("labels/a.txt", input);
        for task in [YoloTask::Boxes, YoloTask::Oriented, YoloTask::Segments] {
            let options = YoloOptions::new(task).lenient(true);
            let imported = yolo(&tables, "y", &at("data.yaml"), &options);
            assert!(
                imported.is_ok(),
                "a lenient import skips every line: {imported:?}"
            );
            clear(&tables.join("y"));
        }
        put("other.yaml", input);
        let _ = yolo(
            &tables,
            "y",
            &at("other.yaml"),
            &YoloOptions::new(YoloTask::Boxes),
        );
        clear(&tables.join("y"));
    });
}

/// A YOLO data set of one image of 8 x 6 pixels.
fn data_set() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["images", "labels"] {
        fs::create_dir(at(name)).expect("a folder in it");
    }
    fs::write(at("images/a.png"), PICTURE).expect("an image in it");
    let yaml = "train: images\nnames: [cat, dog]\n";
    fs::write(at("data.yaml"), yaml).expect("a file in it");
    folder
}

/// Deletes a table in memory, so that the next may have its name.
fn clear(table: &Location) {
    for name in table.list_files().expect("memory lists") {
        table.join(&name).delete().expect("memory deletes");
    }
    let log = table.join("_delta_log");
    for name in log.list_files().expect("memory lists") {
        log.join(&name).delete().expect("memory deletes");
    }
}

/// Inputs that are right, for the target to start from.
pub fn good_inputs() -> Vec<Vec<u8>> {
    [COCO, LABELS, YAML]
        .map(|text| text.as_bytes().to_vec())
        .into()
}

/// A grey image of 8 x 6 pixels.
const PICTURE: &[u8] = include_bytes!("grey.png");

/// Two images, polygons, run lengths both ways, keypoints.
const COCO: &str = r#"{"images":[{"id":1,"file_name":"a.png","width":8,"height":6},{"id":7,"file_name":"b","width":3,"height":2}],
"annotations":[{"id":1,"image_id":1,"category_id":2,"bbox":[1,1,4.5,3],"area":9,"iscrowd":0,"segmentation":[[1,1,5,1,5,4],[2,2,3,2,3,3.5,2,4]]},
{"id":2,"image_id":7,"category_id":9,"bbox":[0,0,3,2],"iscrowd":1,"segmentation":{"size":[2,3],"counts":[1,4,1]},"keypoints":[1,1,2,0,0,0]},
{"id":3,"image_id":1,"category_id":2,"bbox":[NaN,0,-Infinity,2],"segmentation":{"size":[6,8],"counts":"61O"}}],
"categories":[{"id":9,"name":"person","keypoints":["nose","tail"],"skeleton":[[1,2]]},{"id":2,"name":"cat","supercategory":"pet"}]}"#;

/// Boxes, corners, a polygon.
const LABELS: &str = "1 0.5 0.5 0.25 0.5\n0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n1 0 0 1 0 0.5 1\n";

/// A data set as others describe it.
const YAML: &str =
    "path: .\ntrain: [images]\nval: list.txt\nnc: 2\nnames:\n  0: cat\n  1: \"dog: a\"\n";
