//! From samples to tensors.

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;

use crate::data::Sample;

/// A batch of images with their labels.
#[derive(Clone, Debug)]
pub struct ImageBatch {
    /// `[batch, 1, side, side]`, 0 to 1.
    pub images: Tensor<4>,
    /// `[batch]`, class indices.
    pub targets: Tensor<1, Int>,
}

/// Makes an [`ImageBatch`] of samples with `side * side` pixels.
#[derive(Clone, Debug)]
pub struct ImageBatcher {
    /// Pixels along one edge of every image.
    pub side: usize,
}

impl Batcher<Sample, ImageBatch> for ImageBatcher {
    fn batch(&self, samples: Vec<Sample>, device: &Device) -> ImageBatch {
        let count = samples.len();
        let pixels: Vec<f32> = samples
            .iter()
            .flat_map(|sample| &sample.pixels)
            .map(|&grey| f32::from(grey) / 255.0)
            .collect();
        let labels: Vec<i64> = samples
            .iter()
            .map(|sample| i64::from(sample.label))
            .collect();
        ImageBatch {
            images: Tensor::from_data(
                TensorData::new(pixels, [count, 1, self.side, self.side]),
                device,
            ),
            targets: Tensor::from_data(TensorData::new(labels, [count]), device),
        }
    }
}
