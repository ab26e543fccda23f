//! The example `digits` does what the readme says: trains, collects every epoch, finds planted
//! label errors, and tells clearly what is wrong with its arguments.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use emberlens::run::{Project, RunReader, Status};

type Failure = Box<dyn Error + Send + Sync>;

// The example's own modules, so that their tests run too.
#[allow(dead_code)]
#[path = "../examples/digits/data.rs"]
mod data;
#[allow(dead_code)]
#[path = "../examples/digits/idx.rs"]
mod idx;

const TRAIN: u64 = 1442;
const VALID: u64 = 355;

/// The example as `cargo test` built it, beside the folder of this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = format!("digits{}", std::env::consts::EXE_SUFFIX);
    let example = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        example.exists(),
        "build it first: cargo build -p emberlens-burn --example digits"
    );
    example
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    Command::new(example())
        .args(["--root", &root.display().to_string()])
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

fn open(root: &Path) -> RunReader {
    let project = Project::open(&root.display().to_string(), "digits").unwrap();
    project.open_run("cnn").unwrap()
}

/// The number that ends the first line which holds `marker`.
fn number(text: &str, marker: &str) -> usize {
    let line = text.lines().find(|line| line.contains(marker)).unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}

#[test]
fn every_epoch_is_collected_and_planted_errors_come_out_on_top() {
    let root = tempfile::tempdir().unwrap();
    let text = stdout(&run(root.path(), &[]));
    let run = open(root.path());

    assert_eq!(*run.status(), Status::Completed);
    let passes = run.passes("default");
    assert_eq!(passes.len(), 16, "8 epochs, 2 splits");
    for pass in &passes {
        assert_eq!(pass.rows, if pass.split == "train" { TRAIN } else { VALID });
        assert!(pass.table.is_some(), "joined to its table");
    }

    // The accuracy counted by hand from the rows; validation labels are as they came.
    let last = run.metrics("default").split("valid").epoch(7);
    let predicted = last.values::<i64>("predicted").unwrap();
    let ids = last.values::<i64>("example_id").unwrap();
    let (_, input) = tables(&run);
    let truth = input.column::<i32>("true_label").unwrap();
    let right = ids
        .iter()
        .zip(&predicted)
        .filter(|&(&id, &class)| i64::from(truth[id as usize]) == class);
    let accuracy = right.count() as f64 / ids.len() as f64;
    assert!(accuracy >= 0.95, "validation accuracy {accuracy}");

    let found = number(&text, "by mean loss over the epochs  ");
    let by_mean = losses(&run, 0..8);
    assert_eq!(found, planted_on_top(&run, &by_mean, 72), "{text}");
    assert!(found >= 60, "{text}");
    let found = number(&text, "by loss of the last epoch  ");
    assert_eq!(
        found,
        planted_on_top(&run, &losses(&run, 7..8), 72),
        "{text}"
    );
    check_aggregates(&run, &text);
    check_suspicious(&run, &by_mean, &text);
    assert!(
        text.contains("planted label errors (72) among the top 5 % (72 samples)"),
        "{text}"
    );
    assert!(
        text.contains("top cnn --by loss --mean --split train"),
        "{text}"
    );
}

/// Training samples by their mean loss over these epochs, highest first, from the rows.
fn losses(run: &RunReader, epochs: std::ops::Range<i64>) -> Vec<(usize, f64)> {
    let mut means: Vec<(usize, f64)> = (0..TRAIN as usize).map(|id| (id, 0.0)).collect();
    let count = (epochs.end - epochs.start) as f64;
    for epoch in epochs {
        let metrics = run.metrics("default").split("train").epoch(epoch);
        let ids = metrics.values::<i64>("example_id").unwrap();
        for (id, loss) in ids.iter().zip(metrics.values::<f32>("loss").unwrap()) {
            means[*id as usize].1 += f64::from(loss) / count;
        }
    }
    means.sort_by(|a, b| b.1.total_cmp(&a.1));
    means
}

/// Planted errors among the first of a ranking.
fn planted_on_top(run: &RunReader, ranking: &[(usize, f64)], top: usize) -> usize {
    let planted = tables(run).0.column::<bool>("planted").unwrap();
    ranking[..top].iter().filter(|(id, _)| planted[*id]).count()
}

/// The printed means are those of the rows, at every epoch.
fn check_aggregates(run: &RunReader, text: &str) {
    let (_, table) = text.split_once("valid confidence\n").unwrap();
    for (epoch, line) in (0..8_i64).zip(table.lines()) {
        let printed: Vec<f64> = line
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        let mut expected = vec![epoch as f64];
        for split in ["train", "valid"] {
            let metrics = run.metrics("default").split(split).epoch(epoch);
            for column in ["loss", "accuracy", "confidence"] {
                let values = metrics.values::<f32>(column).unwrap();
                let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
                expected.push(sum / values.len() as f64);
            }
        }
        assert_eq!(printed.len(), expected.len(), "{line}");
        let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-4;
        assert!(
            printed.iter().zip(&expected).all(close),
            "{line}: {expected:?}"
        );
    }
}

