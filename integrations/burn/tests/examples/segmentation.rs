//! `segmentation`: masks and IoU of a network that learns.

use std::path::Path;

use emberlens::metrics::class_mask_from_png;
use emberlens::run::Status;

use crate::program::{self, last_mean, numbers, project, text};

const NAME: &str = "segmentation";
const PROJECT: &str = "scenes";
const REDUCED: [&str; 6] = ["--scenes", "360", "--epochs", "6", "--every", "5"];
const VOID: u16 = 255;

#[test]
fn it_learns_and_keeps_every_mask() {
    let root = tempfile::tempdir().unwrap();
    let printed = text(NAME, root.path(), &REDUCED);
    let run = project(root.path(), PROJECT).open_run("segmenter").unwrap();
    assert_eq!(*run.status(), Status::Completed);
    assert_eq!(run.passes("default").len(), 4, "2 epochs, 2 splits");
    assert_eq!(program::next_commands_work(root.path(), &printed).len(), 5);

    // Intersection over union of the classes, from the masks in the run and in the table.
    let last = run.latest_pass("default", "valid").unwrap();
    assert_eq!(last.epoch, Some(5));
    let table = run.input_table(last.table.as_ref().unwrap()).unwrap();
    let truth = table.column::<Vec<u8>>("mask").unwrap();
    let seen = run.metrics("default").split("valid").epoch(last.epoch);
    let seen = seen.values::<Vec<u8>>("mask_predicted").unwrap();
    let (mut both, mut either, mut right, mut known) = ([0.0; 6], [0.0; 6], 0.0, 0.0);
    let (mut background, mut all) = (0.0, [0.0; 6]);
    for (truth, seen) in truth.iter().zip(&seen) {
        let truth = class_mask_from_png(truth).unwrap();
        let seen = class_mask_from_png(seen).unwrap();
        for (&truth, &seen) in truth.iter().zip(&seen) {
            if truth == VOID {
                continue;
            }
            known += 1.0;
            all[usize::from(truth)] += 1.0;
            background += f64::from(u8::from(truth == 0));
            either[usize::from(truth)] += 1.0;
            if truth == seen {
                right += 1.0;
                both[usize::from(truth)] += 1.0;
            } else {
                either[usize::from(seen)] += 1.0;
            }
        }
    }
    let classes = run.metrics("per_class").split("valid").epoch(last.epoch);
    let ious = classes.values::<Option<f64>>("iou").unwrap();
    for (class, iou) in ious.iter().enumerate() {
        let expected = both[class] / either[class];
        assert!(
            (iou.unwrap() - expected).abs() < 1e-9,
            "{class}: {iou:?} {expected}"
        );
    }
    let shown = numbers(&printed, "5 ");
    let mean = ious.iter().flatten().sum::<f64>() / 6.0;
    assert!(
        (shown[1] - mean).abs() < 1e-3,
        "{shown:?} {mean}\n{printed}"
    );

    // Who gives every pixel one class has the share of the class as its IoU: no answer that does not look
    // at the picture has more.
    for (class, iou) in ious.iter().enumerate().skip(1) {
        let chance = all[class] / known;
        assert!(
            iou.unwrap() > 6.0 * chance,
            "{class}: {iou:?} {chance}\n{printed}"
        );
    }
    assert!(ious[0].unwrap() > background / known, "{printed}");
    assert!(right / known > 0.8, "{}", right / known);
    assert!((last_mean(&run, "valid", "pixel_accuracy") - right / known).abs() < 0.05);
    assert!(
        printed.contains("the worst of the validation images"),
        "{printed}"
    );
}

