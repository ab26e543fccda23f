//! The shapes, their outlines and where they lie.

use rand::rngs::StdRng;
use rand::{Rng, RngExt};

/// Names of the classes, by index.
pub const CLASSES: [&str; 5] = ["disc", "ring", "square", "triangle", "cross"];

/// A shape in its place.
pub struct Placed {
    pub class: usize,
    /// Centre and half of the extent, in pixels.
    pub x: f32,
    pub y: f32,
    pub radius: f32,
    /// Height in terms of width, before turning.
    stretch: f32,
    sine: f32,
    cosine: f32,
}

impl Placed {
    /// A shape somewhere within a picture of this side, no more than a quarter of it outside.
    pub fn anywhere(random: &mut StdRng, side: f32) -> Self {
        let radius = random.random_range(5.0..11.0_f32);
        let inset = radius * 0.75;
        let (sine, cosine) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
        Self {
            class: random.random_range(0..CLASSES.len()),
            x: random.random_range(inset..side - inset),
            y: random.random_range(inset..side - inset),
            radius,
            stretch: random.random_range(0.75..1.0),
            sine,
            cosine,
        }
    }

    /// The share of a pixel that the shape covers, from 3 x 3 points in it.
    pub fn coverage(&self, column: usize, row: usize) -> f32 {
        const POINTS: [f32; 3] = [1.0 / 6.0, 0.5, 5.0 / 6.0];
        let mut inside = 0;
        for dy in POINTS {
            for dx in POINTS {
                let (x, y) = self.turned(column as f32 + dx, row as f32 + dy);
                inside += i32::from(is_inside(self.class, x, y));
            }
        }
        inside as f32 / 9.0
    }

    /// A point of the picture as the shape sees it: turned back, and 1 at its rim.
    pub fn turned(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = ((x - self.x) / self.radius, (y - self.y) / self.radius);
        let turned = x * self.cosine + y * self.sine;
        (turned, (y * self.cosine - x * self.sine) / self.stretch)
    }

    /// The columns or rows that it may touch around a centre.
    pub fn reach(&self, centre: f32, side: usize) -> std::ops::Range<usize> {
        // Corners of the square lie at 1.1 of the radius.
        let first = (centre - self.radius * 1.2).floor().max(0.0) as usize;
        first..((centre + self.radius * 1.2).ceil() as usize).min(side)
    }
}

/// Whether a point lies in the shape of this class around the origin.
fn is_inside(class: usize, x: f32, y: f32) -> bool {
    let from_centre = x.hypot(y);
    match CLASSES[class] {
        "disc" => from_centre <= 1.0,
        "ring" => (0.55..=1.0).contains(&from_centre),
        "square" => x.abs().max(y.abs()) <= 0.78,
        "triangle" => y >= -0.5 && y <= 1.0 - 3.0_f32.sqrt() * x.abs(),
        _ => x.abs().min(y.abs()) <= 0.3 && x.abs().max(y.abs()) <= 1.0,
    }
}

/// A normally distributed number.
///
/// # Source
/// Box and Muller, *A note on the generation of random normal deviates* (1958).
pub fn normal(random: &mut impl Rng) -> f32 {
    let (u, v): (f32, f32) = (random.random(), random.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}
