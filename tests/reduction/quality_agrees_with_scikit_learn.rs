//! The quality measures are those of scikit-learn, and of their definition in NumPy where
//! scikit-learn has none.
//!
//! The numbers below were printed by scikit-learn 1.9.1 with numpy 2.4.6 from this program:
//!
//! ```python
//! import numpy as np
//! from sklearn.manifold import trustworthiness
//! from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
//!
//! def unit(i, j):  # the same numbers in every language
//!     h = (np.uint64(i) * np.uint64(40503) + np.uint64(j) * np.uint64(2654435761) + np.uint64(12345)) % np.uint64(2**32)
//!     h = (h ^ (h >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(2**32)
//!     h = (h ^ (h >> np.uint64(13))) * np.uint64(3266489917) % np.uint64(2**32)
//!     return float((h ^ (h >> np.uint64(16))) >> np.uint64(8)) / 2**24
//!
//! n, d = 240, 6
//! labels = np.array([i % 5 for i in range(n)])
//! x = np.array([[unit(i, j) + 1.5 * unit(1000 + i % 5, j) for j in range(d)] for i in range(n)], np.float32)
//! y = np.array([[row[0] + row[1] * row[2], row[3] - 0.5 * row[4]] for row in x], np.float32)
//! for k in (1, 7, 20):
//!     idx = lambda m: NearestNeighbors(n_neighbors=k).fit(m).kneighbors(return_distance=False)
//!     recall = np.mean([len(set(a) & set(b)) / k for a, b in zip(idx(x), idx(y))])
//!     votes = np.mean([np.bincount(labels[row]).argmax() == label for row, label in zip(idx(y), labels)])
//!     print(k, trustworthiness(x, y, n_neighbors=k), recall, votes)
//! c = range(5)
//! mean = lambda m: np.stack([m[labels == l].mean(0, dtype=np.float64) for l in c])
//! dist = lambda m: np.linalg.norm(m[:, None] - m[None], axis=2)
//! dx, dy = dist(mean(x)), dist(mean(y))
//! t = [(a, b, e) for a in c for b in c for e in range(b + 1, 5) if a != b and a != e]
//! print("centroid", np.mean([(dx[a, b] < dx[a, e]) == (dy[a, b] < dy[a, e]) for a, b, e in t]))
//! dx, dy = dist(x.astype(float)), dist(y.astype(float))
//! kept = total = 0
//! for a in range(n):
//!     o = np.delete(np.arange(n), a)
//!     lx, ly = dx[a, o][:, None] < dx[a, o][None], dy[a, o][:, None] < dy[a, o][None]
//!     same = lx == ly; np.fill_diagonal(same, False)
//!     kept += same.sum(); total += len(o) * (len(o) - 1)
//! print("all triplets", kept / total)
//! ```

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::reduce::quality::{
    QualityParams, centroid_triplet_accuracy, neighbor_accuracy, neighbor_recall,
    random_triplet_accuracy, trustworthiness,
};
use ndarray::Array2;

const ROWS: usize = 240;

/// Neighbours, trustworthiness, neighbour recall, accuracy of the vote.
const REFERENCE: [(usize, f64, f64, f64); 3] = [
    (
        1,
        0.7216036414565827,
        0.04583333333333333,
        0.45416666666666666,
    ),
    (7, 0.718894260761073, 0.16428571428571423, 0.475),
    (20, 0.7390861177406524, 0.29312499999999997, 0.5125),
];
const CENTROID_TRIPLETS: f64 = 0.4666666666666667;
const ALL_TRIPLETS: f64 = 0.6793894963843278;

fn unit(i: u64, j: u64) -> f64 {
    let mask = u64::from(u32::MAX);
    let mut h = (i * 40_503 + j * 2_654_435_761 + 12_345) & mask;
    h = ((h ^ (h >> 15)) * 2_246_822_519) & mask;
    h = ((h ^ (h >> 13)) * 3_266_489_917) & mask;
    ((h ^ (h >> 16)) >> 8) as f64 / f64::from(1 << 24)
}

fn embeddings() -> Array2<f32> {
    Array2::from_shape_fn((ROWS, 6), |(i, j)| {
        (unit(i as u64, j as u64) + 1.5 * unit(1000 + i as u64 % 5, j as u64)) as f32
    })
}

fn coordinates(x: &Array2<f32>) -> Array2<f32> {
    Array2::from_shape_fn((ROWS, 2), |(i, axis)| match axis {
        0 => x[(i, 0)] + x[(i, 1)] * x[(i, 2)],
        _ => x[(i, 3)] - 0.5 * x[(i, 4)],
    })
}

fn labels() -> Vec<i64> {
    (0..ROWS as i64).map(|row| row % 5).collect()
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
}

#[test]
fn trustworthiness_recall_and_vote_are_those_of_scikit_learn() {
    let x = embeddings();
    let y = coordinates(&x);
    for (k, trust, recall, accuracy) in REFERENCE {
        near(trustworthiness(x.view(), y.view(), k).unwrap(), trust);
        near(neighbor_recall(x.view(), y.view(), k).unwrap(), recall);
        near(neighbor_accuracy(y.view(), &labels(), k).unwrap(), accuracy);
    }
}

