//! What surfaces look like: tones and textures.

use rand::RngExt;
use rand::rngs::StdRng;

/// A tone with a texture on it.
pub struct Surface {
    /// Grey from 0 to 1.
    pub tone: f32,
    texture: Texture,
    /// How far the texture departs from the tone.
    strength: f32,
    /// Waves per pixel, and their direction.
    pitch: f32,
    sine: f32,
    cosine: f32,
    phase: f32,
}

#[derive(Clone, Copy)]
enum Texture {
    Flat,
    Stripes,
    Checks,
    Waves,
    Shade,
}

impl Surface {
    /// A surface of this tone, its texture no stronger than `strength`.
    pub fn of(random: &mut StdRng, tone: f32, strength: f32) -> Self {
        use Texture::{Checks, Flat, Shade, Stripes, Waves};
        let (sine, cosine) = random.random_range(0.0..std::f32::consts::TAU).sin_cos();
        Self {
            tone,
            texture: [Flat, Flat, Stripes, Checks, Waves, Shade][random.random_range(0..6)],
            strength: random.random_range(0.3..1.0) * strength,
            pitch: 1.0 / random.random_range(3.0..7.0_f32),
            sine,
            cosine,
            phase: random.random(),
        }
    }

    /// The grey at a point, before light falls on it.
    pub fn grey(&self, x: f32, y: f32) -> f32 {
        let along = (x * self.cosine + y * self.sine) * self.pitch + self.phase;
        let across = (y * self.cosine - x * self.sine) * self.pitch;
        let sign = |wave: f32| {
            if wave.rem_euclid(1.0) < 0.5 {
                1.0
            } else {
                -1.0
            }
        };
        let pattern = match self.texture {
            Texture::Flat => 0.0,
            Texture::Stripes => sign(along),
            Texture::Checks => sign(along) * sign(across),
            Texture::Waves => (along * std::f32::consts::TAU).sin(),
            Texture::Shade => (along * 0.6).sin(),
        };
        self.tone + self.strength * pattern
    }
}
