//! The rows of a pass that a projection is learnt from: all of them, or a sample of a seed.

use ndarray::{Array2, ArrayView1};

use super::rows::Rows;
use crate::reduce::scramble;
use crate::{Error, Result};

/// Rows to fit, in the order of the pass.
pub(super) struct Sample {
    pub(super) embeddings: Array2<f32>,
    /// The number of each within the rows of the pass that have an embedding.
    pub(super) ordinals: Vec<u64>,
    /// The error for the first row that is not finite.
    pub(super) not_finite: Option<Error>,
}

/// At most this many rows, chosen by this seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) rows: usize,
    pub(super) seed: u64,
}

impl Bound {
    /// Refuses a sample of no rows.
    pub(super) fn new(rows: usize, seed: u64) -> Result<Self> {
        match rows {
            0 => Err(Error::invalid(
                "fit_sample",
                0,
                "nothing can be learnt from no rows",
                "allow 1 or more",
            )),
            rows => Ok(Self { rows, seed }),
        }
    }
}

/// A row that may be in the sample; the smallest scores are.
struct Candidate {
    score: u64,
    ordinal: u64,
    values: Vec<f32>,
}

impl Sample {
    /// Reads a pass of about so many rows; those that are not finite are left out.
    ///
    /// # Memory
    /// All rows, or two times the bound.
    pub(super) fn read(
        batches: impl Iterator<Item = Result<Rows>>,
        bound: Option<Bound>,
        (what, rows): (&str, u64),
    ) -> Result<Self> {
        match bound {
            Some(bound) => Self::bounded(batches, bound, what),
            None => Self::whole(batches, what, rows),
        }
    }

    fn whole(batches: impl Iterator<Item = Result<Rows>>, what: &str, rows: u64) -> Result<Self> {
        let mut gathered = Gathered::new(what, rows);
        let (mut ordinal, mut not_finite) = (0, None);
        for batch in batches {
            let batch = batch?;
            for (row, values) in batch.embeddings.outer_iter().enumerate() {
                match batch.finite[row] {
                    true => gathered.push(ordinal, values)?,
                    false => {
                        not_finite.get_or_insert_with(|| batch.not_finite(row, what));
                    }
                }
                ordinal += 1;
            }
        }
        let (embeddings, ordinals) = gathered.finish()?;
        Ok(Self {
            embeddings,
            ordinals,
            not_finite,
        })
    }

    fn bounded(
        batches: impl Iterator<Item = Result<Rows>>,
        bound: Bound,
        what: &str,
    ) -> Result<Self> {
        let mut candidates: Vec<Candidate> = Vec::new();
        let (mut ordinal, mut not_finite) = (0, None);
        for batch in batches {
            let batch = batch?;
            for (row, values) in batch.embeddings.outer_iter().enumerate() {
                match batch.finite[row] {
                    true => candidates.push(Candidate {
                        score: scramble(bound.seed ^ scramble(ordinal)),
                        ordinal,
                        values: values.to_vec(),
                    }),
                    false => {
                        not_finite.get_or_insert_with(|| batch.not_finite(row, what));
                    }
                }
                if candidates.len() >= bound.rows.saturating_mul(2) {
                    keep_smallest(&mut candidates, bound.rows);
                }
                ordinal += 1;
            }
        }
        keep_smallest(&mut candidates, bound.rows);
        candidates.sort_unstable_by_key(|candidate| candidate.ordinal);
        let mut gathered = Gathered::new(what, candidates.len() as u64);
        for candidate in candidates {
            gathered.push(candidate.ordinal, ArrayView1::from(&candidate.values))?;
        }
        let (embeddings, ordinals) = gathered.finish()?;
        Ok(Self {
            embeddings,
            ordinals,
            not_finite,
        })
    }
}

fn keep_smallest(candidates: &mut Vec<Candidate>, rows: usize) {
    if candidates.len() > rows {
        candidates
            .select_nth_unstable_by_key(rows, |candidate| (candidate.score, candidate.ordinal));
        candidates.truncate(rows);
    }
}

/// A matrix in the making.
pub(super) struct Gathered<'a> {
    what: &'a str,
    values: Vec<f32>,
    ordinals: Vec<u64>,
    width: usize,
    expected: u64,
}

impl<'a> Gathered<'a> {
    /// A matrix of about so many rows.
    pub(super) fn new(what: &'a str, expected: u64) -> Self {
        Self {
            what,
            expected,
            values: Vec::new(),
            ordinals: Vec::new(),
            width: 0,
        }
    }

    pub(super) fn push(&mut self, ordinal: u64, row: ArrayView1<'_, f32>) -> Result<()> {
        if self.ordinals.is_empty() {
            self.width = row.len();
        }
        if row.len() != self.width {
            return Err(Error::invalid(
                "column",
                self.what,
                format!(
                    "it holds rows of {} and of {} values",
                    self.width,
                    row.len()
                ),
                "embeddings of one stream have one width; write the others to another stream",
            ));
        }
        // Exactly, since a vector that doubles its room takes three times as much in between.
        let (rows, width) = (self.expected, row.len() as u64);
        let all = usize::try_from(rows.saturating_mul(width)).unwrap_or(usize::MAX);
        let more = match self.ordinals.is_empty() {
            true => self.values.try_reserve_exact(all.max(row.len())),
            false => self.values.try_reserve(row.len()),
        };
        more.map_err(|_| Error::TooLarge {
            what: format!("reading {}", self.what),
            needed: rows.saturating_mul(width).saturating_mul(4),
            limit: isize::MAX as u64,
            hint: "fit on a sample with `fit_sample`".into(),
        })?;
        self.values.extend(row);
        self.ordinals.push(ordinal);
        Ok(())
    }

    /// The matrix and the ordinals of its rows.
    pub(super) fn finish(self) -> Result<(Array2<f32>, Vec<u64>)> {
        let shape = (self.ordinals.len(), self.width);
        let embeddings = Array2::from_shape_vec(shape, self.values).map_err(|error| {
            Error::invalid("column", self.what, error.to_string(), "collect it again")
        })?;
        Ok((embeddings, self.ordinals))
    }
}
