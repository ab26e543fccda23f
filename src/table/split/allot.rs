//! How many rows of every stratum go to every part.

use std::collections::VecDeque;

use crate::sampling::Draw;

/// Rows of each stratum in each part: the exact share rounded up or down, so that all rows of the
/// stratum are given away and every part is as large as asked for. Of the shares those with the largest
/// remainder are rounded up, as far as the sums allow; `draw` decides between equal ones.
///
/// # Shapes and units
/// `strata` and `parts` have equal sums; the result is `[strata, parts]`.
///
/// # Source
/// A rounding with both sums always exists: M. Bacharach, "Matrix rounding problems", Management Science
/// 12, 1966. What largest remainders leave over goes along augmenting paths: L. R. Ford, D. R. Fulkerson,
/// "Maximal flow through a network", Canadian Journal of Mathematics 8, 1956.
pub(super) fn allot(strata: &[u64], parts: &[u64], draw: &mut Draw) -> Vec<Vec<u64>> {
    let total: u128 = parts.iter().map(|&rows| u128::from(rows)).sum();
    let exact = |stratum: u64, part: u64| u128::from(stratum) * u128::from(part);
    let mut cells: Vec<Cell> = Vec::new();
    let mut shares: Vec<Vec<u64>> = Vec::with_capacity(strata.len());
    let mut rounding = Rounding {
        can: vec![vec![false; parts.len()]; strata.len()],
        up: vec![vec![false; parts.len()]; strata.len()],
        rows_left: Vec::with_capacity(strata.len()),
        room_left: parts.to_vec(),
    };
    for (number, &stratum) in strata.iter().enumerate() {
        let floors = parts
            .iter()
            .map(|&part| exact(stratum, part) / total.max(1));
        // Not above the stratum's rows, which fit.
        let floors: Vec<u64> = floors.map(|floor| floor as u64).collect();
        rounding
            .rows_left
            .push(stratum - floors.iter().sum::<u64>());
        for (part, &size) in parts.iter().enumerate() {
            rounding.room_left[part] -= floors[part];
            let remainder = exact(stratum, size) % total.max(1);
            rounding.can[number][part] = remainder > 0;
            if remainder > 0 {
                cells.push(Cell {
                    remainder,
                    stratum: number,
                    part,
                });
            }
        }
        shares.push(floors);
    }
    // Stable, so that equal remainders stay as they were drawn.
    draw.shuffle(&mut cells);
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.remainder));
    for cell in cells {
        rounding.round_up_if_free(cell.stratum, cell.part);
    }
    for stratum in 0..strata.len() {
        while rounding.rows_left[stratum] > 0 && rounding.make_room(stratum) {}
    }
    for (floors, up) in shares.iter_mut().zip(&rounding.up) {
        for (share, &is_up) in floors.iter_mut().zip(up) {
            *share += u64::from(is_up);
        }
    }
    shares
}

struct Cell {
    /// Of the exact share, in units of one over all rows.
    remainder: u128,
    stratum: usize,
    part: usize,
}

/// Which shares are rounded up.
struct Rounding {
    /// Shares that are no whole numbers.
    can: Vec<Vec<bool>>,
    up: Vec<Vec<bool>>,
    /// Rows of each stratum that no part has yet.
    rows_left: Vec<u64>,
    /// Rows that each part still lacks.
    room_left: Vec<u64>,
}

impl Rounding {
    fn round_up_if_free(&mut self, stratum: usize, part: usize) {
        if self.rows_left[stratum] > 0 && self.room_left[part] > 0 {
            self.rows_left[stratum] -= 1;
            self.room_left[part] -= 1;
            self.up[stratum][part] = true;
        }
    }

    /// Rounds one more share of the stratum up: in a full part, whose place another stratum leaves for a
    /// part with room, maybe over further ones. False when there is no such way.
    fn make_room(&mut self, stratum: usize) -> bool {
        let parts = self.room_left.len();
        // How each part was reached: by which stratum, and from which part.
        let mut reached: Vec<Option<(usize, Option<usize>)>> = vec![None; parts];
        let mut queue = VecDeque::new();
        for (part, way) in reached.iter_mut().enumerate() {
            if self.can[stratum][part] && !self.up[stratum][part] {
                *way = Some((stratum, None));
                queue.push_back(part);
            }
        }
        while let Some(part) = queue.pop_front() {
            if self.room_left[part] > 0 {
                self.follow(part, &reached);
                self.rows_left[stratum] -= 1;
                return true;
            }
            for other in (0..self.up.len()).filter(|&other| self.up[other][part]) {
                for (next, way) in reached.iter_mut().enumerate() {
                    if way.is_none() && self.can[other][next] && !self.up[other][next] {
                        *way = Some((other, Some(part)));
                        queue.push_back(next);
                    }
                }
            }
        }
        false
    }

    /// Moves one row along the way that ends at a part with room.
    fn follow(&mut self, end: usize, reached: &[Option<(usize, Option<usize>)>]) {
        self.room_left[end] -= 1;
        let mut part = end;
        while let Some((stratum, from)) = reached[part] {
            self.up[stratum][part] = true;
            let Some(from) = from else { return };
            self.up[stratum][from] = false;
            part = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sums, and every share the exact one rounded up or down.
    fn check(strata: &[u64], parts: &[u64]) {
        let shares = allot(strata, parts, &mut Draw::new(3, 0));
        let total: u64 = parts.iter().sum();
        for (shares, &rows) in shares.iter().zip(strata) {
            assert_eq!(shares.iter().sum::<u64>(), rows, "{strata:?} {parts:?}");
            for (&share, &part) in shares.iter().zip(parts) {
                let product = rows * part;
                assert!(
                    share == product / total || share == product.div_ceil(total),
                    "{share} of {rows} x {part} / {total} in {strata:?} {parts:?}"
                );
            }
        }
        for (part, &size) in parts.iter().enumerate() {
            let sum: u64 = shares.iter().map(|shares| shares[part]).sum();
            assert_eq!(sum, size, "{strata:?} {parts:?}");
        }
    }

    #[test]
    fn every_small_table_keeps_both_sums_and_stays_within_one() {
        let mut seed = 1_u64;
        let mut next = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for _ in 0..4_000 {
            let strata: Vec<u64> = (0..=next(9)).map(|_| 1 + next(7)).collect();
            let mut left = strata.iter().sum::<u64>();
            let mut parts = Vec::new();
            while left > 0 && parts.len() < 5 {
                let size = 1 + next(left);
                parts.push(size);
                left -= size;
            }
            *parts.last_mut().unwrap() += left;
            check(&strata, &parts);
        }
    }

    #[test]
    fn many_strata_of_one_row_fill_parts_of_any_size() {
        check(&[1; 1000], &[800, 100, 100]);
        check(&[3; 1001], &[2402, 301, 300]);
    }
}
