//! The example `digits` gives the same bits for the same seed, and other ones for another.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

use emberlens::run::{Project, RunReader};

/// The bits of a float column of all epochs of both splits, and the labels trained on.
fn train(seed: &str) -> (Vec<u32>, Vec<u32>, Vec<i32>) {
    let test = std::env::current_exe().unwrap();
    let name = format!("digits{}", std::env::consts::EXE_SUFFIX);
    let example = test.ancestors().nth(2).unwrap().join("examples").join(name);
    let root = tempfile::tempdir().unwrap();
    let output = Command::new(example)
        .args(["--root", root.path().to_str().unwrap()])
        .args(["--epochs", "2", "--seed", seed])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let project = Project::open(root.path().to_str().unwrap(), "digits").unwrap();
    let run = project.open_run("cnn").unwrap();
    (losses(&run), embeddings(&run), labels(&run))
}

fn losses(run: &RunReader) -> Vec<u32> {
    let mut bits = Vec::new();
    for pass in run.passes("default") {
        let rows = run.metrics("default").split(&pass.split).epoch(pass.epoch);
        bits.extend(
            rows.values::<f32>("loss")
                .unwrap()
                .iter()
                .map(|loss| loss.to_bits()),
        );
    }
    bits
}

fn embeddings(run: &RunReader) -> Vec<u32> {
    let rows = run.metrics("default").columns(&["embedding"]);
    let rows = rows.read().unwrap();
    let values = emberlens::table::embedding(&rows, "embedding").unwrap();
    values.iter().map(|value: &f32| value.to_bits()).collect()
}

fn labels(run: &RunReader) -> Vec<i32> {
    let pass = run.latest_pass("default", "train").unwrap();
    let table = run.input_table(&pass.table.unwrap()).unwrap();
    table.column::<i32>("label").unwrap()
}

#[test]
fn bit_for_bit_for_a_seed() {
    let (losses, embeddings, labels) = train("7");
    assert_eq!(losses.len(), 2 * 1797);
    assert_eq!(embeddings.len(), 2 * 1797 * 64);
    assert_eq!(train("7"), (losses.clone(), embeddings, labels.clone()));
    let (other_losses, _, other_labels) = train("8");
    assert_ne!(losses, other_losses);
    assert_ne!(labels, other_labels);
}
