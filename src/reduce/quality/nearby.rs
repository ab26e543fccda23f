//! Neighbours kept, and what they say about a row's class.

use std::collections::BTreeMap;

use ndarray::ArrayView2;

use super::{check_labels, check_rows, too_few};
use crate::Result;
use crate::reduce::neighbors::{NeighborSearch, Neighbors};
use crate::reduce::{Threads, Watch};

/// The share of the `k` nearest rows in the embeddings that are among the `k` nearest in the
/// coordinates.
///
/// # Shapes and units
/// `x` `[rows, width]`, `y` `[rows, dims]`; a share in 0..=1, 1 without neighbours.
///
/// # Errors
/// `InvalidArgument` for another number of rows, `Degenerate` for fewer than 2 rows, `NonFinite`.
pub fn neighbor_recall(
    x: ArrayView2<'_, f32>,
    y: ArrayView2<'_, f32>,
    neighbors: usize,
) -> Result<f64> {
    check_rows(x, y)?;
    let everyone: Vec<u32> = (0..x.nrows() as u32).collect();
    let nearest = |values| {
        nearest(
            values,
            &everyone,
            neighbors,
            Threads::All,
            &Watch::default(),
        )
    };
    Ok(shared(&nearest(x)?, &nearest(y)?))
}

/// The share of rows whose class is the most frequent among their `k` nearest; of classes that are
/// equally frequent, the smallest label counts.
///
/// # Shapes and units
/// `y` `[rows, dims]`, one label per row; a share in 0..=1.
///
/// # Errors
/// `InvalidArgument` for another number of labels, `Degenerate` for fewer than 2 rows, `NonFinite`.
pub fn neighbor_accuracy(y: ArrayView2<'_, f32>, labels: &[i64], neighbors: usize) -> Result<f64> {
    check_labels(y.nrows(), labels)?;
    let everyone: Vec<u32> = (0..y.nrows() as u32).collect();
    let nearest = nearest(y, &everyone, neighbors, Threads::All, &Watch::default())?;
    Ok(agreeing(&nearest, &everyone, labels))
}

/// The exact neighbours of some rows.
pub(super) fn nearest(
    values: ArrayView2<'_, f32>,
    members: &[u32],
    k: usize,
    threads: Threads,
    watch: &Watch<'_>,
) -> Result<Neighbors> {
    if values.nrows() < 2 {
        return Err(too_few(values, 2));
    }
    let search = NeighborSearch::new(k).exact().threads(threads);
    search.search_rows(values, members, watch)
}

/// The share of neighbours that two searches for the same rows have in common.
pub(super) fn shared(one: &Neighbors, other: &Neighbors) -> f64 {
    let mut held = 0;
    let mut all = 0;
    for row in 0..one.rows() {
        let (one, other) = (one.indices(row), other.indices(row));
        let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
        held += one.iter().filter(|row| other.contains(row)).count();
        all += one.len();
    }
    if all == 0 {
        1.0
    } else {
        held as f64 / all as f64
    }
}

/// The share of `members` whose label wins the vote of their neighbours.
pub(super) fn agreeing(nearest: &Neighbors, members: &[u32], labels: &[i64]) -> f64 {
    let label = |row: u32| labels.get(row as usize).copied();
    let wins = |(place, &row): (usize, &u32)| {
        let mut votes = BTreeMap::new();
        for &other in nearest.indices(place).unwrap_or_default() {
            *votes.entry(label(other)).or_insert(0_usize) += 1;
        }
        // Among equal counts `max_by_key` takes the last: the smallest label in descending order.
        let winner = votes.into_iter().rev().max_by_key(|&(_, count)| count);
        winner.is_some_and(|(winner, _)| winner == label(row))
    };
    let agreeing = members
        .iter()
        .enumerate()
        .filter(|&member| wins(member))
        .count();
    agreeing as f64 / members.len().max(1) as f64
}