#[test]
fn the_triplets_of_class_centres_are_counted_as_numpy_counts_them() {
    let x = embeddings();
    let y = coordinates(&x);
    let found = centroid_triplet_accuracy(x.view(), y.view(), &labels()).unwrap();
    near(found.unwrap(), CENTROID_TRIPLETS);
    let two: Vec<i64> = labels().iter().map(|label| label % 2).collect();
    assert_eq!(
        centroid_triplet_accuracy(x.view(), y.view(), &two).unwrap(),
        None
    );
}

#[test]
fn random_triplets_estimate_the_share_of_all_triplets() {
    let x = embeddings();
    let y = coordinates(&x);
    let found = random_triplet_accuracy(x.view(), y.view(), 40_000, 3).unwrap();
    assert!((found - ALL_TRIPLETS).abs() < 0.0125, "{found}"); // five standard errors
    let other = random_triplet_accuracy(x.view(), y.view(), 40_000, 4).unwrap();
    assert!(found != other, "the seed chooses the triplets");
}

#[test]
fn the_report_over_all_rows_holds_the_single_measures() {
    let x = embeddings();
    let y = coordinates(&x);
    let params = QualityParams::new().neighbors(7).triplets(1000).seed(5);
    let quality = params.measure(x.view(), y.view(), Some(&labels())).unwrap();
    let (k, trust, recall, accuracy) = REFERENCE[1];
    assert_eq!(quality.neighbors, k);
    near(quality.trustworthiness, trust);
    near(quality.neighbor_recall, recall);
    near(quality.neighbor_accuracy.unwrap(), accuracy);
    near(
        quality.centroid_triplet_accuracy.unwrap(),
        CENTROID_TRIPLETS,
    );
    let random = random_triplet_accuracy(x.view(), y.view(), 1000, 5).unwrap();
    near(quality.random_triplet_accuracy, random);
}

#[test]
fn a_sample_of_rows_comes_close_to_all_rows() {
    let x = embeddings();
    let y = coordinates(&x);
    let params = QualityParams::new()
        .neighbors(7)
        .queries(120)
        .trust_rows(120);
    let quality = params.measure(x.view(), y.view(), None).unwrap();
    let (_, trust, recall, _) = REFERENCE[1];
    assert!(
        (quality.trustworthiness - trust).abs() < 0.06,
        "{quality:?}"
    );
    assert!(
        (quality.neighbor_recall - recall).abs() < 0.06,
        "{quality:?}"
    );
    assert_eq!(quality.neighbor_accuracy, None);
}

#[test]
fn coordinates_that_are_the_embeddings_are_perfect() {
    let x = embeddings();
    let quality = QualityParams::new()
        .measure(x.view(), x.view(), Some(&labels()))
        .unwrap();
    assert_eq!(quality.trustworthiness, 1.0);
    assert_eq!(quality.neighbor_recall, 1.0);
    assert_eq!(quality.random_triplet_accuracy, 1.0);
    assert_eq!(quality.centroid_triplet_accuracy, Some(1.0));
    assert_eq!(
        quality.neighbor_accuracy,
        quality.neighbor_accuracy_of_embeddings
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let x = embeddings();
    let y = coordinates(&x);
    let params = QualityParams::new();
    let kind = |error: emberlens::Error| error.kind();
    let fewer = y.select(ndarray::Axis(0), &[0, 1, 2]);
    let error = params.measure(x.view(), fewer.view(), None).unwrap_err();
    assert!(
        error.to_string().contains('3') && error.to_string().contains("240"),
        "{error}"
    );
    assert_eq!(
        kind(
            params
                .measure(x.view(), y.view(), Some(&[1, 2]))
                .unwrap_err()
        ),
        ErrorKind::Invalid
    );
    assert_eq!(
        kind(trustworthiness(x.view(), y.view(), 120).unwrap_err()),
        ErrorKind::Invalid
    );
    assert_eq!(
        kind(trustworthiness(x.view(), y.view(), 0).unwrap_err()),
        ErrorKind::Invalid
    );
    for rows in 0..3 {
        let few = Array2::<f32>::zeros((rows, 2));
        assert!(params.measure(few.view(), few.view(), None).is_err());
    }
    let mut holed = y.clone();
    holed[(5, 1)] = f32::NAN;
    let error = params.measure(x.view(), holed.view(), None).unwrap_err();
    assert!(error.to_string().contains("row 5, column 1"), "{error}");
}

#[test]
fn few_rows_are_measured_with_fewer_neighbours() {
    let x = embeddings().select(ndarray::Axis(0), &[0, 1, 2]);
    let quality = QualityParams::new()
        .measure(x.view(), x.view(), None)
        .unwrap();
    assert_eq!((quality.neighbors, quality.trustworthiness), (1, 1.0));
}
