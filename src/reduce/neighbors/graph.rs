//! Neighbours as they were found.

use std::ops::Range;

use super::exact::Found;

/// The nearest neighbours of every row, nearest first; ties by the smaller row number.
///
/// # Memory
/// 8 bytes per neighbour.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbors {
    rows: usize,
    k: usize,
    indices: Vec<u32>,
    distances: Vec<f32>,
    recall: f32,
}

impl Neighbors {
    pub(super) fn new(rows: usize, k: usize, (indices, distances): Found, recall: f32) -> Self {
        Self {
            rows,
            k,
            indices,
            distances,
            recall,
        }
    }

    /// Neighbours per row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Rows that have neighbours.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The share of the true nearest neighbours that the search finds, in 0..=1: measured on a
    /// sample of rows for inverted lists, 1 for exact search.
    pub fn recall(&self) -> f32 {
        self.recall
    }

    /// Row numbers of the neighbours of `row`, nearest first; `None` beyond the last row.
    pub fn indices(&self, row: usize) -> Option<&[u32]> {
        self.indices.get(self.places(row)?)
    }

    /// Distances to the neighbours of `row`, in the units of the metric; `None` beyond the last
    /// row.
    pub fn distances(&self, row: usize) -> Option<&[f32]> {
        self.distances.get(self.places(row)?)
    }

    fn places(&self, row: usize) -> Option<Range<usize>> {
        (row < self.rows).then_some(row * self.k..(row + 1) * self.k)
    }
}
