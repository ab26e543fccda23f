//! The space in which neighbours are found: centred, scaled, and of at most 100 columns.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::params::PacmapParams;
use crate::Result;
use crate::reduce::pca::{Linear, Pca, centre_rows};
use crate::reduce::{Metric, Params, Watch, matrix};

/// Columns that remain of more.
pub(super) const COLUMNS: usize = 100;

/// How rows of the embeddings become rows of that space; each row on its own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Space {
    pub(super) metric: Metric,
    pub(super) mean: Vec<f64>,
    /// Unit vectors of the columns that remain; none where all do.
    pub(super) components: Vec<Vec<f64>>,
    /// A power of two that brings the values to about 1: their squares are normal f32.
    pub(super) scale: f64,
}

impl Space {
    /// Learns the space of finite rows and places them in it.
    pub(super) fn learn(
        x: ArrayView2<'_, f32>,
        params: &PacmapParams,
        watch: &Watch<'_>,
    ) -> Result<(Self, Array2<f32>)> {
        let metric = params.metric;
        let unit = unit_rows(x, metric)?;
        let x = unit.as_ref().map_or(x, |unit| unit.view());
        let mut space = Self {
            metric,
            mean: Vec::new(),
            components: Vec::new(),
            scale: 1.0,
        };
        if params.apply_pca && x.ncols() > COLUMNS {
            let pca = Pca::params()
                .dims(COLUMNS)
                .seed(params.seed)
                .memory_limit(params.memory_limit);
            let pca = pca.check()?.fit_here(x, watch)?;
            space.mean = pca.mean().to_vec();
            space.components = pca.components().to_vec();
        } else {
            space.mean = matrix::mean(x);
        }
        space.scale = matrix::scale_to_one(matrix::largest_deviation(x, &space.mean));
        let placed = space.place_unit(x)?;
        let spread = matrix::largest_magnitude(placed.view());
        // Rows of one direction differ by the rounding of their lengths.
        let noise = if metric == Metric::Cosine { 1e-6 } else { 0.0 };
        if f64::from(spread) <= noise * space.scale {
            let rows = matrix::zeros(placed.nrows(), placed.ncols(), "the reduced rows")?;
            return Ok((space, rows));
        }
        let further = matrix::scale_to_one(f64::from(spread));
        space.scale *= further;
        Ok((space.clone(), placed * further as f32))
    }

    /// Places finite rows of the width that was learnt.
    pub(super) fn place(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        let unit = unit_rows(x, self.metric)?;
        self.place_unit(unit.as_ref().map_or(x, |unit| unit.view()))
    }

    fn place_unit(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
        if !self.components.is_empty() {
            return Linear::<f32>::new(&self.mean, &self.components, self.scale).place(x);
        }
        let mut placed = matrix::zeros(x.nrows(), x.ncols(), "the reduced rows")?;
        if let Some(values) = placed.as_slice_mut() {
            centre_rows(x, &self.mean, self.scale, values);
        }
        Ok(placed)
    }
}

/// The rows brought to length 1 where angles count; `None` where the rows serve as they are.
fn unit_rows(x: ArrayView2<'_, f32>, metric: Metric) -> Result<Option<Array2<f32>>> {
    if metric != Metric::Cosine {
        return Ok(None);
    }
    let mut unit = matrix::zeros(x.nrows(), x.ncols(), "rows of length 1")?;
    let width = x.ncols().max(1);
    if let Some(values) = unit.as_slice_mut() {
        values
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(row, unit)| {
                let mut square = 0.0;
                matrix::for_each_value(x.row(row), |_, value| {
                    square += f64::from(value) * f64::from(value);
                });
                let inverse = if square > 0.0 {
                    1.0 / square.sqrt()
                } else {
                    0.0
                };
                matrix::for_each_value(x.row(row), |column, value| {
                    unit[column] = (f64::from(value) * inverse) as f32;
                });
            });
    }
    Ok(Some(unit))
}
