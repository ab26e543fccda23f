//! Leading eigenvectors by randomised subspace iteration.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::householder;
use faer::linalg::matmul::matmul;
use faer::linalg::qr::no_pivoting::factor;
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par};
use ndarray::{ArrayView2, Axis, Slice};
use rayon::prelude::*;

use super::products::centre_rows;
use crate::Result;
use crate::reduce::random::Random;
use crate::reduce::{Watch, eigen};

/// The use of the seed (see [`Random::at`]).
const STREAM: u64 = 0x9CA;

/// Times that the matrix is applied to the subspace.
const POWER: usize = 7;

/// Vectors beyond those asked for, and the fewest vectors.
const OVERSAMPLED: usize = 10;
const FEWEST: usize = 24;

/// Rows of a matrix that one task multiplies.
const CHUNK: usize = 512;

/// Chunks whose products are held at once.
const BATCH: usize = 8;

/// Eigenvalues with their unit vectors.
type Pairs = Vec<(f64, Vec<f64>)>;

/// Vectors that the iteration carries for `count` of `side`.
pub(super) fn subspace(count: usize, side: usize) -> usize {
    count.saturating_add(OVERSAMPLED).max(FEWEST).min(side)
}

/// The `count` largest eigenvalues with unit eigenvectors of the symmetric matrix that `apply`
/// multiplies with (Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.3): a random subspace,
/// multiplied and made orthonormal in turns, then the small problem inside it.
///
/// The error of a vector shrinks by the ratio of the first eigenvalue left out to its own with each
/// of the seven turns. `None` where the small problem is not solved.
pub(super) fn largest(
    side: usize,
    count: usize,
    seed: u64,
    mut apply: impl FnMut(&Mat<f64>) -> Result<Mat<f64>>,
) -> Result<Option<Pairs>> {
    let vectors = subspace(count, side);
    let mut random = Random::at(seed, STREAM, 0);
    let mut basis = Mat::from_fn(side, vectors, |_, _| f64::from(random.normal()));
    for _ in 0..POWER {
        let Some(next) = orthonormal(apply(&basis)?) else {
            return Ok(None);
        };
        basis = next;
    }
    let image = apply(&basis)?;
    let mut small = Mat::zeros(vectors, vectors);
    matmul(
        &mut small,
        Accum::Replace,
        basis.transpose(),
        &image,
        1.0,
        Par::Seq,
    );
    let Some(pairs) = eigen::largest(&small, count) else {
        return Ok(None);
    };
    let inner = Mat::from_fn(vectors, pairs.len(), |i, j| pairs[j].1[i]);
    let mut lifted = Mat::zeros(side, pairs.len());
    matmul(&mut lifted, Accum::Replace, &basis, &inner, 1.0, Par::Seq);
    let values = pairs.iter().map(|(value, _)| *value);
    let lifted = (0..pairs.len()).map(|index| lifted.col_as_slice(index).to_vec());
    Ok(Some(values.zip(lifted).collect()))
}

/// An orthonormal basis of the columns' span (Householder).
fn orthonormal(mut columns: Mat<f64>) -> Option<Mat<f64>> {
    let (rows, count) = (columns.nrows(), columns.ncols());
    let block = factor::recommended_block_size::<f64>(rows, count);
    let mut factors = Mat::zeros(block, count);
    let scratch =
        factor::qr_in_place_scratch::<f64>(rows, count, block, Par::Seq, Default::default());
    let apply = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>;
    let mut memory = MemBuffer::try_new(scratch.or(apply(rows, block, count))).ok()?;
    let stack = MemStack::new(&mut memory);
    factor::qr_in_place(
        columns.as_mut(),
        factors.as_mut(),
        Par::Seq,
        stack,
        Default::default(),
    );
    let mut basis = Mat::identity(rows, count);
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        columns.as_ref(),
        factors.as_ref(),
        Conj::No,
        basis.as_mut(),
        Par::Seq,
        MemStack::new(&mut memory),
    );
    Some(basis)
}

