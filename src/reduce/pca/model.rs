//! Parameters and the fitted projection.

use ndarray::{Array2, ArrayView2};
use serde_json::json;

use super::linear::Linear;
use super::solve::Plan;
use crate::reduce::projection::{Saved, SavedArray, corrupt};
use crate::reduce::reducer::{Params, Projection, Reducer};
use crate::reduce::{Threads, Watch, input, matrix};
use crate::{Error, Result};

/// The method's name in paths and files.
pub(in crate::reduce) const METHOD: &str = "pca";

/// Memory that the working matrices of a fit may take unless set otherwise: 4 GiB.
const MEMORY_LIMIT: u64 = 4 << 30;

/// A relative difference below which two components count as equally large when signs are set.
const TIE: f64 = 1e-6;

/// A fitted principal component analysis (Pearson 1901; Hotelling 1933).
///
/// With `m` the column means of the fitted matrix and `v_k` the unit eigenvectors of its covariance
/// in descending order of their eigenvalues, the coordinates of a row `x` are `(x - m) . v_k`. Each
/// `v_k` has the sign that makes its largest component by magnitude positive (the first of those
/// that are equally large).
///
/// An axis on which the fitted rows do not vary beyond rounding is zero: all coordinates on it are
/// 0, and it explains nothing. So one row, rows that are all equal, constant columns and fewer rows
/// than dims have a defined answer; no rows and no columns are errors.
///
/// ```
/// use emberlens::reduce::{Pca, Projection, Reducer};
/// use ndarray::arr2;
///
/// let line = arr2(&[[0.0_f32, 0.0], [3.0, 4.0], [6.0, 8.0]]);
/// let pca = Pca::params().dims(1).fit(line.view())?;
/// assert_eq!(pca.transform(line.view())?, arr2(&[[-5.0], [0.0], [5.0]]));
/// assert_eq!(pca.explained_variance(), [25.0]);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    mean: Vec<f64>,
    components: Vec<Vec<f64>>,
    variance: Vec<f64>,
    ratio: Vec<f64>,
    /// Those of a transform; a fit has its own.
    threads: Threads,
}

/// Parameters of [`Pca`]: 2 dims, [`PcaSolver::Auto`], seed 0, all threads and 4 GiB of working
/// memory unless set otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct PcaParams {
    dims: usize,
    solver: PcaSolver,
    seed: u64,
    threads: Threads,
    memory_limit: u64,
}

/// How the components are found.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PcaSolver {
    /// Exact where rows or width are 256 at most or a quarter of the components is asked for,
    /// randomised beyond; products of large matrices are computed in blocks of f32 whose sums are
    /// f64.
    #[default]
    Auto,
    /// All eigenvectors of the products of the columns (or rows, where there are fewer), all in f64.
    Exact,
    /// Randomised subspace iteration, seven turns (Halko, Martinsson, Tropp 2011): quick for few
    /// components of wide matrices. Components whose variances are nearly equal may mix, and the
    /// last ones are less certain than the first.
    Randomized,
}

/// Checked parameters of [`Pca`].
#[derive(Clone, Debug, PartialEq)]
pub struct PcaValidParams(PcaParams);

impl Pca {
    /// The parameters, to be set and fitted.
    pub fn params() -> PcaParams {
        PcaParams {
            dims: 2,
            solver: PcaSolver::Auto,
            seed: 0,
            threads: Threads::All,
            memory_limit: MEMORY_LIMIT,
        }
    }

    /// Column means of the fitted matrix, `[width]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The unit vector of each axis, `[dims][width]`; zero for an axis without variance.
    pub fn components(&self) -> &[Vec<f64>] {
        &self.components
    }

    /// The variance of the fitted rows on each axis (divisor rows - 1), in squared input units.
    pub fn explained_variance(&self) -> &[f64] {
        &self.variance
    }

    /// Reads the fields back from a file.
    pub(in crate::reduce) fn from_saved(mut saved: Saved, place: &str) -> Result<Self> {
        let (width, dims) = (saved.width, saved.dims);
        if dims == 0 || dims > width {
            return Err(corrupt(
                place,
                format!("its {dims} dims do not fit its width {width}"),
            ));
        }
        let components = saved.take("components", &[dims, width], place)?;
        Ok(Self {
            mean: saved.take("mean", &[width], place)?,
            components: components.chunks(width).map(<[f64]>::to_vec).collect(),
            variance: saved.take("explained_variance", &[dims], place)?,
            ratio: saved.take("explained_variance_ratio", &[dims], place)?,
            threads: Threads::All,
        })
    }
}

impl PcaParams {
    /// Sets the number of coordinates, 1 up to the width of the embeddings.
    pub fn dims(mut self, dims: usize) -> Self {
        self.dims = dims;
        self
    }

    /// Sets how the components are found.
    pub fn solver(mut self, solver: PcaSolver) -> Self {
        self.solver = solver;
        self
    }

