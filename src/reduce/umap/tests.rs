//! Promises of the whole fit.

mod inputs;

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, Slice, concatenate};
use proptest::prelude::*;

use super::params::MOST_EPOCHS;
use super::{Umap, UmapInit, UmapParams};
use crate::reduce::random::Random;
use crate::reduce::{Metric, Params, Projection, Reducer, Threads, Watch, load};
use crate::{CancelFlag, ErrorKind, progress::Progress};

/// `count` rows around each of three far corners.
fn groups(count: usize, width: usize) -> Array2<f32> {
    let mut random = Random::at(3, 1, 0);
    Array2::from_shape_fn((3 * count, width), |(row, column)| {
        let corner = if column % 3 == row / count { 20.0 } else { 0.0 };
        corner + random.normal()
    })
}

fn quick() -> UmapParams {
    Umap::params().n_epochs(30).seed(5)
}

fn rows(x: &Array2<f32>, range: Range<usize>) -> ArrayView2<'_, f32> {
    x.slice_axis(Axis(0), Slice::from(range))
}

fn bits(y: ArrayView2<'_, f32>) -> Vec<u32> {
    y.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let x = groups(150, 6);
    for init in [UmapInit::Pca, UmapInit::Spectral] {
        let fit = |threads| {
            let params = quick()
                .init(init.clone())
                .threads(Threads::Exactly(threads));
            params.fit_transform(x.view()).unwrap()
        };
        let (one, y) = fit(1);
        for threads in [2, 8] {
            let (other, z) = fit(threads);
            assert_eq!(bits(y.view()), bits(z.view()));
            assert_eq!(one, other);
        }
    }
}

#[test]
fn another_seed_gives_another_layout() {
    let x = groups(20, 4);
    let fit = |seed| quick().seed(seed).fit_transform(x.view()).unwrap().1;
    assert_ne!(bits(fit(1).view()), bits(fit(2).view()));
}

#[test]
fn groups_that_lie_apart_are_laid_out_apart() {
    let x = groups(40, 6);
    for dims in [2, 3, 5] {
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let params = quick().dims(dims).metric(metric).n_epochs(100);
            let (_, y) = params.fit_transform(x.view()).unwrap();
            assert_eq!(y.dim(), (120, dims));
            let centre = |group: usize| {
                rows(&y, group * 40..(group + 1) * 40)
                    .mean_axis(Axis(0))
                    .unwrap()
            };
            let centres = [centre(0), centre(1), centre(2)];
            for (row, place) in y.outer_iter().enumerate() {
                let distance = |group: usize| (&place - &centres[group]).mapv(|v| v * v).sum();
                let nearest = (0..3).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
                assert_eq!(nearest, Some(row / 40), "{dims} dims, row {row}");
            }
        }
    }
}

#[test]
fn a_row_has_one_place_whatever_the_rows_beside_it() {
    let x = groups(40, 6);
    let umap = quick().fit(x.view()).unwrap();
    let mut new = groups(7, 6);
    new += 0.3;
    let together = umap.transform(new.view()).unwrap();
    for row in 0..new.nrows() {
        let alone = umap.transform(rows(&new, row..row + 1)).unwrap();
        assert_eq!(bits(alone.view()), bits(rows(&together, row..row + 1)));
    }
    let twice = concatenate![Axis(0), new, new];
    let twice = umap.transform(twice.view()).unwrap();
    assert_eq!(bits(rows(&twice, 21..42)), bits(together.view()));
}

#[test]
fn new_rows_have_the_same_places_batch_by_batch_on_any_threads_and_after_loading() {
    let x = groups(40, 6);
    let mut new = groups(7, 6);
    new += 0.3;
    let fit = |threads| {
        let params = quick().threads(Threads::Exactly(threads));
        params.fit(x.view()).unwrap()
    };
    let umap = fit(1);
    let together = bits(umap.transform(new.view()).unwrap().view());
    let loaded = load(&umap.to_bytes().unwrap(), "model.bin").unwrap();
    let others: [Box<dyn Projection>; 3] = [Box::new(fit(3)), Box::new(umap.clone()), loaded];
    for other in others {
        let mut found = Vec::new();
        for first in (0..21).step_by(5) {
            let batch = other.transform(rows(&new, first..(first + 5).min(21)));
            found.extend(bits(batch.unwrap().view()));
        }
        assert_eq!(found, together);
    }
}

