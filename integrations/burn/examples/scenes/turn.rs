//! Pictures turned and mirrored while a network trains, so that it sees more of them than there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::SIDE;

/// What may happen to a picture before a training step; collection sees all as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Augmentation {
    /// Nothing.
    None,
    /// Left and right change places: for pictures that have an upright.
    Mirror,
    /// Any quarter turn too.
    Turn,
}

/// Draws a turn for one picture after the other.
#[derive(Clone, Debug)]
pub struct Turns {
    augmentation: Augmentation,
    seed: u64,
    drawn: Arc<AtomicU64>,
}

impl Turns {
    /// The turns of a seed.
    pub fn new(augmentation: Augmentation, seed: u64) -> Self {
        Self {
            augmentation,
            seed,
            drawn: Arc::default(),
        }
    }

    /// The next one.
    pub fn draw(&self) -> Turn {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let scramble = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = StdRng::seed_from_u64(self.seed ^ scramble);
        let mut drawn = |from| self.augmentation >= from && random.random();
        Turn {
            mirrored: drawn(Augmentation::Mirror),
            upside_down: drawn(Augmentation::Turn),
            transposed: drawn(Augmentation::Turn),
        }
    }
}

/// One of the eight ways to lay a square down: mirrored, then upside down, then rows and columns change
/// places.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    mirrored: bool,
    upside_down: bool,
    transposed: bool,
}

impl Turn {
    /// As it is.
    pub const NONE: Self = Self {
        mirrored: false,
        upside_down: false,
        transposed: false,
    };

    /// `SIDE * SIDE` values, row by row.
    pub fn square<T: Copy>(self, values: &[T]) -> Vec<T> {
        let from = |pixel: usize| {
            let (mut y, mut x) = (pixel / SIDE, pixel % SIDE);
            if self.transposed {
                (y, x) = (x, y);
            }
            if self.upside_down {
                y = SIDE - 1 - y;
            }
            if self.mirrored {
                x = SIDE - 1 - x;
            }
            values[y * SIDE + x]
        };
        (0..SIDE * SIDE).map(from).collect()
    }

    /// A box in pixels: left, top, right, bottom.
    #[allow(dead_code, reason = "masks have no boxes")]
    pub fn bbox(self, [left, top, right, bottom]: [f32; 4]) -> [f32; 4] {
        let side = SIDE as f32;
        let turned = |is_turned, from: f32, to: f32| match is_turned {
            true => (side - to, side - from),
            false => (from, to),
        };
        let (left, right) = turned(self.mirrored, left, right);
        let (top, bottom) = turned(self.upside_down, top, bottom);
        match self.transposed {
            true => [top, left, bottom, right],
            false => [left, top, right, bottom],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The box around the pixels that are set.
    fn around(pixels: &[bool]) -> [f32; 4] {
        let set = || (0..SIDE * SIDE).filter(|&pixel| pixels[pixel]);
        let (xs, ys) = (
            || set().map(|pixel| pixel % SIDE),
            || set().map(|pixel| pixel / SIDE),
        );
        let ends = [xs().min(), ys().min(), xs().max(), ys().max()].map(Option::unwrap);
        let [left, top, right, bottom] = ends;
        [left, top, right + 1, bottom + 1].map(|edge| edge as f32)
    }

    #[test]
    fn boxes_turn_with_their_pixels() {
        let inside = |x: usize, y: usize| (3..9).contains(&x) && (20..41).contains(&y);
        let pixels: Vec<bool> = (0..SIDE * SIDE)
            .map(|pixel| inside(pixel % SIDE, pixel / SIDE))
            .collect();
        let bbox = around(&pixels);
        assert_eq!(bbox, [3.0, 20.0, 9.0, 41.0]);
        let seen = |augmentation| -> BTreeSet<String> {
            let turns = Turns::new(augmentation, 3);
            let drawn = (0..200).map(|_| turns.draw());
            drawn
                .map(|turn| {
                    let turned = around(&turn.square(&pixels));
                    assert_eq!(turn.bbox(bbox), turned, "{turn:?}");
                    format!("{turned:?}")
                })
                .collect()
        };
        assert_eq!(seen(Augmentation::None).len(), 1);
        assert_eq!(seen(Augmentation::Mirror).len(), 2);
        assert_eq!(seen(Augmentation::Turn).len(), 8);
        assert_eq!(Turn::NONE.bbox(bbox), bbox);
    }
}
