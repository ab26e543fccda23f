//! `detection`: images, classes and boxes of a detector that learns.

use emberlens::run::{RunReader, Status};
use emberlens::table::embedding;

use crate::program::{self, numbers, project, text};

const NAME: &str = "detection";
const PROJECT: &str = "scenes";
const REDUCED: [&str; 6] = ["--scenes", "240", "--epochs", "5", "--every", "4"];

fn average_precision(run: &RunReader, epoch: i64) -> f64 {
    let classes = run.metrics("per_class").split("valid").epoch(epoch);
    let values = classes.values::<Option<f64>>("ap_50").unwrap();
    assert_eq!(values.len(), 5, "a row for each class");
    let known: Vec<f64> = values.into_iter().flatten().collect();
    known.iter().sum::<f64>() / known.len() as f64
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
        let due = [("train", 0), ("valid", 0), ("train", 4), ("valid", 4)];
        assert_eq!(
            at,
            due.map(|(split, epoch)| (split, Some(epoch))),
            "{stream}"
        );
    }

    // Boxes at random places have an average precision of about nothing.
    let (first, last) = (average_precision(&run, 0), average_precision(&run, 4));
    assert!(
        last > 0.15 && last > first + 0.1,
        "{first} {last}\n{printed}"
    );
    let shown = numbers(&printed, "4 ")[1];
    assert!((shown - last).abs() < 1e-3, "{shown} {last}\n{printed}");

    // Every confident box has a row, in the order of `boxes_predicted`.
    let images = run.metrics("default").split("valid").epoch(4);
    let found = images.values::<i32>("tp").unwrap().into_iter().sum::<i32>();
    let wrong = images.values::<i32>("fp").unwrap().into_iter().sum::<i32>();
    let boxes = run.metrics("boxes").split("valid").epoch(4);
    let rows = boxes.read().unwrap();
    assert_eq!(rows.num_rows() as i32, found + wrong);
    let scenes = boxes.values::<i64>("example_id").unwrap();
    let instances = boxes.values::<i64>("instance").unwrap();
    let confidences = boxes.values::<f32>("confidence").unwrap();
    for row in 1..scenes.len() {
        let next = scenes[row] == scenes[row - 1];
        assert_eq!(
            instances[row],
            if next { instances[row - 1] + 1 } else { 0 }
        );
        assert!(scenes[row] >= scenes[row - 1]);
        assert!(!next || confidences[row] <= confidences[row - 1]);
    }
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
    within("visible", 0.4, 1.0);
    assert_eq!(
        embedding(&rows, "box_embedding").unwrap().dim(),
        (scenes.len(), 56)
    );

    // Boxes of all epochs and splits, and images, have coordinates of their own.
    let all = run.metrics("boxes").read().unwrap().num_rows();
    assert_eq!(
        run.projection("box_embedding-pacmap")
            .matrix()
            .unwrap()
            .dim(),
        (all, 2)
    );
    let images = 2 * (240 + 60);
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
