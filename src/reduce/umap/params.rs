//! What a fit can be told.

use ndarray::Array2;

use super::model::Umap;
use crate::reduce::{Metric, Params, Threads};
use crate::{Error, Result};

/// Memory that a fit may take unless set otherwise: 8 GiB.
const MEMORY_LIMIT: u64 = 8 << 30;

/// Most coordinates that a layout has.
pub(super) const MOST_DIMS: usize = 64;

/// Most epochs of a fit; a placement has a third of its fit's.
pub(super) const MOST_EPOCHS: usize = 1_000_000;

/// Where a layout begins.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub enum UmapInit {
    /// At the principal components: on some data they keep more of the arrangement of groups than
    /// `Spectral`, on others as much.
    #[default]
    Pca,
    /// At the eigenvectors of the graph's normalised Laplacian, umap-learn's default; at the principal
    /// components where the graph falls apart or the eigenvectors are not found, which
    /// [`Umap::fallback`] then tells.
    Spectral,
    /// At places drawn evenly.
    Random,
    /// At these coordinates, `[rows, dims]`.
    Given(Array2<f32>),
}

/// Parameters of [`Umap`], named as in umap-learn.
///
/// | parameter | default |
/// |---|---|
/// | `dims` | 2 |
/// | `n_neighbors` | 15, the row itself counted |
/// | `min_dist`, `spread` | 0.1, 1 |
/// | `metric` | Euclidean |
/// | `n_epochs` | 500 up to 10,000 rows, else 200 |
/// | `learning_rate`, `repulsion_strength` | 1, 1 |
/// | `negative_sample_rate` | 7, where umap-learn has 5: neighbours are kept better |
/// | `set_op_mix_ratio`, `local_connectivity` | 1, 1 |
/// | `init` | principal components |
/// | `seed`, `threads`, `memory_limit` | 0, all, 8 GiB |
#[derive(Clone, Debug, PartialEq)]
pub struct UmapParams {
    pub(super) dims: usize,
    pub(super) neighbors: usize,
    pub(super) min_dist: f64,
    pub(super) spread: f64,
    pub(super) metric: Metric,
    pub(super) epochs: Option<usize>,
    pub(super) learning_rate: f32,
    pub(super) repulsion: f64,
    pub(super) negatives: usize,
    pub(super) mix: f32,
    pub(super) connectivity: f32,
    pub(super) init: UmapInit,
    pub(super) seed: u64,
    pub(super) threads: Threads,
    pub(super) memory_limit: u64,
}

/// Checked parameters of [`Umap`].
#[derive(Clone, Debug, PartialEq)]
pub struct UmapValidParams(pub(super) UmapParams);

impl Umap {
    /// The parameters, to be set and fitted.
    pub fn params() -> UmapParams {
        UmapParams {
            dims: 2,
            neighbors: 15,
            min_dist: 0.1,
            spread: 1.0,
            metric: Metric::Euclidean,
            epochs: None,
            learning_rate: 1.0,
            repulsion: 1.0,
            negatives: 7,
            mix: 1.0,
            connectivity: 1.0,
            init: UmapInit::Pca,
            seed: 0,
            threads: Threads::All,
            memory_limit: MEMORY_LIMIT,
        }
    }
}

impl UmapParams {
    /// Sets the number of coordinates, 1 to 64.
    pub fn dims(mut self, dims: usize) -> Self {
        self.dims = dims;
        self
    }

    /// Sets the size of a neighbourhood, at least 2.
    ///
    /// The row itself counts, as in umap-learn: 15 asks for 14 other rows. All others are taken where
    /// there are fewer.
    pub fn n_neighbors(mut self, count: usize) -> Self {
        self.neighbors = count;
        self
    }

    /// Sets how close together rows may lie, in units of the layout; 0 up to `spread`.
    pub fn min_dist(mut self, distance: f64) -> Self {
        self.min_dist = distance;
        self
    }

    /// Sets the scale of the layout.
    pub fn spread(mut self, spread: f64) -> Self {
        self.spread = spread;
        self
    }

