//! Which eigenproblem a fit solves, and how.

use faer::Mat;
use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::model::{METHOD, PcaSolver};
use super::{products, randomized};
use crate::reduce::{Watch, eigen, matrix};
use crate::{Error, Result};

/// Up to this side all eigenvectors are found at once.
const FULL_SIDE: usize = 256;

/// Up to this side the products of all columns are formed.
const FORMED_SIDE: usize = 2048;

/// Beyond this side `Auto` does not read the matrix again and again: it refuses it by memory.
const RANDOMIZED_SIDE: usize = 1 << 16;

/// Products of so many multiplications are computed in f64 without asking.
const CHEAP: u64 = 1 << 28;

/// How one fit goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    route: Route,
    /// Whether products are computed in f64.
    wide: bool,
    by_columns: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Full,
    FormedIteration,
    Iteration,
}

/// Eigenvalues of the scatter matrix, their unit vectors over columns, and the sum of all values.
pub(super) struct Spectrum {
    pub(super) pairs: Vec<(f64, Vec<f64>)>,
    pub(super) total: f64,
}

impl Plan {
    pub(super) fn new(solver: PcaSolver, rows: usize, width: usize, dims: usize) -> Self {
        let side = rows.min(width);
        let few = dims.saturating_mul(4) <= side;
        let route = match solver {
            PcaSolver::Exact => Route::Full,
            PcaSolver::Randomized if side <= FORMED_SIDE => Route::FormedIteration,
            PcaSolver::Randomized => Route::Iteration,
            PcaSolver::Auto if side <= FULL_SIDE || !few || side > RANDOMIZED_SIDE => Route::Full,
            PcaSolver::Auto if side <= FORMED_SIDE => Route::FormedIteration,
            PcaSolver::Auto => Route::Iteration,
        };
        let work = matrix::bytes(rows, width, side);
        Self {
            route,
            wide: solver == PcaSolver::Exact || work <= CHEAP,
            by_columns: width <= rows || route == Route::Iteration,
        }
    }

    /// Bytes that the working matrices take.
    pub(super) fn bytes(&self, rows: usize, width: usize, dims: usize) -> u64 {
        let (side, length) = (rows.min(width), rows.max(width));
        let square = matrix::bytes(side, side, 8);
        let size = if self.wide { 8 } else { 4 };
        let formed = products::working_bytes(side, length, size).saturating_add(square);
        let vectors = randomized::subspace(dims, side);
        match self.route {
            Route::Full => formed.saturating_add(square.saturating_mul(3)),
            Route::FormedIteration => {
                formed.saturating_add(matrix::bytes(side, vectors, 8).saturating_mul(5))
            }
            Route::Iteration => matrix::bytes(width, vectors, 8)
                .saturating_mul(9)
                .saturating_add(matrix::bytes(8 * 512, width, 4)),
        }
    }

    /// Finds the leading vectors. `scale`, a power of two, brings the values to about 1, so that
    /// products of f32 neither overflow nor vanish.
    pub(super) fn solve(
        self,
        x: ArrayView2<'_, f32>,
        mean: &[f64],
        scale: f64,
        dims: usize,
        seed: u64,
        watch: &Watch<'_>,
    ) -> Result<Spectrum> {
        let (rows, width) = x.dim();
        let unsolved = || Error::Degenerate {
            method: METHOD,
            rows,
            columns: width,
            reason: "its eigenvalues were not found".into(),
            hint: "rescale the values".into(),
        };
        let undo = 1.0 / (scale * scale);
        let (mut pairs, total) = if self.route == Route::Iteration {
            let apply = |basis: &Mat<f64>| randomized::times_scatter(x, mean, scale, basis, watch);
            let pairs = randomized::largest(width, dims, seed, apply)?.ok_or_else(unsolved)?;
            (pairs, matrix::squared_deviation(x, mean) / undo)
        } else {
            let products = if self.wide {
                products::symmetric::<f64>(x, mean, scale, self.by_columns, watch)?
            } else {
                products::symmetric::<f32>(x, mean, scale, self.by_columns, watch)?
            };
            let total = (0..products.nrows()).map(|i| products[(i, i)]).sum();
            let pairs = if self.route == Route::Full {
                eigen::largest(&products, dims)
            } else {
                let apply = |basis: &Mat<f64>| Ok(randomized::times(&products, basis));
                randomized::largest(products.nrows(), dims, seed, apply)?
            };
            (pairs.ok_or_else(unsolved)?, total)
        };
        // What rounding alone leaves: variance below is none.
        let precision = if self.wide {
            f64::EPSILON
        } else {
            f64::from(f32::EPSILON) / 16.0
        };
        let largest = pairs.first().map_or(0.0, |(value, _)| value.max(0.0));
        let noise = largest * precision * rows.max(width) as f64;
        let noise = if self.wide {
            noise
        } else {
            noise.min(largest * 1e-6)
        };
        pairs.retain(|(value, _)| *value > noise);
        if !self.by_columns {
            let mut components: Vec<Vec<f64>> = Vec::new();
            for (_, vector) in &pairs {
                components.push(from_rows(x, mean, vector, &components));
            }
            for ((_, vector), component) in pairs.iter_mut().zip(components) {
                *vector = component;
            }
        }
        for (value, _) in &mut pairs {
            *value *= undo;
        }
        Ok(Spectrum {
            pairs,
            total: total * undo,
        })
    }
}

/// The component that belongs to an eigenvector `u` of the Gram matrix: `Xc' u`, of unit length.
///
/// What is left of earlier components is taken out: products of small eigenvalues lose digits.
fn from_rows(x: ArrayView2<'_, f32>, mean: &[f64], u: &[f64], earlier: &[Vec<f64>]) -> Vec<f64> {
    let mut component = vec![0.0; mean.len()];
    component
        .par_chunks_mut(1024)
        .enumerate()
        .for_each(|(part, sums)| {
            let from = part * 1024;
            let means = &mean[from..from + sums.len()];
            let columns = x.slice_axis(Axis(1), Slice::from(from..from + sums.len()));
            for (values, weight) in columns.outer_iter().zip(u) {
                for ((sum, &value), &mean) in sums.iter_mut().zip(values).zip(means) {
                    *sum += weight * (f64::from(value) - mean);
                }
            }
        });
    for known in earlier {
        let shared = matrix::dot(&component, known);
        for (value, known) in component.iter_mut().zip(known) {
            *value -= shared * known;
        }
    }
    let length = matrix::dot(&component, &component).sqrt();
    for value in &mut component {
        *value /= length;
    }
    component
}