/// The ten printed samples are those of highest mean loss, with what the table says of them.
fn check_suspicious(run: &RunReader, by_mean: &[(usize, f64)], text: &str) {
    let table = tables(run).0;
    let names = table.category_names("label").unwrap();
    let labels = table.column::<i32>("label").unwrap();
    let truth = table.column::<i32>("true_label").unwrap();
    let planted = table.column::<bool>("planted").unwrap();
    let last = run.metrics("default").split("train").epoch(7);
    let ids = last.values::<i64>("example_id").unwrap();
    let predicted = last.values::<i64>("predicted").unwrap();
    let predicted: HashMap<i64, i64> = ids.into_iter().zip(predicted).collect();

    let (_, lines) = text.split_once("planted?\n").unwrap();
    let lines: Vec<&str> = lines.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 10, "{text}");
    for (line, &(id, loss)) in lines.iter().zip(by_mean) {
        let mut words = line.split_whitespace();
        let mut word = || words.next().unwrap();
        assert_eq!(word().parse::<usize>().unwrap(), id, "{line}");
        assert!(
            (word().parse::<f64>().unwrap() - loss).abs() < 1e-3,
            "{line} {loss}"
        );
        assert_eq!(word(), names[labels[id] as usize], "{line}");
        assert_eq!(word(), names[predicted[&(id as i64)] as usize], "{line}");
        let status: Vec<&str> = words.collect();
        match planted[id] {
            true => {
                assert_eq!(status[0], "yes,", "{line}");
                assert_eq!(*status.last().unwrap(), names[truth[id] as usize], "{line}");
            }
            false => assert_eq!(status, ["no"], "{line}"),
        }
    }
}

/// Training and validation table of a run.
fn tables(run: &RunReader) -> (emberlens::table::Table, emberlens::table::Table) {
    let of = |split: &str| {
        let pass = run.latest_pass("default", split).unwrap();
        run.input_table(&pass.table.unwrap()).unwrap()
    };
    (of("train"), of("valid"))
}

#[test]
fn the_table_holds_images_labels_and_what_was_planted() {
    let root = tempfile::tempdir().unwrap();
    stdout(&run(
        root.path(),
        &["--epochs", "1", "--label-noise", "0.2", "--seed", "3"],
    ));
    let (train, valid) = tables(&open(root.path()));
    let labels = train.column::<i32>("label").unwrap();
    let truth = train.column::<i32>("true_label").unwrap();
    let planted = train.column::<bool>("planted").unwrap();
    assert_eq!(
        planted.iter().filter(|&&planted| planted).count(),
        288,
        "20 % of 1,442"
    );
    assert!(
        labels
            .iter()
            .zip(&truth)
            .zip(&planted)
            .all(|((a, b), &planted)| (a != b) == planted)
    );
    assert_eq!(train.category_names("label").unwrap()[3], "three");
    assert!(!valid.column::<bool>("planted").unwrap().contains(&true));
    for png in train.column::<Vec<u8>>("image").unwrap() {
        let image = image::load_from_memory(&png).unwrap();
        assert_eq!((image.width(), image.height()), (8, 8));
    }
}