    /// Sets how far apart two embeddings are.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Sets the passes over the edges. New rows take a third of them in `transform`.
    pub fn n_epochs(mut self, epochs: usize) -> Self {
        self.epochs = Some(epochs);
        self
    }

    /// Sets the learning rate of the first epoch; it falls linearly to 0.
    pub fn learning_rate(mut self, rate: f32) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Sets the weight of pushes beside that of pulls.
    pub fn repulsion_strength(mut self, strength: f64) -> Self {
        self.repulsion = strength;
        self
    }

    /// Sets the pushes per pull.
    pub fn negative_sample_rate(mut self, count: usize) -> Self {
        self.negatives = count;
        self
    }

    /// Sets how the views of two rows on each other are joined: 1 their union, 0 their intersection.
    pub fn set_op_mix_ratio(mut self, ratio: f32) -> Self {
        self.mix = ratio;
        self
    }

    /// Sets the neighbours that a row is connected to outright; a fraction goes part of the way.
    pub fn local_connectivity(mut self, count: f32) -> Self {
        self.connectivity = count;
        self
    }

    /// Sets where the layout begins.
    pub fn init(mut self, init: UmapInit) -> Self {
        self.init = init;
        self
    }

    /// Sets the seed of everything random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the threads; the coordinates have the same bits whatever their number.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the bytes that a fit may take beside the matrix that is fitted.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }
}

impl Params for UmapParams {
    type Checked = UmapValidParams;

    fn check(&self) -> Result<UmapValidParams> {
        let mut problems = Vec::new();
        let mut refuse = |sound: bool, name: &str, value: String, reason: &str, hint: &str| {
            if !sound {
                problems.push(Error::invalid(name, value, reason, hint));
            }
        };
        refuse(
            (1..=MOST_DIMS).contains(&self.dims),
            "dims",
            self.dims.to_string(),
            "a layout has 1 to 64 coordinates",
            "ask for 2 or 3",
        );
        refuse(
            self.neighbors >= 2,
            "n_neighbors",
            self.neighbors.to_string(),
            "a neighbourhood counts the row itself and needs another",
            "ask for 15",
        );
        refuse(
            self.spread.is_finite() && (1e-6..=1e6).contains(&self.spread),
            "spread",
            self.spread.to_string(),
            "the scale of a layout lies in 1e-6..=1e6",
            "ask for 1",
        );
        refuse(
            self.min_dist.is_finite() && (0.0..=self.spread).contains(&self.min_dist),
            "min_dist",
            self.min_dist.to_string(),
            "rows may lie 0 to `spread` apart",
            "ask for 0.1",
        );
        refuse(
            self.epochs.is_none_or(|epochs| epochs <= MOST_EPOCHS),
            "n_epochs",
            self.epochs.unwrap_or_default().to_string(),
            "a layout does not change any more after a million",
            "ask for 500",
        );
        refuse(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "learning_rate",
            self.learning_rate.to_string(),
            "steps have a positive length",
            "ask for 1",
        );
        refuse(
            self.repulsion.is_finite() && (0.0..=1e6).contains(&self.repulsion),
            "repulsion_strength",
            self.repulsion.to_string(),
            "a weight lies in 0..=1e6",
            "ask for 1",
        );
        refuse(
            self.negatives <= 1_000,
            "negative_sample_rate",
            self.negatives.to_string(),
            "more than 1000 pushes per pull leave nothing of the pulls",
            "ask for 7",
        );
        refuse(
            (0.0..=1.0).contains(&self.mix),
            "set_op_mix_ratio",
            self.mix.to_string(),
            "a share lies in 0..=1",
            "ask for 1",
        );
        refuse(
            self.connectivity.is_finite() && self.connectivity >= 0.0,
            "local_connectivity",
            self.connectivity.to_string(),
            "a number of neighbours is not negative",
            "ask for 1",
        );
        Error::all(problems)?;
        Ok(UmapValidParams(self.clone()))
    }
}