/// `matrix basis`, in fixed tiles of rows.
pub(super) fn times(matrix: &Mat<f64>, basis: &Mat<f64>) -> Mat<f64> {
    let (side, vectors) = (matrix.nrows(), basis.ncols());
    // The matrix is symmetric: its columns are its rows, and a task's rows lie together.
    let mut result = vec![0.0; side * vectors];
    result
        .par_chunks_mut(128 * vectors)
        .enumerate()
        .for_each(|(part, result)| {
            let count = result.len() / vectors;
            let rows = matrix.as_ref().subcols(part * 128, count);
            let target = MatMut::from_row_major_slice_mut(result, count, vectors);
            matmul(
                target,
                Accum::Replace,
                rows.transpose(),
                basis,
                1.0,
                Par::Seq,
            );
        });
    MatRef::from_row_major_slice(&result, side, vectors).to_owned()
}

/// `Xc' (Xc basis)` times the square of `scale`, without the product `Xc' Xc`.
pub(super) fn times_scatter(
    x: ArrayView2<'_, f32>,
    mean: &[f64],
    scale: f64,
    basis: &Mat<f64>,
    watch: &Watch<'_>,
) -> Result<Mat<f64>> {
    let (rows, width) = x.dim();
    let vectors = basis.ncols();
    let narrow = Mat::from_fn(width, vectors, |i, j| basis[(i, j)] as f32);
    let mut sum = Mat::zeros(width, vectors);
    let starts: Vec<usize> = (0..rows).step_by(CHUNK).collect();
    for batch in starts.chunks(BATCH) {
        watch.check("PCA")?;
        let parts: Vec<Mat<f32>> = batch
            .par_iter()
            .map(|&from| {
                let count = CHUNK.min(rows - from);
                let part = x.slice_axis(Axis(0), Slice::from(from..from + count));
                let mut centred = vec![0.0_f32; count * width];
                centre_rows(part, mean, scale, &mut centred);
                let centred = MatRef::from_row_major_slice(&centred, count, width);
                let mut inner = Mat::zeros(count, vectors);
                matmul(&mut inner, Accum::Replace, centred, &narrow, 1.0, Par::Seq);
                let mut product = Mat::zeros(width, vectors);
                matmul(
                    &mut product,
                    Accum::Replace,
                    centred.transpose(),
                    &inner,
                    1.0,
                    Par::Seq,
                );
                product
            })
            .collect();
        for part in &parts {
            for (sum, part) in sum.col_iter_mut().zip(part.col_iter()) {
                for (sum, part) in sum.iter_mut().zip(part.iter()) {
                    *sum += f64::from(*part);
                }
            }
        }
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagonal_matrix_gives_its_largest_entries() {
        let side = 300;
        let value = |i: usize| 0.8_f64.powi(((i * 77) % side) as i32);
        let apply = |basis: &Mat<f64>| {
            Ok(Mat::from_fn(side, basis.ncols(), |i, j| {
                value(i) * basis[(i, j)]
            }))
        };
        let pairs = largest(side, 5, 1, apply).unwrap().unwrap();
        for (rank, (found, vector)) in pairs.iter().enumerate() {
            assert!((found - 0.8_f64.powi(rank as i32)).abs() < 1e-12);
            let place = (0..side).find(|i| (i * 77) % side == rank).unwrap();
            assert!((vector[place].abs() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_product_in_tiles_is_the_product() {
        let matrix = Mat::from_fn(200, 200, |i, j| ((i * j) % 7) as f64 + ((i + j) % 5) as f64);
        let basis = Mat::from_fn(200, 3, |i, j| ((i * 3 + j) % 11) as f64);
        let found = times(&matrix, &basis);
        for i in [0, 127, 128, 199] {
            for j in 0..3 {
                let plain: f64 = (0..200).map(|k| matrix[(i, k)] * basis[(k, j)]).sum();
                assert!((found[(i, j)] - plain).abs() < 1e-9);
            }
        }
    }
}
