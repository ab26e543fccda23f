//! `text`: a transformer that learns sentences, and the wrong labels among them.

use emberlens::run::Status;
use emberlens::run::ranking::{Epochs, RankBy};
use emberlens::table::embedding;

use crate::program::{self, last_mean, numbers, project, text};

const NAME: &str = "text";
const PROJECT: &str = "text";
const REDUCED: [&str; 3] = ["--sentences=1600", "--epochs=6", "--reduce=none"];

#[test]
fn it_learns_and_planted_errors_come_out_on_top() {
    let root = tempfile::tempdir().unwrap();
    let printed = text(NAME, root.path(), &REDUCED);
    let run = project(root.path(), PROJECT)
        .open_run("transformer")
        .unwrap();
    assert_eq!(*run.status(), Status::Completed);
    assert_eq!(run.passes("default").len(), 12, "6 epochs, 2 splits");

    assert_eq!(program::next_commands_work(root.path(), &printed).len(), 3);

    // One of five by chance.
    let accuracy = last_mean(&run, "valid", "accuracy");
    assert!(accuracy > 0.55, "{accuracy}\n{printed}");

    let pass = run.latest_pass("default", "train").unwrap();
    let table = run.input_table(&pass.table.unwrap()).unwrap();
    let planted = table.column::<bool>("planted").unwrap();
    let texts = table.column::<String>("text").unwrap();
    assert_eq!(
        planted.iter().filter(|&&planted| planted).count(),
        80,
        "5 % of 1,600"
    );
    let by_mean = RankBy::column("loss").split("train").epochs(Epochs::Mean);
    let ranked = run.rank(&by_mean).unwrap().ranking.samples;
    let found = ranked[..80]
        .iter()
        .filter(|one| planted[one.example_id as usize])
        .count();
    assert_eq!(
        numbers(&printed, "planted label errors"),
        [80.0, 80.0, found as f64]
    );
    // Chance would find 4 of them.
    assert!(found >= 25, "{printed}");
    assert!(
        printed.contains(&texts[ranked[0].example_id as usize]),
        "{printed}"
    );

    let rows = run
        .metrics("default")
        .columns(&["embedding"])
        .read()
        .unwrap();
    assert_eq!(
        embedding(&rows, "embedding").unwrap().dim(),
        (6 * (1600 + 400), 32)
    );
}

#[test]
fn a_training_that_diverges_is_told() {
    program::tells_that_it_diverges(NAME, PROJECT, "transformer", &["--sentences", "64"]);
}

#[test]
fn arguments_are_told() {
    program::tells_its_arguments(NAME);
    let root = tempfile::tempdir().unwrap();
    let output = program::run(NAME, root.path(), &["--label-noise", "2"]);
    assert_eq!(output.status.code(), Some(2));
    if cfg!(not(feature = "agnews-download")) {
        let output = program::run(NAME, root.path(), &["--data", "ag-news"]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.contains("--features agnews-download"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_an_interrupted_run() {
    program::ends_by_ctrl_c(NAME, PROJECT, "transformer", &["--sentences", "64"]);
}
