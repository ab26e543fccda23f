//! Where rows lie before the first iteration.

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::params::Init;
use super::space::Space;
use crate::reduce::pca::{Linear, Pca};
use crate::reduce::random::Random;
use crate::reduce::{Params, Watch};
use crate::{Error, Result};

/// Standard deviation of the widest axis of a start at the principal components. It is so small that
/// all forces are linear, so its exact size does not matter; that it is fixed does: layouts of data
/// in other units begin alike.
const SPREAD: f64 = 0.01;

/// Standard deviation of a random start, as in Python's pacmap.
const RANDOM_SPREAD: f32 = 1e-4;

/// The use of the seed (see [`Random::at`]).
const STREAM: u64 = 0x57A7;

/// Coordinates `[rows, dims]` to begin with; `reduced` are the rows in their space.
pub(super) fn start(
    init: &Init,
    space: &Space,
    reduced: ArrayView2<'_, f32>,
    dims: usize,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<Array2<f32>> {
    let rows = reduced.nrows();
    match init {
        Init::Given(given) => Ok(given.clone()),
        Init::Random => Ok(random(rows, dims, seed)),
        Init::Pca => {
            let axes = dims.min(reduced.ncols());
            let principal = if space.components.is_empty() {
                let params = Pca::params().dims(axes).seed(seed).memory_limit(u64::MAX);
                let pca = params.check()?.fit_here(reduced, watch)?;
                Linear::<f64>::new(pca.mean(), pca.components(), 1.0).place(reduced)?
            } else {
                reduced.slice_axis(Axis(1), Slice::from(..axes)).to_owned()
            };
            let deviations: Vec<f64> = principal.columns().into_iter().map(deviation).collect();
            let widest = deviations
                .iter()
                .fold(0.0_f64, |widest, &one| widest.max(one));
            // Axes without variance begin at random: rows on a line could never leave it otherwise.
            let varies = |deviation: &f64| *deviation > widest * 1e-6;
            let mut coordinates = if axes == dims && deviations.iter().all(varies) {
                Array2::zeros((rows, dims))
            } else {
                random(rows, dims, seed)
            };
            for (axis, &deviation) in deviations.iter().enumerate() {
                if varies(&deviation) {
                    let factor = (SPREAD / widest) as f32;
                    coordinates
                        .column_mut(axis)
                        .assign(&(&principal.column(axis) * factor));
                }
            }
            Ok(coordinates)
        }
    }
}

/// Refuses given coordinates that do not fit.
pub(super) fn check(init: &Init, rows: usize, dims: usize) -> Result<()> {
    let Init::Given(given) = init else {
        return Ok(());
    };
    if given.dim() != (rows, dims) {
        return Err(Error::invalid(
            "init",
            format!("{} x {}", given.nrows(), given.ncols()),
            format!("the layout has {rows} rows and {dims} dims"),
            "give one row of coordinates for every row of the matrix",
        ));
    }
    crate::reduce::matrix::check_finite(
        given.view(),
        "the given coordinates",
        "give finite coordinates, or another init",
    )
}

fn random(rows: usize, dims: usize, seed: u64) -> Array2<f32> {
    let mut coordinates = Array2::zeros((rows, dims));
    for (row, mut place) in coordinates.outer_iter_mut().enumerate() {
        let mut random = Random::at(seed, STREAM, row as u64);
        place.mapv_inplace(|_: f32| RANDOM_SPREAD * random.normal());
    }
    coordinates
}

fn deviation(column: ndarray::ArrayView1<'_, f32>) -> f64 {
    // Principal components are centred.
    let square: f64 = column
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    (square / column.len().max(1) as f64).sqrt()
}
