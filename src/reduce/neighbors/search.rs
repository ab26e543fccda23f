//! What to search for and how.

use ndarray::ArrayView2;

use super::Neighbors;
use super::block::Block;
use super::exact::STAGE;
use super::index::NeighborIndex;
use super::rows::Rows;
use crate::reduce::{Threads, Watch, matrix};
use crate::{Error, Result};

/// Memory that a search may take unless set otherwise: 8 GiB.
const MEMORY_LIMIT: u64 = 8 << 30;

/// The recall that inverted lists are made to reach unless set otherwise.
const RECALL: f32 = 0.95;

/// Rows below which `Auto` compares all.
const EXACT_UP_TO: usize = 8192;

/// Cells per root of the number of rows.
const CELLS: f64 = 1.5;

/// How far apart two rows are.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metric {
    /// The length of the difference.
    #[default]
    Euclidean,
    /// 1 - cosine of the angle; 1 for a row of zeros.
    Cosine,
}

/// How neighbours are found.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NeighborMethod {
    /// Exact where that is quick, inverted lists beyond. Of more than 163,840 rows, about 65,536 are
    /// compared with each at most: rows without structure then have a lower recall than was asked for.
    #[default]
    Auto,
    /// All pairs are compared.
    Exact,
    /// Rows are sorted into cells by k-means; a row is compared with the rows of the cells nearest
    /// to it (Jégou, Douze, Schmid 2011, without their compression).
    InvertedLists {
        /// Cells; chosen by the number of rows where `None`.
        cells: Option<usize>,
        /// Cells that a row looks into; where `None`, as many as the recall asked for needs, and
        /// all rows are compared where that is cheaper.
        probes: Option<usize>,
    },
}

/// The method for one matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Exact,
    Lists { cells: usize, probes: Option<usize> },
}

/// A search for the nearest neighbours of every row of a matrix among the others.
///
/// Results have the same bits whatever the number of threads, and a row's do not depend on the rows
/// beside it. Candidates are ordered by `|a|² + |b|² - 2 a.b` of centred rows; a few more than `k`
/// are kept, and the distances of those are summed directly.
///
/// ```
/// use emberlens::reduce::{NeighborSearch, Watch};
/// use ndarray::arr2;
///
/// let x = arr2(&[[0.0_f32, 0.0], [3.0, 4.0], [0.0, 1.0]]);
/// let found = NeighborSearch::new(2).search(x.view(), &Watch::default())?;
/// assert_eq!(found.indices(0), Some(&[2, 1][..]));
/// assert_eq!(found.distances(0), Some(&[1.0, 5.0][..]));
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NeighborSearch {
    pub(super) k: usize,
    pub(super) metric: Metric,
    pub(super) method: NeighborMethod,
    pub(super) recall: f32,
    pub(super) threads: Threads,
    pub(super) seed: u64,
    pub(super) memory_limit: u64,
}

impl NeighborSearch {
    /// A search for `k` neighbours of every row, itself left out.
    pub fn new(k: usize) -> Self {
        Self {
            k,
            metric: Metric::Euclidean,
            method: NeighborMethod::Auto,
            recall: RECALL,
            threads: Threads::All,
            seed: 0,
            memory_limit: MEMORY_LIMIT,
        }
    }

    /// Sets the metric.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Sets the method.
    pub fn method(mut self, method: NeighborMethod) -> Self {
        self.method = method;
        self
    }

    /// Sets the share of true neighbours that an approximate search is made to find, 0..=1.
    pub fn recall(mut self, recall: f32) -> Self {
        self.recall = recall;
        self
    }

