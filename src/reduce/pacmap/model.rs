//! The fitted layout.

use std::sync::OnceLock;

use ndarray::{Array2, ArrayView2};
use serde_json::json;

use super::space::Space;
use super::{METHOD, place};
use crate::reduce::neighbors::FARTHEST;
use crate::reduce::pieces::place_in_pieces;
use crate::reduce::projection::{Saved, SavedArray, corrupt};
use crate::reduce::{Metric, NeighborIndex, NeighborSearch, Projection, Threads, Watch, matrix};
use crate::{Error, Result};

/// Neighbours that tell how far apart neighbours typically are.
const TYPICAL: usize = 6;

/// A fitted PaCMAP layout (Wang, Huang, Rudin, Shaposhnik 2021, JMLR 22(201)).
///
/// Near rows attract each other, mid-near rows do at first, far rows repel each other; the losses,
/// weights and phases are those of the paper (section 4) and of Python's pacmap 0.9.1. The result
/// depends on the seed, never on the number of threads.
///
/// [`transform`](Projection::transform) places a row by its nearest fitted rows, which stay where
/// they are: at the minimum of the near loss, the closest weighing most. A fitted row comes close to
/// its own place, not onto it: half of them within 1/300 of the layout's spread on 10,000 digits.
///
/// One row, and rows that are all alike, lie at the origin; no rows and no columns are errors. Where
/// there are fewer rows than partners asked for, rows have fewer partners.
///
/// `transform` works on the threads that the fit was told to work on, after [`load`] on all.
///
/// [`load`]: crate::reduce::load
///
/// # Memory
/// The fit keeps the rows in at most 100 columns (unless `apply_pca` is off) and their coordinates.
/// The first `transform` prepares the search for neighbours among them and keeps it for later calls:
/// twice the size of those rows again.
///
/// ```
/// use emberlens::reduce::{Pacmap, Projection, Reducer};
/// use ndarray::Array2;
///
/// let two_groups = Array2::from_shape_fn((60, 5), |(i, j)| {
///     let centre = if i < 30 { 0.0 } else { 9.0 };
///     centre + ((i * 7 + j * 3) % 11) as f32 * 0.1
/// });
/// let (pacmap, xy) = Pacmap::params().seed(7).fit_transform(two_groups.view())?;
/// assert_eq!(xy.dim(), (60, 2));
/// let again = pacmap.transform(two_groups.view())?;
/// assert_eq!(again.dim(), (60, 2));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pacmap {
    pub(super) space: Space,
    pub(super) near: usize,
    pub(super) seed: u64,
    pub(super) reduced: Array2<f32>,
    pub(super) coordinates: Array2<f32>,
    pub(super) threads: Threads,
    /// The reduced rows made ready for queries, by the first call that asks for it.
    pub(super) index: OnceLock<NeighborIndex<'static>>,
}

/// Of what was fitted; threads, and whether rows were transformed already, make no difference.
impl PartialEq for Pacmap {
    fn eq(&self, other: &Self) -> bool {
        self.space == other.space
            && self.near == other.near
            && self.seed == other.seed
            && self.reduced == other.reduced
            && self.coordinates == other.coordinates
    }
}

