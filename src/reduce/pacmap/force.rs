//! The forces between two rows of the layout.
//!
//! The losses of PaCMAP (Wang et al. 2021, definition in section 4) are fractions of
//! `d = 1 + |y_i - y_j|^2`: near `d / (10 + d)`, mid-near `d / (10000 + d)`, far `1 / (1 + d)`.
//! Their derivatives with respect to `y_i` are all `strength (y_i - y_j) / (offset + |y_i - y_j|^2)^2`.

use super::far::BLOCK;
use super::list::{Entry, LANES};

/// One kind of pair: how strong its force is and where it stops growing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Force {
    pub(super) strength: f32,
    pub(super) offset: f32,
}

impl Force {
    /// The force under a weight of the schedule.
    #[inline(always)]
    pub(super) fn times(self, weight: f32) -> Self {
        Self {
            strength: self.strength * weight,
            ..self
        }
    }
}

/// Pulls a row towards its neighbours.
pub(super) const NEAR: Force = Force {
    strength: 20.0,
    offset: 11.0,
};
/// Pulls a row towards rows that are nearer than most.
pub(super) const MID: Force = Force {
    strength: 20_000.0,
    offset: 10_001.0,
};
/// Pushes a row away from others.
pub(super) const FAR: Force = Force {
    strength: -2.0,
    offset: 2.0,
};

/// Close to `1 / value^2` for normal values from 1e-18 to 1e37; the relative error is below 3e-4.
///
/// Subtracting the bits from a constant gives the reciprocal to one part in twenty (it negates the
/// exponent), a step of third order the rest. Division would take most of the optimiser's time, and
/// the processors' own estimates differ between instruction sets.
#[inline(always)]
pub(super) fn inverse_square(value: f32) -> f32 {
    let guess = f32::from_bits(0x7EF3_11C3_u32.wrapping_sub(value.to_bits()));
    let error = (-value).mul_add(guess, 1.0);
    let inverse = (guess * error).mul_add(1.0 + error, guess);
    inverse * inverse
}

/// Turns `offset + |at - other|^2` of pairs into their weights.
///
/// One loop over many pairs, apart from the loops around it, because compilers turn it into vector
/// instructions as it stands.
#[inline(always)]
pub(super) fn weigh(squares: &mut [f32], entries: &[Entry]) {
    for (square, entry) in squares.iter_mut().zip(entries) {
        *square = entry.strength() * inverse_square(*square);
    }
}

/// The same for pairs of strength 1.
#[inline(always)]
pub(super) fn weigh_evenly(squares: &mut [f32]) {
    for square in squares {
        *square = inverse_square(*square);
    }
}

/// `offset + |at - other|^2` of a row and each of its gathered partners.
#[inline(always)]
pub(super) fn listed_squares<const D: usize>(
    at: &[f32; D],
    others: &[[f32; D]],
    offset: f32,
    squares: &mut [f32],
) {
    let others = others.as_chunks::<LANES>().0;
    let squares = squares.as_chunks_mut::<LANES>().0;
    for (others, squares) in others.iter().zip(squares) {
        let mut sums = [offset; LANES];
        for axis in 0..D {
            for lane in 0..LANES {
                let delta = at[axis] - others[lane][axis];
                sums[lane] = delta.mul_add(delta, sums[lane]);
            }
        }
        *squares = sums;
    }
}

/// The sum of `weight (at - other)` over a row's gathered partners, in fixed lanes.
#[inline(always)]
pub(super) fn sum_listed<const D: usize>(
    at: &[f32; D],
    others: &[[f32; D]],
    weights: &[f32],
) -> [f32; D] {
    let mut sums = [[0.0_f32; LANES]; D];
    let others = others.as_chunks::<LANES>().0;
    let weights = weights.as_chunks::<LANES>().0;
    for (others, weights) in others.iter().zip(weights) {
        for axis in 0..D {
            for lane in 0..LANES {
                let delta = at[axis] - others[lane][axis];
                sums[axis][lane] = weights[lane].mul_add(delta, sums[axis][lane]);
            }
        }
    }
    std::array::from_fn(|axis| {
        let lanes = &sums[axis];
        let half: [f32; 4] = std::array::from_fn(|lane| lanes[lane] + lanes[lane + 4]);
        (half[0] + half[2]) + (half[1] + half[3])
    })
}

