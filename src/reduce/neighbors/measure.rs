//! Distances summed directly, for the few candidates that are kept.

use ndarray::ArrayView2;
use pulp::{Arch, Simd, WithSimd};

use super::rows::Rows;

/// Lanes of a sum, whatever the instruction set: lane `l` takes the values `l`, `l + 16`, ...
const LANES: usize = 16;

/// Measures a query against candidates: for each its gap in the high half, its row in the low.
pub(super) struct Measure<'a> {
    pub(super) query: &'a [f32],
    pub(super) candidates: &'a Rows<'a>,
    /// The candidates' rows stand in the low halves.
    pub(super) keys: &'a [u64],
    pub(super) found: &'a mut Vec<u64>,
}

impl WithSimd for Measure<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.found.clear();
        for &key in self.keys {
            let row = key as u32;
            let squared = squared_distance(simd, self.query, self.candidates.row(row as usize));
            let gap = self.candidates.gap(squared, self.query, row as usize);
            self.found
                .push(u64::from(gap.to_bits()) << 32 | u64::from(row));
        }
    }
}

/// Writes the squared distances from a row to all rows, itself included.
pub(in crate::reduce) fn distances_to_all(
    x: ArrayView2<'_, f32>,
    row: usize,
    distances: &mut Vec<f32>,
) {
    let x = x.as_standard_layout();
    let values = x.as_slice().unwrap_or_default();
    Arch::new().dispatch(ToAll {
        values,
        width: x.ncols(),
        row,
        distances,
    });
    distances.resize(x.nrows(), 0.0); // rows of width 0
}

struct ToAll<'a> {
    values: &'a [f32],
    width: usize,
    row: usize,
    distances: &'a mut Vec<f32>,
}

impl WithSimd for ToAll<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.distances.clear();
        let start = self.row * self.width;
        let Some(query) = self.values.get(start..start + self.width) else {
            return;
        };
        for other in self.values.chunks_exact(self.width.max(1)) {
            self.distances.push(squared_distance(simd, query, other));
        }
    }
}

/// The squared length of `a - b`; both of one width.
#[inline(always)]
pub(super) fn squared_distance<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let vectors = const { LANES / S::F32_LANES };
    let mut sums = [simd.splat_f32s(0.0); LANES]; // the first `vectors` are in use
    let (a, a_rest) = S::as_simd_f32s(a);
    let (b, b_rest) = S::as_simd_f32s(b);
    let (a, b) = (a.chunks_exact(vectors), b.chunks_exact(vectors));
    let (a_tail, b_tail) = (a.remainder(), b.remainder());
    for (a, b) in a.zip(b) {
        for vector in 0..vectors {
            let difference = simd.sub_f32s(a[vector], b[vector]);
            sums[vector] = simd.mul_add_f32s(difference, difference, sums[vector]);
        }
    }
    for ((sum, &a), &b) in sums.iter_mut().zip(a_tail).zip(b_tail) {
        let difference = simd.sub_f32s(a, b);
        *sum = simd.mul_add_f32s(difference, difference, *sum);
    }
    if !a_rest.is_empty() {
        let sum = &mut sums[a_tail.len()];
        let difference = simd.sub_f32s(
            simd.partial_load_f32s(a_rest),
            simd.partial_load_f32s(b_rest),
        );
        *sum = simd.mul_add_f32s(difference, difference, *sum);
    }
    let mut half = vectors / 2;
    while half > 0 {
        for vector in 0..half {
            sums[vector] = simd.add_f32s(sums[vector], sums[vector + half]);
        }
        half /= 2;
    }
    simd.reduce_sum_f32s(sums[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Scalar;

    struct Squared<'a>(&'a [f32], &'a [f32]);

    impl WithSimd for Squared<'_> {
        type Output = f32;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            squared_distance(simd, self.0, self.1)
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let a: Vec<f32> = (0..77).map(|i| (i as f32 * 0.7).sin()).collect();
        let b: Vec<f32> = (0..77).map(|i| (i as f32 * 1.3).cos()).collect();
        for width in 0..77 {
            let (a, b) = (&a[..width], &b[..width]);
            let wide = Arch::new().dispatch(Squared(a, b));
            let scalar = Squared(a, b).with_simd(Scalar);
            assert_eq!(wide.to_bits(), scalar.to_bits(), "width {width}");
            let plain: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
            assert!((f64::from(wide) - plain).abs() < 1e-5);
        }
    }
}
