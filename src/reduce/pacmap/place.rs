//! Placing new rows among fitted ones.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::Result;
use crate::reduce::{Neighbors, matrix};

/// Turns of the placement.
const TURNS: usize = 50;

/// Where the near loss bends, as in the fit: `d / (10 + d)` with `d = 1 + |y - y_j|^2`.
const OFFSET: f64 = 11.0;

/// Weight of a neighbour at no distance, beside 1 for one at the typical distance of neighbours.
const NEAREST: f64 = 20.0;

/// The places of rows with these neighbours, each on its own.
///
/// A row minimises the near loss of PaCMAP against its neighbours, which stay where they are, each
/// weighted by its closeness: `1 / (1/20 + (distance / typical)^2)`. It begins at their weighted mean
/// and moves to the mean that the loss weights anew in every turn, which never raises the loss.
pub(super) fn place(
    neighbors: &Neighbors,
    near: usize,
    fitted: ArrayView2<'_, f32>,
    rows: usize,
) -> Result<Array2<f32>> {
    let dims = fitted.ncols();
    let mut placed = matrix::zeros(rows, dims, "coordinates")?;
    let Some(values) = placed.as_slice_mut() else {
        return Ok(placed);
    };
    values
        .par_chunks_mut(dims.max(1))
        .with_min_len(64)
        .enumerate()
        .for_each(|(row, place)| {
            let (Some(others), Some(distances)) =
                (neighbors.indices(row), neighbors.distances(row))
            else {
                return;
            };
            let weights = closeness(distances, near);
            let at = settle(&weights, others, fitted);
            for (place, value) in place.iter_mut().zip(at) {
                *place = value as f32;
            }
        });
    Ok(placed)
}

/// The weights of the `near` nearest neighbours.
fn closeness(distances: &[f32], near: usize) -> Vec<f64> {
    let (from, to) = (
        distances.len().saturating_sub(3).min(3),
        distances.len().min(6),
    );
    let typical: f64 = distances[from..to].iter().map(|&d| f64::from(d)).sum();
    let typical = (typical / (to - from).max(1) as f64).max(1e-30);
    let weight = |&distance: &f32| {
        let relative = f64::from(distance) / typical;
        1.0 / (1.0 / NEAREST + relative * relative)
    };
    distances.iter().take(near).map(weight).collect()
}

fn settle(weights: &[f64], others: &[u32], fitted: ArrayView2<'_, f32>) -> Vec<f64> {
    let mut at = mean(weights, others, fitted);
    let mut pulls = vec![0.0; weights.len()];
    for _ in 0..TURNS {
        for ((pull, weight), &other) in pulls.iter_mut().zip(weights).zip(others) {
            let square: f64 = fitted
                .row(other as usize)
                .iter()
                .zip(&at)
                .map(|(&place, at)| (f64::from(place) - at) * (f64::from(place) - at))
                .sum();
            *pull = weight / ((OFFSET + square) * (OFFSET + square));
        }
        at = mean(&pulls, others, fitted);
    }
    at
}

fn mean(weights: &[f64], others: &[u32], fitted: ArrayView2<'_, f32>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    let mut mean = vec![0.0; fitted.ncols()];
    for (weight, &other) in weights.iter().zip(others) {
        for (mean, &value) in mean.iter_mut().zip(fitted.row(other as usize)) {
            *mean += weight / total * f64::from(value);
        }
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn neighbours_on_two_sides_at_one_distance_hold_a_row_between_them() {
        let fitted = arr2(&[[0.0_f32, 0.0], [2.0, 0.0]]);
        let at = settle(&[1.0, 1.0], &[0, 1], fitted.view());
        assert!((at[0] - 1.0).abs() < 1e-9 && at[1].abs() < 1e-9);
    }

    #[test]
    fn a_neighbour_far_off_in_the_layout_hardly_counts() {
        let fitted = arr2(&[[0.0_f32, 0.0], [1.0, 0.0], [500.0, 0.0]]);
        let at = settle(&[1.0; 3], &[0, 1, 2], fitted.view());
        assert!(at[0] < 1.0, "{at:?}");
    }

    #[test]
    fn the_closest_neighbour_weighs_most() {
        let weights = closeness(&[0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 2.0], 4);
        assert_eq!(weights.len(), 4);
        assert_eq!(weights[0], 20.0);
        assert!(weights.is_sorted_by(|a, b| a >= b));
    }
}
