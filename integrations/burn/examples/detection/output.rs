//! What the detector returns, for Burn's metrics and for Emberlens.

use std::sync::OnceLock;

use burn::backend::ExecutionError;
use burn::prelude::*;
use burn::train::metric::{Adaptor, ItemLazy, LossInput};
use emberlens::Result;
use emberlens::metrics::{BBox, ImageInstances, PredictedInstance};
use emberlens::table::Columns;
use emberlens_burn::{BurnPrediction, OutputOptions, SampleMetrics, tensors};
use ndarray::{Axis, Ix3};

use crate::batch::SampleBatch;
use crate::grid::{self, Seen};

/// Losses, heat maps and boxes of a batch.
pub struct DetectorOutput {
    /// The mean of `losses`, what training lowers.
    pub loss: Tensor<1>,
    /// `[batch]`.
    losses: Tensor<1>,
    /// `[batch, classes, CELLS, CELLS]`, logits.
    heat: Tensor<4>,
    /// `[batch, NUMBERS, CELLS, CELLS]`.
    boxes: Tensor<4>,
    /// The boxes of every picture, once somebody asked for them.
    seen: OnceLock<Vec<Vec<Seen>>>,
}

impl DetectorOutput {
    /// `losses` `[batch]`, `heat` `[batch, classes, CELLS, CELLS]`, `boxes` `[batch, NUMBERS, CELLS, CELLS]`.
    pub fn new(losses: Tensor<1>, heat: Tensor<4>, boxes: Tensor<4>) -> Self {
        Self {
            loss: losses.clone().mean(),
            losses,
            heat,
            boxes,
            seen: OnceLock::new(),
        }
    }

    /// The boxes of every picture, the most confident first: decoded for the first collector that asks,
    /// and the same for all.
    pub fn seen(&self) -> Result<&[Vec<Seen>]> {
        if let Some(seen) = self.seen.get() {
            return Ok(seen);
        }
        let decoded = self.decode()?;
        Ok(self.seen.get_or_init(|| decoded))
    }

    fn decode(&self) -> Result<Vec<Vec<Seen>>> {
        let (heat, boxes) = (tensors::array(&self.heat)?, tensors::array(&self.boxes)?);
        let pictures = heat.axis_iter(Axis(0)).zip(boxes.axis_iter(Axis(0)));
        pictures
            .map(|(heat, boxes)| {
                let heat = heat
                    .into_dimensionality::<Ix3>()
                    .map_err(emberlens::Error::user)?;
                let boxes = boxes
                    .into_dimensionality::<Ix3>()
                    .map_err(emberlens::Error::user)?;
                Ok(grid::boxes(heat, boxes))
            })
            .collect()
    }
}

/// The columns of every image that the detector's output gives by itself.
impl SampleMetrics for DetectorOutput {
    fn sample_columns(&self, _: &OutputOptions) -> Result<Columns> {
        Ok(Columns::new().with("loss", tensors::vector(&self.losses)?))
    }
}

/// True and seen boxes in pixels of the table's images, as `Detection` takes them.
pub fn instances(
    batch: &SampleBatch,
    prediction: &BurnPrediction<DetectorOutput>,
) -> Result<Vec<ImageInstances<BBox>>> {
    let samples = batch.samples.iter().map(|one| &one.item);
    let images = samples.zip(prediction.seen()?).map(|(sample, seen)| {
        let seen = seen.iter().map(|one| {
            let bbox = sample.to_image(one.bbox);
            PredictedInstance::new(bbox, one.class as i64, one.confidence)
        });
        ImageInstances::new(sample.truth.clone(), seen.collect())
    });
    Ok(images.collect())
}

impl ItemLazy for DetectorOutput {
    fn sync(self) -> std::result::Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            losses: self.losses.without_autodiff(),
            heat: self.heat.without_autodiff(),
            boxes: self.boxes.without_autodiff(),
            seen: self.seen,
        })
    }
}

impl Adaptor<LossInput> for DetectorOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}
