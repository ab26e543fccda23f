//! Orders of distances that are kept: the global structure.

use std::collections::BTreeMap;

use ndarray::{ArrayView1, ArrayView2};

use super::{check_labels, check_rows, too_few};
use crate::Result;
use crate::reduce::matrix;
use crate::reduce::random::Random;

/// The stream of random numbers that chooses triplets.
const TRIPLETS: u64 = 0x7472;

/// The share of random triplets of rows whose order of distances is kept: of `a`, `b`, `c`, whether
/// `b` is nearer to `a` than `c` is.
///
/// # Shapes and units
/// `x` `[rows, width]`, `y` `[rows, dims]`; a share in 0..=1; its standard error is at most
/// `0.5 / sqrt(triplets)`.
///
/// # Errors
/// `InvalidArgument` for another number of rows, `Degenerate` for fewer than 3 rows, `NonFinite`.
///
/// # Source
/// Wang, Huang, Rudin, Shaposhnik: Understanding How Dimension Reduction Tools Work, JMLR 22 (2021).
pub fn random_triplet_accuracy(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    triplets: usize,
    seed: u64,
) -> Result<f64> {
    check_rows(x, y)?;
    if x.nrows() < 3 {
        return Err(too_few(x, 3));
    }
    matrix::check_finite(x, "the embeddings", "leave the row out")?;
    matrix::check_finite(y, "the coordinates", "leave the row out")?;
    let rows = x.nrows() as u32;
    let mut kept = 0;
    for triplet in 0..triplets {
        let mut random = Random::at(seed, TRIPLETS, triplet as u64);
        // Three different rows: every next one is drawn among the rows that are left.
        let first = random.below(rows);
        let mut second = random.below(rows - 1);
        second += u32::from(second >= first);
        let mut third = random.below(rows - 2);
        third += u32::from(third >= first.min(second));
        third += u32::from(third >= first.max(second));
        let places = [first as usize, second as usize, third as usize];
        let order = |values: ArrayView2<'_, f32>| {
            let [a, b, c] = places.map(|row| values.row(row).mapv(f64::from));
            squared(a.view(), b.view()) < squared(a.view(), c.view())
        };
        kept += usize::from(order(x) == order(y));
    }
    Ok(kept as f64 / triplets.max(1) as f64)
}

/// The share of triplets of class centres whose order of distances is kept, over all triplets;
/// `None` for fewer than three classes.
///
/// # Shapes and units
/// `x` `[rows, width]`, `y` `[rows, dims]`, one label per row; a share in 0..=1.
///
/// # Errors
/// `InvalidArgument` for another number of rows or labels, `NonFinite`.
///
/// # Source
/// Wang, Huang, Rudin, Shaposhnik: Understanding How Dimension Reduction Tools Work, JMLR 22 (2021).
pub fn centroid_triplet_accuracy(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    labels: &[i64],
) -> Result<Option<f64>> {
    check_rows(x, y)?;
    check_labels(x.nrows(), labels)?;
    matrix::check_finite(x, "the embeddings", "leave the row out")?;
    matrix::check_finite(y, "the coordinates", "leave the row out")?;
    let (x, y) = (between_centres(x, labels), between_centres(y, labels));
    let (mut kept, mut all) = (0_u64, 0_u64);
    for (a, (of_x, of_y)) in x.iter().zip(&y).enumerate() {
        let others = || of_x.iter().zip(of_y).enumerate().filter(|(b, _)| *b != a);
        for (b, to_b) in others() {
            for (_, to_c) in others().filter(|(c, _)| *c > b) {
                kept += u64::from((to_b.0 < to_c.0) == (to_b.1 < to_c.1));
                all += 1;
            }
        }
    }
    Ok((all > 0).then(|| kept as f64 / all as f64))
}

/// Squared distances between the means of classes, in the order of their labels.
fn between_centres(values: ArrayView2<'_, f32>, labels: &[i64]) -> Vec<Vec<f64>> {
    let mut sums: BTreeMap<i64, (ndarray::Array1<f64>, f64)> = BTreeMap::new();
    for (row, &label) in values.outer_iter().zip(labels) {
        let empty = || (ndarray::Array1::zeros(values.ncols()), 0.0);
        let (sum, count) = sums.entry(label).or_insert_with(empty);
        *sum += &row.mapv(f64::from);
        *count += 1.0;
    }
    let centres: Vec<_> = sums.into_values().map(|(sum, count)| sum / count).collect();
    let to_all = |a: ArrayView1<'_, f64>| centres.iter().map(|b| squared(a, b.view())).collect();
    centres.iter().map(|centre| to_all(centre.view())).collect()
}

fn squared(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
