//! All measures at once, on samples.

use ndarray::{ArrayView2, Axis};

use super::{check_labels, check_rows, nearby, too_few, triplets, trust};
use crate::Result;
use crate::reduce::neighbors::strata;
use crate::reduce::{Threads, Watch};

/// Streams of random numbers that choose rows.
const QUERIES: u64 = 0x7175;
const TRUST_ROWS: u64 = 0x7472_7573;

/// What to measure; 10 neighbours of 2,000 rows among all, the trustworthiness within 5,000 rows,
/// and 100,000 triplets unless set otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityParams {
    neighbors: usize,
    queries: usize,
    trust_rows: usize,
    triplets: usize,
    seed: u64,
    threads: Threads,
}

/// How faithful coordinates are; every measure in 0..=1, larger is better.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct Quality {
    /// Neighbours per row that were looked at; fewer than asked for where there are few rows.
    pub neighbors: usize,
    /// [`trustworthiness`](super::trustworthiness) within a sample of rows.
    pub trustworthiness: f64,
    /// [`neighbor_recall`](super::neighbor_recall) of a sample of rows among all rows.
    pub neighbor_recall: f64,
    /// [`random_triplet_accuracy`](super::random_triplet_accuracy).
    pub random_triplet_accuracy: f64,
    /// [`centroid_triplet_accuracy`](super::centroid_triplet_accuracy); `None` without labels or
    /// with fewer than three classes.
    pub centroid_triplet_accuracy: Option<f64>,
    /// [`neighbor_accuracy`](super::neighbor_accuracy) in the coordinates, of a sample of rows;
    /// `None` without labels.
    pub neighbor_accuracy: Option<f64>,
    /// The same in the embeddings: what the coordinates can be compared with.
    pub neighbor_accuracy_of_embeddings: Option<f64>,
}

impl Default for QualityParams {
    fn default() -> Self {
        Self {
            neighbors: 10,
            queries: 2_000,
            trust_rows: 5_000,
            triplets: 100_000,
            seed: 0,
            threads: Threads::All,
        }
    }
}

impl QualityParams {
    /// The measures with their usual sizes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the neighbours per row.
    pub fn neighbors(mut self, neighbors: usize) -> Self {
        self.neighbors = neighbors;
        self
    }

    /// Sets the rows whose neighbours are compared.
    pub fn queries(mut self, rows: usize) -> Self {
        self.queries = rows;
        self
    }

    /// Sets the rows that the trustworthiness is measured within; its cost grows with their square.
    pub fn trust_rows(mut self, rows: usize) -> Self {
        self.trust_rows = rows;
        self
    }

    /// Sets the random triplets.
    pub fn triplets(mut self, triplets: usize) -> Self {
        self.triplets = triplets;
        self
    }

    /// Sets the seed that chooses rows and triplets.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the threads; the measures are the same whatever their number.
    pub fn threads(mut self, threads: Threads) -> Self {
        self.threads = threads;
        self
    }

    /// Measures the coordinates `y` of the embeddings `x`.
    ///
    /// # Shapes and units
    /// `x` `[rows, width]`, `y` `[rows, dims]`, one label per row.
    ///
    /// # Errors
    /// `InvalidArgument` for another number of rows or labels, `Degenerate` for fewer than 3 rows,
    /// `NonFinite` naming row and column.
    pub fn measure(
        &self,
        x: ArrayView2<'_, f32>,
        y: ArrayView2<'_, f32>,
        labels: Option<&[i64]>,
    ) -> Result<Quality> {
        self.measure_watched(x, y, labels, &Watch::default())
    }

    /// [`QualityParams::measure`] with progress, and a flag that stops it.
    ///
    /// # Errors
    /// Those of [`QualityParams::measure`]; `Interrupted` when the flag was set.
    pub fn measure_watched(
        &self,
        x: ArrayView2<'_, f32>,
        y: ArrayView2<'_, f32>,
        labels: Option<&[i64]>,
        watch: &Watch<'_>,
    ) -> Result<Quality> {
        check_rows(x, y)?;
        if let Some(labels) = labels {
            check_labels(x.nrows(), labels)?;
        }
        if x.nrows() < 3 {
            return Err(too_few(x, 3));
        }
        let random = triplets::random_triplet_accuracy(x, y, self.triplets, self.seed)?;
        let centroid = match labels {
            Some(labels) => triplets::centroid_triplet_accuracy(x, y, labels)?,
            None => None,
        };
        let trusted = strata(x.nrows(), self.trust_rows.max(3), self.seed, TRUST_ROWS);
        let k = self.neighbors.clamp(1, (trusted.len() - 1) / 2);
        let places: Vec<usize> = trusted.iter().map(|&row| row as usize).collect();
        let (some_x, some_y) = (x.select(Axis(0), &places), y.select(Axis(0), &places));
        let trustworthiness = trust::of(some_x.view(), some_y.view(), k, self.threads, watch)?;
        let queries = strata(x.nrows(), self.queries.max(1), self.seed, QUERIES);
        let of_x = nearby::nearest(x, &queries, k, self.threads, watch)?;
        let of_y = nearby::nearest(y, &queries, k, self.threads, watch)?;
        let accuracy = |nearest| labels.map(|labels| nearby::agreeing(nearest, &queries, labels));
        Ok(Quality {
            neighbors: k,
            trustworthiness,
            neighbor_recall: nearby::shared(&of_x, &of_y),
            random_triplet_accuracy: random,
            centroid_triplet_accuracy: centroid,
            neighbor_accuracy: accuracy(&of_y),
            neighbor_accuracy_of_embeddings: accuracy(&of_x),
        })
    }
}
