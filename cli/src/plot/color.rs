//! Colours and their arithmetic.

/// An opaque sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    pub(super) const WHITE: Rgb = Rgb(255, 255, 255);

    /// From `0xRRGGBB`.
    pub(super) const fn hex(code: u32) -> Self {
        let [_, red, green, blue] = code.to_be_bytes();
        Rgb(red, green, blue)
    }

    /// The form SVG reads.
    pub(super) fn css(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// Channels from 0 to 1, as stored (gamma-encoded).
    pub(super) fn channels(self) -> [f32; 3] {
        [self.0, self.1, self.2].map(|channel| f32::from(channel) / 255.0)
    }

    /// From gamma-encoded channels; values outside 0 to 1 are clamped.
    pub(super) fn from_channels(channels: [f32; 3]) -> Self {
        let [red, green, blue] =
            channels.map(|channel| (channel.clamp(0.0, 1.0) * 255.0).round() as u8);
        Rgb(red, green, blue)
    }

    /// Channels in linear light, in which colours average without darkening.
    pub(super) fn linear(self) -> [f32; 3] {
        self.channels().map(|channel| {
            if channel <= 0.04045 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        })
    }

    /// Inverse of [`Rgb::linear`], without rounding to bytes.
    pub(super) fn encode(linear: [f32; 3]) -> [f32; 3] {
        linear.map(|channel| {
            if channel <= 0.003_130_8 {
                channel * 12.92
            } else {
                1.055 * channel.powf(1.0 / 2.4) - 0.055
            }
        })
    }

    /// `share` of `other` in this colour, from 0 (this) to 1 (the other).
    pub(super) fn mix(self, other: Rgb, share: f32) -> Self {
        let (from, to) = (self.channels(), other.channels());
        Rgb::from_channels([0, 1, 2].map(|c| from[c] + (to[c] - from[c]) * share))
    }
}
