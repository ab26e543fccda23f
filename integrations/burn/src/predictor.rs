//! The model's own validation step as predictor.

use burn::module::Module;
use burn::train::InferenceStep;
use emberlens::Result;
use emberlens::collect::{ModelPredictor, Predictor};

use crate::outputs::BurnPrediction;
use crate::tap::capture;

/// Predicts with [`InferenceStep::step`], what Burn itself calls to validate.
///
/// The model that is handed in must be in evaluation mode, as [`Module::valid`] makes it; callbacks
/// of a [`Lens`](crate::Lens) get it so. Hidden layers are those that a [`Tap`](crate::Tap) shows.
///
/// ```
/// use emberlens_burn::StepPredictor;
/// let with_hidden_layers = StepPredictor::new();
/// let without = StepPredictor::new().hidden_layers(false);
/// # let _ = (with_hidden_layers, without);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StepPredictor {
    hidden_layers: bool,
}

impl Default for StepPredictor {
    fn default() -> Self {
        Self {
            hidden_layers: true,
        }
    }
}

impl StepPredictor {
    /// Predicts and captures hidden layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether hidden layers are captured (default yes); a model without taps captures none.
    pub fn hidden_layers(mut self, capture: bool) -> Self {
        self.hidden_layers = capture;
        self
    }

    fn run<M>(self, model: &M, batch: M::Input) -> Result<BurnPrediction<M::Output>>
    where
        M: InferenceStep,
    {
        if !self.hidden_layers {
            return Ok(BurnPrediction::new(model.step(batch)));
        }
        let (output, captured) = capture(|| model.step(batch));
        Ok(BurnPrediction {
            output,
            hidden: captured.into_arrays()?,
        })
    }
}

impl<M> ModelPredictor<M, M::Input> for StepPredictor
where
    M: InferenceStep,
    M::Input: Clone,
{
    type Output = BurnPrediction<M::Output>;

    fn predict(&self, model: &M, batch: &M::Input) -> Result<Self::Output> {
        self.run(model, batch.clone())
    }
}

/// A model of its own for a pass outside any training.
///
/// The pass sees an evaluation copy; the model that it was made from stays as it is.
#[derive(Clone, Debug)]
pub struct BurnPredictor<M> {
    model: M,
    step: StepPredictor,
}

impl<M: Module> BurnPredictor<M> {
    /// Predicts with an evaluation copy of `model`.
    pub fn new(model: &M) -> Self {
        Self {
            model: model.valid(),
            step: StepPredictor::new(),
        }
    }
}

impl<M> Predictor<M::Input> for BurnPredictor<M>
where
    M: InferenceStep,
    M::Input: Clone,
{
    type Output = BurnPrediction<M::Output>;

    fn predict(&mut self, batch: &M::Input) -> Result<Self::Output> {
        self.step.run(&self.model, batch.clone())
    }
}
