//! Checks and sums over matrices, in one fixed order.
//!
//! Sums run over chunks of [`CHUNK`] rows, each in one task, and the chunks are added in ascending
//! order, so the bits depend on the values alone: not on threads, and not on how the caller's array
//! lies in memory.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::{Error, Result};

/// Rows that one task reads.
const CHUNK: usize = 512;

/// Magnitudes that are computed with as they are.
const SAFE: std::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// Values that are this much smaller than constant ones lose digits when scaled together with them.
const HIDDEN: f64 = 1e-6;

/// Refuses NaN and infinities, naming the first by row and column.
pub(super) fn check_finite(x: ArrayView2<'_, f32>, what: &str, hint: &str) -> Result<()> {
    if largest_magnitude(x).is_finite() {
        return Ok(());
    }
    for (row, values) in x.outer_iter().enumerate() {
        if let Some(column) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::NonFinite {
                what: what.to_owned(),
                row,
                column,
                value: values[column].to_string(),
                hint: hint.to_owned(),
            });
        }
    }
    Ok(())
}

/// The largest absolute value, 0 of no values; infinite where a value is not finite.
pub(super) fn largest_magnitude(x: ArrayView2<'_, f32>) -> f32 {
    // Without the sign, the bits of f32 are ordered as the values are, with infinity and NaN on top.
    let larger = |bits: i32, value: &f32| bits.max((value.to_bits() & 0x7FFF_FFFF) as i32);
    let of_chunk = |chunk: usize| {
        let rows = chunk * CHUNK..x.nrows().min((chunk + 1) * CHUNK);
        rows.fold(0, |bits, row| match x.row(row).to_slice() {
            Some(values) => values.iter().fold(bits, larger),
            None => x.row(row).iter().fold(bits, larger),
        })
    };
    let chunks = x.nrows().div_ceil(CHUNK);
    let bits = (0..chunks).into_par_iter().map(of_chunk).max().unwrap_or(0);
    f32::from_bits(bits as u32).min(f32::INFINITY)
}

/// The largest distance of a value from its column's mean, 0 of no values.
///
/// What remains to be computed with once rows are centred: a constant column of any size adds nothing.
pub(super) fn largest_deviation(x: ArrayView2<'_, f32>, mean: &[f64]) -> f64 {
    let chunks: Vec<ArrayView2<'_, f32>> = x.axis_chunks_iter(Axis(0), CHUNK).collect();
    let largest = chunks.into_par_iter().map(|rows| {
        // Rounding keeps the order, so a column's furthest value is its smallest or its largest.
        let (low, high) = pulp::Arch::new().dispatch(Extremes(rows));
        let ends = low.into_iter().zip(high).zip(mean);
        ends.fold(0.0_f64, |largest, ((low, high), mean)| {
            let further = (mean - f64::from(low)).max(f64::from(high) - mean);
            largest.max(further)
        })
    });
    largest.reduce(|| 0.0, f64::max)
}

#[inline(always)]
fn widen((low, high): (&mut f32, &mut f32), value: f32) {
    *low = if value < *low { value } else { *low };
    *high = if value > *high { value } else { *high };
}

/// The smallest and the largest value of every column.
struct Extremes<'a>(ArrayView2<'a, f32>);

impl WithSimd for Extremes<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let mut low = vec![f32::INFINITY; self.0.ncols()];
        let mut high = vec![f32::NEG_INFINITY; self.0.ncols()];
        for row in self.0.outer_iter() {
            let ends = low.iter_mut().zip(&mut high);
            match row.to_slice() {
                Some(values) => ends
                    .zip(values)
                    .for_each(|(ends, &value)| widen(ends, value)),
                None => ends.zip(row).for_each(|(ends, &value)| widen(ends, value)),
            }
        }
        (low, high)
    }
}

/// How values are brought to a magnitude whose squares and sums neither overflow nor vanish.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Taken off every row first: nothing unless constants hide the rest, since scaling by a power of
    /// two alone changes no digit.
    pub(super) shift: Vec<f64>,
    /// The largest magnitude of what is left.
    pub(super) size: f64,
}

