//! `fix_labels`: what the first run reveals is corrected in the table, and the second run learns it.

use std::collections::BTreeSet;
use std::path::Path;

use emberlens::run::{RunReader, Status};
use emberlens::table::Table;

use crate::program::{self, last_mean, numbers, project, text};

const NAME: &str = "fix_labels";
const PROJECT: &str = "fix-labels";
const REDUCED: [&str; 4] = ["--epochs", "4", "--reduce", "none"];

fn open(root: &Path, run: &str) -> RunReader {
    project(root, PROJECT).open_run(run).unwrap()
}

/// The table of a split, at the revision that the run recorded.
fn table(run: &RunReader, split: &str) -> Table {
    let pass = run.latest_pass("default", split).unwrap();
    run.input_table(&pass.table.unwrap()).unwrap()
}

/// The class that the last epoch predicts of every row.
fn predicted(run: &RunReader, split: &str) -> Vec<i64> {
    let last = run.latest_pass("default", split).unwrap();
    let metrics = run.metrics("default").split(split).epoch(last.epoch);
    let rows: Vec<i64> = (0..last.rows as i64).collect();
    assert_eq!(metrics.values::<i64>("example_id").unwrap(), rows);
    metrics.values("predicted").unwrap()
}

#[test]
fn planted_errors_are_found_corrected_and_learned_right() {
    let root = tempfile::tempdir().unwrap();
    let printed = text(NAME, root.path(), &REDUCED);
    let (noisy, corrected) = (open(root.path(), "noisy"), open(root.path(), "corrected"));
    for run in [&noisy, &corrected] {
        assert_eq!(*run.status(), Status::Completed);
        assert_eq!(run.passes("default").len(), 8, "4 epochs, 2 splits");
    }

    // The runs record the revisions that they learned.
    let (before, after) = (table(&noisy, "train"), table(&corrected, "train"));
    assert_eq!((before.revision(), after.revision()), (0, 1));
    let revisions = after.revisions().unwrap();
    assert_eq!(revisions[1].author.as_deref(), Some("the reviewer"));
    let note = revisions[1].note.as_deref().unwrap();
    assert!(note.contains(noisy.id()), "{note}");

    // Only planted errors were corrected, to what the image shows, and most of them were found.
    let truth = before.column::<i32>("true_label").unwrap();
    let planted = before.column::<bool>("planted").unwrap();
    let (old, new) = (
        before.column::<i32>("label").unwrap(),
        after.column::<i32>("label").unwrap(),
    );
    let fixed: BTreeSet<usize> = (0..old.len()).filter(|&row| old[row] != new[row]).collect();
    assert!(
        fixed
            .iter()
            .all(|&row| planted[row] && new[row] == truth[row])
    );
    assert_eq!(planted.iter().filter(|&&planted| planted).count(), 144);
    assert_eq!(
        numbers(&printed, "planted label errors"),
        [144.0, 144.0, fixed.len() as f64]
    );
    assert!(fixed.len() >= 120, "{} of 144 found", fixed.len());

    // The reviewer saw the samples of highest mean loss, counted here from the rows.
    let mut sums = vec![0.0; old.len()];
    let metrics = noisy.metrics("default").split("train");
    let ids = metrics.values::<i64>("example_id").unwrap();
    for (id, loss) in ids.iter().zip(metrics.values::<f32>("loss").unwrap()) {
        sums[*id as usize] += f64::from(loss);
    }
    let mut order: Vec<usize> = (0..sums.len()).collect();
    order.sort_by(|&a, &b| sums[b].total_cmp(&sums[a]));
    let seen: BTreeSet<usize> = order[..144]
        .iter()
        .copied()
        .filter(|&row| planted[row])
        .collect();
    assert_eq!(seen, fixed);

    // What the example says of every sample, counted anew.
    let shown = table(&noisy, "valid").column::<i32>("true_label").unwrap();
    let right = |run, row: usize| predicted(run, "valid")[row] == i64::from(shown[row]);
    let (a, b): (Vec<bool>, Vec<bool>) = {
        let rows = 0..shown.len();
        rows.map(|row| (right(&noisy, row), right(&corrected, row)))
            .unzip()
    };
    let count = |before, after| {
        let both = a.iter().zip(&b);
        both.filter(|&(&a, &b)| (a, b) == (before, after)).count() as f64
    };
    let counted = [
        355.0,
        count(true, true),
        count(false, true),
        count(true, false),
        count(false, false),
    ];
    assert!(printed.contains("valid (355)"), "{printed}");
    assert_eq!(numbers(&printed, "valid ("), counted);
    assert!(last_mean(&corrected, "valid", "accuracy") > 0.9);
    let now = predicted(&corrected, "train");
    let learned = fixed
        .iter()
        .filter(|&&row| now[row] == i64::from(truth[row]));
    assert!(learned.count() * 10 > fixed.len() * 9, "{printed}");
    let next = program::next_commands_work(root.path(), &printed);
    let undo = next.last().unwrap();
    assert!(undo.contains("-train-noise-0.1-seed-7@1 "), "{undo}");
    assert_eq!(
        table(&corrected, "train").latest().unwrap().revision(),
        2,
        "undone"
    );
}

