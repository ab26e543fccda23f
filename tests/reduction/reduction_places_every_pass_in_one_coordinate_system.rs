//! Reducing the embeddings of a run places every complete pass, split and epoch by one projection.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use arrow_array::builder::{Float32Builder, ListBuilder};
use arrow_schema::{DataType, Field};
use emberlens::collect::Progress;
use emberlens::embedding::FitOn;
use emberlens::reduce::{Pca, PcaParams, load};
use emberlens::run::{FittedOn, Position, Project, ProjectionInfo, Run, Status};
use emberlens::table::{Column, Columns, DeltaTable, embedding, values};
use emberlens::{ErrorKind, Result};
use ndarray::{Array2, Axis, arr1};

/// Orthonormal axes of a plane in five dimensions.
const FIRST: [f32; 5] = [0.5, 0.5, 0.5, 0.5, 0.0];
const SECOND: [f32; 5] = [0.5, -0.5, 0.5, -0.5, 0.0];

/// Sample `i` at `(i, (-1)^i)` in the plane, moved along its first axis by `shift`.
fn plane(rows: usize, shift: f32) -> Array2<f32> {
    Array2::from_shape_fn((rows, 5), |(i, j)| {
        let second = if i % 2 == 0 { 1.0 } else { -1.0 };
        FIRST[j] * (i as f32 + shift) + SECOND[j] * second + 7.0
    })
}

fn start() -> Run {
    let project = Project::open("memory://", "reduction").unwrap();
    project.run("cnn").start().unwrap()
}

fn add(run: &Run, stream: &str, split: &str, epoch: i64, embeddings: &Array2<f32>) {
    let columns = Columns::new()
        .with(
            "example_id",
            (0..embeddings.nrows() as i64).collect::<Vec<_>>(),
        )
        .with("loss", vec![0.5_f32; embeddings.nrows()])
        .with("embedding", Column::embedding(embeddings.view()));
    run.add_metrics(
        stream,
        columns,
        None,
        Some(Position::new(split).epoch(epoch)),
    )
    .unwrap();
}

/// Two splits, three epochs; the validation pass of each epoch comes after its training pass.
fn trained() -> Run {
    let run = start();
    for epoch in 0..3 {
        add(
            &run,
            "default",
            "train",
            epoch,
            &plane(40, 10.0 * epoch as f32),
        );
        add(
            &run,
            "default",
            "valid",
            epoch,
            &plane(8, 10.0 * epoch as f32),
        );
    }
    run
}

fn reduce(run: &Run, pca: PcaParams) -> Result<ProjectionInfo> {
    run.reduce_embeddings("embedding", &pca, FitOn::Latest)
}

fn fitted_on(report: &ProjectionInfo) -> &FittedOn {
    report.fitted_on().unwrap()
}

fn projections(run: &Run, name: &str) -> DeltaTable {
    DeltaTable::open(run.location().join("projections").join(name)).unwrap()
}

