//! What a model output may carry besides itself: hidden layers.

use std::collections::BTreeMap;
use std::ops::Deref;

use ndarray::ArrayD;

/// Outputs that carry the hidden layers captured while they were computed.
pub trait HiddenLayers {
    /// The layer's activations, `[batch, ...]`, f32; `None` when no such layer was captured.
    fn hidden(&self, layer: &str) -> Option<&ArrayD<f32>>;

    /// Names of the captured layers.
    fn layers(&self) -> Vec<&str>;
}

/// A model output with the hidden layers captured beside it.
///
/// It derefs to the output, so collectors that need no hidden layers read it as they read the
/// output itself.
#[derive(Clone, Debug, Default)]
pub struct Prediction<O> {
    /// What the model returned.
    pub output: O,
    /// Activations by layer name, `[batch, ...]`.
    pub hidden: BTreeMap<String, ArrayD<f32>>,
}

impl<O> Deref for Prediction<O> {
    type Target = O;

    fn deref(&self) -> &O {
        &self.output
    }
}

impl<O> HiddenLayers for Prediction<O> {
    fn hidden(&self, layer: &str) -> Option<&ArrayD<f32>> {
        self.hidden.get(layer)
    }

    fn layers(&self) -> Vec<&str> {
        self.hidden.keys().map(String::as_str).collect()
    }
}
