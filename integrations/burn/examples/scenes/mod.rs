//! Generated scenes: grey pictures of shapes with the box, the class and the pixels of each.
//!
//! No two are alike: shapes vary in size, angle, proportion, tone and texture, overlap each other and
//! are crossed by beams; the background is shaded, waved and littered; light falls in from one side,
//! dim or bright, and the sensor adds noise. A scene depends on the seed and its number alone.

mod draw;
mod shape;
mod surface;
pub mod tables;

pub use draw::generate;
pub use shape::CLASSES;

/// Pixels along one edge of every scene.
pub const SIDE: usize = 48;

/// The value of pixels in a mask that an edge runs through: they belong to no class.
pub const VOID: u8 = 255;

/// One picture and what is in it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// `SIDE * SIDE` grey values, row by row, 0 (black) to 255.
    pub pixels: Vec<u8>,
    /// What can be seen, the hindmost first.
    pub objects: Vec<Object>,
    /// For each pixel 0 for the background, the class + 1, or [`VOID`].
    pub mask: Vec<u8>,
    /// How bright the light is; 1 is full.
    pub light: f32,
    /// Standard deviation of the sensor's noise, in grey values.
    pub noise: f32,
}

impl Scene {
    /// The grey values with a mean of 0 and a standard deviation of 1, whatever the light was.
    pub fn standardised(&self) -> Vec<f32> {
        let count = self.pixels.len() as f32;
        let grey = || self.pixels.iter().map(|&grey| f32::from(grey));
        let mean = grey().sum::<f32>() / count;
        let variance = grey().map(|grey| (grey - mean).powi(2)).sum::<f32>() / count;
        grey()
            .map(|grey| (grey - mean) / variance.sqrt().max(1.0))
            .collect()
    }
}

/// One shape in a scene.
#[derive(Clone, Debug)]
pub struct Object {
    /// Index into [`CLASSES`].
    pub class: usize,
    /// Left, top, right and bottom of its visible part, in pixels.
    pub bbox: [f32; 4],
    /// The share of it that nothing covers, above 0 to 1.
    pub visible: f32,
}
