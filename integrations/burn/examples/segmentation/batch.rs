//! From scenes to tensors.

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use ndarray::Array2;

use crate::scenes::{SIDE, Scene, VOID};

/// The weight of the background, which nine of ten pixels are.
const BACKGROUND: f32 = 0.3;

/// A batch of scenes with the class of every pixel.
#[derive(Clone, Debug)]
pub struct SceneBatch {
    /// `[batch, 1, SIDE, SIDE]`, standardised scene by scene.
    pub images: Tensor<4>,
    /// `[batch, 1, SIDE, SIDE]`, the class of each pixel; 0 where it has none.
    pub classes: Tensor<4, Int>,
    /// `[batch, 1, SIDE, SIDE]`, how much the loss counts each pixel; 0 where it has no class.
    pub weights: Tensor<4>,
    /// The same masks as the collectors take them.
    pub masks: Vec<Array2<u16>>,
}

/// Makes a [`SceneBatch`].
#[derive(Clone, Debug)]
pub struct SceneBatcher;

impl Batcher<Scene, SceneBatch> for SceneBatcher {
    fn batch(&self, scenes: Vec<Scene>, device: &Device) -> SceneBatch {
        let shape = [scenes.len(), 1, SIDE, SIDE];
        let floats = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), device);
        let pixels = || scenes.iter().flat_map(|scene| &scene.mask);
        let class = |&class: &u8| if class == VOID { 0 } else { i64::from(class) };
        let classes: Vec<i64> = pixels().map(class).collect();
        let weights = pixels().map(|&class| match class {
            VOID => 0.0,
            0 => BACKGROUND,
            _ => 1.0,
        });
        let mask = |scene: &Scene| {
            Array2::from_shape_fn((SIDE, SIDE), |(y, x)| u16::from(scene.mask[y * SIDE + x]))
        };
        SceneBatch {
            images: floats(scenes.iter().flat_map(Scene::standardised).collect()),
            classes: Tensor::from_data(TensorData::new(classes, shape), device),
            weights: floats(weights.collect()),
            masks: scenes.iter().map(mask).collect(),
        }
    }
}
