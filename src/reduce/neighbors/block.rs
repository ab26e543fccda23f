//! A block of queries on its way past panels.

use pulp::Arch;

use super::direct;
use super::kernel::Scan;
use super::measure::Measure;
use super::nearest::Nearest;
use super::panels::Panel;
use super::rows::Rows;

/// Queries of a block: their values and candidates stay in the second cache.
pub(super) const QUERIES: usize = 256;

/// Candidates that are kept beyond the neighbours asked for: their order is settled by distances
/// summed directly, which products round differently.
fn spare(k: usize) -> usize {
    4 + k / 16
}

/// What is known of a query's neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// They are the nearest of the candidates that passed.
    Settled,
    /// Rounding may have thrown a nearer candidate away.
    Doubtful,
    /// Fewer candidates passed than neighbours are asked for.
    TooFew,
}

/// Working memory of one thread, used again for block after block.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    width: usize,
    values: Vec<f32>,
    everyone: Vec<u32>,
    nearest: Nearest,
    found: Vec<u64>,
}

impl Block {
    /// Bytes that a block for `k` neighbours takes.
    pub(super) fn bytes(width: usize, k: usize) -> u64 {
        let keys = Nearest::room(k.saturating_add(spare(k)));
        (QUERIES as u64).saturating_mul((width as u64 * 4).saturating_add(keys as u64 * 8))
    }

    /// Takes the rows `members` of `queries` in.
    pub(super) fn load(&mut self, queries: &Rows<'_>, members: &[u32]) {
        self.width = queries.width();
        self.values.resize(members.len() * self.width, 0.0);
        self.everyone.clear();
        self.everyone.extend(0..members.len() as u32);
        if self.width > 0 {
            let places = self.values.chunks_exact_mut(self.width);
            for (&row, place) in members.iter().zip(places) {
                queries.centred(row as usize, place);
            }
        }
    }

    /// Forgets candidates; from now on the `keep` best are kept for every query.
    pub(super) fn look_for_best(&mut self, keep: usize) {
        let queries = self.everyone.iter();
        self.nearest.start(keep, queries.map(|_| u32::MAX));
    }

    /// Forgets candidates; from now on `k` neighbours are looked for, query `i` leaving out the row
    /// that `owns` names.
    pub(super) fn look_for_neighbors(&mut self, k: usize, owns: impl Iterator<Item = u32>) {
        self.nearest.start(k + spare(k), owns);
    }

    /// Compares all queries with panels.
    pub(super) fn scan<'a>(&mut self, panels: impl Iterator<Item = Panel<'a>>) {
        Arch::new().dispatch(Scan {
            queries: &self.values,
            width: self.width,
            served: &self.everyone,
            panels,
            nearest: &mut self.nearest,
        });
    }

    /// Compares the queries at the places `served` with panels.
    pub(super) fn scan_for<'a>(&mut self, served: &[u32], panels: impl Iterator<Item = Panel<'a>>) {
        Arch::new().dispatch(Scan {
            queries: &self.values,
            width: self.width,
            served,
            panels,
            nearest: &mut self.nearest,
        });
    }

    /// The candidates kept for the query at a place, in no order; the low half of a key is the row.
    pub(super) fn keys(&mut self, place: usize) -> &[u64] {
        self.nearest.keys(place)
    }

    /// Writes the neighbours of the query at `place`, whose values are `query`.
    pub(super) fn finish(
        &mut self,
        place: usize,
        query: &[f32],
        candidates: &Rows<'_>,
        indices: &mut [u32],
        distances: &mut [f32],
    ) -> Outcome {
        Arch::new().dispatch(Measure {
            query,
            candidates,
            keys: self.nearest.keys(place),
            found: &mut self.found,
        });
        self.found.sort_unstable();
        let k = indices.len();
        direct::write(&self.found, candidates, indices, distances);
        if self.found.len() < k {
            return Outcome::TooFew;
        }
        let Some(lost) = self.nearest.best_lost(place) else {
            return Outcome::Settled;
        };
        let last = self.found[..k].last().copied().unwrap_or(0);
        let values = &self.values[place * self.width..(place + 1) * self.width];
        if k == 0 || direct::is_settled(values, lost, direct::gap(last), candidates) {
            Outcome::Settled
        } else {
            Outcome::Doubtful
        }
    }
}
