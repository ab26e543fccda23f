//! An aligned reduction lays out every epoch anew, starting from the epoch before and held near it;
//! how far samples move is told for every reduction in units of its layout.

#![allow(clippy::unwrap_used)]

use emberlens::embedding::{FitOn, Follow};
use emberlens::reduce::{Pacmap, Pca, Projection, Reducer, Watch};
use emberlens::run::{Position, Project, Run};
use emberlens::table::{Column, Columns};
use emberlens::{ErrorKind, Result};
use ndarray::{Array2, ArrayView2};

/// Follows in closed form: the minimum of `|y - pca(x)|^2 + penalty |y - previous|^2`.
struct Midway;

impl Reducer for Midway {
    type Fitted = Pca;

    fn fit_watched(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<(Pca, Array2<f32>)> {
        Pca::params().fit_watched(x, watch)
    }
}

impl Follow for Midway {
    fn follow(
        &self,
        x: ArrayView2<'_, f32>,
        previous: ArrayView2<'_, f32>,
        penalty: f32,
        watch: &Watch<'_>,
    ) -> Result<(Pca, Array2<f32>)> {
        let (pca, mut places) = self.fit_watched(x, watch)?;
        assert!(previous.iter().all(|value| value.is_finite()));
        places = (places + penalty * &previous) / (1.0 + penalty);
        Ok((pca, places))
    }
}

/// Epoch `epoch` of a cloud that is mirrored in every second epoch, so that a fit of its own moves
/// everybody.
fn cloud(rows: usize, epoch: i64) -> Array2<f32> {
    Array2::from_shape_fn((rows, 3), |(i, j)| {
        let mirror = if epoch % 2 == 1 && j == 1 { -1.0 } else { 1.0 };
        mirror * ((i * 7 + j * j * 5) % 11) as f32 + epoch as f32 * 0.1
    })
}

fn add(run: &Run, split: &str, epoch: i64, first: i64, embeddings: &Array2<f32>) {
    let ids: Vec<i64> = (first..).take(embeddings.nrows()).collect();
    let columns = Columns::new()
        .with("example_id", ids)
        .with("embedding", Column::embedding(embeddings.view()));
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

fn start() -> Run {
    let project = Project::open("memory://", "aligned").unwrap();
    project.run("cnn").start().unwrap()
}

fn trained(epochs: i64) -> Run {
    let run = start();
    for epoch in 0..epochs {
        add(&run, "train", epoch, 0, &cloud(16, epoch));
    }
    run
}

#[test]
fn every_epoch_starts_from_the_places_of_the_one_before() {
    let run = trained(4);
    let report = run.reduction("embedding").reduce_aligned(&Midway, 3.0);
    let report = report.unwrap();
    assert_eq!(report.name, "embedding-pca-aligned");
    assert!(report.aligned);
    assert_eq!((report.rows, report.passes), (64, 4));
    assert_eq!(report.fitted_on().unwrap().epoch, Some(3));

    let reader = run.reader().unwrap();
    let mut expected: Option<Array2<f32>> = None;
    for epoch in 0..4 {
        let pca = Pca::params().fit(cloud(16, epoch).view()).unwrap();
        let own = pca.transform(cloud(16, epoch).view()).unwrap();
        let now = match expected {
            None => own,
            Some(before) => (own + 3.0 * before) / 4.0,
        };
        let placed = reader.projection(&report.name).epoch(epoch);
        assert_eq!(placed.matrix().unwrap(), now, "epoch {epoch}");
        expected = Some(now);
    }
}

#[test]
fn samples_are_followed_by_their_ids_and_new_ones_start_where_they_would_have_been() {
    let run = start();
    add(&run, "train", 0, 0, &cloud(16, 0));
    add(&run, "valid", 0, 0, &cloud(7, 0));
    // The second epoch has them in another order and two that are new.
    add(&run, "valid", 1, 2, &cloud(7, 1));
    add(&run, "train", 1, 0, &cloud(16, 1));
    let report = run.reduction("embedding").reduce_aligned(&Midway, 1e6);
    let report = report.unwrap();
    let reader = run.reader().unwrap();
    let place = |split: &str, epoch: i64| {
        let rows = reader.projection(&report.name).split(split).epoch(epoch);
        rows.matrix().unwrap()
    };
    let near = |a: f32, b: f32| (a - b).abs() < 1e-3;
    let (before, after) = (place("valid", 0), place("valid", 1));
    for id in 2..7 {
        // With so high a price nobody moves.
        assert!(near(before[[id, 0]], after[[id - 2, 0]]), "{id}");
    }
    // Of those that are new, the projection of the epoch before says where they belong.
    let mut first = cloud(16, 0);
    first.append(ndarray::Axis(0), cloud(7, 0).view()).unwrap();
    let before = Pca::params().fit(first.view()).unwrap();
    let belongs = before.transform(cloud(7, 1).view()).unwrap();
    for row in 5..7 {
        assert!(near(belongs[[row, 0]], after[[row, 0]]), "{row}");
    }
    let trained = (place("train", 0) - place("train", 1)).abs();
    assert!(trained.iter().all(|&moved| moved < 1e-3));
}

#[test]
fn a_sample_is_the_same_in_every_epoch() {
    let run = trained(3);
    let reduction = run.reduction("embedding").fit_sample(10).sample_seed(4);
    let report = reduction.reduce_aligned(&Midway, 2.0).unwrap();
    assert_eq!((report.rows, report.fitted_on().unwrap().rows), (48, 10));
}

#[test]
fn rows_that_are_not_finite_wait_for_a_layout() {
    let run = start();
    add(&run, "train", 0, 0, &Array2::from_elem((4, 3), f32::NAN));
    add(&run, "train", 1, 0, &cloud(4, 1));
    let mut partly = cloud(4, 2);
    partly[[2, 0]] = f32::INFINITY;
    add(&run, "train", 2, 0, &partly);
    let report = run.reduction("embedding").reduce_aligned(&Midway, 1.0);
    let report = report.unwrap();
    assert_eq!((report.rows, report.rows_not_finite), (7, 5));
    let reader = run.reader().unwrap();
    let nulls = |epoch: i64| {
        let x = reader.projection(&report.name).epoch(epoch);
        let x: Vec<Option<f32>> = x.values("x").unwrap();
        x.iter().map(Option::is_none).collect::<Vec<_>>()
    };
    assert_eq!(nulls(0), [true; 4]);
    assert_eq!(nulls(1), [false; 4]);
    assert_eq!(nulls(2), [false, false, true, false]);
}

#[test]
fn pacmap_follows_and_a_price_keeps_the_median_sample_near() {
    let run = start();
    for epoch in 0..3 {
        // Two clouds that drift apart while the points of each wander.
        let moving = Array2::from_shape_fn((60, 5), |(i, j)| {
            let wander = ((i * 31 + j * 17 + epoch * 7 * (i % 5)) % 23) as f32 / 23.0;
            wander + if i % 2 == 0 { 1.0 + epoch as f32 } else { 0.0 }
        });
        add(&run, "train", epoch as i64, 0, &moving);
    }
    let pacmap = Pacmap::params().iterations(20, 20, 40);
    let medians = |name: &str, penalty: f32| {
        let reduction = run.reduction("embedding").named(name);
        let report = reduction.reduce_aligned(&pacmap, penalty).unwrap();
        assert_eq!((report.method.as_str(), report.rows), ("pacmap", 180));
        let moved = run.movement(&report.name).unwrap();
        moved.iter().map(|moved| moved.median).sum::<f64>()
    };
    let (free, held) = (medians("free", 0.0), medians("held", 1.0));
    assert!(held < free, "{held} {free}");
    let again = medians("again", 1.0);
    assert_eq!(
        again.to_bits(),
        held.to_bits(),
        "the same seed, the same bits"
    );
}

#[test]
fn what_cannot_work_is_an_error_and_leaves_nothing() {
    let run = trained(2);
    for penalty in [-1.0, f32::NAN] {
        let error = run.reduction("embedding").reduce_aligned(&Midway, penalty);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Invalid);
    }
    let diverged = start();
    add(
        &diverged,
        "train",
        0,
        0,
        &Array2::from_elem((4, 3), f32::NAN),
    );
    let reduction = diverged.reduction("embedding");
    let error = reduction.reduce_aligned(&Midway, 1.0).unwrap_err();
    assert!(error.to_string().contains("example_id 0"), "{error}");
    assert!(diverged.reader().unwrap().projections().is_empty());
}

#[test]
fn movement_is_told_in_standard_deviations_of_the_layout() {
    // One axis, values -1 and 1: standard deviation 1. Three of five move by 0.5, two stay.
    let run = start();
    let before = Array2::from_shape_vec((5, 1), vec![-1.0, 1.0, -1.0, 1.0, 0.0]).unwrap();
    add(&run, "train", 0, 0, &before);
    let after = before.clone() + 0.5;
    add(&run, "train", 4, 0, &after);
    run.reduce_embeddings("embedding", &Pca::params().dims(1), FitOn::Latest)
        .unwrap();
    let moved = run.movement("embedding-pca").unwrap();
    assert_eq!(moved.len(), 1);
    let only = &moved[0];
    assert_eq!((only.split.as_str(), only.from, only.to), ("train", 0, 4));
    assert_eq!(only.samples, 5);
    // The variance of -1, 1, -1, 1, 0 is 4/5.
    assert!(
        (only.median - 0.5 / 0.8_f64.sqrt()).abs() < 1e-6,
        "{only:?}"
    );
}

#[test]
fn a_price_on_movement_makes_the_median_sample_move_less() {
    let run = trained(4);
    let pay = |name: &str, penalty: f32| {
        let reduction = run.reduction("embedding").named(name);
        let report = reduction.reduce_aligned(&Midway, penalty).unwrap();
        let moved = run.movement(&report.name).unwrap();
        assert_eq!(moved.len(), 3);
        moved.iter().map(|moved| moved.median).sum::<f64>()
    };
    let (free, cheap, dear) = (pay("free", 0.0), pay("cheap", 1.0), pay("dear", 9.0));
    assert!(free > cheap && cheap > dear, "{free} {cheap} {dear}");
    let error = run.movement("embedding-none").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
