//! Points that one task moves.

use super::points::Points;
use super::power::{LANES, Lanes};
use super::schedule::{Marks, Samples, WINDOW, epoch_of};
use super::walk::Group;
use crate::reduce::random::Random;

const TURNS: u64 = 0x554D_0002;

/// Where the moves of a group lie among all moves, and which epoch takes its first mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home {
    slot: u32,
    turn: u32,
}

/// Groups of points in a row, and what arrives at them in a window of epochs.
pub(super) struct Block {
    pub(super) groups: Vec<Group>,
    /// Samples of the groups in one epoch at most, points without one counted.
    pub(super) slots: usize,
    /// By epoch of the window the slots of the samples that arrive, point by point.
    arriving: [Vec<u32>; WINDOW],
    /// By epoch of the window where those of each point end.
    ends: [Vec<u32>; WINDOW],
}

impl Block {
    /// The points at `first..end`.
    pub(super) fn new(points: &Points, first: usize, end: usize, dims: usize, seed: u64) -> Self {
        let groups: Vec<Group> = (first..end)
            .step_by(LANES)
            .map(|first| {
                let count = LANES.min(end - first);
                let last = |place: usize| points.line(place).last().copied().unwrap_or(0);
                let longest = (first..first + count).map(last).max().unwrap_or(0);
                let turn = Random::at(seed, TURNS, first as u64).below(WINDOW as u32);
                Group {
                    first,
                    count,
                    samples: Samples::new(longest, turn as usize),
                    moved: vec![[0.0; LANES]; dims],
                }
            })
            .collect();
        let steps: usize = groups.iter().map(|group| group.samples.most_steps()).sum();
        Self {
            groups,
            slots: steps * LANES,
            arriving: Default::default(),
            ends: Default::default(),
        }
    }

    /// The homes of the groups, the first of which has its moves from `slot` on.
    pub(super) fn homes(&self, mut slot: usize) -> impl Iterator<Item = Home> + '_ {
        self.groups.iter().map(move |group| {
            let home = Home {
                slot: slot as u32,
                turn: group.samples.turn() as u32,
            };
            slot += group.samples.most_steps() * LANES;
            home
        })
    }

    /// Draws up a window.
    pub(super) fn draw(&mut self, marks: Marks, points: &Points, homes: &[Home]) {
        for group in &mut self.groups {
            group.samples.draw(marks, points, group.first, group.count);
        }
        for list in self.arriving.iter_mut().chain(&mut self.ends) {
            list.clear();
        }
        for place in self.groups.iter().flat_map(Group::places) {
            for (other, from, to) in points.arriving(place) {
                let Home { slot, turn } = homes[other / LANES];
                let slot = slot + (other % LANES) as u32;
                for mark in marks.before(from)..marks.before(to) {
                    let step = mark / WINDOW;
                    self.arriving[epoch_of(mark, turn as usize)].push(slot + (step * LANES) as u32);
                }
            }
            for (ends, arriving) in self.ends.iter_mut().zip(&self.arriving) {
                ends.push(arriving.len() as u32);
            }
        }
    }

    /// Moves the points by the counterparts of the pulls that reached them in an epoch, by `limit`
    /// along each axis at most: pulls that are applied together do not become weaker as the point comes
    /// near, and those of thousands would throw it far beyond.
    pub(super) fn answer(&mut self, points: &Points, epoch: usize, limit: f32, moves: &[f32]) {
        let stride = points.stride();
        let arriving = &self.arriving[epoch % WINDOW];
        let mut ends = self.ends[epoch % WINDOW].iter();
        let mut begin = 0;
        for group in &mut self.groups {
            let dims = group.moved.len();
            let planes = points.coordinates.chunks(stride);
            for (moved, plane) in group.moved.iter_mut().zip(planes) {
                moved.copy_from_slice(&plane[group.first..group.first + LANES]);
            }
            for (lane, &end) in (0..group.count).zip(&mut ends) {
                let slots = &arriving[begin..end as usize];
                match dims {
                    2 => subtract::<2>(&mut group.moved, lane, slots, limit, moves),
                    3 => subtract::<3>(&mut group.moved, lane, slots, limit, moves),
                    _ => {
                        for (dim, moved) in group.moved.iter_mut().enumerate() {
                            let step = |&slot: &u32| moves[slot as usize * dims + dim];
                            let sum = slots.iter().map(step).sum::<f32>();
                            moved[lane] -= sum.clamp(-limit, limit);
                        }
                    }
                }
                begin = end as usize;
            }
        }
    }
}

/// Takes the moves in `slots` from the place of one point, up to `limit`.
#[inline(always)]
fn subtract<const D: usize>(
    places: &mut [Lanes],
    lane: usize,
    slots: &[u32],
    limit: f32,
    moves: &[f32],
) {
    let (moves, _) = moves.as_chunks::<D>();
    let mut sum = [0.0; D];
    for &slot in slots {
        for (sum, step) in sum.iter_mut().zip(&moves[slot as usize]) {
            *sum += step;
        }
    }
    for (place, sum) in places.iter_mut().zip(sum) {
        place[lane] -= sum.clamp(-limit, limit);
    }
}
