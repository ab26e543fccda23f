//! What the detector returns, for Burn's metrics and for Emberlens.

use burn::backend::ExecutionError;
use burn::prelude::*;
use burn::train::metric::{Adaptor, ItemLazy, LossInput};
use emberlens::Result;
use emberlens::metrics::{BBox, ImageInstances, PredictedInstance, TrueInstance};
use emberlens::table::{BoxFormat, Columns};
use emberlens_burn::{BurnPrediction, OutputOptions, SampleMetrics, tensors};
use ndarray::{Axis, Ix3};

use crate::batch::SceneBatch;
use crate::grid::{self, Seen};

/// Losses, heat maps and boxes of a batch.
pub struct DetectorOutput {
    /// The mean of `losses`, what training lowers.
    pub loss: Tensor<1>,
    /// `[batch]`.
    pub losses: Tensor<1>,
    /// `[batch, classes, CELLS, CELLS]`, logits.
    pub heat: Tensor<4>,
    /// `[batch, NUMBERS, CELLS, CELLS]`.
    pub boxes: Tensor<4>,
}

impl DetectorOutput {
    /// The boxes of every scene, the most confident first.
    pub fn seen(&self) -> Result<Vec<Vec<Seen>>> {
        let (heat, boxes) = (tensors::array(&self.heat)?, tensors::array(&self.boxes)?);
        let scenes = heat.axis_iter(Axis(0)).zip(boxes.axis_iter(Axis(0)));
        scenes
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

/// True and seen boxes, as `Detection` takes them.
pub fn instances(
    batch: &SceneBatch,
    prediction: &BurnPrediction<DetectorOutput>,
) -> Result<Vec<ImageInstances<BBox>>> {
    let xyxy = |values| BBox::new(values, BoxFormat::Xyxy);
    let scenes = batch.scenes.iter().zip(prediction.seen()?);
    let images = scenes.map(|(scene, seen)| {
        let truth = scene.item.objects.iter();
        let truth = truth.map(|one| TrueInstance::new(xyxy(one.bbox), one.class as i64));
        let seen = seen.iter();
        let seen = seen
            .map(|one| PredictedInstance::new(xyxy(one.bbox), one.class as i64, one.confidence));
        ImageInstances::new(truth.collect(), seen.collect())
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
        })
    }
}

impl Adaptor<LossInput> for DetectorOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}