#[test]
fn a_second_run_plants_the_errors_anew_in_a_revision_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let one_epoch = ["--epochs=1", "--review=0.02", "--reduce=none"];
    text(NAME, root.path(), &one_epoch);
    let printed = text(NAME, root.path(), &one_epoch);
    assert!(printed.starts_with("revision 2 of"), "{printed}");
    let (noisy, corrected) = (
        open(root.path(), "noisy-2"),
        open(root.path(), "corrected-2"),
    );
    let labels = |revision| {
        let table = table(&corrected, "train").at_revision(revision).unwrap();
        table.column::<i32>("label").unwrap()
    };
    assert_eq!(table(&noisy, "train").revision(), 2);
    assert_eq!(table(&corrected, "train").revision(), 3);
    assert_eq!(labels(2), labels(0));
    assert_ne!(labels(3), labels(2));
    // What is offered for undoing is the correction, not the planting.
    let next = program::next_commands_work(root.path(), &printed);
    assert!(next.last().unwrap().contains("@3 "), "{next:?}");
}

#[test]
fn a_review_that_corrects_nothing_offers_nothing_to_undo() {
    let root = tempfile::tempdir().unwrap();
    for arguments in [
        ["--epochs=1", "--reduce=none", "--review=0"],
        ["--epochs=1", "--reduce=none", "--label-noise=0"],
    ] {
        // The second run plants nothing anew.
        for _ in 0..2 {
            let printed = text(NAME, root.path(), &arguments);
            assert!(printed.contains("\nno label of `digits-train"), "{printed}");
            let next = program::next_commands_work(root.path(), &printed);
            assert_eq!(next.len(), 3, "{next:?}");
            let is_of_edits = |line: &String| line.contains(" diff ") || line.contains(" undo ");
            assert!(!next.iter().any(is_of_edits), "{next:?}");
        }
    }
    // Neither does one after errors that a run before corrected, and this one planted anew.
    text(
        NAME,
        root.path(),
        &["--epochs=1", "--reduce=none", "--review=0.02"],
    );
    let printed = text(
        NAME,
        root.path(),
        &["--epochs=1", "--reduce=none", "--review=0"],
    );
    assert!(printed.starts_with("revision 2 of"), "{printed}");
    assert_eq!(program::next_commands_work(root.path(), &printed).len(), 3);
}

#[test]
fn a_training_that_diverges_is_told() {
    program::tells_that_it_diverges(NAME, PROJECT, "noisy", &[]);
}

#[test]
fn arguments_are_told() {
    program::tells_its_arguments(NAME);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_an_interrupted_run() {
    program::ends_by_ctrl_c(NAME, PROJECT, "noisy", &[]);
}
