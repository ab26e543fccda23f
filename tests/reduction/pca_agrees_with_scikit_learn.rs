//! The exact PCA gives scikit-learn's components, variances and coordinates, by covariance (more
//! rows than columns) and by Gram matrix (more columns than rows), within one chunk and across many.
//!
//! The numbers below were printed by scikit-learn 1.7.2 with numpy 2.4.6 from this program:
//!
//! ```python
//! import numpy as np
//! from sklearn.decomposition import PCA
//! def matrix(n, d):
//!     i, j = np.indices((n, d))
//!     return ((i * i * 7 + i * j * 5 + j * j * 3 + i) % 23 * 0.5 - 3.0).astype(np.float32)
//! def show(name, a):
//!     a = np.atleast_1d(a)
//!     if a.ndim == 1: print(f"const {name}: [f64; {len(a)}] = [" + ", ".join(f"{v:.12}" for v in a) + "];")
//!     else:
//!         print(f"const {name}: [[f64; {a.shape[1]}]; {a.shape[0]}] = [")
//!         for r in a: print("    [" + ", ".join(f"{v:.12}" for v in r) + "],")
//!         print("];")
//! for name, n, d in [("TALL", 12, 5), ("WIDE", 5, 12)]:
//!     x = matrix(n, d).astype(float)
//!     p = PCA(n_components=3, svd_solver="full").fit(x)
//!     show(name + "_VARIANCE", p.explained_variance_); show(name + "_RATIO", p.explained_variance_ratio_)
//!     show(name + "_COMPONENTS", p.components_); show(name + "_NEW", p.transform(matrix(n + 2, d)[n:] + 100.0))
//! def wave(n, d):
//!     i, j = np.indices((n, d)).astype(float)
//!     return (3 * np.sin(0.37 * i + 0.11 * j) + 2 * np.cos(0.05 * i * (1 + j % 7)) + np.sin(1.3 * j + 0.001 * i * i)).astype(np.float32)
//! for name, n, d in [("MANY_ROWS", 1300, 40), ("MANY_COLUMNS", 40, 1300)]:
//!     x = wave(n, d).astype(float)
//!     p = PCA(n_components=3, svd_solver="full").fit(x)
//!     show(name + "_VARIANCE", p.explained_variance_); show(name + "_RATIO", p.explained_variance_ratio_)
//!     show(name + "_LAST_ROW", p.transform(x[-1:])[0])
//! ```

#![allow(clippy::unwrap_used)]

use emberlens::reduce::{Pca, Projection, Reducer};
use ndarray::{Array2, Axis, Slice};

const TALL_VARIANCE: [f64; 3] = [20.0183396937, 18.8054675771, 11.449080861];
const TALL_RATIO: [f64; 3] = [0.32498104041, 0.305291073691, 0.185866273971];
const TALL_COMPONENTS: [[f64; 5]; 3] = [
    [
        0.7249348649,
        -0.214911706092,
        0.126078372873,
        -0.596177617205,
        0.238660622797,
    ],
    [
        0.391435637481,
        0.78765036962,
        0.336793755878,
        0.312638687212,
        0.123337156639,
    ],
    [
        -0.25567627716,
        -0.0457000832509,
        -0.0268532181263,
        0.0848352632202,
        0.961573203911,
    ],
];
const TALL_NEW: [[f64; 3]; 2] = [
    [29.0692090785, 189.721663383, 76.0837718548],
    [20.7471758452, 196.785099329, 71.6308937126],
];
const WIDE_VARIANCE: [f64; 3] = [43.903338694, 31.9033637174, 21.3773163786];
const WIDE_RATIO: [f64; 3] = [0.390165196125, 0.283522450277, 0.189978372616];
const WIDE_COMPONENTS: [[f64; 12]; 3] = [
    [
        0.522260366118,
        0.439735978801,
        0.215882813714,
        -0.497784340308,
        -0.0267540977109,
        -0.109278485028,
        -0.333131650115,
        0.161130611797,
        0.0553742051647,
        -0.0271501821523,
        -0.164030686945,
        0.243258914673,
    ],
    [
        0.165655301262,
        0.499033722786,
        0.0739043853162,
        0.473861130341,
        0.041485289453,
        0.374863710977,
        -0.0502656264925,
        0.201069942189,
        -0.149263045856,
        0.184115375669,
        0.50202926785,
        0.01032160688,
    ],
    [
        0.35902083439,
        -0.258069788572,
        0.0572867949233,
        0.0509199435038,
        0.53117566217,
        -0.0859149607923,
        0.229441622703,
        0.349666090765,
        0.0926067184072,
        -0.524483904556,
        0.20646433505,
        -0.0889028529978,
    ],
];
const WIDE_NEW: [[f64; 3]; 2] = [
    [52.1039873043, 230.84047651, 98.1724831196],
    [48.1445469677, 230.228467508, 93.5245514379],
];
const MANY_ROWS_VARIANCE: [f64; 3] = [109.763188127, 75.1580814165, 13.3141655482];
const MANY_ROWS_RATIO: [f64; 3] = [0.391482278177, 0.268059423549, 0.0474864109704];
const MANY_ROWS_LAST_ROW: [f64; 3] = [-7.96487840334, -10.3568803135, -3.83321372821];
const MANY_COLUMNS_VARIANCE: [f64; 3] = [3620.16190557, 2981.63631299, 692.346441889];
const MANY_COLUMNS_RATIO: [f64; 3] = [0.426677290143, 0.351419780497, 0.0816009093988];
const MANY_COLUMNS_LAST_ROW: [f64; 3] = [35.8284638268, 59.4591344527, -27.262134212];

