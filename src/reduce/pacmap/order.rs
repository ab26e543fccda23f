//! The order in which the fit keeps the rows.

use rayon::prelude::*;

use super::far;
use crate::reduce::NeighborIndex;
use crate::reduce::random::Random;

/// Rows that are shuffled with each other: their coordinates fit the cache of one core.
const WINDOW: usize = 1 << 14;

/// The use of the seed (see [`Random::at`]).
const STREAM: u64 = 0x0D3;

/// Places of the rows inside the fit: neighbours lie near each other in memory, so that a row's
/// partners are read from the cache.
///
/// Rows follow each other by the cells of the neighbour search, but every [`WINDOW`] of them is
/// shuffled: far partners are drawn for blocks of rows, and a block of close neighbours would be
/// pushed as one.
///
/// Pairs are drawn between places and coordinates are kept by place; what is given and returned is
/// by row.
#[derive(Debug)]
pub(super) struct Order {
    rows: Vec<u32>,
    places: Vec<u32>,
}

impl Order {
    /// The order of the rows of an index; as they are given where few.
    pub(super) fn of(index: &NeighborIndex<'_>, seed: u64) -> Self {
        let given = || (0..index.rows() as u32).collect();
        let mut rows: Vec<u32> = index.by_cell().map_or_else(given, <[u32]>::to_vec);
        if far::by_blocks(rows.len()) {
            for (window, rows) in rows.chunks_mut(WINDOW).enumerate() {
                Random::at(seed, STREAM, window as u64).shuffle(rows);
            }
        }
        Self::new(rows)
    }

    /// `rows` names every row once.
    fn new(rows: Vec<u32>) -> Self {
        let mut places = vec![0; rows.len()];
        for (place, &row) in rows.iter().enumerate() {
            places[row as usize] = place as u32;
        }
        Self { rows, places }
    }

    /// The row at every place.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// What `per_row` choices of every row are by place, from what they are by row.
    pub(super) fn arrange(&self, chosen: &[u32], per_row: usize) -> Vec<u32> {
        let mut arranged = vec![0; chosen.len()];
        arranged
            .par_chunks_mut(per_row.max(1))
            .with_min_len(512)
            .zip(&self.rows)
            .for_each(|(arranged, &row)| {
                let from = row as usize * per_row;
                for (place, &other) in arranged.iter_mut().zip(&chosen[from..from + per_row]) {
                    *place = self.places[other as usize];
                }
            });
        arranged
    }

    /// Bytes that the order of so many rows takes.
    pub(super) fn bytes(rows: usize) -> u64 {
        8 * rows as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reduce::{NeighborMethod, NeighborSearch, Watch};
    use ndarray::Array2;

    /// The order of rows on a line, cell by cell or as given.
    fn order(rows: usize, method: NeighborMethod, seed: u64) -> Order {
        let x = Array2::from_shape_fn((rows, 1), |(row, _)| (row * 37 % rows) as f32);
        let search = NeighborSearch::new(3).method(method);
        Order::of(&search.index(x.view(), &Watch::default()).unwrap(), seed)
    }

    #[test]
    fn every_row_has_one_place_and_many_are_shuffled_by_the_seed() {
        let lists = NeighborMethod::InvertedLists {
            cells: Some(20),
            probes: Some(2),
        };
        for method in [NeighborMethod::Exact, lists] {
            let first = order(5_000, method, 1);
            let mut rows = first.rows().to_vec();
            rows.sort_unstable();
            assert!(rows.into_iter().eq(0..5_000));
            assert_eq!(first.rows(), order(5_000, method, 1).rows());
            assert_ne!(first.rows(), order(5_000, method, 2).rows());
        }
    }

    #[test]
    fn few_rows_stay_as_they_are_given() {
        assert!(
            order(50, NeighborMethod::Exact, 1)
                .rows()
                .iter()
                .copied()
                .eq(0..50)
        );
    }

    #[test]
    fn choices_name_the_same_rows_by_place_as_by_row() {
        let order = Order::new(vec![2, 0, 3, 1]);
        let chosen = [1, 2, 3, 0, 0, 1, 2, 1];
        let arranged = order.arrange(&chosen, 2);
        for (place, &row) in order.rows().iter().enumerate() {
            let by_place = &arranged[2 * place..2 * place + 2];
            let named: Vec<u32> = by_place.iter().map(|&p| order.rows()[p as usize]).collect();
            assert_eq!(named, chosen[2 * row as usize..2 * row as usize + 2]);
        }
    }
}
