//! Far partners: rows drawn by chance that push each other away.

use crate::reduce::random::Random;
use rayon::prelude::*;

/// Rows that share their far blocks.
pub(super) const BLOCK: usize = 16;

/// From this many rows on far partners are drawn for blocks of rows; below, for every row.
const BLOCKS_FROM: usize = 4096;

/// Blocks that share their far groups where there are many rows.
pub(super) const GROUP: usize = 8;

/// From this many rows on far partners are drawn for groups of blocks: coordinates then do not fit
/// the caches nearest to a core, and blocks that follow each other are read ahead.
const GROUPS_FROM: usize = 1 << 17;

/// The use of the seed (see [`Random::at`]).
const STREAM: u64 = 0x0FA2;

/// Rows whose partners one task draws.
const CHUNK: usize = 2048;

/// Whether that many rows have their far partners drawn by blocks.
pub(super) fn by_blocks(rows: usize) -> bool {
    rows >= BLOCKS_FROM
}

/// Far partners by blocks of [`BLOCK`] rows: a random permutation of the blocks for every partner,
/// each row meeting the row at its own place in the other block.
///
/// Coordinates of a block are read as a whole, which is several times quicker than reading rows at
/// random, and every row still meets its partners all over the data: the sixteen rows beside each
/// other share blocks, others do not, so rows in the order of their labels do no harm (circular
/// shifts of the whole order do).
///
/// From [`GROUPS_FROM`] rows on groups of [`GROUP`] blocks are permuted instead, each block meeting
/// the block at its own place in the other group. The last group may be filled up with blocks that
/// hold no rows.
#[derive(Debug)]
pub(super) struct FarBlocks {
    group: usize,
    per_group: usize,
    others: Vec<u32>,
}

impl FarBlocks {
    /// `far` partners chosen by every row, and the as many rows that chose it.
    pub(super) fn new(rows: usize, far: usize, seed: u64) -> Self {
        let group = if rows < GROUPS_FROM { 1 } else { GROUP };
        let groups = rows.div_ceil(BLOCK * group);
        let per_group = 2 * far;
        let mut others = vec![0; groups * per_group];
        for partner in 0..far {
            let mut random = Random::at(seed, STREAM, partner as u64);
            let mut order: Vec<u32> = (0..groups as u32).collect();
            random.shuffle(&mut order);
            // The permutation as one cycle through all groups: none meets itself.
            for (at, &one) in order.iter().enumerate() {
                let next = order[(at + 1) % groups];
                others[one as usize * per_group + 2 * partner] = next;
                others[next as usize * per_group + 2 * partner + 1] = one;
            }
        }
        Self {
            group,
            per_group,
            others,
        }
    }

    /// Bytes that the blocks of so many rows take.
    pub(super) fn bytes(rows: usize, far: usize) -> u64 {
        (rows.div_ceil(BLOCK) as u64).saturating_mul(8 * far as u64)
    }

    /// The groups that a block's own group meets, the block's place in it, and the size of a group.
    #[inline(always)]
    pub(super) fn of(&self, block: usize) -> (&[u32], usize, usize) {
        let (group, place) = (block / self.group, block % self.group);
        let others = &self.others[group * self.per_group..(group + 1) * self.per_group];
        (others, place, self.group)
    }
}

/// `far` partners for every row, drawn from all rows but itself and its near partners.
///
/// Where too few rows are left for that, near partners are drawn too.
pub(super) fn sample(
    near: &[u32],
    near_count: usize,
    rows: usize,
    far: usize,
    seed: u64,
) -> Vec<u32> {
    let mut chosen = vec![0; rows * far];
    let spare_near = rows > near_count + far;
    chosen
        .par_chunks_mut(CHUNK * far.max(1))
        .enumerate()
        .for_each(|(chunk, chosen)| {
            for (offset, chosen) in chosen.chunks_mut(far.max(1)).enumerate() {
                let row = chunk * CHUNK + offset;
                let mut random = Random::at(seed, STREAM, row as u64);
                let mut refused = vec![row as u32];
                if spare_near {
                    refused.extend(&near[row * near_count..(row + 1) * near_count]);
                }
                for slot in 0..chosen.len() {
                    let (drawn, rest) = chosen.split_at_mut(slot);
                    if let Some(place) = rest.first_mut() {
                        *place = draw(&mut random, rows, &refused, drawn);
                    }
                }
            }
        });
    chosen
}

/// A row that is neither refused nor drawn already; one exists.
fn draw(random: &mut Random, rows: usize, refused: &[u32], drawn: &[u32]) -> u32 {
    let free = |row: &u32| !refused.contains(row) && !drawn.contains(row);
    for _ in 0..100 {
        let row = random.below(rows as u32);
        if free(&row) {
            return row;
        }
    }
    // Nearly all rows are taken: the first that is free after a random one.
    let from = random.below(rows as u32);
    let around = (from..rows as u32).chain(0..from);
    around.into_iter().find(free).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_meets_as_many_groups_as_meet_it_and_never_itself() {
        for (rows, blocks) in [(5_000, 1), (GROUPS_FROM + 1, GROUP)] {
            let far = FarBlocks::new(rows, 20, 7);
            let groups = rows.div_ceil(BLOCK * blocks);
            for group in 0..groups {
                let (others, place, size) = far.of(group * blocks + blocks / 2);
                assert_eq!((others.len(), place, size), (40, blocks / 2, blocks));
                for &other in others {
                    assert_ne!(other as usize, group);
                    let (back, ..) = far.of(other as usize * blocks);
                    let back = back.iter().filter(|&&back| back as usize == group);
                    let here = others.iter().filter(|&&here| here == other);
                    assert_eq!(back.count(), here.count());
                }
            }
        }
    }

    #[test]
    fn rows_meet_others_that_are_neither_themselves_nor_near_nor_twice() {
        let near: Vec<u32> = (0..60)
            .flat_map(|row: u32| [(row + 1) % 60, (row + 2) % 60])
            .collect();
        let chosen = sample(&near, 2, 60, 8, 3);
        for (row, chosen) in chosen.chunks(8).enumerate() {
            let mut sorted = chosen.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), 8);
            assert!(!sorted.contains(&(row as u32)));
            assert!(
                near[2 * row..2 * row + 2]
                    .iter()
                    .all(|near| !sorted.contains(near))
            );
        }
    }

    #[test]
    fn two_rows_meet_each_other() {
        assert_eq!(sample(&[1, 0], 1, 2, 1, 0), [1, 0]);
    }
}
