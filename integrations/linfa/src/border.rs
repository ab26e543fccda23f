//! Where linfa's arrays (ndarray 0.16) and the library's (ndarray 0.17) meet.

use emberlens::table::Column;
use emberlens::{Error, Result};
use ndarray::{Array2, ArrayView2, CowArray, Ix2, ShapeBuilder};

use crossing::Crossing;

/// The numbers of linfa's records: f32 or f64. The library computes with f32.
///
/// | records | what it takes to hand them to the library |
/// |---|---|
/// | f32, rows or columns without gaps | nothing, they are seen where they lie |
/// | f32, a slice with gaps or of reversed order | one copy |
/// | f64 | one copy, rounded to f32 |
///
/// Coordinates go back into the type of the records with one copy of `[rows, dims]`.
pub trait Value: linfa::Float + Crossing {}

impl Value for f32 {}
impl Value for f64 {}

mod crossing {
    use super::*;

    /// What is done differently for f32 and f64; public only because [`Value`] rests on it.
    pub trait Crossing: Sized {
        /// The matrix as the library takes it.
        fn enter(rows: linfa_ndarray::ArrayView2<'_, Self>) -> Result<CowArray<'_, f32, Ix2>>;

        /// The values as a table column of their own type.
        fn column(values: Vec<Self>) -> Column;

        /// The value rounded to f32.
        fn single(self) -> f32;
    }
}

impl Crossing for f32 {
    fn enter(rows: linfa_ndarray::ArrayView2<'_, Self>) -> Result<CowArray<'_, f32, Ix2>> {
        match in_place(rows) {
            Some(view) => Ok(view.into()),
            None => copied(rows.dim(), rows.iter().copied().collect()),
        }
    }

    fn column(values: Vec<Self>) -> Column {
        values.into()
    }

    fn single(self) -> f32 {
        self
    }
}

impl Crossing for f64 {
    fn enter(rows: linfa_ndarray::ArrayView2<'_, Self>) -> Result<CowArray<'_, f32, Ix2>> {
        let rounded = rows
            .indexed_iter()
            .map(|(place, &value)| round(place, value));
        copied(rows.dim(), rounded.collect::<Result<_>>()?)
    }

    fn column(values: Vec<Self>) -> Column {
        values.into()
    }

    fn single(self) -> f32 {
        self as f32
    }
}

/// The matrix as linfa takes it.
pub(crate) fn leave<F: Value>(rows: ArrayView2<'_, f32>) -> Result<linfa_ndarray::Array2<F>> {
    let values = rows.iter().map(|&value| F::cast(value)).collect();
    linfa_ndarray::Array2::from_shape_vec(rows.dim(), values)
        .map_err(|error| shape(rows.dim(), &error))
}

fn in_place(rows: linfa_ndarray::ArrayView2<'_, f32>) -> Option<ArrayView2<'_, f32>> {
    let dim = rows.dim();
    match rows.to_slice() {
        Some(values) => ArrayView2::from_shape(dim, values).ok(),
        None => ArrayView2::from_shape(dim.f(), rows.reversed_axes().to_slice()?).ok(),
    }
}

fn copied<'a>(dim: (usize, usize), values: Vec<f32>) -> Result<CowArray<'a, f32, Ix2>> {
    let matrix = Array2::from_shape_vec(dim, values);
    Ok(matrix.map_err(|error| shape(dim, &error))?.into())
}

/// NaN and infinities pass: what they mean is for others to say.
fn round((row, column): (usize, usize), value: f64) -> Result<f32> {
    let rounded = value as f32;
    if rounded.is_finite() || !value.is_finite() {
        return Ok(rounded);
    }
    Err(Error::NonFinite {
        what: "the records, rounded to f32,".into(),
        row,
        column,
        value: format!("{rounded} for {value:e}"),
        hint: "scale the column down: f32 ends at 3.4e38".into(),
    })
}

fn shape((rows, width): (usize, usize), error: &impl ToString) -> Error {
    Error::invalid(
        "records",
        format!("{rows} x {width}"),
        error.to_string(),
        "pass fewer rows",
    )
}

#[cfg(test)]
mod tests {
    use linfa_ndarray::{Array2 as LinfaArray2, Axis, Slice};

    use super::*;

    fn rows() -> LinfaArray2<f32> {
        LinfaArray2::from_shape_fn((3, 2), |(row, column)| (10 * row + column) as f32)
    }

    #[test]
    fn f32_without_gaps_is_seen_where_it_lies() {
        let by_rows = rows();
        let by_columns = by_rows
            .t()
            .as_standard_layout()
            .into_owned()
            .reversed_axes();
        for matrix in [by_rows, by_columns] {
            let seen = f32::enter(matrix.view()).unwrap();
            assert_eq!(seen.as_ptr(), matrix.as_ptr());
            assert_eq!(
                seen,
                ndarray::arr2(&[[0.0, 1.0], [10.0, 11.0], [20.0, 21.0]])
            );
        }
    }

    #[test]
    fn slices_with_gaps_and_reversed_rows_keep_their_order() {
        let matrix = rows();
        let gaps = matrix.slice_axis(Axis(0), Slice::new(0, None, 2));
        let gaps = f32::enter(gaps.slice_axis(Axis(1), Slice::from(..1))).unwrap();
        assert_eq!(gaps, ndarray::arr2(&[[0.0], [20.0]]));
        let reversed = matrix.slice_axis(Axis(0), Slice::new(0, None, -1));
        let reversed = f32::enter(reversed).unwrap();
        assert_eq!(
            reversed,
            ndarray::arr2(&[[20.0, 21.0], [10.0, 11.0], [0.0, 1.0]])
        );
    }

    #[test]
    fn f64_is_rounded_and_what_f32_cannot_hold_is_named() {
        let mut matrix = rows().mapv(f64::from);
        matrix[(1, 1)] = 0.1;
        assert_eq!(f64::enter(matrix.view()).unwrap()[(1, 1)], 0.1_f32);
        matrix[(1, 0)] = f64::NAN;
        assert!(f64::enter(matrix.view()).unwrap()[(1, 0)].is_nan());
        matrix[(2, 1)] = -1e300;
        let error = f64::enter(matrix.view()).unwrap_err().to_string();
        assert!(
            error.contains("-inf for -1e300 in row 2, column 1"),
            "{error}"
        );
    }

    #[test]
    fn what_goes_in_comes_out() {
        let matrix = rows();
        let seen = f32::enter(matrix.view()).unwrap();
        assert_eq!(leave::<f32>(seen.view()).unwrap(), matrix);
        assert_eq!(leave::<f64>(seen.view()).unwrap(), matrix.mapv(f64::from));
        let none = f32::enter(matrix.slice_axis(Axis(0), Slice::from(..0))).unwrap();
        assert_eq!(leave::<f32>(none.view()).unwrap().dim(), (0, 2));
    }
}
