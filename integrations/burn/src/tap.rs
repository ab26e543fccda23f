//! Hidden layers: a module that lets a tensor through and keeps a copy while someone captures.

use std::cell::RefCell;
use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{DType, Tensor};
use emberlens::{Error, Result};
use ndarray::{ArrayD, IxDyn};

thread_local! {
    // Per thread, because `forward` has no other way to reach whoever called the model.
    static CAPTURE: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// The identity, which shows its input to [`capture`] under a name.
///
/// It has no parameters: records of a model with and without taps are the same. Outside `capture`
/// it costs one look at a thread-local variable; it never changes values, gradients or devices.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use emberlens_burn::{Tap, capture};
/// let tap = Tap::new("features");
/// let x = Tensor::<2>::ones([3, 4], &Device::flex());
/// let (_, layers) = capture(|| tap.forward(x));
/// assert_eq!(layers.into_arrays().unwrap()["features"].shape(), [3, 4]);
/// ```
#[derive(Module, Debug)]
pub struct Tap {
    #[module(skip)]
    name: String,
}

impl Tap {
    /// A tap whose layer is called `name`.
    ///
    /// Give every tap of a model its own name: when one name passes twice during a prediction (a
    /// layer that is used twice, two taps of one name), the last tensor is kept.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// Returns `x` unchanged.
    ///
    /// # Shapes and units
    /// `x` `[batch, ...]`, any number of dimensions.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        CAPTURE.with_borrow_mut(|capture| {
            if let Some(captured) = capture {
                captured.layers.insert(self.name.clone(), Layer::new(&x));
            }
        });
        x
    }
}

/// Runs `forward` and returns what the taps on this thread saw during it.
///
/// Captures nest; the inner one keeps what it sees to itself. The tensors are detached from
/// autodiff and stay on their device until [`Captured::into_arrays`].
pub fn capture<R>(forward: impl FnOnce() -> R) -> (R, Captured) {
    let restore = Restore(CAPTURE.replace(Some(Captured::default())));
    let result = forward();
    let captured = CAPTURE.take().unwrap_or_default();
    drop(restore);
    (result, captured)
}

/// Ends a capture also when the model panics, so that no later call on this thread records.
struct Restore(Option<Captured>);

impl Drop for Restore {
    fn drop(&mut self) {
        CAPTURE.replace(self.0.take());
    }
}

/// What the taps saw, by layer name.
#[derive(Clone, Debug, Default)]
pub struct Captured {
    layers: BTreeMap<String, Layer>,
}

impl Captured {
    /// Names of the layers in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layers.keys().map(String::as_str)
    }

    /// True when no tap was passed.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Reads every layer from its device.
    ///
    /// # Shapes and units
    /// Each array has the shape of the tensor that passed, `[batch, ...]`; other float types are
    /// converted to f32.
    ///
    /// # Errors
    /// `UserCode` when the device fails to compute or hand out a tensor.
    pub fn into_arrays(self) -> Result<BTreeMap<String, ArrayD<f32>>> {
        self.layers
            .into_iter()
            .map(|(name, layer)| Ok((name, layer.into_array()?)))
            .collect()
    }
}

/// A captured tensor; flattened because the number of dimensions is a type in Burn.
#[derive(Clone, Debug)]
struct Layer {
    values: Tensor<1>,
    shape: Vec<usize>,
}

impl Layer {
    fn new<const D: usize>(x: &Tensor<D>) -> Self {
        let shape = x.dims().to_vec();
        let values = x.clone().without_autodiff();
        Self {
            values: values.reshape([shape.iter().product::<usize>()]),
            shape,
        }
    }

    fn into_array(self) -> Result<ArrayD<f32>> {
        let data = self
            .values
            .try_into_data_dtype(DType::F32)
            .map_err(|error| Error::user(error.to_string()))?;
        let values = data
            .try_into_vec::<f32>()
            .map_err(|error| Error::user(format!("{error:?}")))?;
        ArrayD::from_shape_vec(IxDyn(&self.shape), values).map_err(Error::user)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_is_kept_has_no_part_in_the_autodiff_graph() {
        let x = Tensor::<2>::ones([3, 4], &Device::flex().autodiff()).require_grad();
        let y = x.clone() * 2.0;
        let (passed, captured) = capture(|| Tap::new("y").forward(y));
        let kept = &captured.layers["y"].values;
        assert!(passed.device().is_autodiff() && !kept.device().is_autodiff());
        assert!(x.grad(&passed.sum().backward()).is_some());
    }

    #[test]
    fn nothing_stays_behind_after_a_capture_or_without_one() {
        let tap = Tap::new("x");
        let x = || Tensor::<1>::ones([1], &Device::flex());
        tap.forward(x());
        assert!(CAPTURE.with_borrow(Option::is_none));
        let (_, captured) = capture(|| (tap.forward(x()), tap.forward(x())));
        assert_eq!(captured.layers.len(), 1, "the last one only");
        assert!(CAPTURE.with_borrow(Option::is_none));
    }
}
