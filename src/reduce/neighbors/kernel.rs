//! The kernel: products of a few queries with a panel of candidates, kept in registers, and what is
//! worth keeping of them.

use pulp::bytemuck::{cast, cast_slice};
use pulp::{Simd, WithSimd};

use super::nearest::Nearest;
use super::panels::{COLUMNS, Panel};

/// Vectors of candidates in a register tile.
const VECTORS: usize = 3;

/// Scores a panel for some queries and keeps what is nearer than what they have.
///
/// The score of candidate `b` for query `a` is `a . b - |b|² / 2`, larger where `|a - b|` is
/// smaller. Every product is summed over the dimensions in ascending order with fused
/// multiply-adds, so its bits depend on the two rows alone, whatever the instruction set.
pub(super) struct Scan<'a, I> {
    /// Values of all queries, `[queries][width]`, centred.
    pub(super) queries: &'a [f32],
    /// Width of a row.
    pub(super) width: usize,
    /// The queries to serve.
    pub(super) served: &'a [u32],
    /// The candidates.
    pub(super) panels: I,
    /// What every query has found.
    pub(super) nearest: &'a mut Nearest,
}

impl<'a, I: Iterator<Item = Panel<'a>>> WithSimd for Scan<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            queries,
            width,
            served,
            panels,
            nearest,
        } = self;
        for panel in panels {
            let mut rest = served;
            if const { S::REGISTER_COUNT >= 32 } {
                let (eights, fewer) = rest.as_chunks::<8>();
                for group in eights {
                    tiles(simd, queries, width, group, panel, nearest);
                }
                rest = fewer;
            }
            let (fours, fewer) = rest.as_chunks::<4>();
            for group in fours {
                tiles(simd, queries, width, group, panel, nearest);
            }
            let (twos, one) = fewer.as_chunks::<2>();
            for group in twos {
                tiles(simd, queries, width, group, panel, nearest);
            }
            for query in one {
                tiles(simd, queries, width, &[*query], panel, nearest);
            }
        }
    }
}

/// All tiles of a panel for `ROWS` queries.
#[inline(always)]
fn tiles<S: Simd, const ROWS: usize>(
    simd: S,
    queries: &[f32],
    width: usize,
    group: &[u32; ROWS],
    panel: Panel<'_>,
    nearest: &mut Nearest,
) {
    let rows: [&[f32]; ROWS] = std::array::from_fn(|row| {
        let start = group[row] as usize * width;
        &queries[start..start + width]
    });
    let (lines, _) = panel.values.as_chunks::<COLUMNS>();
    let lines = &lines[..width];
    let side = VECTORS * S::F32_LANES;
    for first in (0..COLUMNS).step_by(side) {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for t in 0..width {
            let (line, _) = S::as_simd_f32s(&lines[t][first..first + side]);
            let line: [S::f32s; VECTORS] = [line[0], line[1], line[2]];
            for row in 0..ROWS {
                let value = simd.splat_f32s(rows[row][t]);
                for vector in 0..VECTORS {
                    sums[row][vector] = simd.mul_add_f32s(value, line[vector], sums[row][vector]);
                }
            }
        }
        let (half, _) = S::as_simd_f32s(&panel.half_norms[first..first + side]);
        let names = &panel.rows[first..first + side];
        for row in 0..ROWS {
            let query = group[row] as usize;
            let mut bar = nearest.bar(query);
            let least = simd.splat_f32s(bar);
            let mut scores = sums[row];
            let mut good = 0_u64;
            for vector in 0..VECTORS {
                scores[vector] = simd.sub_f32s(scores[vector], half[vector]);
                let reached = simd.greater_than_or_equal_f32s(scores[vector], least);
                good |= bits(simd, reached) << (vector * S::F32_LANES);
            }
            if good == 0 {
                continue;
            }
            let scores: &[f32] = cast_slice(&scores);
            while good != 0 {
                let lane = good.trailing_zeros() as usize;
                good &= good - 1;
                if scores[lane] >= bar {
                    bar = nearest.push(query, scores[lane], names[lane]);
                }
            }
        }
    }
}

/// One bit per lane, the first lane's the lowest.
#[inline(always)]
fn bits<S: Simd>(simd: S, mask: S::m32s) -> u64 {
    if const { size_of::<S::m32s>() == size_of::<u16>() } {
        let bits: u16 = cast(mask);
        u64::from(bits)
    } else if const { size_of::<S::m32s>() == size_of::<S::u32s>() } {
        let lanes: S::u32s = cast(mask);
        let lanes: &[u32] = cast_slice(std::slice::from_ref(&lanes));
        let lanes = lanes.iter().zip(0..);
        lanes.fold(0, |bits, (&lane, place)| {
            bits | u64::from(lane & 1) << place
        })
    } else {
        u64::from(simd.first_true_m32s(mask) == 0) // a single lane
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, Scalar};

    use super::*;
    use crate::reduce::neighbors::panels::Panels;
    use crate::reduce::neighbors::rows::Rows;
    use crate::reduce::neighbors::tests::clouds;

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let x = clouds(130, 19, 3, 7);
        let rows = Rows::of_points(x.iter().copied().collect(), 19);
        let panels = Panels::of_all(&rows);
        let queries: Vec<f32> = x.iter().copied().take(15 * 19).collect();
        let served: Vec<u32> = (0..15).collect(); // groups of 8, 4, 2 and 1
        let mut found = [Nearest::default(), Nearest::default()];
        for (set, nearest) in found.iter_mut().enumerate() {
            nearest.start(200, (0..15).map(|_| u32::MAX)); // all candidates are kept
            let scan = Scan {
                queries: &queries,
                width: 19,
                served: &served,
                panels: panels.groups(),
                nearest,
            };
            if set == 0 {
                Arch::new().dispatch(scan);
            } else {
                scan.with_simd(Scalar);
            }
        }
        let [mut wide, mut scalar] = found;
        for query in 0..15 {
            let mut sorted = [wide.keys(query).to_vec(), scalar.keys(query).to_vec()];
            sorted.iter_mut().for_each(|keys| keys.sort_unstable());
            assert_eq!(sorted[0].len(), 130);
            assert_eq!(sorted[0], sorted[1]);
        }
    }
}
