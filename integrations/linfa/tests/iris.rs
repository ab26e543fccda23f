//! The example `iris` does what the readme says.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::path::PathBuf;
use std::process::Command;

use emberlens::run::ranking::{Epochs, RankBy};
use emberlens::run::{Project, Status};
use emberlens::table::{DeltaTable, values};

const EPOCHS: usize = 8;

/// The example as `cargo test` built it, beside the folder of this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let name = format!("iris{}", std::env::consts::EXE_SUFFIX);
    let example = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(
        example.exists(),
        "build it first: cargo build -p emberlens-linfa --example iris"
    );
    example
}

#[test]
fn it_records_every_flower_at_every_epoch_and_maps_the_logits() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    let outputs = [(); 2].map(|()| Command::new(example()).arg(root).output().unwrap());
    let [first, second] = outputs.map(|output| {
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    });
    let numbers = |text: &str| text.split("the run:").next().unwrap().to_owned();
    assert_eq!(
        numbers(&first),
        numbers(&second),
        "the same data gives the same numbers"
    );
    assert!(first.contains(" top logistic --by loss --mean"), "{first}");

    let project = Project::open(root, "iris").unwrap();
    let table = project.table("iris").unwrap();
    assert_eq!(table.row_count(), 150);
    assert_eq!(table.column::<f64>("x").unwrap().len(), 150);

    let run = project.open_run("logistic").unwrap();
    assert_eq!(run.status(), &Status::Completed);
    assert_eq!(run.passes("default").len(), 2 * EPOCHS);
    let rows = run.metrics("default").read().unwrap();
    assert_eq!(rows.num_rows(), 150 * EPOCHS);
    let last = run
        .metrics("default")
        .split("valid")
        .epoch(EPOCHS as i64 - 1)
        .read()
        .unwrap();
    assert_eq!(last.num_rows(), 30);
    let accuracy = values::<f32>(&last, "accuracy").unwrap();
    assert!(accuracy.iter().sum::<f32>() >= 27.0, "{accuracy:?}");

    // Flowers that scikit-learn's GaussianNB, fitted to all 150, gets wrong too.
    let by_mean = RankBy::column("loss").epochs(Epochs::Mean);
    let ranked = run.rank(&by_mean).unwrap().ranking.samples;
    let worst: Vec<i64> = ranked
        .iter()
        .take(5)
        .map(|flower| flower.example_id)
        .collect();
    assert!(
        [70, 77, 106].iter().all(|flower| worst.contains(flower)),
        "{worst:?}"
    );

    let folder = run.location().join("projections").join("logits-pca");
    let map = DeltaTable::open(folder).unwrap().snapshot().unwrap();
    assert_eq!(map.row_count().unwrap(), (150 * EPOCHS) as u64);
}
