//! From samples to tensors.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use ndarray::Array2;

use crate::sample::{Classes, Sample};
use crate::scenes::{SIDE, Turn, Turns};

/// A batch of pictures with the class of every pixel.
#[derive(Clone, Debug)]
pub struct SampleBatch {
    /// `[batch, 1, SIDE, SIDE]`, standardised picture by picture.
    pub images: Tensor<4>,
    /// `[batch, 1, SIDE, SIDE]`, the class of each pixel; 0 where it has none.
    pub classes: Tensor<4, Int>,
    /// `[batch, 1, SIDE, SIDE]`, how much the loss counts each pixel; 0 where it has no class.
    pub weights: Tensor<4>,
    /// The same masks as the collectors take them.
    pub masks: Vec<Array2<u16>>,
}

/// Makes a [`SampleBatch`].
#[derive(Clone, Debug)]
pub struct SampleBatcher {
    /// How much a pixel of each class counts; the void has no place here.
    weights: Arc<[f32]>,
    /// What happens to pictures, where something does.
    turns: Option<Turns>,
}

impl SampleBatcher {
    /// Classes count by one over the root of their share of the pixels, so that the background, nine of
    /// ten, does not decide alone; the mean over all pixels is 1.
    pub fn new(samples: &[Sample], classes: &Classes) -> Self {
        let mut counts = vec![0_u32; classes.names.len()];
        for class in samples.iter().flat_map(|sample| &sample.mask) {
            if let Some(count) = counts.get_mut(usize::from(*class)) {
                *count += 1;
            }
        }
        let roots = counts.iter().map(|&count| (count as f32).sqrt());
        let mean = counts.iter().sum::<u32>() as f32 / roots.clone().sum::<f32>();
        Self {
            weights: roots.map(|root| mean / root.max(1.0)).collect(),
            turns: None,
        }
    }

    /// The same, with pictures that are turned.
    pub fn turning(&self, turns: Turns) -> Self {
        Self {
            turns: Some(turns),
            ..self.clone()
        }
    }
}

impl Batcher<Sample, SampleBatch> for SampleBatcher {
    fn batch(&self, samples: Vec<Sample>, device: &Device) -> SampleBatch {
        let shape = [samples.len(), 1, SIDE, SIDE];
        let floats = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), device);
        let (mut grey, mut pixels) = (Vec::new(), Vec::new());
        for sample in &samples {
            let turn = self.turns.as_ref().map_or(Turn::NONE, Turns::draw);
            grey.extend(turn.square(&sample.picture.standardised()));
            let mask: Vec<u16> = sample.mask.iter().copied().collect();
            pixels.extend(turn.square(&mask));
        }
        let weight = |class: &u16| self.weights.get(usize::from(*class)).copied();
        let class = |class: &u16| weight(class).map_or(0, |_| i64::from(*class));
        let classes: Vec<i64> = pixels.iter().map(class).collect();
        let weights = pixels.iter().map(|class| weight(class).unwrap_or(0.0));
        SampleBatch {
            images: floats(grey),
            classes: Tensor::from_data(TensorData::new(classes, shape), device),
            weights: floats(weights.collect()),
            masks: samples.iter().map(|sample| sample.mask.clone()).collect(),
        }
    }
}
