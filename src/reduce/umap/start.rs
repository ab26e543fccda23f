//! Where a layout begins.

use std::collections::HashSet;

use ndarray::{Array2, ArrayView2};

use super::graph::Graph;
use super::params::{UmapInit, UmapParams};
use super::spectral;
use crate::reduce::matrix::Frame;
use crate::reduce::random::Random;
use crate::reduce::{NeighborSearch, Pca, Reducer, Watch, matrix};
use crate::{Error, Result};

/// Coordinates of a start lie in 0..=10.
const SIDE: f32 = 10.0;

/// The noise that sets rows apart which begin at one place.
const NOISE: f32 = 1e-4;

const STREAM: u64 = 0x554D_0004;

/// Refuses given coordinates that do not go with the matrix.
pub(super) fn check(init: &UmapInit, rows: usize, dims: usize) -> Result<()> {
    let UmapInit::Given(given) = init else {
        return Ok(());
    };
    if given.dim() != (rows, dims) {
        return Err(Error::invalid(
            "init",
            format!("{:?}", given.dim()),
            format!("a layout of {rows} rows in {dims} dims begins at one place per row"),
            "pass coordinates of that shape",
        ));
    }
    matrix::check_finite(
        given.view(),
        "the coordinates to begin at",
        "leave the row out",
    )
}

/// Coordinates `[rows, dims]`, and why they are not the spectral ones that were asked for.
pub(super) fn start(
    params: &UmapParams,
    x: ArrayView2<'_, f32>,
    graph: &Graph,
    watch: &Watch<'_>,
) -> Result<(Vec<f32>, Option<String>)> {
    let (dims, seed) = (params.dims, params.seed);
    let mut fallback = None;
    let mut places = match &params.init {
        UmapInit::Given(given) => {
            let mut places: Vec<f32> = given.iter().copied().collect();
            if has_duplicates(given.view()) {
                let nearest = NeighborSearch::new(1)
                    .seed(seed)
                    .threads(params.threads)
                    .memory_limit(params.memory_limit)
                    .search(given.view(), watch)?;
                let count = given.nrows().max(1) as f32;
                let mean = (0..given.nrows())
                    .filter_map(|row| nearest.distances(row)?.first().copied())
                    .sum::<f32>()
                    / count;
                add_noise(&mut places, 1e-3 * mean, seed);
            }
            places
        }
        UmapInit::Random => {
            let mut random = Random::at(seed, STREAM, 0);
            (0..x.nrows() * dims).map(|_| random.unit()).collect()
        }
        UmapInit::Pca => principal(params, x, watch)?,
        UmapInit::Spectral => {
            let parts = spectral::components(graph);
            let found = match parts {
                1 => spectral::layout(graph, dims, seed, watch)?,
                _ => None,
            };
            match found {
                Some(mut places) => {
                    scale_and_shake(&mut places, seed);
                    places
                }
                None => {
                    fallback = Some(match parts {
                        1 => "the eigenvectors of the graph were not found".to_owned(),
                        _ => format!("the graph falls into {parts} parts"),
                    });
                    principal(params, x, watch)?
                }
            }
        }
    };
    fill_box(&mut places, dims);
    Ok((places, fallback))
}

/// The principal components; axes beyond the width of `x` hold noise alone.
fn principal(params: &UmapParams, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Vec<f32>> {
    let axes = params.dims.min(x.ncols());
    let near = Frame::of(x).map(|frame| frame.bring(x));
    let x = near.as_ref().map_or(x, |near| near.view());
    let (_, coordinates) = Pca::params()
        .dims(axes)
        .seed(params.seed)
        .threads(params.threads)
        .memory_limit(params.memory_limit)
        .fit_watched(x, watch)?;
    let mut places = vec![0.0; x.nrows() * params.dims];
    for (place, row) in places.chunks_mut(params.dims).zip(coordinates.outer_iter()) {
        for (place, &value) in place.iter_mut().zip(row) {
            *place = value;
        }
    }
    scale_and_shake(&mut places, params.seed);
    Ok(places)
}

/// Scales the largest coordinate to 10 and adds noise, as umap-learn does.
fn scale_and_shake(places: &mut [f32], seed: u64) {
    let largest = places
        .iter()
        .fold(0.0_f32, |largest, value| largest.max(value.abs()));
    if largest > 0.0 {
        for place in places.iter_mut() {
            *place = *place / largest * SIDE;
        }
    }
    add_noise(places, NOISE, seed);
}

fn add_noise(places: &mut [f32], deviation: f32, seed: u64) {
    let mut random = Random::at(seed, STREAM, 1);
    for place in places {
        *place += deviation * random.normal();
    }
}

/// Stretches every coordinate to 0..=10; one that does not vary becomes 0.
fn fill_box(places: &mut [f32], dims: usize) {
    for dim in 0..dims {
        let values = || places.iter().skip(dim).step_by(dims).copied();
        let (least, most) = values()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(least, most), v| {
                (least.min(v), most.max(v))
            });
        // Halves first: the range of finite numbers can be beyond f32.
        let range = most / 2.0 - least / 2.0;
        for place in places.iter_mut().skip(dim).step_by(dims) {
            *place = if range > 0.0 {
                (*place / 2.0 - least / 2.0) / range * SIDE
            } else {
                0.0
            };
        }
    }
}

fn has_duplicates(places: ArrayView2<'_, f32>) -> bool {
    let mut seen = HashSet::with_capacity(places.nrows());
    places.outer_iter().any(|row| {
        !seen.insert(
            row.iter()
                .map(|value| (value + 0.0).to_bits())
                .collect::<Vec<_>>(),
        )
    })
}

/// Coordinates in the form that the fit returns.
pub(super) fn matrix_of(places: Vec<f32>, rows: usize, dims: usize) -> Result<Array2<f32>> {
    let count = places.len();
    Array2::from_shape_vec((rows, dims), places).map_err(|error| {
        Error::invalid(
            "coordinates",
            count,
            error.to_string(),
            "report this as a bug",
        )
    })
}