impl Frame {
    /// The frame of finite rows; `None` where they serve as they are.
    pub(super) fn of(x: ArrayView2<'_, f32>) -> Option<Self> {
        let peak = f64::from(largest_magnitude(x));
        let mean = mean(x);
        let spread = largest_deviation(x, &mean);
        let serves = |size: f64| size == 0.0 || SAFE.contains(&size);
        if serves(peak) && serves(spread) {
            return None;
        }
        Some(match spread < peak * HIDDEN {
            true => Self {
                shift: mean,
                size: spread,
            },
            false => Self {
                shift: vec![0.0; x.ncols()],
                size: peak,
            },
        })
    }

    /// The rows in the frame, below 1.
    pub(super) fn bring(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut near = x.as_standard_layout().into_owned();
        if let Some(values) = near.as_slice_mut() {
            bring_near(values, &self.shift, scale_to_one(self.size));
        }
        near
    }
}

/// Takes `shift` off every row of `values`, then scales them.
pub(super) fn bring_near(values: &mut [f32], shift: &[f64], scale: f64) {
    for row in values.chunks_exact_mut(shift.len().max(1)) {
        for (value, shift) in row.iter_mut().zip(shift) {
            *value = ((f64::from(*value) - shift) * scale) as f32;
        }
    }
}

/// Calls `work` with the columns and values of a row in ascending order, without the cost of an
/// iterator over strides where the values lie side by side.
#[inline(always)]
pub(super) fn for_each_value(row: ArrayView1<'_, f32>, mut work: impl FnMut(usize, f32)) {
    match row.to_slice() {
        Some(values) => values
            .iter()
            .enumerate()
            .for_each(|(column, &value)| work(column, value)),
        None => row
            .iter()
            .enumerate()
            .for_each(|(column, &value)| work(column, value)),
    }
}

/// The power of two that brings values of that magnitude below 1; 1 for zero.
pub(super) fn scale_to_one(magnitude: f64) -> f64 {
    if magnitude > 0.0 {
        2_f64.powi(-(magnitude.log2().floor() as i32) - 1)
    } else {
        1.0
    }
}

/// Bytes of a `rows x columns` matrix of `size`-byte values; saturates instead of wrapping.
pub(super) fn bytes(rows: usize, columns: usize, size: usize) -> u64 {
    (rows as u64)
        .saturating_mul(columns as u64)
        .saturating_mul(size as u64)
}

/// A matrix of zeros, or an error where memory for it cannot be had.
pub(super) fn zeros(rows: usize, columns: usize, what: &'static str) -> Result<Array2<f32>> {
    let too_large = || Error::TooLarge {
        what: what.to_owned(),
        needed: bytes(rows, columns, 4),
        limit: isize::MAX as u64,
        hint: "transform fewer rows at a time".into(),
    };
    let length = rows.checked_mul(columns).ok_or_else(too_large)?;
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|_| too_large())?;
    values.resize(length, 0.0);
    Array2::from_shape_vec((rows, columns), values).map_err(|_| too_large())
}

/// The mean of every column.
///
/// Sums run over differences from the first row: a column of equal values has exactly that mean,
/// and large offsets cost no digits.
pub(super) fn mean(x: ArrayView2<'_, f32>) -> Vec<f64> {
    let mut origin = vec![0.0; x.ncols()];
    if x.nrows() > 0 {
        for_each_value(x.row(0), |column, value| origin[column] = f64::from(value));
    }
    let total = sum_rows(x, &origin, |deviation| deviation);
    let count = x.nrows().max(1) as f64;
    origin
        .iter()
        .zip(total)
        .map(|(origin, total)| origin + total / count)
        .collect()
}

/// The sum of `(x - mean)^2` over all values.
pub(super) fn squared_deviation(x: ArrayView2<'_, f32>, mean: &[f64]) -> f64 {
    sum_rows(x, mean, |deviation| deviation * deviation)
        .iter()
        .sum()
}

