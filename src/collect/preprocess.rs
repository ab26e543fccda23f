//! A hook between the batch and the predictor.

use super::predictor::{ModelPredictor, Predictor};
use crate::Result;

/// A predictor whose batches go through a hook first: moved to a device, normalised, unpacked.
///
/// The collectors still see the batch as the collate function made it.
///
/// ```
/// use emberlens::collect::{Predictor, Preprocess};
/// let halves = |batch: &Vec<f32>| Ok(batch.iter().map(|x| x / 2.0).collect::<Vec<_>>());
/// let sum = |batch: &Vec<f32>| Ok(batch.iter().sum::<f32>());
/// let mut predictor = Preprocess::new(halves, sum);
/// assert_eq!(predictor.predict(&vec![2.0, 4.0]).unwrap(), 3.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Preprocess<H, P> {
    hook: H,
    predictor: P,
}

impl<H, P> Preprocess<H, P> {
    /// Puts `hook` in front of `predictor`.
    pub fn new(hook: H, predictor: P) -> Self {
        Self { hook, predictor }
    }
}

impl<B, T, H, P> Predictor<B> for Preprocess<H, P>
where
    H: Fn(&B) -> Result<T>,
    P: Predictor<T>,
{
    type Output = P::Output;

    fn predict(&mut self, batch: &B) -> Result<Self::Output> {
        self.predictor.predict(&(self.hook)(batch)?)
    }

    fn enter_evaluation(&mut self) -> Result<()> {
        self.predictor.enter_evaluation()
    }

    fn leave_evaluation(&mut self) -> Result<()> {
        self.predictor.leave_evaluation()
    }
}

impl<M, B, T, H, P> ModelPredictor<M, B> for Preprocess<H, P>
where
    H: Fn(&B) -> Result<T>,
    P: ModelPredictor<M, T>,
{
    type Output = P::Output;

    fn predict(&self, model: &M, batch: &B) -> Result<Self::Output> {
        self.predictor.predict(model, &(self.hook)(batch)?)
    }
}

/// The predictor of a pass that looks at the data only; its output is `()`.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPredictor;

impl<B> Predictor<B> for NoPredictor {
    type Output = ();

    fn predict(&mut self, _batch: &B) -> Result<()> {
        Ok(())
    }
}
