//! What is lost when f64 and large integers become f32, the type that reductions work on.

use emberlens::{Error, Result};

/// Rounds the f64, or the integers as f64, of a matrix to f32 and notices what that loses.
///
/// A value beyond the range of f32 is an error; one too small for it becomes zero, which is told;
/// and rows that f32 cannot tell apart at all are an error, since nothing is left to reduce.
pub struct Narrowing {
    /// In words, for errors and notes.
    place: String,
    /// Each column's value in the first row.
    first: Vec<f64>,
    differs: bool,
    differs_narrow: bool,
    zeros: u64,
    first_zero: Option<(usize, usize, f64)>,
}

impl Narrowing {
    /// For the matrix of this name.
    pub fn new(place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            first: Vec::new(),
            differs: false,
            differs_narrow: false,
            zeros: 0,
            first_zero: None,
        }
    }

    /// The nearest f32. Columns come in order, and row 0 of a column before its others.
    ///
    /// # Errors
    /// `NonFinite` for a finite value beyond the range of f32.
    pub fn narrow(&mut self, row: usize, column: usize, wide: f64) -> Result<f32> {
        let narrow = wide as f32;
        if narrow.is_infinite() && wide.is_finite() {
            return Err(Error::NonFinite {
                what: self.place.clone(),
                row,
                column,
                value: format!("{wide:e}, beyond the range of float32,"),
                hint: "scale the column".into(),
            });
        }
        if narrow == 0.0 && wide != 0.0 {
            self.zeros += 1;
            self.first_zero.get_or_insert((row, column, wide));
        }
        if !self.differs_narrow {
            match self.first.get(column) {
                Some(first) => {
                    self.differs |= wide != *first;
                    self.differs_narrow = narrow != *first as f32;
                }
                None => self.first.push(wide),
            }
        }
        Ok(narrow)
    }

    /// [`Narrowing::narrow`] of a number that f64 may have rounded already: rows may differ by that.
    ///
    /// # Errors
    /// Those of [`Narrowing::narrow`].
    pub fn narrow_wide(
        &mut self,
        row: usize,
        column: usize,
        (wide, is_exact): (f64, bool),
    ) -> Result<f32> {
        self.differs |= !is_exact;
        self.narrow(row, column, wide)
    }

    /// What was lost, in words.
    ///
    /// # Errors
    /// `Invalid` for rows that differ as f64 and are all equal as f32.
    pub fn finish(&self) -> Result<Option<String>> {
        if self.differs && !self.differs_narrow {
            return Err(Error::invalid(
                "input",
                &self.place,
                "its rows differ and are all equal as float32, in which they are reduced",
                "subtract the mean of each column and scale what is left, then save it again",
            ));
        }
        Ok(self.first_zero.map(|(row, column, value)| {
            let (count, place) = (self.zeros, &self.place);
            format!(
                "{count} values of {place} are too small for float32 and count as 0, the first at \
                 row {row}, column {column}: {value:e}; scale them if they matter"
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed(rows: &[[f64; 2]]) -> (Vec<f32>, Narrowing) {
        let mut narrowing = Narrowing::new("x");
        let mut values = Vec::new();
        for (row, wide) in rows.iter().enumerate() {
            for (column, &wide) in wide.iter().enumerate() {
                values.push(narrowing.narrow(row, column, wide).unwrap());
            }
        }
        (values, narrowing)
    }

    #[test]
    fn ordinary_values_are_rounded_without_a_word() {
        let (values, narrowing) = narrowed(&[[0.1, -0.0], [f64::INFINITY, f64::NAN]]);
        assert_eq!(values[..3], [0.1, 0.0, f32::INFINITY]);
        assert_eq!(narrowing.finish().unwrap(), None);
        let (_, equal) = narrowed(&[[1.0, 2.0], [1.0, 2.0]]);
        assert_eq!(equal.finish().unwrap(), None);
        // The least that f32 holds.
        let (values, least) = narrowed(&[[1e-45, 0.0], [0.0, 0.0]]);
        assert_eq!((values[0] > 0.0, least.finish().unwrap()), (true, None));
    }

    #[test]
    fn values_that_become_zero_are_counted_and_the_first_is_named() {
        let (values, narrowing) = narrowed(&[[1.0, 1e-50], [2.0, -1e-60]]);
        assert_eq!(values, [1.0, 0.0, 2.0, 0.0]);
        let note = narrowing.finish().unwrap().unwrap();
        assert!(note.contains("2 values"), "{note}");
        assert!(note.contains("row 0, column 1: 1e-50"), "{note}");
    }

    #[test]
    fn rows_that_become_equal_are_an_error() {
        for rows in [[[1e9, 1.0], [1e9 + 1.0, 1.0]], [[1e-50, 0.0], [0.0, 0.0]]] {
            let error = narrowed(&rows).1.finish().unwrap_err();
            assert!(error.to_string().contains("all equal as float32"));
        }
    }

    #[test]
    fn values_beyond_the_range_are_named_by_their_place() {
        let mut narrowing = Narrowing::new("x");
        let error = narrowing.narrow(3, 7, -1e39).unwrap_err().to_string();
        assert!(error.contains("-1e39") && error.contains("row 3, column 7"));
    }
}
