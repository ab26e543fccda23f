//! Near and mid-near partners of every row.

use ndarray::ArrayView2;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::reduce::Neighbors;
use crate::reduce::random::Random;

/// Neighbours that are looked at beyond those that are kept.
pub(super) const CANDIDATES: usize = 50;

/// Random rows of which the second nearest becomes a mid-near partner.
const DRAWN: usize = 6;

/// The use of the seed (see [`Random::at`]).
const STREAM: u64 = 0x31D;

/// Rows that one task works on.
const CHUNK: usize = 512;

/// The scale of every row: its mean distance to the 4th to 6th neighbour (section 4 of the paper).
///
/// Where there are fewer, the last ones count.
pub(super) fn scales(neighbors: &Neighbors) -> Vec<f32> {
    let count = neighbors.k();
    let (from, to) = (count.saturating_sub(3).min(3), count.min(6));
    let of_row = |row: usize| {
        let distances = neighbors
            .distances(row)
            .and_then(|all| all.get(from..to))
            .unwrap_or(&[]);
        let sum: f32 = distances.iter().sum();
        (sum / distances.len().max(1) as f32).max(1e-10)
    };
    (0..neighbors.rows()).into_par_iter().map(of_row).collect()
}

/// The `near` neighbours of every row with the smallest squared distance divided by both rows'
/// scales, nearest first; ties by the smaller row number.
pub(super) fn near(neighbors: &Neighbors, near: usize) -> Vec<u32> {
    let scales = scales(neighbors);
    let mut chosen = vec![0; neighbors.rows() * near];
    chosen
        .par_chunks_mut(CHUNK * near)
        .enumerate()
        .for_each(|(chunk, chosen)| {
            let mut scaled: Vec<(f32, u32)> = Vec::new();
            for (offset, chosen) in chosen.chunks_mut(near).enumerate() {
                let row = chunk * CHUNK + offset;
                let (Some(others), Some(distances)) =
                    (neighbors.indices(row), neighbors.distances(row))
                else {
                    continue;
                };
                scaled.clear();
                scaled.extend(others.iter().zip(distances).map(|(&other, &distance)| {
                    // One division after the other: the product of two tiny scales is no normal f32.
                    (
                        distance / scales[row] * (distance / scales[other as usize]),
                        other,
                    )
                }));
                let order =
                    |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
                if near < scaled.len() {
                    scaled.select_nth_unstable_by(near, order);
                    scaled.truncate(near);
                }
                scaled.sort_unstable_by(order);
                for (chosen, (_, other)) in chosen.iter_mut().zip(&scaled) {
                    *chosen = *other;
                }
            }
        });
    chosen
}

/// `mid` partners of every row, each the second nearest of six random rows.
///
/// `points` lies row by row in memory; partners and those that chose them are places in `order`, which
/// names the row at every place.
pub(super) fn mid(points: ArrayView2<'_, f32>, order: &[u32], mid: usize, seed: u64) -> Vec<u32> {
    let (rows, width) = points.dim();
    let mut chosen = vec![0; rows * mid];
    if let Some(values) = points.to_slice() {
        chosen
            .par_chunks_mut(CHUNK * mid.max(1))
            .enumerate()
            .for_each(|(chunk, chosen)| {
                pulp::Arch::new().dispatch(MidNear {
                    values,
                    order,
                    width,
                    first: chunk * CHUNK,
                    mid,
                    seed,
                    chosen,
                });
            });
    }
    chosen
}

/// The rows of one task.
struct MidNear<'a> {
    values: &'a [f32],
    order: &'a [u32],
    width: usize,
    first: usize,
    mid: usize,
    seed: u64,
    chosen: &'a mut [u32],
}

impl WithSimd for MidNear<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let of = |place: u32| {
            let row = self.order[place as usize] as usize;
            &self.values[row * self.width..][..self.width]
        };
        for (offset, chosen) in self.chosen.chunks_mut(self.mid).enumerate() {
            let row = (self.first + offset) as u32;
            let mut random = Random::at(self.seed, STREAM, u64::from(row));
            for slot in 0..self.mid {
                let drawn = draw(&mut random, self.order.len(), row, &chosen[..slot]);
                // The nearest and the second; `row` itself stands for none.
                let mut nearest = [(f32::INFINITY, row); 2];
                for &other in drawn.iter().filter(|&&other| other != row) {
                    let square = squared_distance(of(row), of(other));
                    if nearest[0].1 == row || square < nearest[0].0 {
                        nearest = [(square, other), nearest[0]];
                    } else if nearest[1].1 == row || square < nearest[1].0 {
                        nearest[1] = (square, other);
                    }
                }
                let second = if nearest[1].1 == row { 0 } else { 1 };
                chosen[slot] = nearest[second].1;
            }
        }
    }
}

/// Up to six different rows, neither `row` nor `earlier` ones; where fewer are left, the rest of
/// the six is `row` itself.
#[inline(always)]
fn draw(random: &mut Random, rows: usize, row: u32, earlier: &[u32]) -> [u32; DRAWN] {
    let mut drawn = [row; DRAWN];
    let left = rows.saturating_sub(1 + earlier.len());
    for slot in 0..DRAWN.min(left) {
        let free = |other: u32, drawn: &[u32; DRAWN]| {
            other != row && !drawn[..slot].contains(&other) && !earlier.contains(&other)
        };
        let mut other = random.below(rows as u32);
        // After many misses the next free row is taken, so that this ends.
        let mut misses = 0;
        while !free(other, &drawn) {
            misses += 1;
            other = if misses < 100 {
                random.below(rows as u32)
            } else {
                (other + 1) % rows as u32
            };
        }
        drawn[slot] = other;
    }
    drawn
}

/// The squared length of `a - b`, summed in sixteen fixed lanes.
#[inline(always)]
fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let (a_blocks, a_rest) = a.as_chunks::<16>();
    let (b_blocks, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..16 {
            let delta = a[lane] - b[lane];
            lanes[lane] = delta.mul_add(delta, lanes[lane]);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        let delta = a - b;
        *lane = delta.mul_add(delta, *lane);
    }
    let mut width = 8;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
