//! Eigenvectors of a symmetric matrix, sequential.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::{Mat, Par};

/// Eigenvalues in descending order with their unit eigenvectors, `count` of them.
///
/// Reads the lower triangle only; `None` when the iteration does not converge or the scratch
/// memory cannot be had, which finite input of a size that was checked does not cause.
pub(super) fn largest(symmetric: &Mat<f64>, count: usize) -> Option<Vec<(f64, Vec<f64>)>> {
    let side = symmetric.nrows();
    let mut values = Diag::<f64>::zeros(side);
    let mut vectors = Mat::<f64>::zeros(side, side);
    let scratch = evd::self_adjoint_evd_scratch::<f64>(
        side,
        ComputeEigenvectors::Yes,
        Par::Seq,
        Default::default(),
    );
    let mut scratch = MemBuffer::try_new(scratch).ok()?;
    evd::self_adjoint_evd(
        symmetric.as_ref(),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut scratch),
        Default::default(),
    )
    .ok()?;
    let values = values.column_vector();
    let mut order: Vec<usize> = (0..side).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    let pair = |index: usize| (values[index], vectors.col_as_slice(index).to_vec());
    Some(order.into_iter().take(count).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_two_by_two_matrix_has_its_closed_form() {
        // [[2, 1], [1, 2]]: 3 along (1, 1) and 1 along (1, -1); the upper triangle is not read.
        let mut matrix = Mat::zeros(2, 2);
        matrix[(0, 0)] = 2.0;
        matrix[(1, 0)] = 1.0;
        matrix[(1, 1)] = 2.0;
        matrix[(0, 1)] = f64::NAN;
        let pairs = largest(&matrix, 2).unwrap();
        let half = 0.5_f64.sqrt();
        assert!((pairs[0].0 - 3.0).abs() < 1e-14 && (pairs[1].0 - 1.0).abs() < 1e-14);
        assert!(pairs.iter().all(|(_, v)| (v[0].abs() - half).abs() < 1e-14));
        assert!(pairs[0].1[0] * pairs[0].1[1] > 0.0 && pairs[1].1[0] * pairs[1].1[1] < 0.0);
    }
}
