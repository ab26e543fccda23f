//! The traits of every reduction method: parameters, checked parameters, fitted projection.

use std::fmt::Debug;

use ndarray::{Array2, ArrayView2};

use super::pieces::place_in_pieces;
use super::threads::Threads;
use super::watch::Watch;
use crate::Result;

/// Parameters as the user set them, not yet checked.
///
/// Whatever implements `Params` is a [`Reducer`] too: its `fit` checks first.
pub trait Params {
    /// The same parameters, known to be sound.
    type Checked: Reducer;

    /// Checks the parameters alone, before any data is seen.
    ///
    /// # Errors
    /// `Invalid` naming the parameter, its value and the values that work.
    fn check(&self) -> Result<Self::Checked>;
}

/// A method that learns a projection from a matrix.
pub trait Reducer {
    /// What fitting gives.
    type Fitted: Projection + 'static;

    /// Learns a projection.
    ///
    /// # Shapes and units
    /// `x` `[rows, width]`, one embedding per row, any unit.
    ///
    /// # Errors
    /// `NonFinite` for NaN and infinities, `Degenerate` for a matrix that nothing can be learnt
    /// from, `TooLarge` before memory beyond the limit is asked for, `InvalidArgument` for
    /// parameters that do not go with the matrix.
    fn fit(&self, x: ArrayView2<'_, f32>) -> Result<Self::Fitted> {
        Ok(self.fit_transform(x)?.0)
    }

    /// Learns a projection and returns the coordinates of the very rows it was learnt from.
    ///
    /// For linear methods these are the rows' `transform`; methods that optimise coordinates return
    /// the optimised ones.
    ///
    /// # Shapes and units
    /// `x` `[rows, width]`; the coordinates `[rows, dims]`.
    ///
    /// # Errors
    /// Those of [`Reducer::fit`] and [`Projection::transform`].
    fn fit_transform(&self, x: ArrayView2<'_, f32>) -> Result<(Self::Fitted, Array2<f32>)> {
        self.fit_watched(x, &Watch::default())
    }

    /// [`Reducer::fit_transform`] with progress, and a flag that stops it.
    ///
    /// # Errors
    /// Those of [`Reducer::fit_transform`]; `Interrupted` when the flag was set, which iterations
    /// look at.
    fn fit_watched(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<(Self::Fitted, Array2<f32>)>;

    /// [`Reducer::fit_watched`] of rows that nobody else needs: a method that works on rows of its own
    /// lets go of them first.
    ///
    /// # Errors
    /// Those of [`Reducer::fit_watched`].
    fn fit_owned(&self, x: Array2<f32>, watch: &Watch<'_>) -> Result<(Self::Fitted, Array2<f32>)> {
        self.fit_watched(x.view(), watch)
    }
}

impl<P: Params> Reducer for P {
    type Fitted = <P::Checked as Reducer>::Fitted;

    fn fit(&self, x: ArrayView2<'_, f32>) -> Result<Self::Fitted> {
        self.check()?.fit(x)
    }

    fn fit_watched(
        &self,
        x: ArrayView2<'_, f32>,
        watch: &Watch<'_>,
    ) -> Result<(Self::Fitted, Array2<f32>)> {
        self.check()?.fit_watched(x, watch)
    }

    fn fit_owned(&self, x: Array2<f32>, watch: &Watch<'_>) -> Result<(Self::Fitted, Array2<f32>)> {
        self.check()?.fit_owned(x, watch)
    }
}

/// A fitted projection: places rows in the coordinate system that was learnt.
pub trait Projection: Debug + Send + Sync {
    /// The method's name as it stands in paths and files, for example `pca`.
    fn method(&self) -> &'static str;

    /// Width of the rows it takes.
    fn width(&self) -> usize;

    /// Coordinates per row it gives.
    fn dims(&self) -> usize;

    /// Places rows. A row's coordinates do not depend on the rows beside it.
    ///
    /// # Shapes and units
    /// `x` `[rows, width]`, any number of rows including 0; the result `[rows, dims]`.
    ///
    /// # Errors
    /// `InvalidArgument` for another width, `NonFinite` for NaN and infinities in `x` and for
    /// coordinates beyond the range of f32.
    fn transform(&self, x: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// [`Projection::transform`] with progress in rows, and a flag that stops it.
    ///
    /// # Errors
    /// Those of [`Projection::transform`]; `Interrupted` when the flag was set.
    fn transform_watched(&self, x: ArrayView2<'_, f32>, watch: &Watch<'_>) -> Result<Array2<f32>> {
        place_in_pieces(x, (self.width(), self.dims()), watch, |x, _| {
            self.transform(x)
        })
    }

    /// Sets the threads that [`Projection::transform`] works on: one that was loaded works on all.
    ///
    /// Coordinates have the same bits whatever their number. A method that splits nothing ignores it.
    fn set_threads(&mut self, _threads: Threads) {}

    /// The share of the fitted rows' variance on each axis, in 0..=1; `None` for methods that have
    /// no such notion.
    fn explained_variance_ratio(&self) -> Option<&[f64]> {
        None
    }

    /// The projection as a file; [`load`](super::load) reads it back to the same bits.
    ///
    /// # Errors
    /// `InvalidArgument` when it is too large for the format.
    fn to_bytes(&self) -> Result<Vec<u8>>;
}
