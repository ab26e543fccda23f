//! A reduction that lets go of the vectors keeps their coordinates, every other column and row,
//! and the earlier version of the metrics.

#![allow(clippy::unwrap_used)]

use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns, DeltaTable};
use ndarray::Array2;

fn cloud(rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 4), |(i, j)| ((i * 7 + j * j * 5) % 11) as f32)
}

fn add(run: &Run, split: &str, epoch: i64) {
    let columns = Columns::new()
        .with("example_id", (0..20).collect::<Vec<i64>>())
        .with("loss", (0..20).map(|i| i as f32).collect::<Vec<_>>())
        .with("embedding", Column::embedding(cloud(20).view()));
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

fn trained(root: &str) -> Run {
    let project = Project::open(root, "dropped").unwrap();
    let run = project.run("cnn").start().unwrap();
    for epoch in 0..3 {
        add(&run, "train", epoch);
        add(&run, "valid", epoch);
    }
    run
}

fn vectors(run: &Run, split: &str) -> usize {
    let reader = run.reader().unwrap();
    let metrics = reader.metrics("default").split(split);
    let vectors: Vec<Option<Vec<f32>>> = metrics.values("embedding").unwrap();
    vectors.iter().flatten().count()
}

#[test]
fn coordinates_and_other_columns_stay_and_the_earlier_version_too() {
    let folder = tempfile::tempdir().unwrap();
    let run = trained(&folder.path().display().to_string());
    let other = ["example_id", "split", "epoch", "pass_id", "loss"];
    let read = || {
        let reader = run.reader().unwrap();
        reader.metrics("default").columns(&other).read().unwrap()
    };
    let before = read();
    let metrics = DeltaTable::open(run.location().join("metrics/default")).unwrap();
    let version = metrics.snapshot().unwrap().version();

    let reduction = run.reduction("embedding").keep_vectors(false);
    let report = reduction.reduce(&Pca::params()).unwrap();
    assert_eq!(report.rows, 120);
    assert_eq!(read(), before);
    assert_eq!(vectors(&run, "train") + vectors(&run, "valid"), 0);
    let reader = run.reader().unwrap();
    let placed = reader.projection("embedding-pca").matrix().unwrap();
    assert_eq!(placed.nrows(), 120);

    let now = metrics.snapshot().unwrap();
    assert_eq!(now.version(), version + 1, "one commit");
    let earlier = metrics.snapshot_at(version).unwrap();
    let earlier = earlier.read(Some(&["embedding"])).unwrap();
    assert_eq!(earlier.column(0).null_count(), 0);

    // A later pass writes the column again, and one pass can still be read by itself.
    add(&run, "train", 3);
    assert_eq!(vectors(&run, "train"), 20);
    let reader = run.reader().unwrap();
    let first = reader.metrics("default").split("train").epoch(0);
    assert_eq!(first.values::<f32>("loss").unwrap().len(), 20);
}

#[test]
fn only_the_rows_that_were_placed_lose_their_vectors() {
    let run = trained("memory://");
    let reduction = run.reduction("embedding").split("valid");
    reduction
        .keep_vectors(false)
        .reduce(&Pca::params())
        .unwrap();
    assert_eq!((vectors(&run, "train"), vectors(&run, "valid")), (60, 0));
}

#[test]
fn reducing_again_without_vectors_says_so_and_keeps_the_coordinates() {
    let run = trained("memory://");
    let reduction = run.reduction("embedding").keep_vectors(false);
    let report = reduction.reduce(&Pca::params()).unwrap();
    let error = run
        .reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap_err();
    assert!(
        error.to_string().contains("may have been dropped"),
        "{error}"
    );
    assert_eq!(run.reader().unwrap().projections(), [report]);
}

#[test]
fn rows_that_are_written_meanwhile_are_not_lost() {
    let run = trained("memory://");
    std::thread::scope(|scope| {
        let writer = run.clone();
        scope.spawn(move || (10..30).for_each(|epoch| add(&writer, "test", epoch)));
        for _ in 0..5 {
            let reduction = run.reduction("embedding").split("train").named("a");
            // From the second time on there is nothing left to learn from.
            let _ = reduction.keep_vectors(false).reduce(&Pca::params());
        }
    });
    let reader = run.reader().unwrap();
    let losses: Vec<f32> = reader.metrics("default").values("loss").unwrap();
    assert_eq!(losses.len(), 120 + 400);
    assert_eq!((vectors(&run, "train"), vectors(&run, "test")), (0, 400));
}
