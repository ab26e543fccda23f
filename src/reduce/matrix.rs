//! Checks and sums over matrices, in one fixed order.
//!
//! Sums run over chunks of [`CHUNK`] rows (or columns) in ascending order, so their bits depend on
//! the values alone: not on threads, and not on how the caller's array lies in memory.

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, Par};
use ndarray::{Array2, ArrayView2, Axis};

use crate::{Error, Result};

/// Rows (of a covariance) or columns (of a Gram matrix) that are centred and multiplied at a time.
const CHUNK: usize = 512;

/// Refuses NaN and infinities, naming the first by row and column.
pub(super) fn check_finite(x: ArrayView2<'_, f32>, what: &str, hint: &str) -> Result<()> {
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

/// Bytes of a `rows x columns` matrix of `size`-byte values; saturates instead of wrapping.
pub(super) fn bytes(rows: usize, columns: usize, size: usize) -> u64 {
    (rows as u64)
        .saturating_mul(columns as u64)
        .saturating_mul(size as u64)
}

/// Bytes that the working matrices of a fit take: the block being centred, the symmetric matrix,
/// its eigenvectors and the scratch of the decomposition.
pub(super) fn working_bytes(rows: usize, columns: usize) -> u64 {
    let side = rows.min(columns);
    let block = bytes(side, CHUNK, 8);
    bytes(side, side, 8).saturating_mul(5).saturating_add(block)
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
        for (origin, &value) in origin.iter_mut().zip(x.row(0)) {
            *origin = f64::from(value);
        }
    }
    let mut total = vec![0.0; x.ncols()];
    for chunk in x.axis_chunks_iter(Axis(0), CHUNK) {
        let mut partial = vec![0.0; x.ncols()];
        for row in chunk.outer_iter() {
            for ((sum, &value), &origin) in partial.iter_mut().zip(row).zip(&origin) {
                *sum += f64::from(value) - origin;
            }
        }
        for (total, partial) in total.iter_mut().zip(partial) {
            *total += partial;
        }
    }
    let count = x.nrows().max(1) as f64;
    origin
        .iter()
        .zip(total)
        .map(|(origin, total)| origin + total / count)
        .collect()
}

/// `Xc' Xc` of the centred matrix, `[width, width]`, lower triangle only.
pub(super) fn scatter(x: ArrayView2<'_, f32>, mean: &[f64]) -> Mat<f64> {
    let mut sum = Mat::zeros(mean.len(), mean.len());
    for rows in x.axis_chunks_iter(Axis(0), CHUNK) {
        let mut block = Mat::zeros(mean.len(), rows.nrows());
        for (index, row) in rows.outer_iter().enumerate() {
            let column = block.col_as_slice_mut(index);
            for ((centred, &value), &mean) in column.iter_mut().zip(row).zip(mean) {
                *centred = f64::from(value) - mean;
            }
        }
        add_product(&mut sum, &block);
    }
    sum
}

/// `Xc Xc'` of the centred matrix, `[rows, rows]`, lower triangle only.
pub(super) fn gram(x: ArrayView2<'_, f32>, mean: &[f64]) -> Mat<f64> {
    let mut sum = Mat::zeros(x.nrows(), x.nrows());
    let chunks = x.axis_chunks_iter(Axis(1), CHUNK).zip(mean.chunks(CHUNK));
    for (columns, means) in chunks {
        let mut block = Mat::zeros(x.nrows(), columns.ncols());
        for (index, (values, &mean)) in columns.axis_iter(Axis(1)).zip(means).enumerate() {
            let column = block.col_as_slice_mut(index);
            for (centred, &value) in column.iter_mut().zip(values) {
                *centred = f64::from(value) - mean;
            }
        }
        add_product(&mut sum, &block);
    }
    sum
}

/// Adds `block block'` to the lower triangle of `sum`.
fn add_product(sum: &mut Mat<f64>, block: &Mat<f64>) {
    triangular::matmul(
        sum,
        BlockStructure::TriangularLower,
        Accum::Add,
        block,
        BlockStructure::Rectangular,
        block.transpose(),
        BlockStructure::Rectangular,
        1.0,
        Par::Seq,
    );
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
    fn scatter_and_gram_are_the_products_by_definition() {
        // More rows and more columns than one chunk, so that chunks are summed.
        let tall = Array2::from_shape_fn((700, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f32);
        let centre = mean(tall.view());
        let product = scatter(tall.view(), &centre);
        let crossed = gram(tall.t(), &vec![0.0; 700]);
        for i in 0..3 {
            for j in 0..=i {
                let plain = |m: &[f64]| -> f64 {
                    tall.outer_iter()
                        .map(|row| (f64::from(row[i]) - m[i]) * (f64::from(row[j]) - m[j]))
                        .sum()
                };
                assert!((product[(i, j)] - plain(&centre)).abs() < 1e-8);
                assert!((crossed[(i, j)] - plain(&[0.0; 3])).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn dot_sums_blocks_and_rest() {
        let a: Vec<f64> = (1..=11).map(f64::from).collect();
        assert_eq!(dot(&a, &a), 506.0); // 11 * 12 * 23 / 6
    }

    #[test]
    fn sizes_saturate_instead_of_wrapping() {
        assert_eq!(bytes(usize::MAX, usize::MAX, 8), u64::MAX);
        assert_eq!(working_bytes(usize::MAX, usize::MAX), u64::MAX);
        assert!(zeros(usize::MAX, 2, "coordinates").is_err());
    }
}
