//! What became of one cell.

use std::sync::Arc;

use super::value::Value;

/// A cell that differs between two revisions, or would after an edit.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct CellChange {
    /// 0-based row, the `example_id`.
    pub row: u64,
    /// The column.
    pub column: Arc<str>,
    /// What it holds before.
    pub old: Value,
    /// What it holds after.
    pub new: Value,
}