fn rows_of(table: &DeltaTable) -> RecordBatch {
    table.snapshot().unwrap().read(None).unwrap()
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

#[test]
fn epochs_and_splits_share_the_coordinates_of_the_last_training_pass() {
    let run = trained();
    let report = reduce(&run, Pca::params().dims(2)).unwrap();
    assert_eq!(
        (fitted_on(&report).split.as_str(), fitted_on(&report).epoch),
        ("train", Some(2))
    );
    assert_eq!((report.rows, report.passes), (3 * 48, 6));
    assert_eq!(
        (report.method.as_str(), report.stream.as_str()),
        ("pca", "default")
    );

    let placed = rows_of(&projections(&run, "embedding-pca"));
    assert_eq!(
        names(&placed),
        ["example_id", "split", "epoch", "pass_id", "x", "y"]
    );
    assert_eq!(placed.num_rows(), 3 * 48);
    let ids = values::<i64>(&placed, "example_id").unwrap();
    let epochs = values::<i64>(&placed, "epoch").unwrap();
    let (x, y) = (
        values::<f32>(&placed, "x").unwrap(),
        values::<f32>(&placed, "y").unwrap(),
    );
    for row in 0..placed.num_rows() {
        // The axes of the fit lie in the plane, turned a little because the sign of the second
        // coordinate goes with the index: so compare distances, which a turn does not change.
        let expected_x = ids[row] as f32 + 10.0 * epochs[row] as f32 - (19.5 + 20.0);
        let expected_y = if ids[row] % 2 == 0 { 1.0_f32 } else { -1.0 };
        let expected = expected_x.hypot(expected_y);
        assert!(
            (x[row].hypot(y[row]) - expected).abs() < 1e-3,
            "row {row}: {} {}",
            x[row],
            y[row]
        );
    }
    // Sample 3 moves by 10 along the first axis from epoch to epoch, in either split.
    let splits = values::<String>(&placed, "split").unwrap();
    for split in ["train", "valid"] {
        let path: Vec<[f32; 2]> = (0..placed.num_rows())
            .filter(|&row| ids[row] == 3 && splits[row] == split)
            .map(|row| [x[row], y[row]])
            .collect();
        for step in path.windows(2) {
            let moved = (step[1][0] - step[0][0]).hypot(step[1][1] - step[0][1]);
            assert!((moved - 10.0).abs() < 1e-3, "{split}: {path:?}");
        }
    }
    let explained = report.models[0].explained_variance_ratio.clone().unwrap();
    assert!(
        (explained.iter().sum::<f64>() - 1.0).abs() < 1e-6,
        "{explained:?}"
    );
}

#[test]
fn the_saved_model_gives_every_row_its_coordinates_again() {
    let run = trained();
    reduce(&run, Pca::params().dims(2)).unwrap();
    let models = run.location().join("models");
    let files = models.list_files().unwrap();
    assert!(
        files.len() == 1 && files[0].starts_with("embedding-pca-"),
        "{files:?}"
    );
    let model = load(&models.join(&files[0]).read().unwrap(), &files[0]).unwrap();

    let metrics = run.reader().unwrap().metrics("default").read().unwrap();
    let again = model
        .transform(embedding(&metrics, "embedding").unwrap().view())
        .unwrap();
    let placed = rows_of(&projections(&run, "embedding-pca"));
    assert_eq!(
        values::<String>(&placed, "pass_id").unwrap(),
        values::<String>(&metrics, "pass_id").unwrap()
    );
    for (axis, name) in ["x", "y"].iter().enumerate() {
        let kept = arr1(&values::<f32>(&placed, name).unwrap());
        assert_eq!(kept, again.index_axis(Axis(1), axis));
    }
    let outputs = run.reader().unwrap().outputs().to_vec();
    assert!(
        outputs
            .iter()
            .any(|output| output.url.ends_with("/projections/embedding-pca"))
    );
    assert!(outputs.iter().any(|output| output.url.ends_with(&files[0])));
}

#[test]
fn a_pass_that_was_replaced_or_never_completed_is_not_placed() {
    let run = start();
    add(&run, "default", "train", 0, &plane(40, 100.0));
    add(&run, "default", "train", 0, &plane(20, 0.0));
    run.begin_pass("default", "train", Some(1)).unwrap();
    let report = reduce(&run, Pca::params()).unwrap();
    assert_eq!(
        (report.rows, report.passes, fitted_on(&report).epoch),
        (20, 1, Some(0))
    );
}

#[test]
fn without_a_training_split_the_latest_pass_of_any_split_is_fitted() {
    let run = start();
    add(&run, "default", "valid", 0, &plane(9, 0.0));
    add(&run, "default", "test", 0, &plane(9, 3.0));
    let pca = Pca::params();
    let report = run
        .reduce_embeddings("embedding", &pca, FitOn::Latest)
        .unwrap();
    assert_eq!(fitted_on(&report).split, "test");
    let report = run
        .reduce_embeddings("embedding", &pca, FitOn::LatestPass("valid"))
        .unwrap();
    assert_eq!(fitted_on(&report).split, "valid");
    let id = fitted_on(&report).pass_id.clone();
    let report = run
        .reduce_embeddings("embedding", &pca, FitOn::Pass(&id))
        .unwrap();
    assert_eq!(fitted_on(&report).split, "valid");

    let error = run
        .reduce_embeddings("embedding", &pca, FitOn::LatestPass("train"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(
        text.contains("train") && text.contains("split valid epoch 0"),
        "{text}"
    );
}

#[test]
fn reducing_again_replaces_the_rows_and_keeps_the_earlier_version() {
    let run = trained();
    reduce(&run, Pca::params().dims(2)).unwrap();
    let table = projections(&run, "embedding-pca");
    let before = rows_of(&table);
    let version = table.snapshot().unwrap().version();

    add(&run, "default", "train", 3, &plane(40, -5.0));
    let report = reduce(&run, Pca::params().dims(3)).unwrap();
    assert_eq!(
        (report.rows, fitted_on(&report).epoch),
        (3 * 48 + 40, Some(3))
    );
    let after = rows_of(&table);
    assert_eq!(after.num_rows(), 3 * 48 + 40);
    assert_eq!(names(&after)[4..], ["x", "y", "z"]);
    assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 3 * 48 + 40);
    let earlier = table.snapshot_at(version).unwrap().read(None).unwrap();
    assert_eq!(earlier, before);
    assert_eq!(run.location().join("models").list_files().unwrap().len(), 2);
}

#[test]
fn axes_are_named_by_letters_up_to_three_and_by_numbers_beyond() {
    for (dims, expected) in [
        (1, vec!["x"]),
        (3, vec!["x", "y", "z"]),
        (5, vec!["x0", "x1", "x2", "x3", "x4"]),
    ] {
        let run = start();
        add(&run, "default", "train", 0, &plane(9, 0.0));
        reduce(&run, Pca::params().dims(dims)).unwrap();
        assert_eq!(
            names(&rows_of(&projections(&run, "embedding-pca")))[4..],
            expected
        );
    }
}

/// Notes the run's status and what is reported.
struct Watch {
    run: Run,
    seen: Mutex<Vec<(Status, u64)>>,
    total: Mutex<Option<u64>>,
    ended: Mutex<bool>,
}

impl Watch {
    fn new(run: &Run) -> Self {
        Self {
            run: run.clone(),
            seen: Mutex::default(),
            total: Mutex::default(),
            ended: Mutex::default(),
        }
    }
}

impl Progress for Watch {
    fn start(&self, _label: &str, total: u64) {
        *self.total.lock().unwrap() = Some(total);
    }
    fn update(&self, done: u64) {
        self.seen.lock().unwrap().push((self.run.status(), done));
    }
    fn end(&self) {
        *self.ended.lock().unwrap() = true;
    }
}

#[test]
fn the_run_shows_as_reducing_and_gets_its_status_back() {
    let run = trained();
    for before in [Status::Running, Status::Completed] {
        run.set_status(before.clone()).unwrap();
        let watch = Watch::new(&run);
        run.reduction("embedding")
            .progress(&watch)
            .reduce(&Pca::params())
            .unwrap();
        assert_eq!(run.status(), before);
        let seen = watch.seen.lock().unwrap();
        assert!(seen.iter().all(|(status, _)| *status == Status::Reducing));
        assert_eq!(
            (seen.last().unwrap().1, *watch.total.lock().unwrap()),
            (144, Some(144))
        );
        assert!(*watch.ended.lock().unwrap());
    }
}

#[test]
fn a_column_that_is_missing_or_in_two_streams_is_an_error_with_the_way_out() {
    let run = start();
    let nothing = reduce(&run, Pca::params()).unwrap_err();
    assert!(nothing.to_string().contains("collect with"), "{nothing}");

    add(&run, "default", "train", 0, &plane(9, 0.0));
    let error = run
        .reduce_embeddings("hidden", &Pca::params(), FitOn::Latest)
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it has: embedding (stream `default`)"),
        "{error}"
    );
    let error = run
        .reduction("loss")
        .stream("default")
        .reduce(&Pca::params())
        .unwrap_err();
    assert!(error.to_string().contains("loss"), "{error}");

    add(&run, "layers", "train", 0, &plane(5, 0.0));
    let error = reduce(&run, Pca::params()).unwrap_err();
    assert!(error.to_string().contains("default, layers"), "{error}");
    let layers = || run.reduction("embedding").stream("layers");
    let report = layers().reduce(&Pca::params()).unwrap();
    assert_eq!((report.rows, report.stream.as_str()), (5, "layers"));
    // The coordinates of one stream never take the place of another's.
    let error = run
        .reduction("embedding")
        .stream("default")
        .reduce(&Pca::params())
        .unwrap_err();
    assert!(error.to_string().contains("stream `layers`"), "{error}");
    let report = run
        .reduction("embedding")
        .stream("default")
        .named("of the default")
        .reduce(&Pca::params())
        .unwrap();
    assert_eq!(report.name, "embedding-of-the-default");
}

#[test]
fn rows_without_an_embedding_are_left_out_and_counted() {
    let run = start();
    let item = Field::new("element", DataType::Float32, true);
    let mut lists = ListBuilder::new(Float32Builder::new()).with_field(item);
    for row in 0..6 {
        if row == 4 {
            lists.append(false);
            continue;
        }
        lists.values().append_slice(&[row as f32, 0.0, 1.0]);
        lists.append(true);
    }
    let columns = Columns::new()
        .with("example_id", (0..6).collect::<Vec<i64>>())
        .with("embedding", Column::from_array(Arc::new(lists.finish())));
    run.add_metrics(
        "default",
        columns,
        None,
        Some(Position::new("train").epoch(0)),
    )
    .unwrap();
    let report = reduce(&run, Pca::params()).unwrap();
    assert_eq!((report.rows, report.rows_without_embedding), (5, 1));
    let ids = values::<i64>(&rows_of(&projections(&run, "embedding-pca")), "example_id").unwrap();
    assert_eq!(ids, [0, 1, 2, 3, 5]);
}

#[test]
fn one_sample_has_a_place() {
    let run = start();
    add(&run, "default", "train", 0, &plane(1, 0.0));
    let report = reduce(&run, Pca::params()).unwrap();
    assert_eq!(
        report.models[0].explained_variance_ratio,
        Some(vec![0.0, 0.0])
    );
    let placed = rows_of(&projections(&run, "embedding-pca"));
    assert_eq!(values::<f32>(&placed, "x").unwrap(), [0.0]);
}
