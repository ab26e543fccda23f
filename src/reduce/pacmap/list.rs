//! A list of pairs that every row reads from its own side.

use rayon::prelude::*;

/// Rows' entries come in multiples of this many.
pub(super) const LANES: usize = 8;

/// Rows whose flags one task works out.
const CHUNK: usize = 2048;

/// For every row all rows that it shares a pair with, whichever of the two chose the other.
///
/// A row's force is summed from its own entries alone, so rows are independent of each other. Two
/// rows that chose each other have one entry of strength 2. Entries are filled up to a multiple of
/// [`LANES`] with the row itself, which exerts no force on itself.
#[derive(Debug)]
pub(super) struct PairList {
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

/// A partner and whether both chose each other, in 32 bits: half of what the optimiser reads are
/// entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry(u32);

impl Entry {
    /// Partners below this number fit.
    const LIMIT: u32 = 1 << 31;

    pub(super) fn new(other: u32, mutual: bool) -> Self {
        Self(other | if mutual { Self::LIMIT } else { 0 })
    }

    /// The partner.
    #[inline(always)]
    pub(super) fn other(self) -> usize {
        (self.0 & (Self::LIMIT - 1)) as usize
    }

    /// 1, or 2 where both chose each other.
    #[inline(always)]
    pub(super) fn strength(self) -> f32 {
        (1 + (self.0 >> 31)) as f32
    }
}

impl PairList {
    /// The list of `per_row` chosen partners of every row; no row chooses itself or one twice.
    pub(super) fn new(chosen: Vec<u32>, per_row: usize, rows: usize) -> Self {
        let chosen = mark(chosen, per_row);
        let mut lengths = vec![per_row as u32; rows];
        for entry in chosen.iter().filter(|entry| entry.strength() == 1.0) {
            lengths[entry.other()] += 1;
        }
        let mut starts = Vec::with_capacity(rows + 1);
        let mut total = 0;
        for &length in &lengths {
            starts.push(total);
            total += length.next_multiple_of(LANES as u32);
        }
        starts.push(total);
        drop(lengths);
        let mut entries = vec![Entry(0); total as usize];
        for (row, bounds) in starts.windows(2).enumerate() {
            entries[bounds[0] as usize..bounds[1] as usize].fill(Entry(row as u32));
        }
        let mut next = starts.clone();
        let mut add = |row: usize, entry: Entry| {
            entries[next[row] as usize] = entry;
            next[row] += 1;
        };
        for row in 0..rows {
            for &entry in &chosen[row * per_row..(row + 1) * per_row] {
                add(row, entry);
                if entry.strength() == 1.0 {
                    add(entry.other(), Entry(row as u32));
                }
            }
        }
        Self { starts, entries }
    }

    /// Bytes that a list of `rows` rows and `per_row` choices can take.
    pub(super) fn bytes(rows: usize, per_row: usize) -> u64 {
        let entries = 2 * per_row as u64 + LANES as u64;
        (rows as u64).saturating_mul(entries * 4 + 4)
    }

    /// The entries of the rows `from..to`, one row after the other.
    #[inline(always)]
    pub(super) fn entries(&self, from: usize, to: usize) -> &[Entry] {
        &self.entries[self.starts[from] as usize..self.starts[to] as usize]
    }

    /// Where the rows `from..to` begin and end.
    #[inline(always)]
    pub(super) fn starts(&self, from: usize, to: usize) -> &[u32] {
        &self.starts[from..=to]
    }
}

/// Entries of what was chosen.
fn mark(chosen: Vec<u32>, per_row: usize) -> Vec<Entry> {
    let mut entries = vec![Entry(0); chosen.len()];
    if per_row == 0 {
        return entries;
    }
    entries
        .par_chunks_mut(CHUNK * per_row)
        .enumerate()
        .for_each(|(chunk, entries)| {
            for (offset, entries) in entries.chunks_mut(per_row).enumerate() {
                let row = chunk * CHUNK + offset;
                let choices = &chosen[row * per_row..(row + 1) * per_row];
                for (entry, &other) in entries.iter_mut().zip(choices) {
                    let back = other as usize * per_row;
                    let mutual = chosen[back..back + per_row].contains(&(row as u32));
                    *entry = Entry::new(other, mutual);
                }
            }
        });
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_stands_on_both_sides_as_often_as_it_was_chosen() {
        // 0 -> 1, 2; 1 -> 0, 2; 2 -> 3, 0; 3 -> 0, 1.
        let chosen = [1, 2, 0, 2, 3, 0, 0, 1];
        let list = PairList::new(chosen.to_vec(), 2, 4);
        for row in 0..4_usize {
            let entries = list.entries(row, row + 1);
            assert_eq!(entries.len() % LANES, 0);
            for other in (0..4_usize).filter(|&other| other != row) {
                let count = |a: usize, b: usize| {
                    chosen[2 * a..2 * a + 2]
                        .iter()
                        .filter(|&&c| c as usize == b)
                        .count() as f32
                };
                let of_other = entries.iter().filter(|entry| entry.other() == other);
                let found: f32 = of_other.map(|entry| entry.strength()).sum();
                assert_eq!(
                    found,
                    count(row, other) + count(other, row),
                    "{row} {other}"
                );
            }
        }
    }

    #[test]
    fn no_choices_are_an_empty_list() {
        let list = PairList::new(Vec::new(), 0, 3);
        assert_eq!(list.entries(0, 3), &[]);
    }
}
