//! The optimiser: forces summed row by row, Adam in the same sweep.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::far::{BLOCK, FarBlocks, GROUP};
use super::force::{self, FAR, Force, MID, NEAR};
use super::list::PairList;
use super::schedule::{Schedule, Step};
use crate::Result;
use crate::reduce::Watch;

/// Rows that one task moves: whole groups of blocks.
const CHUNK: usize = 8 * GROUP * BLOCK;

/// Where the rows lie that fill up the last group of blocks: so far away that they exert no force (their
/// squared distance is still a finite f32).
const OUT_OF_REACH: f32 = 1e17;

/// All pairs of a fit.
#[derive(Debug)]
pub(super) struct Pairs {
    pub(super) near: PairList,
    pub(super) mid: PairList,
    pub(super) far: Far,
}

/// The far pairs, as they were drawn.
#[derive(Debug)]
pub(super) enum Far {
    Blocks(FarBlocks),
    Rows(PairList),
}

/// A place that rows are held at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor<'a, const D: usize> {
    pub(super) places: &'a [[f32; D]],
    pub(super) penalty: f32,
}

/// Moves the rows from `start` through the whole schedule.
///
/// Every iteration reads the coordinates of the one before and writes new ones, so the order in
/// which rows are worked on cannot show in the result.
pub(super) fn optimise<const D: usize>(
    start: &[[f32; D]],
    pairs: &Pairs,
    schedule: &Schedule,
    anchor: Option<Anchor<'_, D>>,
    watch: &Watch<'_>,
) -> Result<Vec<[f32; D]>> {
    let rows = start.len();
    let mut current = Places::new(start);
    let mut next = Places::new(start);
    // Cold, Adam's first steps have the length of the learning rate however small the force, which
    // would shake a layout that is at rest.
    let typical = anchor.map_or(0.0, |anchor| {
        (1.0 + anchor.penalty) * (1.0 + anchor.penalty)
    });
    let moments = Moments {
        first: [0.0; D],
        second: [typical; D],
    };
    let mut moments = vec![moments; rows];
    for step in schedule.steps() {
        watch.update(super::DURING, step.index as u64)?;
        let sweep = Sweep {
            pairs,
            step: &step,
            from: current.all(),
            anchor,
        };
        next.all_mut()[..rows]
            .par_chunks_mut(CHUNK)
            .zip(moments.par_chunks_mut(CHUNK))
            .enumerate()
            .for_each(|(chunk, (next, moments))| {
                pulp::Arch::new().dispatch(Task {
                    sweep: &sweep,
                    first: chunk * CHUNK,
                    next,
                    moments,
                });
            });
        std::mem::swap(&mut current, &mut next);
    }
    Ok(current.all()[..rows].to_vec())
}

/// Coordinates of whole groups of blocks of rows, which begin where lines of the cache begin: a block
/// of pairs of coordinates takes two lines and not three.
struct Places<const D: usize> {
    buffer: Vec<[f32; D]>,
    first: usize,
    count: usize,
}

impl<const D: usize> Places<D> {
    /// Bytes of a line of the cache.
    const LINE: usize = 64;

    fn new(start: &[[f32; D]]) -> Self {
        let count = start.len().next_multiple_of(GROUP * BLOCK);
        let mut buffer = vec![[OUT_OF_REACH; D]; count + Self::LINE];
        // Where no row begins at a line (a pointer's offset may be unknown), speed alone is lost.
        let offset = buffer.as_ptr().align_offset(Self::LINE);
        let first = if offset < Self::LINE { offset } else { 0 };
        buffer[first..first + start.len()].copy_from_slice(start);
        Self {
            buffer,
            first,
            count,
        }
    }

    fn all(&self) -> &[[f32; D]] {
        &self.buffer[self.first..self.first + self.count]
    }

    fn all_mut(&mut self) -> &mut [[f32; D]] {
        &mut self.buffer[self.first..self.first + self.count]
    }
}

/// Adam's running means of a row's gradient and of its squares (Kingma and Ba 2015).
#[derive(Clone, Copy, Debug)]
struct Moments<const D: usize> {
    first: [f32; D],
    second: [f32; D],
}

