//! What a run says about its reductions: one record for each table of coordinates.

use serde::{Deserialize, Serialize};

use super::PassId;

/// The column that numbers the instances of a sample, where samples have several.
pub(crate) const INSTANCE: &str = "instance";

/// A table of coordinates: what was reduced, how, and which version of the table holds it.
///
/// What a reduction returns and [`RunReader::projections`](super::RunReader::projections) lists.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionInfo {
    /// The name: column and method, or column and the name that the reduction was given. Its
    /// folder is `projections/<name>`.
    pub name: String,
    /// The embedding column.
    pub column: String,
    /// The stream that holds it.
    pub stream: String,
    /// The method, for example `pacmap`.
    pub method: String,
    /// Coordinates per row.
    pub dims: usize,
    /// The version of the Delta table that holds exactly these rows.
    pub version: u64,
    /// Complete passes whose rows were placed.
    pub passes: u64,
    /// Rows that have coordinates.
    pub rows: u64,
    /// Rows whose coordinates are null: their embedding holds NaN or an infinity.
    #[serde(default)]
    pub rows_not_finite: u64,
    /// Rows of these passes that have no embedding; they are not in the table.
    #[serde(default)]
    pub rows_without_embedding: u64,
    /// Whether a sample may have several rows, numbered in the column `instance`.
    #[serde(default)]
    pub instances: bool,
    /// Whether every epoch has a layout of its own, held near that of the epoch before.
    #[serde(default)]
    pub aligned: bool,
    /// The fitted projections, one for each group of rows.
    pub models: Vec<ProjectionModel>,
    /// When it was written, microseconds since 1970 UTC.
    pub finished_us: i64,
}

/// A fitted projection and the rows that it placed.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectionModel {
    /// Its file: relative to the project's folder where it lies inside, else a URL.
    pub url: String,
    /// The split that it placed; `None` when it placed all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// The address of the table whose passes it placed; `None` when it placed all, empty for the
    /// passes that join no table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// What it was learnt from; `None` for a model of another run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fitted_on: Option<FittedOn>,
    /// The share of the fitted rows' variance on each axis, where the method has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained_variance_ratio: Option<Vec<f64>>,
}

/// The rows that a projection was learnt from.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FittedOn {
    /// The pass; empty when several passes of an epoch were fitted together.
    pub pass_id: PassId,
    /// Its split; empty when the rows belong to no split, or to several.
    #[serde(default)]
    pub split: String,
    /// 0-based epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Rows learnt from.
    pub rows: u64,
}

impl ProjectionInfo {
    /// The names of the coordinate columns: `x`, `y`, `z`, or `x0`, `x1`, ... beyond three.
    pub fn axes(&self) -> Vec<String> {
        axes(self.dims)
    }

    /// What the first model was learnt from; there is one model unless the rows were grouped.
    pub fn fitted_on(&self) -> Option<&FittedOn> {
        self.models.first()?.fitted_on.as_ref()
    }

    /// The file of the first model; there is one unless the rows were grouped.
    pub fn model_url(&self) -> Option<&str> {
        self.models.first().map(|model| model.url.as_str())
    }
}

/// The names of the coordinate columns.
pub(crate) fn axes(dims: usize) -> Vec<String> {
    match dims {
        ..=3 => ["x", "y", "z"]
            .into_iter()
            .take(dims)
            .map(str::to_owned)
            .collect(),
        _ => (0..dims).map(|axis| format!("x{axis}")).collect(),
    }
}
