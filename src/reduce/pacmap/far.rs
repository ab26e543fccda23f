//! Far partners: rows drawn by chance that push each other away.

use crate::reduce::random::Random;
use rayon::prelude::*;

/// Rows that share their far blocks.
pub(super) const BLOCK: usize = 16;

/// From this many rows on far partners are drawn for blocks of rows; below, for every row.
const BLOCKS_FROM: usize = 4096;

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
#[derive(Debug)]
pub(super) struct FarBlocks {
    per_block: usize,
    others: Vec<u32>,
}

impl FarBlocks {
    /// `far` partners chosen by every row, and the as many rows that chose it.
    pub(super) fn new(rows: usize, far: usize, seed: u64) -> Self {
        let blocks = rows.div_ceil(BLOCK);
        let per_block = 2 * far;
        let mut others = vec![0; blocks * per_block];
        for partner in 0..far {
            let mut random = Random::at(seed, STREAM, partner as u64);
            let mut order: Vec<u32> = (0..blocks as u32).collect();
            random.shuffle(&mut order);
            // The permutation as one cycle through all blocks: none meets itself.
            for (at, &block) in order.iter().enumerate() {
                let next = order[(at + 1) % blocks];
                others[block as usize * per_block + 2 * partner] = next;
                others[next as usize * per_block + 2 * partner + 1] = block;
            }
        }
        Self { per_block, others }
    }

    /// Bytes that the blocks of so many rows take.
    pub(super) fn bytes(rows: usize, far: usize) -> u64 {
        (rows.div_ceil(BLOCK) as u64).saturating_mul(8 * far as u64)
    }

    /// The blocks that a block meets.
    #[inline(always)]
    pub(super) fn of(&self, block: usize) -> &[u32] {
        &self.others[block * self.per_block..(block + 1) * self.per_block]
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
    fn every_block_meets_as_many_blocks_as_meet_it_and_never_itself() {
        let far = FarBlocks::new(5000, 20, 7);
        let blocks = 5000_usize.div_ceil(BLOCK);
        for block in 0..blocks {
            assert_eq!(far.of(block).len(), 40);
            for &other in far.of(block) {
                assert_ne!(other as usize, block);
                let back = far
                    .of(other as usize)
                    .iter()
                    .filter(|&&b| b as usize == block);
                let here = far.of(block).iter().filter(|&&b| b == other);
                assert_eq!(back.count(), here.count());
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