fn matrix(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        ((i * i * 7 + i * j * 5 + j * j * 3 + i) % 23) as f32 * 0.5 - 3.0
    })
}

fn wave(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let (row, column, period) = (i as f64, j as f64, (1 + j % 7) as f64);
        let value = 3.0 * (0.37 * row + 0.11 * column).sin()
            + 2.0 * (0.05 * row * period).cos()
            + (1.3 * column + 0.001 * row * row).sin();
        value as f32
    })
}

/// Equal to `relative` of the larger of 1 and the reference.
fn assert_close<'a>(
    found: impl IntoIterator<Item = f64>,
    reference: impl IntoIterator<Item = &'a f64>,
    relative: f64,
) {
    for (index, (found, &reference)) in found.into_iter().zip(reference).enumerate() {
        let allowed = relative * reference.abs().max(1.0);
        assert!(
            (found - reference).abs() <= allowed,
            "value {index}: {found} instead of {reference}"
        );
    }
}

fn last_rows(x: &Array2<f32>, count: isize) -> Array2<f32> {
    x.slice_axis(Axis(0), Slice::from(-count..)).to_owned()
}

fn coordinates(pca: &Pca, x: &Array2<f32>) -> Vec<f64> {
    let placed = pca.transform(x.view()).unwrap();
    placed.iter().map(|&value| f64::from(value)).collect()
}

fn assert_agrees<const D: usize>(
    rows: usize,
    variance: [f64; 3],
    ratio: [f64; 3],
    components: [[f64; D]; 3],
    new: [[f64; 3]; 2],
) {
    let x = matrix(rows, D);
    let pca = Pca::params().dims(3).fit(x.view()).unwrap();
    assert_close(pca.explained_variance().iter().copied(), &variance, 1e-10);
    let found = pca.explained_variance_ratio().unwrap();
    assert_close(found.iter().copied(), &ratio, 1e-10);
    assert_close(pca.components().concat(), components.as_flattened(), 1e-10);
    let unseen = last_rows(&matrix(rows + 2, D), 2) + 100.0;
    assert_close(coordinates(&pca, &unseen), new.as_flattened(), 1e-6);
}

#[test]
fn more_rows_than_columns() {
    assert_agrees(12, TALL_VARIANCE, TALL_RATIO, TALL_COMPONENTS, TALL_NEW);
}

#[test]
fn more_columns_than_rows() {
    assert_agrees(5, WIDE_VARIANCE, WIDE_RATIO, WIDE_COMPONENTS, WIDE_NEW);
}

fn assert_agrees_across_chunks(
    x: &Array2<f32>,
    variance: [f64; 3],
    ratio: [f64; 3],
    last_row: [f64; 3],
) {
    let pca = Pca::params().dims(3).fit(x.view()).unwrap();
    assert_close(pca.explained_variance().iter().copied(), &variance, 1e-6);
    let found = pca.explained_variance_ratio().unwrap();
    assert_close(found.iter().copied(), &ratio, 1e-6);
    let last = last_rows(x, 1);
    assert_close(coordinates(&pca, &last), &last_row, 1e-5);
}

#[test]
fn more_rows_than_one_chunk() {
    assert_agrees_across_chunks(
        &wave(1300, 40),
        MANY_ROWS_VARIANCE,
        MANY_ROWS_RATIO,
        MANY_ROWS_LAST_ROW,
    );
}

#[test]
fn more_columns_than_one_chunk() {
    assert_agrees_across_chunks(
        &wave(40, 1300),
        MANY_COLUMNS_VARIANCE,
        MANY_COLUMNS_RATIO,
        MANY_COLUMNS_LAST_ROW,
    );
}
