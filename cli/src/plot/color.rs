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

    /// This colour, `share` of the way to the lightness of white; hue and chroma stay where the
    /// screen can show them.
    pub(super) fn lighter(self, share: f32) -> Self {
        let [lightness, a, b] = self.oklab();
        let lightness = lightness + (1.0 - lightness) * share;
        let cones = times(&TO_CONES, [lightness, a, b]).map(|cone| cone.powi(3));
        let linear = times(&TO_LINEAR, cones).map(|channel| channel.clamp(0.0, 1.0));
        Rgb::from_channels(Rgb::encode(linear))
    }

    /// OKLab (Ottosson 2020): lightness from 0 to 1, and two axes of hue and chroma.
    fn oklab(self) -> [f32; 3] {
        times(
            &FROM_CONES,
            times(&FROM_LINEAR, self.linear()).map(f32::cbrt),
        )
    }

    /// `share` of `other` in this colour, from 0 (this) to 1 (the other).
    pub(super) fn mix(self, other: Rgb, share: f32) -> Self {
        let (from, to) = (self.channels(), other.channels());
        Rgb::from_channels([0, 1, 2].map(|c| from[c] + (to[c] - from[c]) * share))
    }
}

type Matrix = [[f32; 3]; 3];

/// <https://bottosson.github.io/posts/oklab/>: linear sRGB to the responses of cones, their cube
/// roots to OKLab, and back.
const FROM_LINEAR: Matrix = [
    [0.412_221_46, 0.536_332_55, 0.051_445_995],
    [0.211_903_5, 0.680_699_5, 0.107_396_96],
    [0.088_302_46, 0.281_718_85, 0.629_978_7],
];
const FROM_CONES: Matrix = [
    [0.210_454_26, 0.793_617_8, -0.004_072_047],
    [1.977_998_5, -2.428_592_2, 0.450_593_7],
    [0.025_904_037, 0.782_771_77, -0.808_675_77],
];
const TO_CONES: Matrix = [
    [1.0, 0.396_337_78, 0.215_803_76],
    [1.0, -0.105_561_346, -0.063_854_17],
    [1.0, -0.089_484_18, -1.291_485_5],
];
const TO_LINEAR: Matrix = [
    [4.076_741_7, -3.307_711_6, 0.230_969_94],
    [-1.268_438, 2.609_757_4, -0.341_319_38],
    [-0.004_196_086_3, -0.703_418_6, 1.707_614_7],
];

fn times(matrix: &Matrix, vector: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lighter_colour_changes_in_lightness_alone() {
        for color in [
            Rgb::hex(0x00_72B2),
            Rgb::hex(0xCC_79A7),
            Rgb::hex(0x90_6048),
        ] {
            assert_eq!(color.lighter(0.0), color);
            let (from, to) = (color.oklab(), color.lighter(0.2).oklab());
            assert!((to[0] - (from[0] + 0.2 * (1.0 - from[0]))).abs() < 0.005);
            assert!((to[1] - from[1]).abs() < 0.005 && (to[2] - from[2]).abs() < 0.005);
        }
        assert_eq!(Rgb::hex(0).lighter(1.0), Rgb::WHITE);
    }
}