/// For every column the sum of `term(x - origin)` over the rows.
fn sum_rows(
    x: ArrayView2<'_, f32>,
    origin: &[f64],
    term: impl Fn(f64) -> f64 + Copy + Send + Sync,
) -> Vec<f64> {
    let of_chunk =
        |rows: ArrayView2<'_, f32>| pulp::Arch::new().dispatch(Sums { rows, origin, term });
    let mut total = vec![0.0; x.ncols()];
    // A bounded number of partial sums at a time, whatever the number of rows.
    for part in x.axis_chunks_iter(Axis(0), 64 * CHUNK) {
        let chunks: Vec<ArrayView2<'_, f32>> = part.axis_chunks_iter(Axis(0), CHUNK).collect();
        let partials: Vec<Vec<f64>> = chunks.into_par_iter().map(of_chunk).collect();
        for partial in partials {
            for (total, partial) in total.iter_mut().zip(partial) {
                *total += partial;
            }
        }
    }
    total
}

/// The sums of a few rows.
struct Sums<'a, T> {
    rows: ArrayView2<'a, f32>,
    origin: &'a [f64],
    term: T,
}

impl<T: Fn(f64) -> f64> WithSimd for Sums<'_, T> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let Self { rows, origin, term } = self;
        let mut sums = vec![0.0; origin.len()];
        for row in rows.outer_iter() {
            let places = sums.iter_mut().zip(origin);
            let add = |((sum, origin), &value): ((&mut f64, &f64), &f32)| {
                *sum += term(f64::from(value) - origin);
            };
            match row.to_slice() {
                Some(values) => places.zip(values).for_each(add),
                None => places.zip(row).for_each(add),
            }
        }
        sums
    }
}

/// The inner product of two slices of one length, summed in eight fixed lanes.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a_blocks, b_blocks) = (a.chunks_exact(8), b.chunks_exact(8));
    let (a_rest, b_rest) = (a_blocks.remainder(), b_blocks.remainder());
    for (a, b) in a_blocks.zip(b_blocks) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn an_infinity_is_named_by_row_and_column() {
        let x = arr2(&[[1.0, 2.0], [3.0, f32::NEG_INFINITY]]);
        let error = check_finite(x.view(), "embeddings", "drop the row").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("-inf in row 1, column 1"), "{text}");
    }

    #[test]
    fn a_constant_column_has_exactly_its_value_as_mean() {
        let x = Array2::from_elem((1237, 1), 0.1_f32);
        assert_eq!(mean(x.view()), [f64::from(0.1_f32)]);
    }

    #[test]
    fn a_constant_column_of_any_size_does_not_deviate() {
        let x = Array2::from_shape_fn((1237, 2), |(i, j)| match j {
            0 => f32::MIN,
            _ => (i % 2) as f32,
        });
        let mean = mean(x.view());
        // 618 of 1237 values are 1, the others 0.
        assert_eq!(largest_deviation(x.view(), &mean), 1.0 - mean[1]);
        let none = x.slice_axis(Axis(0), ndarray::Slice::from(..0));
        assert_eq!(largest_deviation(none, &mean), 0.0);
    }

    #[test]
    fn squared_deviations_are_summed_over_all_rows() {
        let x = Array2::from_shape_fn((1237, 2), |(i, j)| ((i + j) % 2) as f32);
        let mean = mean(x.view());
        // n p (1 - p) for each column, 618 and 619 ones.
        let expected = 2.0 * 618.0 * 619.0 / 1237.0;
        assert!((squared_deviation(x.view(), &mean) - expected).abs() < 1e-9);
    }

    #[test]
    fn the_scale_is_a_power_of_two_that_brings_values_below_one() {
        for (magnitude, scale) in [(0.0, 1.0), (1.0, 0.5), (3.0, 0.25), (0.3, 2.0)] {
            assert_eq!(scale_to_one(magnitude), scale);
        }
        let largest = f64::from(f32::MAX);
        assert!(scale_to_one(largest) * largest <= 1.0);
        assert!(scale_to_one(f64::from(f32::MIN_POSITIVE)) > 1e37);
    }

    #[test]
    fn dot_sums_blocks_and_rest() {
        let a: Vec<f64> = (1..=11).map(f64::from).collect();
        assert_eq!(dot(&a, &a), 506.0); // 11 * 12 * 23 / 6
    }

    #[test]
    fn sizes_saturate_instead_of_wrapping() {
        assert_eq!(bytes(usize::MAX, usize::MAX, 8), u64::MAX);
        assert!(zeros(usize::MAX, 2, "coordinates").is_err());
    }
}
