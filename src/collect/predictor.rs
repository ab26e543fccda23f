//! Running a model on one batch.

use crate::Result;
pub use crate::metrics::{HiddenLayers, Prediction};

/// Runs a model on one batch in evaluation mode.
///
/// A pass calls `enter_evaluation` once, then `predict` for every batch, then `leave_evaluation`
/// once, the last also when the pass failed. A closure `FnMut(&Batch) -> Result<Output>` is a
/// predictor for models that have no modes.
pub trait Predictor<B> {
    /// What the model returns for a batch.
    type Output;

    /// Runs the model on one batch; the batch lies on the model's device already, or the
    /// predictor moves it there.
    fn predict(&mut self, batch: &B) -> Result<Self::Output>;

    /// Puts the model into evaluation mode (no dropout, frozen statistics).
    fn enter_evaluation(&mut self) -> Result<()> {
        Ok(())
    }

    /// Restores the mode that `enter_evaluation` found.
    fn leave_evaluation(&mut self) -> Result<()> {
        Ok(())
    }
}

impl<B, O, F> Predictor<B> for F
where
    F: FnMut(&B) -> Result<O>,
{
    type Output = O;

    fn predict(&mut self, batch: &B) -> Result<O> {
        self(batch)
    }
}

/// Runs a model that is handed in with every call: what callbacks hold while the model trains.
pub trait ModelPredictor<M, B> {
    /// What the model returns for a batch.
    type Output;

    /// Runs `model` on one batch in evaluation mode.
    fn predict(&self, model: &M, batch: &B) -> Result<Self::Output>;
}

impl<M, B, O, F> ModelPredictor<M, B> for F
where
    F: Fn(&M, &B) -> Result<O>,
{
    type Output = O;

    fn predict(&self, model: &M, batch: &B) -> Result<O> {
        self(model, batch)
    }
}
