//! A linear map of centred rows, each row on its own.

use ndarray::{Array2, ArrayView2};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::Result;
use crate::reduce::matrix;

/// Coordinates that are summed side by side.
const LANES: usize = 16;

/// Rows that share one reading of the components: as many sums as registers of 8 numbers hold.
const ROWS: usize = 6;

/// Rows that one task places; a multiple of [`ROWS`].
const CHUNK: usize = 252;

/// The numbers that a map computes in.
pub(in crate::reduce) trait Real: Copy + Send + Sync {
    fn rounded(value: f64) -> Self;
    fn plus_product(self, a: Self, b: Self) -> Self;
    fn single(self) -> f32;
}

impl Real for f32 {
    #[inline(always)]
    fn rounded(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn plus_product(self, a: Self, b: Self) -> Self {
        a.mul_add(b, self)
    }
    #[inline(always)]
    fn single(self) -> f32 {
        self
    }
}

impl Real for f64 {
    #[inline(always)]
    fn rounded(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn plus_product(self, a: Self, b: Self) -> Self {
        a.mul_add(b, self)
    }
    #[inline(always)]
    fn single(self) -> f32 {
        self as f32
    }
}

/// `scale (x - mean) . components`, every coordinate summed over the columns in their order: a
/// row's coordinates have the same bits whatever rows are beside it.
#[derive(Debug)]
pub(in crate::reduce) struct Linear<'a, T> {
    mean: &'a [f64],
    scale: f64,
    dims: usize,
    /// For each group of [`LANES`] components, column by column, their entries.
    packed: Vec<Vec<[T; LANES]>>,
}

impl<'a, T: Real> Linear<'a, T> {
    /// A map to as many coordinates as there are components.
    pub(in crate::reduce) fn new<C: AsRef<[f64]>>(
        mean: &'a [f64],
        components: &[C],
        scale: f64,
    ) -> Self {
        let pack = |group: &[C]| {
            let entry = |column: usize, lane: usize| {
                let component = group.get(lane).and_then(|c| c.as_ref().get(column));
                T::rounded(component.copied().unwrap_or(0.0))
            };
            let column = |column: usize| std::array::from_fn(|lane| entry(column, lane));
            (0..mean.len()).map(column).collect()
        };
        Self {
            mean,
            scale,
            dims: components.len(),
            packed: components.chunks(LANES).map(pack).collect(),
        }
    }

    /// Places every row; the width of `x` is that of the mean.
    pub(in crate::reduce) fn place(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let mut placed = matrix::zeros(x.nrows(), self.dims, "coordinates")?;
        if let Some(values) = placed.as_slice_mut().filter(|_| self.dims > 0) {
            values
                .par_chunks_mut(CHUNK * self.dims)
                .enumerate()
                .for_each(|(chunk, values)| {
                    pulp::Arch::new().dispatch(Chunk {
                        map: self,
                        x,
                        first: chunk * CHUNK,
                        placed: values,
                    });
                });
        }
        Ok(placed)
    }
}

/// The rows of one task.
struct Chunk<'a, T> {
    map: &'a Linear<'a, T>,
    x: ArrayView2<'a, f32>,
    first: usize,
    placed: &'a mut [f32],
}

impl<T: Real> WithSimd for Chunk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            map,
            x,
            first,
            placed,
        } = self;
        let mut centred = vec![[T::rounded(0.0); ROWS]; map.mean.len()];
        for (part, placed) in placed.chunks_mut(ROWS * map.dims).enumerate() {
            let rows = placed.len() / map.dims;
            #[allow(clippy::needless_range_loop)] // rows are the inner index of `centred`
            for row in 0..rows {
                matrix::for_each_value(x.row(first + part * ROWS + row), |column, value| {
                    let value = (f64::from(value) - map.mean[column]) * map.scale;
                    centred[column][row] = T::rounded(value);
                });
            }
            for (group, packed) in map.packed.iter().enumerate() {
                let sums = products(&centred, packed);
                let from = group * LANES;
                let count = LANES.min(map.dims - from);
                for (placed, sums) in placed.chunks_mut(map.dims).zip(&sums) {
                    for (place, sum) in placed[from..from + count].iter_mut().zip(sums) {
                        *place = sum.single();
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn products<T: Real>(centred: &[[T; ROWS]], packed: &[[T; LANES]]) -> [[T; LANES]; ROWS] {
    let mut sums = [[T::rounded(0.0); LANES]; ROWS];
    for (values, weights) in centred.iter().zip(packed) {
        for row in 0..ROWS {
            for lane in 0..LANES {
                sums[row][lane] = sums[row][lane].plus_product(values[row], weights[lane]);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_the_products_by_definition() {
        let x = Array2::from_shape_fn((11, 7), |(i, j)| ((i * 5 + j * 3) % 9) as f32);
        let mean: Vec<f64> = (0..7).map(|j| j as f64 / 2.0).collect();
        let components: Vec<Vec<f64>> = (0..18)
            .map(|axis| (0..7).map(|j| ((axis * 3 + j) % 5) as f64 - 2.0).collect())
            .collect();
        let wide = Linear::<f64>::new(&mean, &components, 0.5)
            .place(x.view())
            .unwrap();
        let narrow = Linear::<f32>::new(&mean, &components, 0.5)
            .place(x.view())
            .unwrap();
        for ((row, axis), &found) in wide.indexed_iter() {
            let plain: f64 = (0..7)
                .map(|j| 0.5 * (f64::from(x[[row, j]]) - mean[j]) * components[axis][j])
                .sum();
            assert!((f64::from(found) - plain).abs() < 1e-5);
            assert!((narrow[[row, axis]] - found).abs() < 1e-5);
        }
    }
}
