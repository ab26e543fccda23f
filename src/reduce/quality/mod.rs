//! How faithful coordinates are to the embeddings that they were made from.
//!
//! [`QualityParams`] measures all at once on samples; the functions measure one thing on all rows.
//!
//! ```
//! use emberlens::reduce::quality::QualityParams;
//! use ndarray::Array2;
//!
//! let x = Array2::from_shape_fn((60, 3), |(i, j)| ((i * 7 + j * 5) % 60) as f32);
//! let quality = QualityParams::new().neighbors(5).measure(x.view(), x.view(), None)?;
//! assert_eq!(quality.trustworthiness, 1.0); // coordinates that are the embeddings themselves
//! assert_eq!(quality.neighbor_recall, 1.0);
//! # Ok::<(), emberlens::Error>(())
//! ```

mod nearby;
mod report;
mod triplets;
mod trust;

pub use nearby::{neighbor_accuracy, neighbor_recall};
pub use report::{Quality, QualityParams};
pub use triplets::{centroid_triplet_accuracy, random_triplet_accuracy};
pub use trust::trustworthiness;

use ndarray::ArrayView2;

use crate::{Error, Result};

/// Refuses embeddings and coordinates that do not belong together.
fn check_rows(x: ArrayView2<'_, f32>, y: ArrayView2<'_, f32>) -> Result<()> {
    same("rows of the coordinates", y.nrows(), x.nrows())
}

/// Refuses labels that do not belong to the rows.
fn check_labels(rows: usize, labels: &[i64]) -> Result<()> {
    same("labels", labels.len(), rows)
}

fn same(what: &str, found: usize, rows: usize) -> Result<()> {
    if found == rows {
        return Ok(());
    }
    Err(Error::invalid(
        what,
        found,
        format!("there are {rows} rows"),
        "pass one for every row, in the same order",
    ))
}

fn too_few(x: ArrayView2<'_, f32>, needed: usize) -> Error {
    Error::Degenerate {
        method: "quality",
        rows: x.nrows(),
        columns: x.ncols(),
        reason: format!("{needed} rows are needed"),
        hint: "measure more rows, or fewer neighbours".into(),
    }
}
