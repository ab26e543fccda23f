//! The colours of categories and of values.

use super::color::Rgb;

/// Text.
pub(super) const INK: Rgb = Rgb::hex(0x1F_2328);
/// Secondary text.
pub(super) const QUIET: Rgb = Rgb::hex(0x5C_6570);
/// Frame and other thin lines.
pub(super) const FRAME: Rgb = Rgb::hex(0xC4_CAD1);
/// Rows without a value of the colour column.
pub(super) const MISSING: Rgb = Rgb::hex(0xC9_CDD2);
/// Rows of the categories that have no colour of their own.
pub(super) const OTHER: Rgb = Rgb::hex(0x94_9BA4);
/// Points of a figure without a colour column.
pub(super) const PLAIN: Rgb = Rgb::hex(0x00_72B2);

/// Category colours. The first eight are Okabe and Ito's (2008), reordered so that the two that
/// stand out least from white, or look like text, come last. The others continue them as Glasbey
/// et al. (2007) do: each is the colour farthest from all before it, from white and from
/// [`MISSING`], here in OKLab and as the smallest of four distances: as seen with normal vision
/// and with protanopia, deuteranopia and tritanopia (Machado et al. 2009, severity 1). They are
/// ordered so that dark ones do not follow each other.
pub(super) const CATEGORIES: [Rgb; 20] = [
    Rgb::hex(0x00_72B2),
    Rgb::hex(0xE6_9F00),
    Rgb::hex(0x00_9E73),
    Rgb::hex(0xCC_79A7),
    Rgb::hex(0x56_B4E9),
    Rgb::hex(0xD5_5E00),
    Rgb::hex(0xF0_E442),
    Rgb::hex(0x00_0000),
    Rgb::hex(0x90_6CFC),
    Rgb::hex(0x9C_306C),
    Rgb::hex(0x54_5400),
    Rgb::hex(0x60_F09C),
    Rgb::hex(0x54_00F0),
    Rgb::hex(0x90_6048),
    Rgb::hex(0x60_0018),
    Rgb::hex(0x84_C078),
    Rgb::hex(0xD8_00C0),
    Rgb::hex(0x0C_0084),
    Rgb::hex(0x78_00A8),
    Rgb::hex(0x3C_3060),
];

/// Steps of the value colours: enough to look continuous, few enough to share SVG symbols.
const STEPS: f32 = 96.0;

/// The colour of a value at `position` from 0 (recedes: pale) to 1 (stands out: dark).
///
/// Viridis from its light end, which on white paper keeps "dark is more".
pub(super) fn value_color(position: f32) -> Rgb {
    let step = (position.clamp(0.0, 1.0) * STEPS).round() / STEPS;
    let color = colorous::VIRIDIS.eval_continuous(f64::from(0.96 * (1.0 - step)));
    Rgb(color.r, color.g, color.b)
}

#[cfg(test)]
mod tests {
    use super::super::points::FADE;
    use super::*;

    type Matrix = [[f32; 3]; 3];

    /// Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
    const PROTANOPIA: Matrix = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ];
    const DEUTERANOPIA: Matrix = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ];
    const TRITANOPIA: Matrix = [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ];
    const NORMAL: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

    fn times(matrix: &Matrix, vector: [f32; 3]) -> [f32; 3] {
        matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
    }

    /// OKLab (Ottosson 2020), with lightness from 0 to 100.
    fn oklab(linear: [f32; 3]) -> [f32; 3] {
        let cones = times(
            &[
                [0.412_221_5, 0.536_332_55, 0.051_445_995],
                [0.211_903_5, 0.680_699_5, 0.107_396_96],
                [0.088_302_46, 0.281_718_85, 0.629_978_7],
            ],
            linear,
        );
        times(
            &[
                [0.210_454_26, 0.793_617_8, -0.004_072_047],
                [1.977_998_5, -2.428_592_2, 0.450_593_7],
                [0.025_904_037, 0.782_771_77, -0.808_675_77],
            ],
            cones.map(f32::cbrt),
        )
        .map(|part| part * 100.0)
    }

    fn seen(color: Rgb, eye: &Matrix) -> [f32; 3] {
        oklab(times(eye, color.linear()).map(|channel| channel.clamp(0.0, 1.0)))
    }

    fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
        (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>().sqrt()
    }

    fn least_distance(colors: &[Rgb]) -> f32 {
        let mut least = f32::INFINITY;
        for eye in [&NORMAL, &PROTANOPIA, &DEUTERANOPIA, &TRITANOPIA] {
            for (place, &a) in colors.iter().enumerate() {
                for &b in &colors[..place] {
                    least = least.min(distance(seen(a, eye), seen(b, eye)));
                }
            }
        }
        least
    }

    #[test]
    fn the_first_eight_stay_apart_for_colour_blind_readers() {
        // For scale: matplotlib's default ten colours come to 0.7.
        assert!(least_distance(&CATEGORIES[..8]) > 7.0);
    }

    #[test]
    fn all_twenty_stay_apart_for_colour_blind_readers() {
        assert!(least_distance(&CATEGORIES) > 6.0);
    }

    /// The least distance between two colours, each faded or not.
    fn least_faded_distance(colors: &[Rgb], eye: &Matrix) -> f32 {
        let tones = |color: Rgb| {
            (0..=10).map(move |step| seen(color.lighter(FADE * step as f32 / 10.0), eye))
        };
        let mut least = f32::INFINITY;
        for (place, &one) in colors.iter().enumerate() {
            for &other in &colors[..place] {
                for a in tones(one) {
                    least = tones(other).map(|b| distance(a, b)).fold(least, f32::min);
                }
            }
        }
        least
    }

    #[test]
    fn far_points_of_a_category_do_not_look_like_near_ones_of_another() {
        // Without depth 15.6 and 12.5; a fade of 0.6 into white leaves 2.7 and 1.4.
        assert!(least_faded_distance(&CATEGORIES[..8], &NORMAL) > 9.0);
        assert!(least_faded_distance(&CATEGORIES, &NORMAL) > 7.0);
        // To colour-blind readers some of these differ in little but lightness.
        for eye in [&PROTANOPIA, &DEUTERANOPIA, &TRITANOPIA] {
            assert!(least_faded_distance(&CATEGORIES[..8], eye) > 2.5);
        }
    }

    #[test]
    fn no_category_looks_like_the_greys_of_missing_and_other() {
        for eye in [&NORMAL, &PROTANOPIA, &DEUTERANOPIA, &TRITANOPIA] {
            for color in CATEGORIES {
                assert!(
                    distance(seen(color, eye), seen(MISSING, eye)) > 6.0,
                    "{color:?}"
                );
            }
        }
    }

    #[test]
    fn higher_values_are_always_darker() {
        let mut before = f32::INFINITY;
        for step in 0..=20 {
            let [lightness, ..] = seen(value_color(step as f32 / 20.0), &NORMAL);
            assert!(lightness < before);
            before = lightness;
        }
    }
}
