//! A reduction that fails, whenever that is, is an error with its place and leaves the metrics, an
//! earlier reduction and the run's status as they were; no unused file stays behind.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::collect::Progress;
use emberlens::embedding::FitOn;
use emberlens::reduce::{Pca, Projection, Reducer, Watch};
use emberlens::run::{Position, Project, ProjectionInfo, Run, Status};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns};
use emberlens::{CancelFlag, Error, ErrorKind, Result};
use ndarray::{Array2, ArrayView2};

fn add(run: &Run, split: &str, epoch: i64, embeddings: &Array2<f32>) {
    let columns = Columns::new()
        .with(
            "example_id",
            (0..embeddings.nrows() as i64).collect::<Vec<_>>(),
        )
        .with("embedding", Column::embedding(embeddings.view()));
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

fn cloud(rows: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, 4), |(i, j)| ((i * 7 + j * j * 5) % 11) as f32)
}

/// Two splits, two epochs, reduced once.
fn reduced() -> Run {
    let project = Project::open("memory://", "failures").unwrap();
    let run = project.run("cnn").start().unwrap();
    for epoch in 0..2 {
        add(&run, "train", epoch, &cloud(30));
        add(&run, "valid", epoch, &cloud(12));
    }
    run.reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap();
    run
}

/// All that a failed reduction must not change.
#[derive(Debug, PartialEq)]
struct Kept {
    status: Status,
    records: Vec<ProjectionInfo>,
    inputs: usize,
    outputs: usize,
    files: Vec<Vec<String>>,
    coordinates: Vec<f32>,
    metrics: Vec<Vec<f32>>,
}

fn state(run: &Run) -> Kept {
    let reader = run.reader().unwrap();
    let folders = [
        "models",
        "projections/embedding-pca",
        "projections/embedding-b",
    ];
    let list = |folder: &&str| -> Location { run.location().join(folder) };
    Kept {
        status: run.status(),
        records: reader.projections().to_vec(),
        inputs: reader.inputs().len(),
        outputs: reader.outputs().len(),
        files: folders
            .iter()
            .map(|folder| list(folder).list_files().unwrap())
            .collect(),
        coordinates: reader.projection("embedding-pca").values("x").unwrap(),
        metrics: reader.metrics("default").values("embedding").unwrap(),
    }
}

/// A PCA that fails after some rows were placed.
struct Failing {
    after: usize,
}

#[derive(Debug)]
struct FailingProjection {
    pca: Pca,
    left: AtomicUsize,
}

impl Reducer for Failing {
    type Fitted = FailingProjection;

    fn fit_watched(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<(FailingProjection, Array2<f32>)> {
        let (pca, coordinates) = Pca::params().fit_watched(x, watch)?;
        let left = AtomicUsize::new(self.after);
        Ok((FailingProjection { pca, left }, coordinates))
    }
}

impl Projection for FailingProjection {
    fn method(&self) -> &'static str {
        "pca"
    }
    fn width(&self) -> usize {
        self.pca.width()
    }
    fn dims(&self) -> usize {
        self.pca.dims()
    }
    fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let left = self.left.load(Ordering::Relaxed);
        if x.nrows() > left {
            return Err(Error::user(std::io::Error::other("out of luck")));
        }
        self.left.store(left - x.nrows(), Ordering::Relaxed);
        self.pca.transform(x)
    }
    fn to_bytes(&self) -> Result<Vec<u8>> {
        self.pca.to_bytes()
    }
}

#[test]
fn a_fault_while_rows_are_placed() {
    let run = reduced();
    let before = state(&run);
    // The fitted pass has its coordinates from the fit; 54 rows of three passes are transformed.
    for after in [0, 12, 42, 53] {
        let failing = Failing { after };
        let error = run
            .reduce_embeddings("embedding", &failing, FitOn::Latest)
            .unwrap_err();
        assert!(error.chain().contains("out of luck"), "{error}");
        assert_eq!(state(&run), before, "after {after} rows");
    }
}

#[test]
fn a_fault_in_the_second_of_two_parameter_sets() {
    let run = reduced();
    let before = state(&run);
    let (pca, failing) = (Pca::params().dims(3), Failing { after: 20 });
    let both = run
        .reduction("embedding")
        .with("pca", &pca)
        .with("b", &failing);
    assert!(both.reduce_all().is_err());
    assert_eq!(state(&run), before, "the first was not published");
}

/// Sets the flag at the first sign of progress of the stage whose label holds `during`.
struct Stopper {
    flag: CancelFlag,
    during: &'static str,
}

impl Progress for Stopper {
    fn start(&self, label: &str, _: u64) {
        if label.contains(self.during) {
            self.flag.cancel();
        }
    }
}

#[test]
fn cancelled_before_the_fit_and_while_rows_are_placed() {
    let run = reduced();
    let before = state(&run);
    let flag = CancelFlag::new();
    let stopper = Stopper {
        flag: flag.clone(),
        during: "placing",
    };
    let pca = Pca::params().dims(3);
    let reduction = || run.reduction("embedding").cancel(&flag).progress(&stopper);
    // The first call is stopped while rows are placed, the second by the flag that stays set.
    for _ in 0..2 {
        let error = reduction().reduce(&pca).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
        assert!(error.to_string().contains("nothing was changed"), "{error}");
        assert_eq!(state(&run), before);
    }
}

#[test]
fn no_finite_row_at_all() {
    let project = Project::open("memory://", "failures").unwrap();
    let run = project.run("diverged").start().unwrap();
    let mut diverged = Array2::from_elem((6, 4), f32::INFINITY);
    diverged[[0, 0]] = 1.0;
    add(&run, "valid", 3, &diverged);
    let error = run
        .reduce_embeddings("embedding", &Pca::params(), FitOn::Latest)
        .unwrap_err();
    assert!(
        matches!(error, Error::NonFinite { column: 1, .. }),
        "{error}"
    );
    let text = error.to_string();
    assert!(
        text.contains("split `valid`, epoch 3, example_id 0") && text.contains("inf"),
        "{text}"
    );
    assert_eq!(run.status(), Status::Running);
    assert!(run.reader().unwrap().projections().is_empty());
}

#[test]
fn parameters_that_cannot_work_and_a_sample_of_nothing() {
    let run = reduced();
    let before = state(&run);
    let error = run
        .reduce_embeddings("embedding", &Pca::params().dims(9), FitOn::Latest)
        .unwrap_err();
    assert!(error.to_string().contains("dims = 9"), "{error}");
    let none = run.reduction("embedding").fit_sample(0);
    let error = none.reduce(&Pca::params()).unwrap_err();
    assert!(error.to_string().contains("fit_sample = 0"), "{error}");
    assert_eq!(state(&run), before);
}
