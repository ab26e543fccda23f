//! From samples to tensors.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use emberlens_burn::Indexed;

use crate::grid::{CELLS, NUMBERS, Target};
use crate::sample::Sample;
use crate::scenes::SIDE;

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
        let pictures = samples.iter().map(|one| &one.item.picture);
        let grey = pictures.flat_map(|picture| picture.standardised());
        let targets = samples
            .iter()
            .map(|one| Target::of(one.item.objects(), self.classes));
        let (heat, boxes): (Vec<_>, Vec<_>) = targets.map(|one| (one.heat, one.boxes)).unzip();
        SampleBatch {
            images: tensor(grey.collect(), 1, SIDE),
            heat: tensor(heat.concat(), self.classes, CELLS),
            boxes: tensor(boxes.concat(), NUMBERS, CELLS),
            samples: samples.into(),
        }
    }
}
