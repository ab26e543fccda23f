//! Coordinates of all rows of a matrix: fitted on all or on a sample, or placed by a projection.

use emberlens::collect::Progress;
use emberlens::reduce::{Projection, Reducer, Watch, scramble};
use emberlens::{CancelFlag, Error, Result};
use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};

use super::method::{AnyReducer, Fitted};
use crate::interrupt::check;

/// Who watches the work.
pub struct Watcher<'a> {
    pub progress: &'a dyn Progress,
    pub cancel: &'a CancelFlag,
}

impl Watcher<'_> {
    /// Looks at the flag and reports to nobody: for steps within a stage.
    pub fn quiet(&self) -> Watch<'_> {
        Watch::default().cancel(self.cancel)
    }

    /// Refuses to go on once Ctrl-C was pressed.
    pub fn check(&self, during: &str) -> Result<()> {
        check(self.cancel, during)
    }

    /// Fits all rows, which are let go of where they are not needed any more, or a sample of at most `bound`; the others are placed by what was learnt.
    pub fn fit(
        &self,
        x: CowArray<'_, f32, Ix2>,
        reducer: &AnyReducer,
        bound: Option<usize>,
        seed: u64,
    ) -> Result<(Fitted, Array2<f32>, usize)> {
        let watch = Watch::default().progress(self.progress).cancel(self.cancel);
        let Some(bound) = bound.filter(|bound| *bound < x.nrows()) else {
            let rows = x.nrows();
            let (fitted, coordinates) = match x.is_owned() {
                true => reducer.fit_owned(x.into_owned(), &watch)?,
                false => reducer.fit_watched(x.view(), &watch)?,
            };
            return Ok((fitted, coordinates, rows));
        };
        let sample = sample(x.nrows(), bound, seed);
        let (fitted, of_sample) = reducer
            .fit_owned(x.select(Axis(0), &sample), &watch)
            .map_err(|error| row_among_all(error, &sample))?;
        let is_fitted = |row: &usize| sample.binary_search(row).is_ok();
        let others: Vec<usize> = (0..x.nrows()).filter(|row| !is_fitted(row)).collect();
        let mut coordinates = Array2::zeros((x.nrows(), fitted.dims()));
        let placed = fitted
            .transform_watched(x.select(Axis(0), &others).view(), &watch)
            .map_err(|error| row_among_all(error, &others))?;
        let fitted_rows = sample.iter().zip(of_sample.outer_iter());
        for (&row, place) in fitted_rows.chain(others.iter().zip(placed.outer_iter())) {
            coordinates.row_mut(row).assign(&place);
        }
        Ok((fitted, coordinates, bound))
    }

    /// Places all rows.
    pub fn place(&self, x: ArrayView2<'_, f32>, by: &dyn Projection) -> Result<Array2<f32>> {
        let watch = Watch::default().progress(self.progress).cancel(self.cancel);
        by.transform_watched(x, &watch)
    }
}

/// The error with the row's number among all rows, of which `rows` were taken.
fn row_among_all(mut error: Error, rows: &[usize]) -> Error {
    match &mut error {
        Error::NonFinite { row, .. } => *row = rows.get(*row).copied().unwrap_or(*row),
        Error::Value { row, .. } => {
            let of_all = usize::try_from(*row).ok().and_then(|row| rows.get(row));
            *row = of_all.map_or(*row, |row| *row as u64);
        }
        _ => {}
    }
    error
}

/// `count` of the numbers below `rows`, ascending; the same for the same seed.
fn sample(rows: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut scored: Vec<(u64, usize)> = (0..rows)
        .map(|row| (scramble(seed ^ scramble(row as u64)), row))
        .collect();
    if count < rows {
        scored.select_nth_unstable(count);
        scored.truncate(count);
    }
    let mut sample: Vec<usize> = scored.into_iter().map(|(_, row)| row).collect();
    sample.sort_unstable();
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_size_no_repeats_and_depends_on_the_seed_alone() {
        let first = sample(1000, 100, 7);
        assert_eq!(first.len(), 100);
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]) && first[99] < 1000);
        assert_eq!(first, sample(1000, 100, 7));
        assert_ne!(first, sample(1000, 100, 8));
        assert_eq!(sample(3, 3, 7), [0, 1, 2]);
    }

    #[test]
    fn every_row_is_drawn_about_as_often() {
        let mut drawn = [0_u32; 50];
        for seed in 0..1000 {
            sample(50, 10, seed)
                .into_iter()
                .for_each(|row| drawn[row] += 1);
        }
        // Binomial with mean 200 and standard deviation 12.6: five of them either way.
        assert!(
            drawn.iter().all(|count| (137..=263).contains(count)),
            "{drawn:?}"
        );
    }
}