impl<const D: usize> Moments<D> {
    /// The place after one step down `gradient`.
    #[inline(always)]
    fn advance(&mut self, at: &[f32; D], gradient: &[f32; D], rate: f32) -> [f32; D] {
        std::array::from_fn(|axis| {
            let slope = gradient[axis];
            self.first[axis] = 0.1_f32.mul_add(slope - self.first[axis], self.first[axis]);
            self.second[axis] =
                0.001_f32.mul_add(slope * slope - self.second[axis], self.second[axis]);
            at[axis] - rate * self.first[axis] / (self.second[axis].sqrt() + 1e-7)
        })
    }
}

/// One iteration over all rows.
struct Sweep<'a, const D: usize> {
    pairs: &'a Pairs,
    step: &'a Step,
    from: &'a [[f32; D]],
    anchor: Option<Anchor<'a, D>>,
}

/// What a task works on for one block of rows at a time.
#[derive(Default)]
struct Desk<const D: usize> {
    gathered: Vec<[f32; D]>,
    weights: Vec<f32>,
}

/// The rows of one task.
struct Task<'a, const D: usize> {
    sweep: &'a Sweep<'a, D>,
    first: usize,
    next: &'a mut [[f32; D]],
    moments: &'a mut [Moments<D>],
}

impl<const D: usize> WithSimd for Task<'_, D> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.sweep.rows(self.first, self.next, self.moments);
    }
}

