//! What the network returns, for Burn's metrics and for Emberlens.

use burn::backend::ExecutionError;
use burn::prelude::*;
use burn::train::metric::{Adaptor, ItemLazy, LossInput};
use emberlens::Result;
use emberlens::metrics::SegmentedImage;
use emberlens::table::Columns;
use emberlens_burn::{BurnPrediction, OutputOptions, SampleMetrics, tensors};
use ndarray::{ArrayView1, Axis};

use crate::batch::SampleBatch;

/// Losses and logits of a batch.
pub struct SegmenterOutput {
    /// The mean of `losses`, what training lowers.
    pub loss: Tensor<1>,
    /// `[batch]`, nats.
    pub losses: Tensor<1>,
    /// `[batch, classes, side, side]`.
    pub logits: Tensor<4>,
}

/// The columns of every image that the output gives by itself.
impl SampleMetrics for SegmenterOutput {
    fn sample_columns(&self, _: &OutputOptions) -> Result<Columns> {
        Ok(Columns::new().with("loss", tensors::vector(&self.losses)?))
    }
}

/// True and predicted masks, as `Segmentation` takes them.
pub fn masks(
    batch: &SampleBatch,
    prediction: &BurnPrediction<SegmenterOutput>,
) -> Result<Vec<SegmentedImage>> {
    let logits = tensors::array(&prediction.logits)?;
    let images = batch.masks.iter().zip(logits.axis_iter(Axis(0)));
    images
        .map(|(truth, logits)| {
            let predicted = logits.map_axis(Axis(0), largest);
            let predicted = predicted
                .into_dimensionality()
                .map_err(emberlens::Error::user)?;
            Ok(SegmentedImage::new(truth.clone(), predicted))
        })
        .collect()
}

/// The class of the largest logit.
fn largest(logits: ArrayView1<'_, f32>) -> u16 {
    let classes = (0..).zip(logits);
    let largest = classes.max_by(|(_, one), (_, other)| one.total_cmp(other));
    largest.map_or(0, |(class, _)| class)
}

impl ItemLazy for SegmenterOutput {
    fn sync(self) -> std::result::Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            losses: self.losses.without_autodiff(),
            logits: self.logits.without_autodiff(),
        })
    }
}

impl Adaptor<LossInput> for SegmenterOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}
