//! From scenes to tensors.

use std::sync::Arc;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use emberlens_burn::Indexed;

use crate::grid::{CELLS, NUMBERS, Target};
use crate::scenes::{CLASSES, SIDE, Scene};

/// A batch of scenes with what the detector should say of them.
#[derive(Clone, Debug)]
pub struct SceneBatch {
    /// `[batch, 1, SIDE, SIDE]`, standardised scene by scene.
    pub images: Tensor<4>,
    /// `[batch, classes, CELLS, CELLS]`, 0 to 1; 1 is a centre.
    pub heat: Tensor<4>,
    /// `[batch, NUMBERS, CELLS, CELLS]`.
    pub boxes: Tensor<4>,
    /// The scenes themselves and their rows, for the collectors.
    pub scenes: Arc<[Indexed<Scene>]>,
}

/// Makes a [`SceneBatch`].
#[derive(Clone, Debug)]
pub struct SceneBatcher;

impl Batcher<Indexed<Scene>, SceneBatch> for SceneBatcher {
    fn batch(&self, scenes: Vec<Indexed<Scene>>, device: &Device) -> SceneBatch {
        let count = scenes.len();
        let tensor = |values: Vec<f32>, channels, side| {
            Tensor::from_data(
                TensorData::new(values, [count, channels, side, side]),
                device,
            )
        };
        let grey = scenes
            .iter()
            .flat_map(|one| one.item.standardised())
            .collect();
        let targets = scenes.iter().map(|scene| Target::of(&scene.item.objects));
        let (heat, boxes): (Vec<_>, Vec<_>) = targets.map(|one| (one.heat, one.boxes)).unzip();
        SceneBatch {
            images: tensor(grey, 1, SIDE),
            heat: tensor(heat.concat(), CLASSES.len(), CELLS),
            boxes: tensor(boxes.concat(), NUMBERS, CELLS),
            scenes: scenes.into(),
        }
    }
}
