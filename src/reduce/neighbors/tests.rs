//! What every search promises, against a naive one in f64.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use super::{Metric, NeighborMethod, NeighborSearch, Neighbors};
use crate::reduce::random::Random;
use crate::reduce::{Threads, Watch};
use crate::{CancelFlag, Error, ErrorKind};

/// `clusters` clouds of normal points around centres that are also normal.
pub(super) fn clouds(rows: usize, width: usize, clusters: usize, seed: u64) -> Array2<f32> {
    let centre = |cluster, column| Random::at(seed, 100 + cluster, column).normal() * 3.0;
    Array2::from_shape_fn((rows, width), |(row, column)| {
        let cluster = Random::at(seed, 0, row as u64).below(clusters as u32);
        let place = (row * width + column) as u64;
        centre(u64::from(cluster), column as u64) + Random::at(seed, 1, place).normal()
    })
}

fn naive_distance(a: &[f32], b: &[f32], metric: Metric) -> f64 {
    let pairs = || a.iter().zip(b).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    match metric {
        Metric::Euclidean => pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
        Metric::Cosine => {
            let dot: f64 = pairs().map(|(a, b)| a * b).sum();
            let squares = pairs().fold((0.0, 0.0), |(s, t), (a, b)| (s + a * a, t + b * b));
            let scale = (squares.0 * squares.1).sqrt();
            if scale > 0.0 { 1.0 - dot / scale } else { 1.0 }
        }
    }
}

/// All distances from a query, sorted, ties by row.
fn naive(
    x: ArrayView2<'_, f32>,
    query: &[f32],
    own: Option<usize>,
    metric: Metric,
) -> Vec<(f64, u32)> {
    let mut all: Vec<(f64, u32)> = x
        .outer_iter()
        .enumerate()
        .filter(|(row, _)| Some(*row) != own)
        .map(|(row, values)| (naive_distance(query, &values.to_vec(), metric), row as u32))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}

/// The distances found are those of the rows named, and as near as the naive search's.
fn check_against_naive(x: ArrayView2<'_, f32>, found: &Neighbors, metric: Metric, tolerance: f64) {
    for row in 0..x.nrows() {
        let query = x.row(row).to_vec();
        let expected = naive(x, &query, Some(row), metric);
        let indices = found.indices(row).unwrap();
        let distances = found.distances(row).unwrap();
        for ((&index, &distance), (nearest, _)) in indices.iter().zip(distances).zip(&expected) {
            let true_distance = naive_distance(&query, &x.row(index as usize).to_vec(), metric);
            assert!(
                (f64::from(distance) - true_distance).abs() <= tolerance * (1.0 + true_distance)
            );
            assert!(
                (f64::from(distance) - nearest).abs() <= tolerance * (1.0 + nearest),
                "row {row}"
            );
        }
        let mut unique = indices.to_vec();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), indices.len());
        assert!(!indices.contains(&(row as u32)));
    }
}

fn search(x: ArrayView2<'_, f32>, k: usize, metric: Metric) -> Neighbors {
    NeighborSearch::new(k)
        .metric(metric)
        .method(NeighborMethod::Exact)
        .threads(Threads::Exactly(1))
        .search(x, &Watch::default())
        .unwrap()
}

#[test]
fn exact_search_finds_what_a_naive_search_finds() {
    for (rows, width, k) in [(300, 17, 9), (131, 1, 5), (60, 48, 59), (99, 33, 1)] {
        let x = clouds(rows, width, 4, 5);
        for metric in [Metric::Euclidean, Metric::Cosine] {
            check_against_naive(x.view(), &search(x.view(), k, metric), metric, 1e-5);
        }
    }
}

#[test]
fn a_large_offset_costs_no_neighbours() {
    let x = clouds(200, 20, 3, 8);
    for offset in [1e3_f32, 1e4] {
        let moved = &x + offset; // rounded once here; the search must not lose more
        check_against_naive(
            moved.view(),
            &search(moved.view(), 10, Metric::Euclidean),
            Metric::Euclidean,
            1e-5,
        );
    }
}

