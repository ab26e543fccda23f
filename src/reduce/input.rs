//! What every method refuses of a matrix.

use ndarray::ArrayView2;

use super::matrix;
use crate::{Error, Result};

/// Refuses a matrix without rows or without columns: nothing can be learnt from it.
pub(super) fn check_not_empty(method: &'static str, x: ArrayView2<'_, f32>) -> Result<()> {
    let (rows, columns) = x.dim();
    let (reason, hint) = match (rows, columns) {
        (0, _) => (
            "there are no rows",
            "fit on a matrix, or a pass, that has some",
        ),
        (_, 0) => (
            "the embeddings have no values",
            "give rows of one value or more: for a run, collect a layer that has an output",
        ),
        _ => return Ok(()),
    };
    Err(Error::Degenerate {
        method,
        rows,
        columns,
        reason: reason.into(),
        hint: hint.into(),
    })
}

/// Refuses rows that a projection fitted to this width cannot place.
pub(super) fn check_placeable(x: ArrayView2<'_, f32>, width: usize) -> Result<()> {
    if x.ncols() != width {
        return Err(Error::invalid(
            "width of the embeddings",
            x.ncols(),
            format!("the projection was fitted to width {width}"),
            "pass embeddings of that layer, or fit again",
        ));
    }
    let hint = "leave the row out before reducing";
    matrix::check_finite(x, "the matrix to transform", hint)
}
