//! Real powers of many numbers at once.

/// Numbers that are worked on together, whatever the instruction set: so all of them give one result.
pub(super) const LANES: usize = 16;

/// One number per lane.
pub(super) type Lanes = [f32; LANES];

/// The bits of sqrt(1/2): mantissas are taken from sqrt(1/2) to sqrt(2), so that logarithms of numbers
/// around 1 lose no digits.
const LOWEST_MANTISSA: u32 = 0x3F35_04F3;

/// log2(1 + t) / t from sqrt(1/2) - 1 to sqrt(2) - 1, largest error 1.6e-6.
const LOG2: [f32; 7] = [
    1.442_696_3,
    -0.721_367_7,
    0.480_648_7,
    -0.359_184_9,
    0.295_100_1,
    -0.270_977,
    0.176_165_17,
];

/// 2^t from -1/2 to 1/2, largest relative error 2.6e-6.
const EXP2: [f32; 5] = [
    0.999_999_3,
    0.693_121_8,
    0.240_247_45,
    0.055_917_863,
    0.009_570_097,
];

/// Adding this rounds a number below 2^22 to the nearest integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f32; N], t: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for &coefficient in coefficients[..N - 1].iter().rev() {
        sum = sum.mul_add(t, coefficient);
    }
    sum
}

/// `x^exponent` for positive normal `x`; a power outside 2^-126..2^126 comes out as the nearer end.
///
/// The relative error stays below 1e-5 while the power lies between 2^-40 and 2^40.
#[inline(always)]
pub(super) fn power(x: &Lanes, exponent: f32) -> Lanes {
    let mut powers = [0.0; LANES];
    for lane in 0..LANES {
        let bits = x[lane].to_bits();
        let whole = (bits.wrapping_sub(LOWEST_MANTISSA) as i32) >> 23;
        let t = f32::from_bits(bits.wrapping_sub((whole as u32) << 23)) - 1.0;
        let log2 = polynomial(&LOG2, t).mul_add(t, whole as f32);

        let wanted = log2 * exponent;
        let wanted = if wanted < -126.0 { -126.0 } else { wanted };
        let wanted = if wanted > 126.0 { 126.0 } else { wanted };
        let rounded = wanted + ROUND;
        let rest = wanted - (rounded - ROUND);
        let scale = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
        powers[lane] = polynomial(&EXP2, rest) * scale;
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_standard_library() {
        for exponent in [0.5_f32, 0.790_494_7, 0.895_060_9, 1.0, 1.929] {
            for block in 0..4_000 {
                // From 1e-12 to 1e8, the squared distances that layouts have.
                let x: Lanes = std::array::from_fn(|lane| {
                    10_f32.powf(-12.0 + 20.0 * (block * LANES + lane) as f32 / 64_000.0)
                });
                for (x, found) in x.iter().zip(power(&x, exponent)) {
                    let exact = f64::from(*x).powf(f64::from(exponent));
                    let error = (f64::from(found) / exact - 1.0).abs();
                    assert!(error < 1e-5, "{x}^{exponent}: {found}, not {exact}");
                }
            }
        }
    }

    #[test]
    fn powers_beyond_the_range_of_f32_end_at_its_ends() {
        let powers = power(&[1e30; LANES], 2.0);
        assert!(
            powers
                .iter()
                .all(|power| power.is_finite() && *power > 1e37)
        );
        let powers = power(&[1e-30; LANES], 2.0);
        assert!(powers.iter().all(|power| *power > 0.0 && *power < 1e-37));
    }
}
