//! What a fit can be told.

use ndarray::Array2;

use super::model::Pacmap;
use crate::reduce::{Metric, Params, Threads};
use crate::{Error, Result};

/// Memory that a fit may take unless set otherwise: 8 GiB.
const MEMORY_LIMIT: u64 = 8 << 30;

/// Most coordinates that a layout has.
pub(super) const MOST_DIMS: usize = 64;

/// Where a layout begins.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Init {
    /// At the principal components, scaled to a fixed small spread.
    #[default]
    Pca,
    /// At normal random places close to the origin.
    Random,
    /// At these coordinates, `[rows, dims]`, as they are: they are not rescaled.
    Given(Array2<f32>),
}

/// Coordinates that a fit stays close to, and how strongly.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Follow {
    pub(super) penalty: f32,
}

/// Parameters of [`Pacmap`].
///
/// | parameter | default |
/// |---|---|
/// | `dims` | 2 |
/// | `n_neighbors` | 10 |
/// | `mn_ratio`, `fp_ratio` | 0.5, 2 |
/// | `distance` | Euclidean |
/// | `learning_rate` | 1 |
/// | `iterations` | 100, 100, 250 |
/// | `apply_pca` | yes |
/// | `init` | principal components |
/// | `seed`, `threads`, `memory_limit` | 0, all, 8 GiB |
#[derive(Clone, Debug, PartialEq)]
pub struct PacmapParams {
    pub(super) dims: usize,
    pub(super) neighbors: Option<usize>,
    pub(super) mid_ratio: f32,
    pub(super) far_ratio: f32,
    pub(super) metric: Metric,
    pub(super) learning_rate: f32,
    pub(super) phases: [usize; 3],
    pub(super) apply_pca: bool,
    pub(super) init: Init,
    pub(super) follow: Option<Follow>,
    pub(super) seed: u64,
    pub(super) threads: Threads,
    pub(super) memory_limit: u64,
}

/// Checked parameters of [`Pacmap`].
#[derive(Clone, Debug, PartialEq)]
pub struct PacmapValidParams(pub(super) PacmapParams);

impl Pacmap {
    /// The parameters, to be set and fitted.
    pub fn params() -> PacmapParams {
        PacmapParams {
            dims: 2,
            neighbors: Some(10),
            mid_ratio: 0.5,
            far_ratio: 2.0,
            metric: Metric::Euclidean,
            learning_rate: 1.0,
            phases: [100, 100, 250],
            apply_pca: true,
            init: Init::Pca,
            follow: None,
            seed: 0,
            threads: Threads::All,
            memory_limit: MEMORY_LIMIT,
        }
    }
}

impl PacmapParams {
    /// Sets the number of coordinates, 1 to 64.
    pub fn dims(mut self, dims: usize) -> Self {
        self.dims = dims;
        self
    }

    /// Sets the near partners of every row; fewer are taken where there are too few rows.
    pub fn n_neighbors(mut self, count: usize) -> Self {
        self.neighbors = Some(count);
        self
    }

    /// Sets the near partners by the number of rows: 10 up to 10,000 rows, `10 + 15 (log10 rows - 4)`
    /// beyond. (Python's `n_neighbors=None`.)
    pub fn n_neighbors_by_rows(mut self) -> Self {
        self.neighbors = None;
        self
    }

    /// Sets the mid-near partners per near partner.
    pub fn mn_ratio(mut self, ratio: f32) -> Self {
        self.mid_ratio = ratio;
        self
    }

    /// Sets the far partners per near partner.
    pub fn fp_ratio(mut self, ratio: f32) -> Self {
        self.far_ratio = ratio;
        self
    }

    /// Sets how far apart two embeddings are.
    ///
    /// With [`Metric::Cosine`] every row is brought to length 1 first and all else is Euclidean, which
    /// gives the distance that Python's pacmap calls `angular`, of the rows as they are: the peer
    /// centres them before it takes angles. A row of zeros stays.
    pub fn distance(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Sets Adam's learning rate.
    pub fn learning_rate(mut self, rate: f32) -> Self {
        self.learning_rate = rate;
        self
    }

    /// Sets the iterations of the three phases.
    pub fn iterations(mut self, global: usize, transition: usize, local: usize) -> Self {
        self.phases = [global, transition, local];
        self
    }

    /// Sets whether embeddings of more than 100 values are reduced to 100 principal components before
    /// anything else.
    pub fn apply_pca(mut self, apply: bool) -> Self {
        self.apply_pca = apply;
        self
    }

    /// Sets where the layout begins.
    pub fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Begins at the coordinates of an earlier layout of the same rows and stays close to them, as
    /// for the next epoch of a training.
    ///
    /// Only the last phase runs, for 100 iterations unless [`iterations`](Self::iterations) is
    /// called later, with `penalty |y - previous|^2` added to the loss of every row; what the layout
    /// moves as a whole is taken out. 0 holds no row back; at 0.1 a row half a unit off is drawn back
    /// as strongly as one neighbour a unit off draws it.
    pub fn follow(mut self, previous: Array2<f32>, penalty: f32) -> Self {
        self.init = Init::Given(previous);
        self.follow = Some(Follow { penalty });
        self.phases = [0, 0, 100];
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

impl Params for PacmapParams {
    type Checked = PacmapValidParams;

    fn check(&self) -> Result<PacmapValidParams> {
        let mut problems = Vec::new();
        let mut refuse = |sound: bool, name: &str, value: String, reason: &str, hint: &str| {
            if !sound {
                problems.push(Error::invalid(name, value, reason, hint));
            }
        };
        let ratio = |value: f32| value.is_finite() && (0.0..=1e6).contains(&value);
        refuse(
            (1..=MOST_DIMS).contains(&self.dims),
            "dims",
            self.dims.to_string(),
            "a layout has 1 to 64 coordinates",
            "ask for 2 or 3",
        );
        refuse(
            self.neighbors != Some(0),
            "n_neighbors",
            "0".into(),
            "a row needs at least one near partner",
            "ask for 10",
        );
        let what = "a number of partners per near partner cannot be negative or beyond 1e6";
        refuse(
            ratio(self.mid_ratio),
            "mn_ratio",
            self.mid_ratio.to_string(),
            what,
            "ask for 0.5",
        );
        refuse(
            ratio(self.far_ratio),
            "fp_ratio",
            self.far_ratio.to_string(),
            what,
            "ask for 2",
        );
        refuse(
            self.learning_rate.is_finite() && self.learning_rate > 0.0,
            "learning_rate",
            self.learning_rate.to_string(),
            "steps have a positive length",
            "ask for 1",
        );
        if let Some(follow) = &self.follow {
            refuse(
                follow.penalty.is_finite() && follow.penalty >= 0.0,
                "penalty",
                follow.penalty.to_string(),
                "movement cannot be rewarded",
                "ask for 0 or more",
            );
        }
        Error::all(problems)?;
        Ok(PacmapValidParams(self.clone()))
    }
}
