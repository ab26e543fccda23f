//! From samples to tensors.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use emberlens_burn::Indexed;

use crate::grid::{CELLS, NUMBERS, Target};
use crate::sample::{Object, Sample};
use crate::scenes::{SIDE, Turn, Turns};

/// A batch of pictures with what the detector should say of them.
#[derive(Clone, Debug)]
pub struct SampleBatch {
    /// `[batch, 1, SIDE, SIDE]`, standardised picture by picture.
    pub images: Tensor<4>,
    /// `[batch, classes, CELLS, CELLS]`, 0 to 1; 1 is a centre.
    pub heat: Tensor<4>,
    /// `[batch, NUMBERS, CELLS, CELLS]`.
    pub boxes: Tensor<4>,
    /// The samples themselves and their rows, for the collectors.
    pub samples: Arc<[Indexed<Sample>]>,
}

/// Makes a [`SampleBatch`].
#[derive(Clone, Debug)]
pub struct SampleBatcher {
    /// Classes that there are.
    pub classes: usize,
    /// What happens to pictures, where something does.
    pub turns: Option<Turns>,
}

impl Batcher<Indexed<Sample>, SampleBatch> for SampleBatcher {
    fn batch(&self, samples: Vec<Indexed<Sample>>, device: &Device) -> SampleBatch {
        let count = samples.len();
        let tensor = |values: Vec<f32>, channels, side| {
            Tensor::from_data(
                TensorData::new(values, [count, channels, side, side]),
                device,
            )
        };
        let (mut grey, mut heat, mut boxes) = (Vec::new(), Vec::new(), Vec::new());
        for Indexed { item, .. } in &samples {
            let turn = self.turns.as_ref().map_or(Turn::NONE, Turns::draw);
            grey.extend(turn.square(&item.picture.standardised()));
            let objects = item.objects().map(|object| Object {
                bbox: turn.bbox(object.bbox),
                ..object
            });
            let target = Target::of(objects, self.classes);
            heat.extend(target.heat);
            boxes.extend(target.boxes);
        }
        SampleBatch {
            images: tensor(grey, 1, SIDE),
            heat: tensor(heat, self.classes, CELLS),
            boxes: tensor(boxes, NUMBERS, CELLS),
            samples: samples.into(),
        }
    }
}
