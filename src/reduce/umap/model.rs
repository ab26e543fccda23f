//! The fitted layout.

use std::sync::{Arc, OnceLock};

use ndarray::{Array2, ArrayView2};
use serde_json::json;

use super::fit::RECALL;
use super::place::{self, Placing};
use super::{METHOD, kernel::Forces, params::MOST_EPOCHS};
use crate::Result;
use crate::reduce::pieces::place_in_pieces;
use crate::reduce::projection::{Saved, SavedArray, corrupt};
use crate::reduce::{Metric, NeighborIndex, NeighborSearch, Projection, Threads, Watch, matrix};

/// A fitted UMAP layout (McInnes, Healy, Melville 2018, arXiv:1802.03426).
///
/// Parameters mean what they mean in umap-learn 0.5.12: `n_neighbors` counts the row itself, `a` and
/// `b` of the curve come from `min_dist` and `spread`. New rows are optimised for 100 epochs up to
/// 10,000 fitted rows and 30 beyond; umap-learn counts the new rows. The result depends on the seed,
/// never on the number of threads.
///
/// [`transform`](Projection::transform) begins at the mean of a row's nearest fitted rows, weighted by
/// membership, and lets it follow them while they stay where they are. What is random in it depends
/// on the seed and on the values of the row, so a row has one place whatever the rows beside it.
///
/// One row lies at the origin; no rows and no columns are errors.
///
/// `transform` works on the threads that the fit was told to work on, after [`load`] on all.
///
/// # Memory
/// The fit keeps the rows and their coordinates. The first `transform` prepares the rows for the
/// search of neighbours, which takes two copies of them, and later ones use what it made.
///
/// [`load`]: crate::reduce::load
///
/// ```
/// use emberlens::reduce::{Projection, Reducer, Umap};
/// use ndarray::Array2;
///
/// let two_groups = Array2::from_shape_fn((60, 5), |(i, j)| {
///     (if i < 30 { 0.0 } else { 9.0 }) + ((i * 7 + j * 3) % 11) as f32 * 0.1
/// });
/// let (umap, xy) = Umap::params().n_epochs(50).seed(7).fit_transform(two_groups.view())?;
/// assert_eq!(xy.dim(), (60, 2));
/// let again = umap.transform(two_groups.view())?;
/// assert_eq!(again.dim(), (60, 2));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Umap {
    pub(super) settings: Fixed,
    /// Why the layout did not begin where it was told to.
    pub(super) fallback: Option<String>,
    pub(super) rows: Array2<f32>,
    pub(super) coordinates: Array2<f32>,
    pub(super) threads: Threads,
    /// The rows made ready for the search, once a `transform` has asked for them.
    pub(super) index: OnceLock<Arc<NeighborIndex<'static>>>,
}

/// Models are equal that give equal coordinates, whatever threads they work on.
impl PartialEq for Umap {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
            && self.fallback == other.fallback
            && self.rows == other.rows
            && self.coordinates == other.coordinates
    }
}

/// What `transform` needs of the parameters.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fixed {
    pub(super) metric: Metric,
    pub(super) neighbors: usize,
    pub(super) epochs: usize,
    pub(super) negatives: usize,
    pub(super) seed: u64,
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) repulsion: f64,
    pub(super) learning_rate: f64,
    pub(super) connectivity: f64,
}