impl Pacmap {
    /// Coordinates of the fitted rows, `[rows, dims]`.
    pub fn coordinates(&self) -> ArrayView2<'_, f32> {
        self.coordinates.view()
    }

    /// Near partners that a row had.
    pub fn n_neighbors(&self) -> usize {
        self.near
    }

    /// Reads the fields back from a file.
    pub(in crate::reduce) fn from_saved(mut saved: Saved, place: &str) -> Result<Self> {
        let (width, dims) = (saved.width, saved.dims);
        let refuse = |reason: &str| corrupt(place, reason.to_owned());
        let number = |saved: &Saved, name: &str| {
            let value = saved.params.get(name).and_then(serde_json::Value::as_u64);
            value
                .and_then(|value| usize::try_from(value).ok())
                .ok_or_else(|| corrupt(place, format!("`{name}` is missing")))
        };
        let (rows, columns) = (number(&saved, "rows")?, number(&saved, "columns")?);
        let axes = number(&saved, "components")?;
        let near = number(&saved, "n_neighbors")?;
        let metric = match saved
            .params
            .get("distance")
            .and_then(serde_json::Value::as_str)
        {
            Some("euclidean") => Metric::Euclidean,
            Some("cosine") => Metric::Cosine,
            _ => return Err(refuse("its distance is not known")),
        };
        let scale = saved
            .take("scale", &[1], place)?
            .first()
            .copied()
            .unwrap_or(0.0);
        let expected = if axes == 0 { width } else { axes };
        let sizes = [width, dims, rows, near, columns];
        if sizes.contains(&0) || columns != expected || scale <= 0.0 {
            return Err(refuse("its sizes contradict each other"));
        }
        let components = saved.take("components", &[axes, width], place)?;
        let mean = saved.take("mean", &[width], place)?;
        let matrix = |values: Vec<f32>, columns: usize| {
            Array2::from_shape_vec((rows, columns), values)
                .map_err(|error| corrupt(place, error.to_string()))
        };
        Ok(Self {
            space: Space {
                metric,
                mean,
                components: components.chunks(width).map(<[f64]>::to_vec).collect(),
                scale,
            },
            near,
            seed: saved.seed.unwrap_or(0),
            reduced: matrix(saved.take_f32("rows", &[rows, columns], place)?, columns)?,
            coordinates: matrix(saved.take_f32("coordinates", &[rows, dims], place)?, dims)?,
            threads: Threads::All,
            index: OnceLock::new(),
        })
    }

    /// The places of some rows, on the threads that this runs on.
    fn place(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Array2<f32>> {
        let queries = self.space.place(x)?;
        let hint = "scale the embeddings down: they exceed those fitted beyond the range of f32";
        self.check_near(x, queries.view())?;
        let neighbors = self.index(watch)?.query_here(queries.view(), watch)?;
        let (near, fitted) = (self.near, self.coordinates.view());
        let places = place::place(&neighbors, near, fitted, x.nrows())?;
        matrix::check_finite(places.view(), "the result of PaCMAP", hint)?;
        Ok(places)
    }

    /// Refuses a row so far off that its distances overflow, by its own values: those of the space
    /// that is searched are not the caller's.
    fn check_near(&self, x: ArrayView2<'_, f32>, queries: ArrayView2<'_, f32>) -> Result<()> {
        let far = |value: &f32| !value.is_finite() || value.abs() > FARTHEST;
        let Some(row) = queries.outer_iter().position(|row| row.iter().any(far)) else {
            return Ok(());
        };
        let off = |column: usize| (f64::from(x[[row, column]]) - self.space.mean[column]).abs();
        let columns = 0..x.ncols();
        let column = columns.max_by(|&a, &b| off(a).total_cmp(&off(b)));
        let column = column.unwrap_or(0);
        Err(Error::Value {
            column: column.to_string(),
            row: row as u64,
            found: format!("{:e}", x[[row, column]]),
            expected: "a value in the range of the rows that were fitted".into(),
            hint: "leave the row out, or scale it as those rows are scaled".into(),
        })
    }

    /// The reduced rows made ready for queries. Two first calls at once make the same one.
    fn index(&self, watch: &Watch<'_>) -> Result<&NeighborIndex<'static>> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = NeighborSearch::new(self.near.max(TYPICAL))
            .seed(self.seed)
            .threads(self.threads)
            .memory_limit(u64::MAX) // no parameter could raise it after `load`
            .index(self.reduced.view(), watch)?;
        Ok(self.index.get_or_init(|| index.into_owned()))
    }
}

impl Projection for Pacmap {
    fn method(&self) -> &'static str {
        METHOD
    }

    fn width(&self) -> usize {
        self.space.mean.len()
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
        let (rows, columns) = self.reduced.dim();
        let axes = self.space.components.len();
        let distance = match self.space.metric {
            Metric::Cosine => "cosine",
            _ => "euclidean",
        };
        let flat = |matrix: &Array2<f32>| matrix.iter().copied().collect::<Vec<f32>>();
        Saved {
            method: METHOD.into(),
            params: json!({
                "rows": rows,
                "columns": columns,
                "components": axes,
                "n_neighbors": self.near,
                "distance": distance,
            }),
            seed: Some(self.seed),
            width,
            dims,
            arrays: vec![
                SavedArray::new("scale", &[1], vec![self.space.scale]),
                SavedArray::new("mean", &[width], self.space.mean.clone()),
                SavedArray::new("components", &[axes, width], self.space.components.concat()),
                SavedArray::new("rows", &[rows, columns], flat(&self.reduced)),
                SavedArray::new("coordinates", &[rows, dims], flat(&self.coordinates)),
            ],
        }
        .to_bytes()
    }
}
