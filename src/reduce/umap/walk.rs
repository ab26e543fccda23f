//! One epoch of the points that move together.

use std::ops::Range;

use super::kernel::Forces;
use super::points::Points;
use super::power::{LANES, Lanes};
use super::schedule::Samples;
use crate::reduce::random::Random;

const PUSHES: u64 = 0x554D_0003;

/// What all points share during one epoch.
#[derive(Clone, Copy)]
pub(super) struct Epoch<'a> {
    pub(super) points: &'a Points,
    pub(super) number: usize,
    /// Learning rate.
    pub(super) rate: f32,
    /// Pushes that follow each pull.
    pub(super) pushes: usize,
    pub(super) forces: &'a Forces,
    pub(super) seed: u64,
}

/// `LANES` points in a row and what becomes of them.
pub(super) struct Group {
    pub(super) first: usize,
    /// `LANES`, or fewer at the end of all.
    pub(super) count: usize,
    pub(super) samples: Samples,
    /// Where the points have moved to, by dimension.
    pub(super) moved: Vec<Lanes>,
}

impl Group {
    pub(super) fn places(&self) -> Range<usize> {
        self.first..self.first + self.count
    }
}

/// The walk of some groups, compiled for the instruction set that the machine has.
///
/// A type and not a closure: calls of a closure go through a function that is not compiled so.
pub(super) struct Walk<'a> {
    pub(super) epoch: Epoch<'a>,
    pub(super) groups: &'a mut [Group],
    /// Group by group `[steps][LANES][dims]`: what each sample moved its point by.
    pub(super) moves: &'a mut [f32],
}

impl pulp::WithSimd for Walk<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self {
            epoch,
            groups,
            moves,
        } = self;
        let mut rest = moves;
        for group in groups {
            let size = group.samples.most_steps() * LANES * group.moved.len();
            let (moves, after) = rest.split_at_mut(size);
            rest = after;
            match group.moved.len() {
                2 => walk(&epoch, group, moves, &mut [[[0.0; LANES]; 2]; 3]),
                3 => walk(&epoch, group, moves, &mut [[[0.0; LANES]; 3]; 3]),
                dims => {
                    let mut space: [Vec<Lanes>; 3] = Default::default();
                    space.fill(vec![[0.0; LANES]; dims]);
                    walk(&epoch, group, moves, &mut space);
                }
            }
        }
    }
}

/// Moves the points of a group by their samples of the epoch, one after the other.
#[inline(always)]
fn walk<A: AsMut<[Lanes]>>(
    epoch: &Epoch<'_>,
    group: &mut Group,
    moves: &mut [f32],
    space: &mut [A; 3],
) {
    let [own, others, moved] = space;
    let (own, others, moved) = (own.as_mut(), others.as_mut(), moved.as_mut());
    let (points, dims) = (epoch.points, own.len());
    let planes = || points.coordinates.chunks_exact(points.stride());
    let mut random = Random::at(
        epoch.seed,
        PUSHES ^ ((epoch.number as u64) << 32),
        group.first as u64,
    );
    for (own, plane) in own.iter_mut().zip(planes()) {
        own.copy_from_slice(&plane[group.first..group.first + LANES]);
    }
    let kept = moves.chunks_exact_mut(LANES * dims);
    for (ends, kept) in group.samples.of_epoch(epoch.number).zip(kept) {
        let mut share = [0.0; LANES];
        for (share, &end) in share.iter_mut().zip(ends) {
            *share = f32::from(u8::from(end < points.nowhere()));
        }
        for (other, plane) in others.iter_mut().zip(planes()) {
            for (value, &end) in other.iter_mut().zip(ends) {
                *value = plane[end as usize];
            }
        }
        epoch.forces.pull(own, others, &share, epoch.rate, moved);
        for (lane, kept) in kept.chunks_exact_mut(dims).enumerate() {
            for (kept, moved) in kept.iter_mut().zip(moved.iter()) {
                *kept = moved[lane];
            }
        }
        moved.fill([0.0; LANES]);
        for _ in 0..epoch.pushes {
            let place = random.below(points.count as u32) as usize;
            for (other, plane) in others.iter_mut().zip(planes()) {
                other.copy_from_slice(&plane[place..place + LANES]);
            }
            epoch.forces.push(own, others, &share, moved);
        }
        for (own, moved) in own.iter_mut().zip(moved.iter()) {
            for lane in 0..LANES {
                own[lane] = epoch.rate.mul_add(moved[lane], own[lane]);
            }
        }
    }
    group.moved.copy_from_slice(own);
}