/// `offset + |at - other|^2` of the rows of a block, each and the one at its place in another block.
#[inline(always)]
pub(super) fn block_squares<const D: usize>(
    at: &[[f32; BLOCK]; D],
    others: &[[f32; D]; BLOCK],
    offset: f32,
) -> [f32; BLOCK] {
    let mut squares = [offset; BLOCK];
    for axis in 0..D {
        for lane in 0..BLOCK {
            let delta = at[axis][lane] - others[lane][axis];
            squares[lane] = delta.mul_add(delta, squares[lane]);
        }
    }
    squares
}

/// Adds `weight (at - other)` for the rows of a block.
#[inline(always)]
pub(super) fn add_block<const D: usize>(
    at: &[[f32; BLOCK]; D],
    others: &[[f32; D]; BLOCK],
    weights: &[f32; BLOCK],
    sums: &mut [[f32; BLOCK]; D],
) {
    for axis in 0..D {
        for lane in 0..BLOCK {
            let delta = at[axis][lane] - others[lane][axis];
            sums[axis][lane] = weights[lane].mul_add(delta, sums[axis][lane]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_square_is_close_over_the_whole_range() {
        let mut value = 1e-18_f32;
        while value < 1e18 {
            let exact = 1.0 / (f64::from(value) * f64::from(value));
            let relative = f64::from(inverse_square(value)) / exact - 1.0;
            assert!(relative.abs() < 3e-4, "{value}: {relative}");
            value *= 1.000_37;
        }
    }

    #[test]
    fn rows_out_of_reach_exert_no_force() {
        assert_eq!(inverse_square(1e37), 0.0);
    }

    /// The force of one pair, as a list filled up with the row itself gives it.
    fn listed<const D: usize>(at: [f32; D], other: [f32; D], offset: f32) -> [f32; D] {
        let mut entries = [Entry::new(0, false); LANES];
        entries[3] = Entry::new(1, false);
        let others = entries.map(|entry| [at, other][entry.other()]);
        let mut weights = [0.0; LANES];
        listed_squares(&at, &others, offset, &mut weights);
        weigh(&mut weights, &entries);
        sum_listed(&at, &others, &weights)
    }

    #[test]
    fn forces_are_the_derivatives_of_the_losses() {
        let near = |d: f64| d / (10.0 + d);
        let mid = |d: f64| d / (10_000.0 + d);
        let far = |d: f64| 1.0 / (1.0 + d);
        let losses: [(Force, &dyn Fn(f64) -> f64); 3] = [(NEAR, &near), (MID, &mid), (FAR, &far)];
        for (force, loss) in losses {
            for (x, y) in [(0.1, 0.2), (1.0, -2.0), (7.0, 3.0)] {
                let at = |x: f64| loss(1.0 + x * x + y * y);
                let slope = (at(x + 1e-5) - at(x - 1e-5)) / 2e-5;
                let here = [x as f32, y as f32];
                let sum = listed(here, [0.0, 0.0], force.offset)[0] * force.strength;
                let relative = f64::from(sum) / slope - 1.0;
                assert!(relative.abs() < 1e-3, "{force:?} at {x} {y}: {relative}");
            }
        }
    }

    #[test]
    fn a_block_and_a_list_give_the_same_force() {
        let at: [[f32; BLOCK]; 3] =
            std::array::from_fn(|axis| std::array::from_fn(|lane| (axis * 5 + lane) as f32 * 0.3));
        let others: [[f32; 3]; BLOCK] =
            std::array::from_fn(|lane| std::array::from_fn(|axis| ((lane * 7 + axis) % 5) as f32));
        let mut sums = [[0.0; BLOCK]; 3];
        let mut weights = block_squares(&at, &others, 2.0);
        weigh_evenly(&mut weights);
        add_block(&at, &others, &weights, &mut sums);
        for lane in 0..BLOCK {
            let here = std::array::from_fn(|axis| at[axis][lane]);
            let alone = listed(here, others[lane], 2.0);
            for axis in 0..3 {
                assert!((alone[axis] - sums[axis][lane]).abs() <= 1e-6 * alone[axis].abs());
            }
        }
    }
}