/// Clouds whose points lie `spread` around centres that are about 1 apart.
fn tight(rows: usize, width: usize, clusters: usize, spread: f32) -> Array2<f32> {
    let centre = |cluster, column| Random::at(9, 100 + cluster, column).normal();
    Array2::from_shape_fn((rows, width), |(row, column)| {
        let place = (row * width + column) as u64;
        let noise = spread * Random::at(9, 1, place).normal();
        centre((row % clusters) as u64, column as u64) + noise
    })
}

#[test]
fn clusters_that_are_tight_and_far_apart_keep_their_neighbours() {
    for spread in [1e-2, 1e-3, 1e-4, 1e-5] {
        let x = tight(600, 32, 4, spread);
        for metric in [Metric::Euclidean, Metric::Cosine] {
            let found = search(x.view(), 10, metric);
            let mut same = 0;
            for row in 0..600 {
                // In the frame that the metric is computed in: f64 of what f32 holds.
                let nearest = naive(x.view(), &x.row(row).to_vec(), Some(row), metric);
                let nearest: Vec<u32> = nearest.iter().take(10).map(|(_, row)| *row).collect();
                let found = found.indices(row).unwrap();
                same += found.iter().filter(|row| nearest.contains(row)).count();
            }
            // Unit vectors are rounded to f32, which moves points by 1e-7.
            let least = match metric {
                Metric::Cosine if spread < 1e-4 => 5_000,
                Metric::Cosine => 5_900,
                Metric::Euclidean => 5_998,
            };
            assert!(same >= least, "{same} of 6000 at {spread}, {metric:?}");
        }
    }
}

#[test]
fn inverted_lists_find_what_comparing_all_finds_in_tight_clusters() {
    let x = tight(2000, 16, 5, 1e-4);
    let exact = search(x.view(), 10, Metric::Euclidean);
    let all_cells = lists(10, 30, Some(30)).search(x.view(), &Watch::default());
    assert_eq!(shared(&exact, &all_cells.unwrap()), 1.0);
    let found = lists(10, 30, None).search(x.view(), &Watch::default());
    let found = found.unwrap();
    assert!((shared(&exact, &found) - f64::from(found.recall())).abs() < 0.02);
}

#[test]
fn extreme_magnitudes_neither_overflow_nor_vanish() {
    let x = clouds(120, 6, 3, 2);
    let plain = search(x.view(), 7, Metric::Euclidean);
    for scale in [2.0_f32.powi(100), 2.0_f32.powi(-100)] {
        let found = search((&x * scale).view(), 7, Metric::Euclidean);
        for row in 0..120 {
            assert_eq!(found.indices(row), plain.indices(row));
            let pairs = found
                .distances(row)
                .unwrap()
                .iter()
                .zip(plain.distances(row).unwrap());
            for (&scaled, &plain) in pairs {
                assert!((scaled / scale - plain).abs() <= 1e-5 * plain);
            }
        }
    }
}

#[test]
fn duplicates_are_at_distance_zero_and_come_by_row() {
    let x = clouds(40, 30, 2, 3);
    let twice = concatenate![Axis(0), x, x, x];
    for metric in [Metric::Euclidean, Metric::Cosine] {
        let found = search(twice.view(), 2, metric);
        for row in 0..120_u32 {
            let others: Vec<u32> = [row % 40, row % 40 + 40, row % 40 + 80]
                .into_iter()
                .filter(|&other| other != row)
                .collect();
            assert_eq!(found.indices(row as usize).unwrap(), others);
            assert_eq!(found.distances(row as usize).unwrap(), [0.0, 0.0]);
        }
    }
}

#[test]
fn equal_points_have_the_smallest_rows_as_neighbours() {
    let x = Array2::from_elem((150, 5), 0.3);
    let found = search(x.view(), 3, Metric::Euclidean);
    assert_eq!(found.indices(1).unwrap(), [0, 2, 3]);
    assert_eq!(found.indices(149).unwrap(), [0, 1, 2]);
    assert_eq!(found.distances(70).unwrap(), [0.0; 3]);
}