/// The tables of a run as folders of images and masks.
fn write_data_set(root: &Path, folder: &Path) {
    for (split, part) in [("train", "training"), ("valid", "validation")] {
        let run = project(root, PROJECT).open_run("segmenter").unwrap();
        let pass = run.latest_pass("default", split).unwrap();
        let table = run.input_table(&pass.table.unwrap()).unwrap();
        let files = table.column::<String>("file_name").unwrap();
        for (column, place) in [("image", "images"), ("mask", "annotations")] {
            let place = folder.join(place).join(part);
            std::fs::create_dir_all(&place).unwrap();
            for (name, png) in files.iter().zip(table.column::<Vec<u8>>(column).unwrap()) {
                std::fs::write(place.join(name), png).unwrap();
            }
        }
    }
    let classes = "0 background\n1 disc\n2 ring\n3 square\n4 triangle\n5 cross\n";
    std::fs::write(folder.join("classes.txt"), classes).unwrap();
}

#[test]
fn the_same_scenes_as_a_data_set_are_learned_the_same() {
    let [root, other] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    text(
        NAME,
        root.path(),
        &["--scenes=24", "--epochs=2", "--reduce=none"],
    );
    let folder = other.path().join("my shapes"); // with a blank, as many have
    write_data_set(root.path(), &folder);
    let data = folder.display().to_string();
    let arguments = ["--data", &data, "--epochs=2", "--reduce=none"];
    let printed = text(NAME, other.path(), &arguments);
    program::next_commands_work(other.path(), &printed);
    for column in ["loss", "mean_iou"] {
        let of = |root: &Path| {
            let run = project(root, PROJECT).open_run("segmenter").unwrap();
            run.metrics("default").values::<f64>(column).unwrap()
        };
        assert_eq!(of(root.path()), of(other.path()), "{column}");
    }
}

#[test]
fn a_data_set_that_changed_is_not_taken_for_its_table() {
    let root = tempfile::tempdir().unwrap();
    let short = ["--epochs=1", "--reduce=none"];
    text(NAME, root.path(), &[&short[..], &["--scenes=8"]].concat());
    let folder = root.path().join("shapes");
    write_data_set(root.path(), &folder);
    let data = folder.display().to_string();
    let arguments = [&short[..], &["--data", &data]].concat();
    text(NAME, root.path(), &arguments);
    text(NAME, root.path(), &arguments); // the same data set has the same tables
    let tables = project(root.path(), PROJECT).tables();
    assert_eq!(tables.list_folders().unwrap().len(), 4);
    let error = |more: &[&str]| {
        let output = program::run(NAME, root.path(), &[&arguments[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{more:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let other_data = "table `shapes-training` holds other data than";
    // Id 0 has a name, and pixels of the edges have the id 255.
    let void = error(&["--void=0"]);
    assert!(
        void.contains("void") && void.contains("background"),
        "{void}"
    );
    let void = error(&["--void=254"]);
    assert!(void.contains("255"), "{void}");
    let classes = folder.join("classes.txt");
    let names = std::fs::read_to_string(&classes).unwrap();
    std::fs::write(&classes, names.replace("cross", "plus")).unwrap();
    assert!(error(&[]).contains(other_data));
    std::fs::write(&classes, &names).unwrap();
    text(NAME, root.path(), &arguments);
    let mask = |row: usize| folder.join(format!("annotations/training/scene-{row:05}.png"));
    std::fs::copy(mask(1), mask(0)).unwrap();
    assert!(error(&[]).contains(other_data));
}

#[test]
fn data_sets_that_are_none_are_told() {
    let root = tempfile::tempdir().unwrap();
    let error = |data: &str| {
        let output = program::run(NAME, root.path(), &["--data", data]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(error("nowhere").contains("nowhere/classes.txt"));
    let folder = root.path().join("street");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("classes.txt"), "0 road\n\nsky\n").unwrap();
    assert!(error("street").contains("classes.txt, line 3: `sky` is not `ID NAME`"));
    std::fs::write(folder.join("classes.txt"), "0 road\n1 sky\n").unwrap();
    assert!(error("street").contains("images/training"));
}

#[test]
fn a_training_that_diverges_is_told() {
    program::tells_that_it_diverges(NAME, PROJECT, "segmenter", &["--scenes", "16"]);
}

#[test]
fn arguments_are_told() {
    program::tells_its_arguments(NAME);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_an_interrupted_run() {
    program::ends_by_ctrl_c(NAME, PROJECT, "segmenter", &["--scenes", "32"]);
}