#[test]
fn runs_that_start_at_the_same_time_share_the_tables() {
    let root = tempfile::tempdir().unwrap();
    let start = || {
        let mut example = Command::new(example());
        let root = root.path().display().to_string();
        example.args(["--epochs", "1", "--root", &root]);
        example.stdout(Stdio::piped()).stderr(Stdio::piped());
        example.spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for child in children {
        let text = stdout(&child.wait_with_output().unwrap());
        assert!(text.contains("completed after"), "{text}");
    }
    let project = Project::open(&root.path().display().to_string(), "digits").unwrap();
    let runs = project.runs().unwrap();
    assert_eq!(runs.len(), 4);
    for run in runs {
        assert_eq!(run.unwrap().status, Status::Completed);
    }
}

#[test]
fn the_embeddings_of_all_epochs_share_one_projection() {
    let root = tempfile::tempdir().unwrap();
    stdout(&run(root.path(), &["--epochs", "2"]));
    let run = open(root.path());
    let rows = run
        .metrics("default")
        .columns(&["embedding"])
        .read()
        .unwrap();
    let embeddings = emberlens::table::embedding(&rows, "embedding").unwrap();
    assert_eq!(embeddings.dim(), (2 * (TRAIN + VALID) as usize, 64));
    let placed = run.projection("embedding-pacmap").matrix().unwrap();
    assert_eq!(placed.dim(), (2 * (TRAIN + VALID) as usize, 2));
    assert!(placed.iter().all(|value| value.is_finite()));
}

#[test]
fn a_second_run_of_the_same_data_shares_the_table_and_gets_its_own_name() {
    let root = tempfile::tempdir().unwrap();
    stdout(&run(root.path(), &["--epochs", "1"]));
    stdout(&run(root.path(), &["--epochs", "1"]));
    let project = Project::open(&root.path().display().to_string(), "digits").unwrap();
    let runs = project.runs().unwrap();
    let names: Vec<_> = runs
        .iter()
        .map(|run| run.as_ref().unwrap().name.clone())
        .collect();
    assert_eq!(names, ["cnn-2", "cnn"]);
    assert_eq!(project.tables().list_folders().unwrap().len(), 2);
}

#[test]
fn an_edit_of_the_table_is_what_the_next_run_learns() {
    let root = tempfile::tempdir().unwrap();
    stdout(&run(root.path(), &["--epochs", "1"]));
    let (table, _) = tables(&open(root.path()));
    let truth = table.column::<i32>("true_label").unwrap();
    let labels = (0_u64..).zip(truth.iter().copied());
    let edited = table.edit().set_each("label", labels).commit().unwrap();
    assert_eq!((edited.rows, edited.table.revision()), (72, 1));
    let text = stdout(&run(root.path(), &["--epochs", "1"]));
    assert!(
        text.contains(", 0 of them with a planted wrong label"),
        "{text}"
    );
    let project = Project::open(&root.path().display().to_string(), "digits").unwrap();
    let second = project.open_run("cnn-2").unwrap();
    assert_eq!(tables(&second).0.revision(), 1);
    let labels = second.metrics("default").split("train").epoch(0);
    let labels: Vec<i32> = labels.values("label").unwrap();
    assert_eq!(labels, truth);
}

#[test]
fn mnist_files_are_read_from_a_folder() {
    let Ok(folder) = std::env::var("EMBERLENS_TEST_DATA") else {
        println!("skipped: EMBERLENS_TEST_DATA names no folder");
        return;
    };
    let splits = data::Splits::mnist(&Path::new(&folder).join("mnist"), 7).unwrap();
    assert_eq!(splits.train.len() + splits.valid.len(), 10_000);
    assert_eq!(splits.side, 28);
}

#[test]
fn wrong_arguments_are_told_with_the_way_out() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_a_file = file.join("root").display().to_string();
    for (arguments, code, message) in [
        (&["--epochs", "0"][..], 2, "1 or more"),
        (&["--label-noise", "1.5"], 2, "between 0 and 1"),
        (&["--learning-rate", "-1"], 2, "positive"),
        (&["--data", "cifar"], 2, "digits, mnist"),
        (&["--path", "."], 1, "--path belongs to --data mnist"),
        (
            &["--data", "mnist", "--path", "nowhere"],
            1,
            "no folder nowhere",
        ),
        (
            &["--data", "mnist", "--path", "."],
            1,
            "train-images-idx3-ubyte",
        ),
        #[cfg(not(feature = "mnist-download"))]
        (&["--data", "mnist"], 1, "--features mnist-download"),
        (&["--root", &below_a_file], 1, "is its root a folder?"),
    ] {
        let mut command = Command::new(example());
        let output = command
            .args(arguments)
            .current_dir(root.path())
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
    }
}

#[test]
fn a_training_that_diverges_fails_with_the_reason_and_keeps_its_rows() {
    let root = tempfile::tempdir().unwrap();
    let output = run(root.path(), &["--epochs", "1", "--learning-rate", "1e9"]);
    let error = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        text.contains("no coordinates: the embeddings are not finite"),
        "{text}"
    );
    assert!(text.contains("planted label errors (72)"), "{text}");
    assert!(
        error.contains("NaN") && error.contains("what was collected is in"),
        "{error}"
    );
    let run = open(root.path());
    assert!(
        matches!(run.status(), Status::Failed(_)),
        "{}",
        run.status()
    );
    assert_eq!(
        run.metrics("default").read().unwrap().num_rows() as u64,
        TRAIN + VALID
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_an_interrupted_run_with_its_complete_passes() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Command::new(example())
        .args([
            "--root",
            &root.path().display().to_string(),
            "--epochs",
            "100000",
        ])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let collected = || {
        let project = Project::open(&root.path().display().to_string(), "digits").unwrap();
        project
            .open_run("cnn")
            .is_ok_and(|run| run.passes("default").len() >= 2)
    };
    while !collected() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "nothing was collected"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let signalled = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(signalled.success());
    child.wait().unwrap();
    let run = open(root.path());
    assert!(
        matches!(run.status(), Status::Interrupted(_)),
        "{}",
        run.status()
    );
    for pass in run.passes("default") {
        let rows = run.metrics("default").split(&pass.split).epoch(pass.epoch);
        assert_eq!(rows.read().unwrap().num_rows() as u64, pass.rows);
    }
}