#[test]
fn a_row_of_zeros_is_at_cosine_distance_one_from_all() {
    let mut x = clouds(30, 4, 2, 3);
    x.row_mut(4).fill(0.0);
    x.row_mut(9).fill(0.0);
    let found = search(x.view(), 29, Metric::Cosine);
    assert_eq!(found.distances(4).unwrap(), [1.0; 29]);
    assert_eq!(found.indices(4).unwrap()[..5], [0, 1, 2, 3, 5]);
}

#[test]
fn fewer_rows_than_neighbours_give_what_there_is() {
    for rows in 0..4 {
        let x = clouds(rows, 3, 1, 1);
        let found = search(x.view(), 10, Metric::Euclidean);
        assert_eq!((found.rows(), found.k()), (rows, rows.saturating_sub(1)));
        let query =
            NeighborSearch::new(10).query(x.view(), clouds(2, 3, 1, 2).view(), &Watch::default());
        assert_eq!(query.unwrap().k(), rows);
    }
    let none = search(Array2::zeros((4, 0)).view(), 2, Metric::Euclidean);
    assert_eq!(none.indices(0).unwrap(), [1, 2]); // without columns all rows are equal
    assert_eq!(
        search(clouds(5, 2, 1, 1).view(), 0, Metric::Euclidean).k(),
        0
    );
}

#[test]
fn the_bits_do_not_depend_on_threads() {
    let x = clouds(700, 20, 5, 4);
    let with = |threads| {
        NeighborSearch::new(11)
            .threads(Threads::Exactly(threads))
            .search(x.view(), &Watch::default())
            .unwrap()
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(8), one);
}

#[test]
fn an_answer_does_not_depend_on_the_rows_beside_it() {
    let x = clouds(500, 12, 3, 4);
    let queries = clouds(70, 12, 3, 6);
    let search = NeighborSearch::new(6);
    let together = search
        .query(x.view(), queries.view(), &Watch::default())
        .unwrap();
    for row in 0..70 {
        let alone = search
            .query(
                x.view(),
                queries.select(Axis(0), &[row]).view(),
                &Watch::default(),
            )
            .unwrap();
        assert_eq!(alone.indices(0), together.indices(row));
        assert_eq!(alone.distances(0), together.distances(row));
    }
}

#[test]
fn how_the_matrix_lies_in_memory_does_not_matter() {
    let x = clouds(90, 7, 2, 4);
    let columns = x.t().as_standard_layout().into_owned();
    let found = search(columns.t(), 5, Metric::Euclidean);
    assert_eq!(found, search(x.view(), 5, Metric::Euclidean));
}

#[test]
fn a_number_that_is_none_is_named() {
    let mut x = clouds(9, 4, 1, 1);
    x[(7, 2)] = f32::NAN;
    let error = NeighborSearch::new(2)
        .search(x.view(), &Watch::default())
        .unwrap_err();
    assert!(error.to_string().contains("row 7, column 2"), "{error}");
}

#[test]
fn a_set_flag_stops_the_search() {
    let flag = CancelFlag::new();
    flag.cancel();
    let watch = Watch::default().cancel(&flag);
    let error = NeighborSearch::new(2)
        .search(clouds(9, 4, 1, 1).view(), &watch)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
}

fn lists(k: usize, cells: usize, probes: Option<usize>) -> NeighborSearch {
    let cells = Some(cells);
    NeighborSearch::new(k)
        .threads(Threads::Exactly(1))
        .method(NeighborMethod::InvertedLists { cells, probes })
}

fn shared(one: &Neighbors, other: &Neighbors) -> f64 {
    let rows = (0..one.rows()).map(|row| {
        let other = other.indices(row).unwrap();
        let one = one.indices(row).unwrap();
        one.iter().filter(|row| other.contains(row)).count() as f64 / one.len() as f64
    });
    rows.sum::<f64>() / one.rows() as f64
}

#[test]
fn inverted_lists_reach_the_recall_asked_for_and_report_it() {
    let x = clouds(2000, 8, 12, 4);
    let exact = search(x.view(), 10, Metric::Euclidean);
    for target in [0.6, 0.9, 0.99] {
        let index = lists(10, 60, None)
            .recall(target)
            .index(x.view(), &Watch::default())
            .unwrap();
        let found = index.among_themselves(&Watch::default()).unwrap();
        assert!(found.recall() >= target);
        assert!((shared(&exact, &found) - f64::from(found.recall())).abs() < 0.02);
        assert!(index.cells_and_probes().is_some());
    }
}

