//! Burn's datasets and batchers as the library's datasets and collate functions.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::Dataset;
use burn::module::Module;
use burn::tensor::Device;
use emberlens::callback::{Callback, TrainingContext};
use emberlens::collect::{Collate, MapDataset};
use emberlens::{Error, Result};

/// A Burn dataset, read in the order of its indices: item `i` belongs to row `i` of the table.
///
/// Give it the dataset before shuffling and sampling. Clones share the dataset.
pub struct BurnDataset<I> {
    dataset: Arc<dyn Dataset<I>>,
}

impl<I> BurnDataset<I> {
    /// Reads `dataset`.
    pub fn new(dataset: impl Dataset<I> + 'static) -> Self {
        Self {
            dataset: Arc::new(dataset),
        }
    }

    /// The error with the index that it belongs to; Burn's own errors name none.
    fn at(index: usize, error: impl fmt::Display) -> Error {
        Error::Dataset {
            split: String::new(),
            index,
            source: error.to_string().into(),
        }
    }
}

impl<I> MapDataset for BurnDataset<I> {
    type Item = I;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<I> {
        self.dataset
            .get(index)
            .map_err(|error| Error::user(error.to_string()))
    }

    fn get_many(&self, indices: &[usize]) -> Result<Vec<I>> {
        match self.dataset.get_many(indices.to_vec()) {
            Ok(items) => Ok(items),
            // One by one, to say which; when none fails alone, the items are as good.
            Err(_) => indices
                .iter()
                .map(|&index| {
                    self.dataset
                        .get(index)
                        .map_err(|error| Self::at(index, error))
                })
                .collect(),
        }
    }
}

impl<I> Clone for BurnDataset<I> {
    fn clone(&self) -> Self {
        Self {
            dataset: Arc::clone(&self.dataset),
        }
    }
}

impl<I> fmt::Debug for BurnDataset<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BurnDataset")
            .field("len", &self.dataset.len())
            .finish_non_exhaustive()
    }
}

/// The device on which batches are made; clones share it.
///
/// A training decides its device at launch, long after the collate function was made.
#[derive(Clone, Debug, Default)]
pub struct DeviceSlot {
    device: Arc<Mutex<Option<Device>>>,
}

impl DeviceSlot {
    /// Batches are made on `device`, without autodiff.
    pub fn set(&self, device: Device) {
        let mut slot = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(device.inner());
    }

    /// Batches are made where the parameters of `model` are.
    pub fn set_from(&self, model: &impl Module) {
        if let Some(device) = model.devices().into_iter().next() {
            self.set(device);
        }
    }

    fn follow<M: Module>(&self, context: &TrainingContext<'_, M>) -> Result<()> {
        if let Some(model) = context.model {
            self.set_from(model);
        }
        Ok(())
    }

    /// The device; Burn's default one until it is set.
    pub fn get(&self) -> Device {
        let slot = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clone().unwrap_or_default()
    }
}

/// Batches are made where the model is that the callbacks after this one collect with.
impl<M: Module> Callback<M> for DeviceSlot {
    fn on_training_start(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.follow(context)
    }

    fn on_train_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.follow(context)
    }

    fn on_validation_loader_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.follow(context)
    }

    fn on_training_end(&mut self, context: &TrainingContext<'_, M>) -> Result<()> {
        self.follow(context)
    }
}

/// A Burn batcher as a collate function, on the device of the slot.
///
/// The batcher must not keep random state that the training shares, or collection would change
/// the training.
pub struct BatcherCollate<I, B> {
    batcher: Arc<dyn Batcher<I, B>>,
    device: DeviceSlot,
}

impl<I, B> BatcherCollate<I, B> {
    /// Makes batches with `batcher`.
    pub fn new(batcher: impl Batcher<I, B> + 'static, device: DeviceSlot) -> Self {
        Self {
            batcher: Arc::new(batcher),
            device,
        }
    }
}

impl<I, B> Collate<I> for BatcherCollate<I, B> {
    type Batch = B;

    fn collate(&self, items: Vec<I>) -> Result<B> {
        Ok(self.batcher.batch(items, &self.device.get()))
    }
}

impl<I, B> Clone for BatcherCollate<I, B> {
    fn clone(&self) -> Self {
        Self {
            batcher: Arc::clone(&self.batcher),
            device: self.device.clone(),
        }
    }
}

impl<I, B> fmt::Debug for BatcherCollate<I, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatcherCollate")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}