#[test]
fn one_dimension_sets_groups_apart() {
    let x = groups(40, 6);
    let two = rows(&x, 0..80);
    // Points pass each other with difficulty on a line: more pushes want more epochs.
    let few = quick().n_epochs(100).negative_sample_rate(5);
    for params in [few, Umap::params().seed(5)] {
        let (umap, y) = params.dims(1).fit_transform(two).unwrap();
        assert_eq!(y.dim(), (80, 1));
        let ends = |range: Range<usize>| {
            let values = || rows(&y, Range::clone(&range)).into_iter().copied();
            (
                values().fold(f32::INFINITY, f32::min),
                values().fold(f32::NEG_INFINITY, f32::max),
            )
        };
        let ((a, b), (c, d)) = (ends(0..40), ends(40..80));
        assert!(b < c || d < a, "{a} to {b} and {c} to {d}");
        let placed = umap.transform(two).unwrap();
        for (row, place) in placed.iter().enumerate() {
            let (least, most) = if row < 40 { (a, b) } else { (c, d) };
            assert!((least - 1.0..=most + 1.0).contains(place), "row {row}");
        }
    }
}

/// Few rows of any finite values, some of them alike.
fn any_rows() -> impl Strategy<Value = Array2<f32>> {
    let value = prop_oneof![
        Just(0.0_f32),
        -3.0_f32..3.0,
        -1e30_f32..1e30,
        -1e-30_f32..1e-30
    ];
    (2..14_usize, 1..4_usize).prop_flat_map(move |(count, width)| {
        let values = proptest::collection::vec(value.clone(), count * width);
        let repeated = proptest::collection::vec(0..count, 0..6);
        (values, repeated).prop_map(move |(values, repeated)| {
            let x = Array2::from_shape_vec((count, width), values).unwrap();
            let again = x.select(Axis(0), &repeated);
            concatenate![Axis(0), x, again]
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_finite_rows_in_any_order_have_finite_places(
        x in any_rows(),
        dims in 1..4_usize,
        cosine in any::<bool>(),
    ) {
        let metric = if cosine { Metric::Cosine } else { Metric::Euclidean };
        let reversed = x.slice_axis(Axis(0), Slice::new(0, None, -1)).to_owned();
        for x in [x, reversed] {
            let params = quick().n_epochs(12).dims(dims).metric(metric);
            let (umap, y) = params.fit_transform(x.view()).unwrap();
            prop_assert_eq!(y.dim(), (x.nrows(), dims));
            prop_assert!(y.iter().all(|value| value.is_finite()));
            let placed = umap.transform(x.view()).unwrap();
            prop_assert!(placed.iter().all(|value| value.is_finite()));
        }
    }

    #[test]
    fn new_rows_keep_their_places_in_any_order(x in any_rows()) {
        let umap = quick().n_epochs(12).fit(groups(6, x.ncols()).view()).unwrap();
        let order: Vec<usize> = (0..x.nrows()).rev().collect();
        let placed = umap.transform(x.view());
        let reversed = umap.transform(x.select(Axis(0), &order).view());
        // Rows beyond all reckoning are refused, whatever the order.
        prop_assert_eq!(placed.is_ok(), reversed.is_ok());
        if let (Ok(placed), Ok(reversed)) = (placed, reversed) {
            let back = reversed.select(Axis(0), &order);
            prop_assert_eq!(bits(placed.view()), bits(back.view()));
        }
    }
}

#[test]
fn new_rows_come_to_lie_with_their_group() {
    let x = groups(40, 6);
    let (umap, y) = quick().n_epochs(100).fit_transform(x.view()).unwrap();
    let mut new = groups(5, 6);
    new += 0.1;
    let placed = umap.transform(new.view()).unwrap();
    for (row, place) in placed.outer_iter().enumerate() {
        let distance = |other: usize| (&place - &y.row(other)).mapv(|v| v * v).sum();
        let nearest = (0..120).min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        assert_eq!(nearest.unwrap() / 40, row / 5);
    }
}

#[test]
fn a_saved_layout_loads_to_the_same_bits() {
    let x = groups(20, 5);
    for metric in [Metric::Euclidean, Metric::Cosine] {
        let umap = quick().dims(3).metric(metric).fit(x.view()).unwrap();
        let loaded = load(&umap.to_bytes().unwrap(), "model.bin").unwrap();
        assert_eq!(
            (loaded.method(), loaded.width(), loaded.dims()),
            ("umap", 5, 3)
        );
        let new = groups(3, 5);
        let (before, after) = (umap.transform(new.view()), loaded.transform(new.view()));
        assert_eq!(bits(before.unwrap().view()), bits(after.unwrap().view()));
        assert_eq!(loaded.to_bytes().unwrap(), umap.to_bytes().unwrap());
    }
}

#[test]
fn without_epochs_the_layout_is_its_start() {
    let x = groups(10, 4);
    let given = Array2::from_shape_fn(
        (30, 2),
        |(i, j)| if j == 0 { i as f32 } else { -(i as f32) },
    );
    let (_, y) = quick()
        .n_epochs(0)
        .init(UmapInit::Given(given))
        .fit_transform(x.view())
        .unwrap();
    for (row, place) in y.outer_iter().enumerate() {
        let wanted = 10.0 * row as f32 / 29.0;
        assert!((place[0] - wanted).abs() < 1e-5 && (place[1] - 10.0 + wanted).abs() < 1e-5);
    }
}

#[test]
fn a_graph_in_parts_begins_at_the_principal_components_and_says_so() {
    let apart = groups(40, 6);
    let (umap, y) = quick()
        .init(UmapInit::Spectral)
        .fit_transform(apart.view())
        .unwrap();
    assert_eq!(umap.fallback(), Some("the graph falls into 3 parts"));
    let (plain, z) = quick().fit_transform(apart.view()).unwrap();
    assert_eq!(plain.fallback(), None);
    assert_eq!(bits(y.view()), bits(z.view()));
    let saved = load(&umap.to_bytes().unwrap(), "model.bin").unwrap();
    assert_eq!(saved.to_bytes().unwrap(), umap.to_bytes().unwrap());
}

#[test]
fn a_set_flag_stops_the_layout_in_any_epoch() {
    struct After(CancelFlag, u64);
    impl Progress for After {
        fn update(&self, done: u64) {
            if done >= self.1 {
                self.0.cancel();
            }
        }
    }
    let x = groups(10, 4);
    for stop in [1, 17] {
        let after = After(CancelFlag::new(), stop);
        let watch = Watch::default().progress(&after).cancel(&after.0);
        let error = quick().fit_watched(x.view(), &watch).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted);
    }
}

#[test]
fn a_set_flag_stops_the_placement_of_a_single_row() {
    let x = groups(20, 3);
    let (mut umap, _) = quick().fit_transform(x.view()).unwrap();
    (umap.settings.epochs, umap.settings.negatives) = (MOST_EPOCHS / 3, 1_000);
    let slow = load(&umap.to_bytes().unwrap(), "model.bin").unwrap();
    let flag = CancelFlag::new();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            flag.cancel();
        });
        let watch = Watch::default().cancel(&flag);
        slow.transform_watched(rows(&x, 0..1), &watch).unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

#[test]
fn more_epochs_than_any_fit_asks_for_are_refused() {
    let x = groups(20, 3);
    let (mut umap, _) = quick().fit_transform(x.view()).unwrap();
    umap.settings.epochs = MOST_EPOCHS / 3 + 1;
    let error = load(&umap.to_bytes().unwrap(), "model.bin").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn pulls_alone_leave_the_centre_where_it_is() {
    let x = groups(20, 4);
    for dims in [2, 3, 4] {
        let params = quick().dims(dims).negative_sample_rate(0);
        let centre = |epochs| {
            let (_, y) = params
                .clone()
                .n_epochs(epochs)
                .fit_transform(x.view())
                .unwrap();
            y.mean_axis(Axis(0)).unwrap()
        };
        let moved = &centre(11) - &centre(0);
        assert!(moved.iter().all(|value| value.abs() < 1e-4), "{moved}");
    }
}