impl<const D: usize> Sweep<'_, D> {
    /// Moves the rows `first..first + next.len()`.
    #[inline(always)]
    fn rows(&self, first: usize, next: &mut [[f32; D]], moments: &mut [Moments<D>]) {
        let mut desk = Desk::default();
        let blocks = next.chunks_mut(BLOCK).zip(moments.chunks_mut(BLOCK));
        for (block, (next, moments)) in blocks.enumerate() {
            let first = first + block * BLOCK;
            let last = first + next.len();
            let mut gradient = [[0.0; D]; BLOCK];
            let Step {
                near, mid, rate, ..
            } = *self.step;
            self.add_listed(
                &self.pairs.near,
                first..last,
                NEAR.times(near),
                &mut desk,
                &mut gradient,
            );
            if mid != 0.0 {
                self.add_listed(
                    &self.pairs.mid,
                    first..last,
                    MID.times(mid),
                    &mut desk,
                    &mut gradient,
                );
            }
            match &self.pairs.far {
                Far::Blocks(far) => {
                    self.add_far_blocks(far, first / BLOCK, &mut desk, &mut gradient)
                }
                Far::Rows(far) => self.add_listed(far, first..last, FAR, &mut desk, &mut gradient),
            }
            if let Some(anchor) = &self.anchor {
                self.add_anchor(anchor, first, last, &mut gradient);
            }
            let places = &self.from[first..last];
            for (((next, moments), at), gradient) in
                next.iter_mut().zip(moments).zip(places).zip(&gradient)
            {
                *next = moments.advance(at, gradient, rate);
            }
        }
    }

    /// Adds the forces of the listed partners of some rows.
    ///
    /// All coordinates are copied side by side first: that loop waits for memory only, and the
    /// arithmetic after it reads whole vectors.
    #[inline(always)]
    fn add_listed(
        &self,
        list: &PairList,
        rows: Range<usize>,
        force: Force,
        desk: &mut Desk<D>,
        gradient: &mut [[f32; D]; BLOCK],
    ) {
        let entries = list.entries(rows.start, rows.end);
        desk.gathered.clear();
        desk.gathered
            .extend(entries.iter().map(|entry| self.from[entry.other()]));
        desk.weights.resize(entries.len(), 0.0);
        let starts = list.starts(rows.start, rows.end);
        let base = starts[0] as usize;
        let places = &self.from[rows];
        for (bounds, at) in starts.windows(2).zip(places) {
            let row = bounds[0] as usize - base..bounds[1] as usize - base;
            let squares = &mut desk.weights[row.clone()];
            force::listed_squares(at, &desk.gathered[row], force.offset, squares);
        }
        force::weigh(&mut desk.weights, entries);
        for ((bounds, at), gradient) in starts.windows(2).zip(places).zip(gradient) {
            let row = bounds[0] as usize - base..bounds[1] as usize - base;
            let sum = force::sum_listed(at, &desk.gathered[row.clone()], &desk.weights[row]);
            for axis in 0..D {
                gradient[axis] = force.strength.mul_add(sum[axis], gradient[axis]);
            }
        }
    }

    #[inline(always)]
    fn add_far_blocks(
        &self,
        far: &FarBlocks,
        block: usize,
        desk: &mut Desk<D>,
        gradient: &mut [[f32; D]; BLOCK],
    ) {
        let blocks = self.from.as_chunks::<BLOCK>().0;
        let own = &blocks[block];
        let at: [[f32; BLOCK]; D] =
            std::array::from_fn(|axis| std::array::from_fn(|lane| own[lane][axis]));
        let (others, place, group) = far.of(block);
        let blocks = &blocks[place..];
        desk.weights.resize(others.len() * BLOCK, 0.0);
        let weights = desk.weights.as_chunks_mut::<BLOCK>().0;
        for (squares, &other) in weights.iter_mut().zip(others) {
            *squares = force::block_squares(&at, &blocks[other as usize * group], FAR.offset);
        }
        force::weigh_evenly(&mut desk.weights);
        let mut sums = [[0.0; BLOCK]; D];
        for (weights, &other) in desk.weights.as_chunks::<BLOCK>().0.iter().zip(others) {
            force::add_block(&at, &blocks[other as usize * group], weights, &mut sums);
        }
        for lane in 0..BLOCK {
            for axis in 0..D {
                gradient[lane][axis] = FAR.strength.mul_add(sums[axis][lane], gradient[lane][axis]);
            }
        }
    }

    /// The derivative of `penalty |y - place|^2`.
    #[inline(always)]
    fn add_anchor(
        &self,
        anchor: &Anchor<'_, D>,
        first: usize,
        last: usize,
        gradient: &mut [[f32; D]; BLOCK],
    ) {
        let rows = self.from[first..last]
            .iter()
            .zip(&anchor.places[first..last]);
        for ((at, place), gradient) in rows.zip(gradient) {
            for axis in 0..D {
                gradient[axis] += 2.0 * anchor.penalty * (at[axis] - place[axis]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows after one step in which nothing but far partners acts.
    fn pushed(start: &[[f32; 2]], far: Far) -> Vec<[f32; 2]> {
        let none = || PairList::new(Vec::new(), 0, start.len());
        let pairs = Pairs {
            near: none(),
            mid: none(),
            far,
        };
        let schedule = Schedule {
            phases: [1, 0, 0],
            learning_rate: 1.0,
            warm: false,
        };
        optimise(start, &pairs, &schedule, None, &Watch::default()).unwrap()
    }

    /// Rows of a square, anywhere in it.
    fn scattered(rows: usize) -> Vec<[f32; 2]> {
        let part = |row: usize, prime: usize| (row * prime % rows) as f32 / rows as f32;
        let place = |row| [part(row, 7919), part(row, 104_729)];
        (0..rows).map(place).collect()
    }

    #[test]
    fn partners_by_blocks_and_by_groups_push_as_the_same_ones_listed() {
        for rows in [1 << 13, 1 << 17] {
            let start = scattered(rows);
            let blocks = FarBlocks::new(rows, 3, 7);
            let chosen = (0..rows).flat_map(|row| {
                let (others, place, group) = blocks.of(row / BLOCK);
                let chosen = others.iter().step_by(2);
                chosen.map(move |&other| {
                    ((other as usize * group + place) * BLOCK + row % BLOCK) as u32
                })
            });
            let listed = PairList::new(chosen.collect(), 3, rows);
            let listed = pushed(&start, Far::Rows(listed));
            let moved = pushed(&start, Far::Blocks(blocks));
            // Adam's first step has the length of the learning rate: directions are compared.
            for (row, (a, b)) in moved.iter().zip(&listed).enumerate() {
                for axis in 0..2 {
                    assert!((a[axis] - b[axis]).abs() < 1e-2, "row {row}: {a:?} {b:?}");
                }
                assert_ne!(*a, start[row]);
            }
        }
    }
}