#[test]
fn more_probes_find_more_and_all_find_all() {
    let x = clouds(900, 8, 6, 9);
    let exact = search(x.view(), 8, Metric::Euclidean);
    let recall = |probes| {
        let search = lists(8, 30, Some(probes));
        let found = search.search(x.view(), &Watch::default()).unwrap();
        shared(&exact, &found)
    };
    assert!(recall(1) < recall(4) && recall(4) < recall(12));
    let all = lists(8, 30, Some(30)).search(x.view(), &Watch::default());
    assert_eq!(all.unwrap().indices(77), exact.indices(77));
    assert_eq!(recall(30), 1.0);
}

#[test]
fn inverted_lists_have_the_same_bits_on_any_number_of_threads() {
    let x = clouds(1500, 10, 9, 4);
    for metric in [Metric::Euclidean, Metric::Cosine] {
        let with = |threads| {
            let search = lists(7, 40, None).metric(metric);
            let search = search.threads(Threads::Exactly(threads));
            search.search(x.view(), &Watch::default()).unwrap()
        };
        let one = with(1);
        assert_eq!(with(2), one);
        assert_eq!(with(8), one);
    }
}

#[test]
fn a_query_of_an_index_does_not_depend_on_the_queries_beside_it() {
    let x = clouds(1200, 6, 9, 4);
    let queries = clouds(40, 6, 9, 5);
    let index = lists(7, 40, Some(3)).index(x.view(), &Watch::default());
    let index = index.unwrap().into_owned();
    let together = index.query(queries.view(), &Watch::default()).unwrap();
    for row in 0..40 {
        let alone = queries.select(Axis(0), &[row]);
        let alone = index.query(alone.view(), &Watch::default()).unwrap();
        assert_eq!(alone.indices(0), together.indices(row));
        assert_eq!(alone.distances(0), together.distances(row));
    }
}

#[test]
fn a_row_whose_cells_hold_too_few_gets_its_neighbours_from_all() {
    let x = clouds(300, 4, 3, 4);
    let found = lists(60, 100, Some(1)).search(x.view(), &Watch::default());
    check_against_naive(x.view(), &found.unwrap(), Metric::Euclidean, 1e30);
}

#[test]
fn lists_of_equal_points_give_way_to_comparing_all() {
    let x = Array2::from_elem((600, 5), 0.3);
    let index = lists(3, 20, None).index(x.view(), &Watch::default());
    let index = index.unwrap();
    assert_eq!(index.cells_and_probes(), None);
    let found = index.among_themselves(&Watch::default()).unwrap();
    assert_eq!(found.indices(500).unwrap(), [0, 1, 2]);
}

#[test]
fn what_exceeds_the_memory_limit_is_refused() {
    let x = clouds(100, 10, 2, 2);
    let search = NeighborSearch::new(5).memory_limit(1000);
    let error = search.search(x.view(), &Watch::default()).unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit: 1000, .. }),
        "{error}"
    );
}

#[test]
fn queries_whose_answer_exceeds_the_memory_limit_are_refused() {
    let x = clouds(20, 3, 2, 2);
    let index = NeighborSearch::new(5)
        .threads(Threads::Exactly(1))
        .memory_limit(100_000)
        .index(x.view(), &Watch::default())
        .unwrap();
    let queries = clouds(4000, 3, 2, 3);
    let error = index.query(queries.view(), &Watch::default()).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("4000 queries"), "{error}");
    let few = queries.select(Axis(0), &[0, 1]);
    assert!(index.query(few.view(), &Watch::default()).is_ok());
}

#[test]
fn a_recall_that_is_no_share_is_refused() {
    let x = clouds(10, 2, 2, 2);
    for recall in [-0.1, 1.5, f32::NAN] {
        let search = NeighborSearch::new(5).recall(recall);
        let error = search.search(x.view(), &Watch::default()).unwrap_err();
        assert!(error.to_string().contains("recall"), "{error}");
    }
}
