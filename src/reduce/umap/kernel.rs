//! The forces between placed points.
//!
//! With `d` the distance of two points in the layout, a neighbour pulls by the gradient of
//! `log(1 / (1 + a d^(2b)))` and any other point pushes by that of `log(1 - 1 / (1 + a d^(2b)))`
//! (McInnes, Healy, Melville 2018, section 3.2), each coordinate of a move cut at 4.

use super::power::{LANES, Lanes, power};

/// The largest move along one coordinate at learning rate 1.
const LARGEST: f32 = 4.0;

/// Squared distances below this pull as this one does.
const CLOSEST: f32 = 1e-12;

/// Keeps the push between points that all but touch finite, as umap-learn does.
const SOFTENED: f32 = 0.001;

/// What forces depend on, apart from distances.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forces {
    a: f32,
    b: f32,
    pull: f32,
    push: f32,
}

impl Forces {
    pub(super) fn new(a: f64, b: f64, repulsion: f64) -> Self {
        Self {
            a: a as f32,
            b: b as f32,
            pull: (-2.0 * a * b) as f32,
            push: (2.0 * b * repulsion) as f32,
        }
    }

    /// Moves `own` by `rate` times the pull of `others`, times the `share` of each lane, and leaves
    /// the moves in `moves`.
    #[inline(always)]
    pub(super) fn pull(
        &self,
        own: &mut [Lanes],
        others: &[Lanes],
        share: &Lanes,
        rate: f32,
        moves: &mut [Lanes],
    ) {
        let mut squared = squared(own, others);
        for value in &mut squared {
            *value = if *value > CLOSEST { *value } else { CLOSEST };
        }
        let powers = power(&squared, self.b);
        let mut factors = [0.0; LANES];
        for lane in 0..LANES {
            let under = squared[lane] * powers[lane].mul_add(self.a, 1.0);
            factors[lane] = self.pull * powers[lane] * share[lane] / under;
        }
        for ((own, other), moves) in own.iter_mut().zip(others).zip(moves) {
            for lane in 0..LANES {
                moves[lane] = rate * cut(factors[lane] * (own[lane] - other[lane]));
                own[lane] += moves[lane];
            }
        }
    }

    /// Adds the push of `others` on `own` to `moves`, times the `share` of each lane.
    #[inline(always)]
    pub(super) fn push(&self, own: &[Lanes], others: &[Lanes], share: &Lanes, moves: &mut [Lanes]) {
        let squared = squared(own, others);
        let mut raised = squared;
        for value in &mut raised {
            *value = if *value > CLOSEST { *value } else { CLOSEST };
        }
        let powers = power(&raised, self.b);
        let mut factors = [0.0; LANES];
        for lane in 0..LANES {
            let under = (squared[lane] + SOFTENED) * powers[lane].mul_add(self.a, 1.0);
            factors[lane] = self.push * share[lane] / under;
        }
        for ((own, other), moves) in own.iter().zip(others).zip(moves) {
            for lane in 0..LANES {
                moves[lane] += cut(factors[lane] * (own[lane] - other[lane]));
            }
        }
    }
}

#[inline(always)]
fn squared(own: &[Lanes], others: &[Lanes]) -> Lanes {
    let mut sum = [0.0_f32; LANES];
    for (own, other) in own.iter().zip(others) {
        for lane in 0..LANES {
            let difference = own[lane] - other[lane];
            sum[lane] = difference.mul_add(difference, sum[lane]);
        }
    }
    sum
}

#[inline(always)]
fn cut(step: f32) -> f32 {
    let step = if step < LARGEST { step } else { LARGEST };
    if step > -LARGEST { step } else { -LARGEST }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_and_pushes_are_the_gradients_of_the_cross_entropy() {
        let (a, b) = (1.577, 0.895);
        let forces = Forces::new(a, b, 1.0);
        let member = |d: f64| 1.0 / (1.0 + a * d.powf(2.0 * b));
        for distance in [0.7_f64, 1.0, 2.5, 8.0] {
            let step = 1e-5;
            let slope =
                |f: &dyn Fn(f64) -> f64| (f(distance + step) - f(distance - step)) / (2.0 * step);
            let others = [[0.0; LANES]];
            let mut own = [[distance as f32; LANES]];
            let mut moves = [[0.0; LANES]];
            forces.push(&own, &others, &[1.0; LANES], &mut moves);
            let push = slope(&|d| (1.0 - member(d)).ln());
            // The softening takes 0.001 / d^2 off.
            assert!((f64::from(moves[0][3]) / push - 1.0).abs() < 0.003);
            forces.pull(&mut own, &others, &[1.0; LANES], 1.0, &mut moves);
            let pull = slope(&|d| member(d).ln());
            assert!((f64::from(moves[0][3]) / pull - 1.0).abs() < 1e-3);
        }
    }
}