    /// Sets the seed of the randomised solver.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the threads of a fit; the result has the same bits whatever their number.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the bytes that the working matrices of a fit may take.
    ///
    /// An exact fit needs about 40 `s`² bytes, `s` being the smaller of rows and width; a randomised
    /// one 16 `s`² up to `s` = 2048 and about 72 (dims + 10) bytes per column beyond.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }
}

impl Params for PcaParams {
    type Checked = PcaValidParams;

    fn check(&self) -> Result<PcaValidParams> {
        if self.dims == 0 {
            return Err(Error::invalid(
                "dims",
                0,
                "a projection has at least one coordinate",
                "ask for 2 or 3",
            ));
        }
        Ok(PcaValidParams(self.clone()))
    }
}

impl Reducer for PcaValidParams {
    type Fitted = Pca;

    fn fit(&self, x: ArrayView2<'_, f32>) -> Result<Pca> {
        self.0.threads.run(|| self.fit_here(x, &Watch::default()))?
    }

    fn fit_watched(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<(Pca, Array2<f32>)> {
        watch.check("PCA")?;
        self.0.threads.run(|| {
            let fitted = self.fit_here(x, watch)?;
            watch.check("PCA")?;
            let coordinates = fitted.transform(x)?;
            Ok((fitted, coordinates))
        })?
    }
}

impl PcaValidParams {
    /// Fits on the threads of the caller.
    pub(in crate::reduce) fn fit_here(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<Pca> {
        let (rows, width) = x.dim();
        let dims = self.0.dims;
        input::check_not_empty(METHOD, x)?;
        if dims > width {
            return Err(Error::invalid(
                "dims",
                dims,
                format!("the embeddings have {width} values"),
                format!("ask for at most {width}"),
            ));
        }
        let plan = Plan::new(self.0.solver, rows, width, dims);
        let needed = plan.bytes(rows, width, dims);
        if needed > self.0.memory_limit {
            return Err(Error::TooLarge {
                what: format!("PCA of {rows} x {width} values"),
                needed,
                limit: self.0.memory_limit,
                hint: "fit on fewer rows and transform the rest, or raise `memory_limit`".into(),
            });
        }
        matrix::check_finite(x, "the matrix to fit", "leave the row out before reducing")?;

        let mean = matrix::mean(x);
        let scale = matrix::scale_to_one(matrix::largest_deviation(x, &mean));
        let spectrum = plan.solve(x, &mean, scale, dims, self.0.seed, watch)?;
        let mut pca = Pca {
            mean,
            components: vec![vec![0.0; width]; dims],
            variance: vec![0.0; dims],
            ratio: vec![0.0; dims],
            threads: Threads::All,
        };
        let divisor = rows.saturating_sub(1).max(1) as f64;
        for (axis, (value, component)) in spectrum.pairs.into_iter().enumerate() {
            pca.components[axis] = with_positive_peak(component);
            pca.variance[axis] = value / divisor;
            pca.ratio[axis] = (value / spectrum.total).min(1.0);
        }
        Ok(pca)
    }
}

impl Projection for Pca {
    fn method(&self) -> &'static str {
        METHOD
    }

    fn width(&self) -> usize {
        self.mean.len()
    }

    fn dims(&self) -> usize {
        self.components.len()
    }

    fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        input::check_placeable(x, self.width())?;
        let place = || Linear::<f64>::new(&self.mean, &self.components, 1.0).place(x);
        let coordinates = match self.threads {
            // The caller's: a fit calls this on its own.
            Threads::All => place(),
            Threads::Exactly(_) => self.threads.run(place)?,
        }?;
        matrix::check_finite(
            coordinates.view(),
            "the result of the PCA",
            "scale the embeddings down: a coordinate exceeds the range of f32",
        )?;
        Ok(coordinates)
    }

    fn explained_variance_ratio(&self) -> Option<&[f64]> {
        Some(&self.ratio)
    }

    fn set_threads(&mut self, threads: Threads) {
        self.threads = threads;
    }

    fn to_bytes(&self) -> Result<Vec<u8>> {
        let (width, dims) = (self.width(), self.dims());
        let arrays = vec![
            SavedArray::new("mean", &[width], self.mean.clone()),
            SavedArray::new("components", &[dims, width], self.components.concat()),
            SavedArray::new("explained_variance", &[dims], self.variance.clone()),
            SavedArray::new("explained_variance_ratio", &[dims], self.ratio.clone()),
        ];
        Saved {
            method: METHOD.into(),
            params: json!({ "dims": dims }),
            seed: None,
            width,
            dims,
            arrays,
        }
        .to_bytes()
    }
}

/// The vector or its negative, whichever has its largest component positive.
fn with_positive_peak(mut vector: Vec<f64>) -> Vec<f64> {
    let peak = vector
        .iter()
        .fold(0.0_f64, |peak, value| peak.max(value.abs()));
    let first = vector
        .iter()
        .find(|value| value.abs() >= peak * (1.0 - TIE));
    if first.is_some_and(|value| *value < 0.0) {
        for value in &mut vector {
            *value = -*value;
        }
    }
    vector
}