impl Umap {
    /// Coordinates of the fitted rows, `[rows, dims]`.
    pub fn coordinates(&self) -> ArrayView2<'_, f32> {
        self.coordinates.view()
    }

    /// `a` and `b` of the curve `1 / (1 + a d^(2b))` that turns distances in the layout into
    /// memberships.
    pub fn curve(&self) -> (f64, f64) {
        (self.settings.a, self.settings.b)
    }

    /// Why the layout began at the principal components although the spectral start was asked for;
    /// `None` when it began where it was told to.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// The places of some rows, on the threads that this runs on.
    fn place(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Array2<f32>> {
        let settings = &self.settings;
        let neighbors = self.index(watch)?.query_here(x, watch)?;
        let placing = Placing {
            fitted: self.coordinates.view(),
            settings,
            forces: Forces::new(settings.a, settings.b, settings.repulsion),
        };
        let placed = place::place(&placing, x, &neighbors, watch)?;
        let hint = "fit again with a lower learning rate";
        matrix::check_finite(placed.view(), "the result of UMAP", hint)?;
        Ok(placed)
    }

    /// The rows made ready for the search.
    fn index(&self, watch: &Watch<'_>) -> Result<&NeighborIndex<'static>> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let settings = &self.settings;
        let index = NeighborSearch::new(settings.neighbors)
            .metric(settings.metric)
            .recall(RECALL)
            .threads(self.threads)
            .seed(settings.seed)
            .memory_limit(u64::MAX) // no parameter could raise it after `load`
            .index(self.rows.view(), watch)?
            .into_owned();
        // Where two calls came at once, both have made the same.
        Ok(self.index.get_or_init(|| Arc::new(index)))
    }

    /// Reads the fields back from a file.
    pub(in crate::reduce) fn from_saved(mut saved: Saved, place: &str) -> Result<Self> {
        let (width, dims) = (saved.width, saved.dims);
        let refuse = |reason: &str| corrupt(place, reason.to_owned());
        let number = |name: &str| {
            let value = saved.params.get(name).and_then(serde_json::Value::as_u64);
            value
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| corrupt(place, format!("`{name}` is missing")))
        };
        let text = |name: &str| saved.params.get(name).and_then(serde_json::Value::as_str);
        let metric = match text("metric") {
            Some("euclidean") => Metric::Euclidean,
            Some("cosine") => Metric::Cosine,
            _ => return Err(refuse("its metric is not known")),
        };
        let fallback = text("fallback").map(str::to_owned);
        let (rows, neighbors) = (number("rows")?, number("n_neighbors")?);
        let (epochs, negatives) = (number("transform_epochs")?, number("negative_sample_rate")?);
        let numbers = saved.take("curve", &[5], place)?;
        let &[a, b, repulsion, learning_rate, connectivity] = numbers.as_slice() else {
            return Err(refuse("its curve is not whole"));
        };
        let sound = a > 0.0
            && b > 0.0
            && repulsion >= 0.0
            && learning_rate > 0.0
            && connectivity >= 0.0
            && neighbors >= 2
            && epochs <= MOST_EPOCHS / 3
            && negatives <= 1_000
            && ![width, dims, rows].contains(&0);
        if !sound {
            return Err(refuse("its parameters contradict each other"));
        }
        let matrix = |values: Vec<f32>, columns: usize| {
            Array2::from_shape_vec((rows, columns), values)
                .map_err(|error| corrupt(place, error.to_string()))
        };
        Ok(Self {
            settings: Fixed {
                metric,
                neighbors,
                epochs,
                negatives,
                seed: saved.seed.unwrap_or(0),
                a,
                b,
                repulsion,
                learning_rate,
                connectivity,
            },
            fallback,
            rows: matrix(saved.take_f32("rows", &[rows, width], place)?, width)?,
            coordinates: matrix(saved.take_f32("coordinates", &[rows, dims], place)?, dims)?,
            threads: Threads::All,
            index: OnceLock::new(),
        })
    }
}

impl Projection for Umap {
    fn method(&self) -> &'static str {
        METHOD
    }

    fn width(&self) -> usize {
        self.rows.ncols()
    }

    fn dims(&self) -> usize {
        self.coordinates.ncols()
    }

    fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        self.transform_watched(x, &Watch::default())
    }

    fn transform_watched(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Array2<f32>> {
        let sides = (self.width(), self.dims());
        self.threads
            .run(|| place_in_pieces(x, sides, watch, |x, watch| self.place(x, watch)))?
    }

    fn set_threads(&mut self, threads: Threads) {
        self.threads = threads;
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let (width, dims) = (self.width(), self.dims());
        let rows = self.rows.nrows();
        let settings = &self.settings;
        let metric = match settings.metric {
            Metric::Cosine => "cosine",
            _ => "euclidean",
        };
        let flat = |matrix: &Array2<f32>| matrix.iter().copied().collect::<Vec<f32>>();
        let curve = vec![
            settings.a,
            settings.b,
            settings.repulsion,
            settings.learning_rate,
            settings.connectivity,
        ];
        Saved {
            method: METHOD.into(),
            params: json!({
                "rows": rows,
                "n_neighbors": settings.neighbors,
                "metric": metric,
                "transform_epochs": settings.epochs,
                "negative_sample_rate": settings.negatives,
                "fallback": self.fallback,
            }),
            seed: Some(settings.seed),
            width,
            dims,
            arrays: vec![
                SavedArray::new("curve", &[5], curve),
                SavedArray::new("rows", &[rows, width], flat(&self.rows)),
                SavedArray::new("coordinates", &[rows, dims], flat(&self.coordinates)),
            ],
        }
        .to_bytes()
    }
}
