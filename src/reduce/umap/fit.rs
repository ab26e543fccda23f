//! A fit from rows to coordinates.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView2};

use super::graph::Graph;
use super::kernel::Forces;
use super::model::{Fixed, Umap};
use super::optimise::{Settings, optimise};
use super::params::{UmapParams, UmapValidParams};
use super::{METHOD, curve, start};
use crate::reduce::{NeighborMethod, NeighborSearch, Neighbors, Reducer, Watch, input, matrix};
use crate::{Error, Result};

const DURING: &str = "UMAP";

/// Rows up to which layouts take many epochs.
const SMALL: usize = 10_000;

/// The share of true neighbours that the graph is made of where not all rows are compared.
pub(super) const RECALL: f32 = 0.98;

/// Rows, and their square times their width, up to which all rows are compared, a second or two on a
/// core: on 10,000 rows of MNIST a graph of .96 of the neighbours cost .006 of the accuracy of a vote
/// among neighbours in the layout, one of .98 cost .002.
const COMPARED: (usize, f64) = (15_000, 2e11);

impl Reducer for UmapValidParams {
    type Fitted = Umap;

    fn fit_watched(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<(Umap, Array2<f32>)> {
        let params = &self.0;
        watch.check(DURING)?;
        check(params, x)?;
        let (rows, dims) = (x.nrows(), params.dims);
        let (a, b) = curve::fit(params.spread, params.min_dist);
        let epochs = params
            .epochs
            .unwrap_or(if rows <= SMALL { 500 } else { 200 });
        let (coordinates, fallback) = if rows == 1 {
            (matrix::zeros(1, dims, "coordinates")?, None)
        } else {
            let neighbors = NeighborSearch::new(params.neighbors - 1)
                .metric(params.metric)
                .recall(RECALL)
                .method(method(rows, x.ncols()))
                .threads(params.threads)
                .seed(params.seed)
                .memory_limit(params.memory_limit)
                .search(x, watch)?;
            let settings = Settings {
                dims,
                epochs,
                rate: params.learning_rate,
                pushes: params.negatives,
                forces: Forces::new(a, b, params.repulsion),
                seed: params.seed,
            };
            let layout = || layout(params, x, neighbors, &settings, watch);
            params.threads.run(layout)??
        };
        matrix::check_finite(
            coordinates.view(),
            "the result of UMAP",
            "lower the learning rate, or begin at other coordinates",
        )?;
        let mut kept = matrix::zeros(rows, x.ncols(), "the fitted rows")?;
        kept.assign(&x);
        let fitted = Umap {
            settings: Fixed {
                metric: params.metric,
                neighbors: params.neighbors,
                epochs: match params.epochs {
                    Some(epochs) => epochs / 3,
                    None if rows <= SMALL => 100,
                    None => 30,
                },
                negatives: params.negatives,
                seed: params.seed,
                a,
                b,
                repulsion: params.repulsion,
                learning_rate: f64::from(params.learning_rate),
                connectivity: f64::from(params.connectivity),
            },
            fallback,
            rows: kept,
            coordinates: coordinates.clone(),
            threads: params.threads,
            index: OnceLock::new(),
        };
        Ok((fitted, coordinates))
    }
}

fn method(rows: usize, width: usize) -> NeighborMethod {
    let (most, work) = COMPARED;
    if rows <= most && (rows as f64).powi(2) * width as f64 <= work {
        NeighborMethod::Exact
    } else {
        NeighborMethod::Auto
    }
}

/// The layout from neighbours on, and why it did not begin where it was told to.
fn layout(
    params: &UmapParams,
    x: ArrayView2<'_, f32>,
    neighbors: Neighbors,
    settings: &Settings,
    watch: &Watch<'_>,
) -> Result<(Array2<f32>, Option<String>)> {
    let rows = x.nrows();
    let all = |row: usize| neighbors.indices(row).unwrap_or_default().iter().copied();
    let indices: Vec<u32> = (0..rows).flat_map(all).collect();
    let all = |row: usize| neighbors.distances(row).unwrap_or_default().iter().copied();
    let distances: Vec<f32> = (0..rows).flat_map(all).collect();
    let k = neighbors.k();
    drop(neighbors);
    let graph = Graph::of((&indices, &distances), k, params.connectivity, params.mix);
    drop((indices, distances));
    // umap-learn: so few epochs would leave out edges that matter.
    let sampled = match settings.epochs {
        0..=10 if rows <= SMALL => 500,
        0..=10 => 200,
        epochs => epochs,
    };
    let graph = graph.without_rare_edges(sampled);
    watch.check(DURING)?;
    let (start, fallback) = start::start(params, x, &graph, watch)?;
    let places = optimise(&graph, &start, settings, watch)?;
    Ok((start::matrix_of(places, rows, settings.dims)?, fallback))
}

fn check(params: &UmapParams, x: ArrayView2<'_, f32>) -> Result<()> {
    let (rows, columns) = x.dim();
    input::check_not_empty(METHOD, x)?;
    let needed = needed(params, rows, columns);
    // Edges and samples of an epoch have numbers of 32 bits.
    let numbers = (rows as u64).saturating_mul(2 * params.neighbors.min(rows) as u64 + 16);
    if needed > params.memory_limit || u32::try_from(numbers).is_err() {
        return Err(Error::TooLarge {
            what: format!("UMAP of {rows} x {columns} values"),
            needed,
            limit: params.memory_limit,
            hint: "fit on fewer rows and transform the rest, or raise `memory_limit`".into(),
        });
    }
    start::check(&params.init, rows, params.dims)?;
    matrix::check_finite(x, "the matrix to fit", "leave the row out before reducing")
}

/// Bytes that the rows kept, the graph and the layout take: every row has up to `2 k` edges.
fn needed(params: &UmapParams, rows: usize, columns: usize) -> u64 {
    let edges = 2 * params.neighbors.min(rows) as u64;
    let each = (columns as u64)
        .saturating_mul(4)
        .saturating_add(edges.saturating_mul(88 + 4 * params.dims as u64))
        .saturating_add(16 * params.dims as u64 + 100);
    (rows as u64).saturating_mul(each)
}