    /// Sets the threads.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// Sets the seed of what is random in approximate methods.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the bytes that a search may take beyond the matrix given.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = bytes;
        self
    }

    /// Finds the neighbours; `min(k, rows - 1)` of them per row.
    ///
    /// # Shapes and units
    /// `x` `[rows, width]`, up to 2^32 - 2 rows, any unit.
    ///
    /// # Memory
    /// About `4 rows width + 8 rows k` bytes, and `4 rows width` more where the matrix is not
    /// contiguous, the metric is the cosine, or magnitudes are beyond 1e12 or below 1e-12.
    ///
    /// # Errors
    /// `NonFinite` naming row and column, `TooLarge` before memory beyond the limit is asked for,
    /// `InvalidArgument` for a recall outside 0..=1, `Interrupted` when the flag was set.
    pub fn search(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Neighbors> {
        self.index(x, watch)?.among_themselves(watch)
    }

    /// Finds the `min(k, rows)` nearest rows of `x` for every row of `queries`.
    ///
    /// Where there are many calls, [`NeighborSearch::index`] prepares `x` once.
    ///
    /// # Errors
    /// Those of [`NeighborSearch::search`]; `InvalidArgument` when the widths differ.
    pub fn query(
        &self,
        x: ArrayView2<'_, f32>,
        queries: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<Neighbors> {
        self.index(x, watch)?.query(queries, watch)
    }

    /// Prepares the rows of `x` for queries.
    ///
    /// # Errors
    /// Those of [`NeighborSearch::search`].
    pub fn index<'a>(
        &self,
        x: ArrayView2<'a, f32>,
        watch: &Watch<'_>,
    ) -> Result<NeighborIndex<'a>> {
        watch.check(STAGE)?;
        self.check(x.nrows(), x.ncols())?;
        let rows = Rows::of(x, self.metric, "the matrix to search")?;
        self.threads.run(|| NeighborIndex::of(self, rows, watch))?
    }

    /// The same search, comparing all rows.
    pub(in crate::reduce) fn exact(self) -> Self {
        self.method(NeighborMethod::Exact)
    }

    /// Finds the neighbours of the rows `members` of `x` alone, in their order.
    pub(in crate::reduce) fn search_rows(
        &self,
        x: ArrayView2<'_, f32>,
        members: &[u32],
        watch: &Watch<'_>,
    ) -> Result<Neighbors> {
        self.index(x, watch)?.of_rows(members, watch)
    }

    /// Refuses an answer beyond the memory limit.
    pub(super) fn check_found(&self, queries: usize, k: usize, width: usize) -> Result<()> {
        let needed = self.answer_bytes(queries, k, width);
        if needed <= self.memory_limit {
            return Ok(());
        }
        Err(Error::TooLarge {
            what: format!("the {k} neighbours of {queries} queries"),
            needed,
            limit: self.memory_limit,
            hint: "query in parts, or raise `memory_limit`".into(),
        })
    }

    /// Bytes of the neighbours found and of the blocks that look for them.
    fn answer_bytes(&self, queries: usize, k: usize, width: usize) -> u64 {
        let blocks = Block::bytes(width, k).saturating_mul(self.threads.count() as u64);
        matrix::bytes(queries, k, 8).saturating_add(blocks)
    }

    fn check(&self, rows: usize, width: usize) -> Result<()> {
        if !(0.0..=1.0).contains(&self.recall) {
            return Err(Error::invalid(
                "recall",
                self.recall,
                "a share lies in 0..=1",
                "ask for 0.95, say",
            ));
        }
        let k = self.k.min(rows);
        let copies = match self.metric {
            Metric::Euclidean => 1,
            Metric::Cosine => 2,
        };
        let values = matrix::bytes(rows, width, 4).saturating_mul(copies);
        let needed = values.saturating_add(self.answer_bytes(rows, k, width));
        if needed > self.memory_limit || rows >= u32::MAX as usize {
            return Err(Error::TooLarge {
                what: format!("the search for {k} neighbours of {rows} x {width} values"),
                needed,
                limit: self.memory_limit,
                hint: "search fewer rows or neighbours, or raise `memory_limit`".into(),
            });
        }
        Ok(())
    }

    /// How to search a matrix.
    pub(super) fn choose(&self, rows: usize, width: usize) -> Method {
        let usual = || ((rows as f64).sqrt() * CELLS) as usize;
        match self.method {
            NeighborMethod::Exact => Method::Exact,
            NeighborMethod::Auto if rows <= EXACT_UP_TO => Method::Exact,
            _ if width == 0 || rows < 2 => Method::Exact,
            NeighborMethod::Auto => Method::Lists {
                cells: usual(),
                probes: None,
            },
            NeighborMethod::InvertedLists { cells, probes } => Method::Lists {
                cells: cells.unwrap_or_else(usual).clamp(1, rows),
                probes,
            },
        }
    }
}
