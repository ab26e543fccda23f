//! Products of a centred matrix with itself, tile by tile.

use faer::linalg::matmul::matmul;
use faer::traits::ComplexField;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

use crate::Result;
use crate::reduce::matrix::bytes;
use crate::reduce::{Watch, matrix};

/// Rows (of a covariance) or columns (of a Gram matrix) that are centred and multiplied at a time.
const CHUNK: usize = 2048;

/// Side of the tiles of the product that tasks work on.
const TILE: usize = 128;

/// The numbers that products are computed in; sums over chunks are f64 always.
pub(in crate::reduce) trait Value: ComplexField + Copy + Send + Sync {
    fn rounded(value: f64) -> Self;
    fn exact(self) -> f64;
}

impl Value for f32 {
    fn rounded(value: f64) -> Self {
        value as f32
    }
    fn exact(self) -> f64 {
        f64::from(self)
    }
}

impl Value for f64 {
    fn rounded(value: f64) -> Self {
        value
    }
    fn exact(self) -> f64 {
        self
    }
}

/// Bytes that [`symmetric`] takes beside its result, for values of `size` bytes.
pub(super) fn working_bytes(side: usize, length: usize, size: usize) -> u64 {
    bytes(side, length.min(CHUNK), size).saturating_add(bytes(side, side, 8))
}

/// `Xc' Xc` (`by_columns`) or `Xc Xc'` of the centred matrix times the square of `scale`.
///
/// A tile is summed over the chunks in their order by one task at a time, so the bits depend on the
/// values alone.
pub(super) fn symmetric<T: Value>(
    x: ArrayView2<'_, f32>,
    mean: &[f64],
    scale: f64,
    by_columns: bool,
    watch: &Watch<'_>,
) -> Result<Mat<f64>> {
    let (rows, width) = x.dim();
    let (side, length) = if by_columns {
        (width, rows)
    } else {
        (rows, width)
    };
    let starts: Vec<usize> = (0..side).step_by(TILE).collect();
    let mut tiles: Vec<(usize, usize, Mat<f64>)> = Vec::new();
    for &row in &starts {
        for &column in starts.iter().filter(|&&column| column <= row) {
            let shape = (TILE.min(side - row), TILE.min(side - column));
            tiles.push((row, column, Mat::zeros(shape.0, shape.1)));
        }
    }
    let mut centred = vec![T::rounded(0.0); side * length.min(CHUNK)];
    for from in (0..length).step_by(CHUNK) {
        watch.check("PCA")?;
        let count = CHUNK.min(length - from);
        let part = Slice::from(from..from + count);
        let chunk = &mut centred[..side * count];
        let block = if by_columns {
            centre_rows(x.slice_axis(Axis(0), part), mean, scale, chunk);
            MatRef::from_column_major_slice(chunk, side, count)
        } else {
            let means = &mean[from..from + count];
            centre_rows(x.slice_axis(Axis(1), part), means, scale, chunk);
            MatRef::from_row_major_slice(chunk, side, count)
        };
        tiles.par_iter_mut().for_each(|(row, column, sum)| {
            let (height, breadth) = (sum.nrows(), sum.ncols());
            let left = block.subrows(*row, height);
            let right = block.subrows(*column, breadth);
            let mut product = vec![T::rounded(0.0); height * breadth];
            let target = MatMut::from_column_major_slice_mut(&mut product, height, breadth);
            let one = T::rounded(1.0);
            matmul(
                target,
                Accum::Replace,
                left,
                right.transpose(),
                one,
                Par::Seq,
            );
            for (sum, product) in sum.col_iter_mut().zip(product.chunks(height)) {
                for (sum, product) in sum.iter_mut().zip(product) {
                    *sum += product.exact();
                }
            }
        });
    }
    let mut whole = Mat::zeros(side, side);
    for (row, column, tile) in &tiles {
        for j in 0..tile.ncols() {
            for i in 0..tile.nrows() {
                whole[(row + i, column + j)] = tile[(i, j)];
                whole[(column + j, row + i)] = tile[(i, j)];
            }
        }
    }
    Ok(whole)
}

/// Writes `scale (x - mean)` row by row; `mean` belongs to the columns where its length says so,
/// else every row has its own column mean already cut to size.
pub(in crate::reduce) fn centre_rows<T: Value>(
    x: ArrayView2<'_, f32>,
    mean: &[f64],
    scale: f64,
    into: &mut [T],
) {
    let width = x.ncols().max(1);
    into.par_chunks_mut(64 * width)
        .enumerate()
        .for_each(|(part, into)| {
            for (offset, into) in into.chunks_mut(width).enumerate() {
                let row = x.row(part * 64 + offset);
                matrix::for_each_value(row, |column, value| {
                    into[column] = T::rounded((f64::from(value) - mean[column]) * scale);
                });
            }
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn check<T: Value>(rows: usize, width: usize, by_columns: bool, tolerance: f64) {
        let x = Array2::from_shape_fn((rows, width), |(i, j)| ((i * 7 + j * 5) % 13) as f32);
        let mean = matrix::mean(x.view());
        let watch = Watch::default();
        let found = symmetric::<T>(x.view(), &mean, 0.5, by_columns, &watch).unwrap();
        let at = |i: usize, j: usize| (f64::from(x[[i, j]]) - mean[j]) * 0.5;
        for (i, j) in [(0, 0), (3, 1), (1, 3), (found.nrows() - 1, 2)] {
            let plain: f64 = if by_columns {
                (0..rows).map(|row| at(row, i) * at(row, j)).sum()
            } else {
                (0..width).map(|column| at(i, column) * at(j, column)).sum()
            };
            let size = found[(i, i)].max(found[(j, j)]);
            assert!((found[(i, j)] - plain).abs() <= tolerance * size, "{i} {j}");
        }
    }

    #[test]
    fn products_are_those_of_the_definition() {
        // More than one chunk, and more than one tile.
        check::<f64>(2500, 5, true, 1e-12);
        check::<f64>(5, 2500, false, 1e-12);
        check::<f32>(2500, 5, true, 1e-6);
        check::<f64>(9, 150, true, 1e-12);
        check::<f32>(150, 9, false, 1e-6);
    }
}
