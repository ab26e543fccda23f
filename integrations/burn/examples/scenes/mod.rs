//! Generated scenes: grey pictures of shapes with the box, the class and the pixels of each.
//!
//! No two are alike: shapes vary in size, angle, proportion, tone and texture, overlap each other and
//! are crossed by beams; the background is shaded, waved and littered; light falls in from one side,
//! dim or bright, and the sensor adds noise. A scene depends on the seed and its number alone.
//!
//! They are drawn into tables, and what is learned is read from there, so that the tables of other
//! pictures do as well.

mod columns;
mod draw;
mod picture;
mod shape;
mod surface;
mod tables;
mod turn;

use emberlens::metrics::Rle;

use draw::generate;
use shape::CLASSES;

pub use picture::{Picture, pictures};
pub use tables::generated;
pub use turn::{Augmentation, Turn, Turns};

/// Pixels along one edge of every scene, and of whatever the networks take.
pub const SIDE: usize = 48;

/// The value of pixels in a mask that an edge runs through: they belong to no class.
const VOID: u8 = 255;

/// One picture and what is in it.
#[derive(Clone, Debug)]
struct Scene {
    /// `SIDE * SIDE` grey values, row by row, 0 (black) to 255.
    pixels: Vec<u8>,
    /// What can be seen, the hindmost first.
    objects: Vec<Object>,
    /// For each pixel 0 for the background, the class + 1, or [`VOID`].
    mask: Vec<u8>,
    /// How bright the light is; 1 is full.
    light: f32,
    /// Standard deviation of the sensor's noise, in grey values.
    noise: f32,
}

/// One shape in a scene.
#[derive(Clone, Debug)]
struct Object {
    /// Index into [`CLASSES`].
    class: usize,
    /// Left, top, right and bottom of its visible part, in pixels.
    bbox: [f32; 4],
    /// Its visible part.
    pixels: Rle,
    /// The share of it that nothing covers, above 0 to 1.
    visible: f32,
}
