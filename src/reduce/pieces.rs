//! Placing many rows piece by piece: bounded memory, progress, and a flag that is looked at.

use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::watch::Watch;
use super::{input, matrix};
use crate::{Error, Result};

/// Rows of a piece.
const ROWS: usize = 1 << 14;

/// What the stage is called.
const STAGE: &str = "placing rows";

/// The coordinates of the rows of `x`, `[rows, dims]`, placed in pieces by `place`.
///
/// # Errors
/// `InvalidArgument` for another width than `width`, `NonFinite` for NaN and infinities,
/// `Interrupted` when the flag was set, and those of `place`; rows are counted in all of `x`.
pub(super) fn place_in_pieces(
    x: ArrayView2<'_, f32>,
    (width, dims): (usize, usize),
    watch: &Watch<'_>,
    mut place: impl FnMut(ArrayView2<'_, f32>, &Watch<'_>) -> Result<Array2<f32>>,
) -> Result<Array2<f32>> {
    input::check_placeable(x, width)?;
    watch.check(STAGE)?;
    let rows = x.nrows();
    if (1..=ROWS).contains(&rows) {
        return watch.stage(STAGE, rows as u64, |watch| {
            let placed = place(x, &watch.quiet())?;
            watch.update(STAGE, rows as u64)?;
            Ok(placed)
        });
    }
    let mut coordinates = matrix::zeros(rows, dims, "coordinates")?;
    watch.stage(STAGE, rows as u64, |watch| {
        for from in (0..rows).step_by(ROWS) {
            let piece = Slice::from(from..rows.min(from + ROWS));
            let placed = place(x.slice_axis(Axis(0), piece), &watch.quiet())
                .map_err(|error| counted_from(from, error))?;
            coordinates.slice_axis_mut(Axis(0), piece).assign(&placed);
            watch.update(STAGE, (from + placed.nrows()) as u64)?;
        }
        Ok(coordinates)
    })
}

/// The error with its row counted from the first of all rows.
fn counted_from(first: usize, mut error: Error) -> Error {
    match &mut error {
        Error::NonFinite { row, .. } => *row += first,
        Error::Value { row, .. } => *row += first as u64,
        _ => {}
    }
    error
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::progress::Progress;
    use crate::{CancelFlag, ErrorKind};

    /// Coordinates that are the rows' first values; the value 7 cannot be placed.
    fn first_values(x: ArrayView2<'_, f32>, _: &Watch<'_>) -> Result<Array2<f32>> {
        let placed = x.slice_axis(Axis(1), Slice::from(..1)).to_owned();
        match placed.iter().position(|&value| value == 7.0) {
            None => Ok(placed),
            Some(row) => Err(Error::NonFinite {
                what: "the result".into(),
                row,
                column: 0,
                value: "inf".into(),
                hint: String::new(),
            }),
        }
    }

    #[test]
    fn every_row_has_its_place_whatever_the_pieces() {
        for rows in [0, 1, ROWS, ROWS + 1, 2 * ROWS + 5] {
            let x = Array2::from_shape_fn((rows, 2), |(row, _)| row as f32 + 8.0);
            let placed = place_in_pieces(x.view(), (2, 1), &Watch::default(), first_values);
            assert_eq!(placed.unwrap(), x.slice_axis(Axis(1), Slice::from(..1)));
        }
    }

    #[test]
    fn an_error_counts_rows_from_the_first_of_all() {
        let mut x = Array2::zeros((ROWS + 40, 2));
        x[(ROWS + 9, 0)] = 7.0;
        let error = place_in_pieces(x.view(), (2, 1), &Watch::default(), first_values);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(&format!("row {}", ROWS + 9)), "{error}");
    }

    #[test]
    fn a_flag_that_is_set_meanwhile_stops_at_the_next_piece() {
        #[derive(Default)]
        struct Last(Mutex<u64>);
        impl Progress for Last {
            fn update(&self, done: u64) {
                *self.0.lock().unwrap() = done;
            }
        }
        let (last, flag) = (Last::default(), CancelFlag::new());
        let watch = Watch::default().progress(&last).cancel(&flag);
        let x = Array2::zeros((3 * ROWS, 2));
        let placed = place_in_pieces(x.view(), (2, 1), &watch, |x, watch| {
            flag.cancel();
            first_values(x, watch)
        });
        assert_eq!(placed.unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(*last.0.lock().unwrap(), ROWS as u64);
    }
}
