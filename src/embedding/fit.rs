//! Learning the projections: one for each group of passes and parameter set.

use ndarray::{Array2, CowArray, Ix2};

use super::groups::Group;
use super::place::Fitted;
use super::reduction::Reduction;
use super::sample::{Bound, Sample};
use super::source::{FitOn, Source, describe};
use crate::reduce::{Projection, Reducer, Watch};
use crate::run::PassRecord;
use crate::{Error, Result};

/// Any reducer: [`Reducer`] names the type that it fits, which a list of them cannot.
pub(super) trait Fit {
    /// The projection and the coordinates of the rows that it was learnt from.
    fn fit(
        &self,
        x: CowArray<'_, f32, Ix2>,
        watch: &Watch<'_>,
    ) -> Result<(Box<dyn Projection>, Array2<f32>)>;
}

impl<R: Reducer> Fit for R {
    fn fit(
        &self,
        x: CowArray<'_, f32, Ix2>,
        watch: &Watch<'_>,
    ) -> Result<(Box<dyn Projection>, Array2<f32>)> {
        let rows = x.nrows();
        let (projection, coordinates) = match x.is_owned() {
            true => self.fit_owned(x.into_owned(), watch)?,
            false => self.fit_watched(x.view(), watch)?,
        };
        let expected = (rows, projection.dims());
        if coordinates.dim() != expected {
            return Err(Error::invalid(
                "reducer",
                projection.method(),
                format!(
                    "it gave {:?} coordinates where {expected:?} are needed",
                    coordinates.dim()
                ),
                "return one row of `dims` coordinates per row of the matrix",
            ));
        }
        Ok((Box::new(projection), coordinates))
    }
}

/// Parameters and the name that their result was given.
pub(super) type ParameterSet<'a> = (Option<String>, &'a dyn Fit);

impl Reduction<'_> {
    /// Learns every parameter set from one pass of the group, which is read once.
    pub(super) fn fit_group(
        &self,
        source: &Source<'_>,
        group: &Group,
        sets: &[ParameterSet<'_>],
    ) -> Result<(Vec<Box<dyn Projection>>, Fitted)> {
        let check = || self.check_cancelled();
        let (pass, mut sample) =
            source.to_fit(&group.passes, self.fit_on, self.bound()?, &check)?;
        let mut models = Vec::with_capacity(sets.len());
        let mut coordinates = Vec::with_capacity(sets.len());
        for (number, (_, reducer)) in (1..).zip(sets) {
            // The last one may have the rows.
            let x = match number == sets.len() {
                true => CowArray::from(std::mem::take(&mut sample.embeddings)),
                false => CowArray::from(sample.embeddings.view()),
            };
            let (model, placed) = reducer.fit(x, &self.watch())?;
            models.push(model);
            coordinates.push(placed);
        }
        let fitted = Fitted {
            pass,
            ordinals: sample.ordinals,
            coordinates,
        };
        Ok((models, fitted))
    }
}

impl Source<'_> {
    /// The pass to fit on, and its rows: the preferred one that has a finite row.
    ///
    /// Whoever learns from a run asks here, so that the same run is learnt from in the same way.
    /// `check` is asked at every batch.
    pub(super) fn to_fit(
        &self,
        passes: &[PassRecord],
        fit_on: FitOn<'_>,
        bound: Option<Bound>,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<(PassRecord, Sample)> {
        let mut problem = None;
        let candidates = self.candidates(passes, fit_on)?;
        for pass in &candidates {
            let what = format!("`{}` of {}", self.column(), describe(pass));
            let batches = self.of_pass(pass)?.map(|batch| check().and(batch));
            let sample = Sample::read(batches, bound, (&what, pass.rows))?;
            if !sample.ordinals.is_empty() {
                return Ok((pass.clone(), sample));
            }
            problem = problem.or(sample.not_finite);
        }
        Err(problem.unwrap_or_else(|| {
            Error::invalid(
                "column",
                self.column(),
                match candidates.as_slice() {
                    [one] => format!("{} has no embedding", describe(one)),
                    several => format!("none of {} passes has an embedding", several.len()),
                },
                "collect a pass with embeddings first; their vectors may have been dropped",
            )
        }))
    }
}
