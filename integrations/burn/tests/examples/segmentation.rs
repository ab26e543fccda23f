//! `segmentation`: masks and IoU of a network that learns.

use emberlens::metrics::class_mask_from_png;
use emberlens::run::Status;

use crate::program::{self, last_mean, numbers, project, text};

const NAME: &str = "segmentation";
const PROJECT: &str = "scenes";
const REDUCED: [&str; 6] = ["--scenes", "160", "--epochs", "6", "--every", "5"];
const VOID: u16 = 255;

#[test]
fn it_learns_and_keeps_every_mask() {
    let root = tempfile::tempdir().unwrap();
    let printed = text(NAME, root.path(), &REDUCED);
    let run = project(root.path(), PROJECT).open_run("segmenter").unwrap();
    assert_eq!(*run.status(), Status::Completed);
    assert_eq!(run.passes("default").len(), 4, "2 epochs, 2 splits");

    // Intersection over union of the classes, from the masks in the run and in the table.
    let last = run.latest_pass("default", "valid").unwrap();
    assert_eq!(last.epoch, Some(5));
    let table = run.input_table(last.table.as_ref().unwrap()).unwrap();
    let truth = table.column::<Vec<u8>>("mask").unwrap();
    let seen = run.metrics("default").split("valid").epoch(last.epoch);
    let seen = seen.values::<Vec<u8>>("mask_predicted").unwrap();
    let (mut both, mut either, mut right, mut known) = ([0.0; 6], [0.0; 6], 0.0, 0.0);
    let mut background = 0.0;
    for (truth, seen) in truth.iter().zip(&seen) {
        let truth = class_mask_from_png(truth).unwrap();
        let seen = class_mask_from_png(seen).unwrap();
        for (&truth, &seen) in truth.iter().zip(&seen) {
            if truth == VOID {
                continue;
            }
            known += 1.0;
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

    // Who says background everywhere has the share of it as its IoU, and 0 for the other classes.
    let chance = background / known / 6.0;
    assert!(mean > chance + 0.04, "{mean} {chance}\n{printed}");
    assert!(right / known > 0.8, "{}", right / known);
    assert!((last_mean(&run, "valid", "pixel_accuracy") - right / known).abs() < 0.05);
    assert!(
        printed.contains("the worst of the validation scenes"),
        "{printed}"
    );
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
