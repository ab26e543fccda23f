//! The weights of a table's rows, shared between who sets them and who draws by them.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{Error, Result};

/// One weight for every row: finite, 0 or more, at least one above 0. Clones share them.
///
/// ```
/// use emberlens::sampling::Weights;
/// let weights = Weights::new(vec![1.0, 0.0, 2.5])?;
/// let shared = weights.clone();
/// shared.set(vec![1.0, 1.0, 1.0])?;
/// assert_eq!(*weights.get(), [1.0; 3]);
/// assert!(weights.set(vec![-1.0, 1.0, 1.0]).is_err());
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Weights(Arc<RwLock<Arc<[f32]>>>);

impl Weights {
    /// Weights by row.
    ///
    /// # Errors
    /// `Invalid` with the row for a weight that is negative, NaN or infinite, and when all are 0.
    pub fn new(weights: Vec<f32>) -> Result<Self> {
        check(&weights)?;
        Ok(Self(Arc::new(RwLock::new(weights.into()))))
    }

    /// 1 for each of so many rows.
    ///
    /// # Errors
    /// `Invalid` for no rows.
    pub fn ones(rows: usize) -> Result<Self> {
        Self::new(vec![1.0; rows])
    }

    /// Sets other weights, which count from the next epoch on.
    ///
    /// # Errors
    /// As [`Weights::new`], and for another number of rows; then they stay as they were.
    pub fn set(&self, weights: Vec<f32>) -> Result<()> {
        check(&weights)?;
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if weights.len() != held.len() {
            return Err(Error::invalid(
                "weights",
                format!("{} values", weights.len()),
                format!("there are {} rows", held.len()),
                "give one weight for every row; a table with more rows needs a new loader",
            ));
        }
        *held = weights.into();
        Ok(())
    }

    /// The weights now.
    pub fn get(&self) -> Arc<[f32]> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Rows, those with weight 0 among them.
    pub fn row_count(&self) -> usize {
        self.get().len()
    }
}

fn check(weights: &[f32]) -> Result<()> {
    let is_bad = |weight: &f32| !(weight.is_finite() && *weight >= 0.0);
    if let Some(row) = weights.iter().position(is_bad) {
        return Err(Error::Value {
            column: "weight".into(),
            row: row as u64,
            found: weights[row].to_string(),
            expected: "a weight".into(),
            hint: "a weight is a number of 0 or more; 0 leaves the row out".into(),
        });
    }
    if weights.iter().all(|weight| *weight == 0.0) {
        return Err(Error::invalid(
            "weights",
            format!("{} zeros", weights.len()),
            "nothing is left to train on",
            "give at least one row a weight above 0",
        ));
    }
    Ok(())
}
