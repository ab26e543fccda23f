//! A second look, by differences, at queries whose neighbours the rounding of products may hide.

use pulp::{Arch, Simd, WithSimd};

use super::measure::squared_distance;
use super::nearest::Nearest;
use super::rows::Rows;

/// Values of the candidates that all queries pass before the next are taken up: they stay in the
/// second cache.
const TILE: usize = 1 << 15;

/// Whether every candidate with a score of at most `lost` is farther from the query than `gap`.
///
/// `query` is centred, as the scores' was. A score is a sum of `width` products, which is wrong by
/// at most `width u |a| |b|` for the unit roundoff `u` (Higham, *Accuracy and Stability of Numerical
/// Algorithms*, 2002, section 3.1), and half a squared length. In clusters that are tight and far
/// apart that exceeds the distances within.
pub(super) fn is_settled(query: &[f32], lost: f32, gap: f32, candidates: &Rows<'_>) -> bool {
    if gap == 0.0 {
        return true; // nothing is nearer
    }
    let unit = f64::from(f32::EPSILON) / 2.0;
    // The centring of both rows and the last subtraction round once each.
    let rounding = (query.len() + 4) as f64 * unit;
    let squares = query.iter().map(|&value| f64::from(value).powi(2));
    let squared_length = squares.sum::<f64>();
    let squared = candidates.squared(gap);
    let length = squared_length.sqrt();
    // A candidate that is as near as `gap` is no longer than this.
    let longest = length + squared.sqrt();
    let error = rounding * (length * longest + 0.5 * longest * longest) + unit * squared_length;
    squared_length - 2.0 * (f64::from(lost) + error) > squared * (1.0 + rounding)
}

/// Queries on their way past candidates, one pair at a time.
#[derive(Debug, Default)]
pub(super) struct Direct {
    queries: Vec<u32>,
    everyone: Vec<u32>,
    nearest: Nearest,
}

impl Direct {
    /// Starts with the queries of these row numbers, each with the row that it leaves out.
    pub(super) fn start(&mut self, k: usize, queries: impl Iterator<Item = (u32, u32)> + Clone) {
        self.queries.clear();
        self.queries.extend(queries.clone().map(|(row, _)| row));
        self.everyone.clear();
        self.everyone.extend(0..self.queries.len() as u32);
        self.nearest.start(k, queries.map(|(_, own)| own));
    }

    /// Compares all queries with the candidates `among`.
    pub(super) fn compare(&mut self, queries: &Rows<'_>, candidates: &Rows<'_>, among: &[u32]) {
        let everyone = std::mem::take(&mut self.everyone);
        self.compare_for(&everyone, queries, candidates, among);
        self.everyone = everyone;
    }

    /// Compares the queries at the places `served` with the candidates `among`.
    pub(super) fn compare_for(
        &mut self,
        served: &[u32],
        queries: &Rows<'_>,
        candidates: &Rows<'_>,
        among: &[u32],
    ) {
        Arch::new().dispatch(Compare {
            numbers: &self.queries,
            served,
            queries,
            candidates,
            among,
            nearest: &mut self.nearest,
        });
    }

    /// Writes the neighbours of the query at `place`.
    pub(super) fn finish(
        &mut self,
        place: usize,
        candidates: &Rows<'_>,
        indices: &mut [u32],
        distances: &mut [f32],
    ) {
        let mut keys = self.nearest.keys(place).to_vec();
        keys.sort_unstable();
        write(&keys, candidates, indices, distances);
    }
}

/// Writes neighbours from keys in ascending order: the gap in the high half, the row in the low.
pub(super) fn write(
    keys: &[u64],
    candidates: &Rows<'_>,
    indices: &mut [u32],
    distances: &mut [f32],
) {
    let places = indices.iter_mut().zip(distances);
    for (&key, (index, distance)) in keys.iter().zip(places) {
        *index = key as u32;
        *distance = candidates.distance(gap(key));
    }
}

/// The gap of a key.
pub(super) fn gap(key: u64) -> f32 {
    f32::from_bits((key >> 32) as u32)
}

struct Compare<'a> {
    numbers: &'a [u32],
    served: &'a [u32],
    queries: &'a Rows<'a>,
    candidates: &'a Rows<'a>,
    among: &'a [u32],
    nearest: &'a mut Nearest,
}

impl WithSimd for Compare<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let width = self.queries.width();
        for tile in self.among.chunks((TILE / width.max(1)).max(1)) {
            for &place in self.served {
                let query = self.queries.row(self.numbers[place as usize] as usize);
                for &row in tile {
                    let candidate = self.candidates.row(row as usize);
                    let squared = squared_distance(simd, query, candidate);
                    let gap = self.candidates.gap(squared, query, row as usize);
                    let key = u64::from(gap.to_bits()) << 32 | u64::from(row);
                    self.nearest.push_key(place as usize, key);
                }
            }
        }
    }
}
