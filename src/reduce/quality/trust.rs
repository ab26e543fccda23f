//! Trustworthiness.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::{check_rows, too_few};
use crate::reduce::matrix::Frame;
use crate::reduce::neighbors::{NeighborSearch, distances_to_all};
use crate::reduce::{Threads, Watch, matrix};
use crate::{Error, Result};

/// How far neighbours in the coordinates are from being neighbours in the embeddings: 1 where all
/// are, less for every rank by which one is too far away.
///
/// With `N(i)` the `k` nearest rows of `i` in `y` and `r(i, j)` the rank of `j` by distance from `i`
/// in `x`: `1 - 2 / (n k (2n - 3k - 1)) * sum_i sum_{j in N(i)} max(0, r(i, j) - k)`. Equal
/// distances rank by row.
///
/// # Shapes and units
/// `x` `[rows, width]`, `y` `[rows, dims]`, `neighbors` `k` below half the rows.
///
/// # Errors
/// `InvalidArgument` for another number of rows or no neighbours, `Degenerate` for too few rows,
/// `NonFinite`.
///
/// # Source
/// Venna, Kaski: Neighborhood preservation in nonlinear projection methods, 2001; as
/// `sklearn.manifold.trustworthiness` defines it.
pub fn trustworthiness(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    neighbors: usize,
) -> Result<f64> {
    of(x, y, neighbors, Threads::All, &Watch::default())
}

pub(super) fn of(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    k: usize,
    threads: Threads,
    watch: &Watch<'_>,
) -> Result<f64> {
    check_rows(x, y)?;
    let rows = x.nrows();
    if k == 0 {
        return Err(Error::invalid(
            "neighbors",
            0,
            "nothing to measure",
            "ask for 10",
        ));
    }
    if rows <= k.saturating_mul(2) {
        return Err(too_few(x, k.saturating_mul(2).saturating_add(1)));
    }
    matrix::check_finite(x, "the embeddings", "leave the row out")?;
    let nearest = NeighborSearch::new(k)
        .exact()
        .threads(threads)
        .search(y, watch)?;
    let near = Frame::of(x).map(|frame| frame.bring(x));
    let x = near.as_ref().map_or(x, |near| near.view());
    let x = x.as_standard_layout();
    let excess = threads.run(|| {
        (0..rows)
            .into_par_iter()
            .map_init(Vec::new, |distances, row| {
                watch.check("the trustworthiness")?;
                distances_to_all(x.view(), row, distances);
                let beyond = nearest.indices(row).unwrap_or_default().iter();
                Ok(beyond
                    .map(|&other| rank(distances, row, other as usize).saturating_sub(k) as u64)
                    .sum::<u64>())
            })
            .collect::<Result<Vec<u64>>>()
    })??;
    let (n, k) = (rows as f64, k as f64);
    let excess = excess.iter().sum::<u64>() as f64;
    Ok(1.0 - excess * 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0)))
}

/// The rank of `other` by distance from `row`, which is left out: 1 for the nearest.
fn rank(distances: &[f32], row: usize, other: usize) -> usize {
    let Some(&distance) = distances.get(other) else {
        return 0;
    };
    let (before, after) = distances.split_at(other);
    let nearer = before.iter().filter(|&&value| value <= distance).count()
        + after.iter().filter(|&&value| value < distance).count();
    let itself = match distances.get(row) {
        Some(&own) if row < other => own <= distance,
        Some(&own) => own < distance,
        None => false,
    };
    1 + nearer - usize::from(itself)
}
