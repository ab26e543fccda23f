//! A loader that brings rows as often as their weights say.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use emberlens::sampling::Sampler;
use emberlens::{Error, Result as EmberlensResult};

/// A data loader whose epochs are those of a [`Sampler`]: item `i` of the dataset has the weight of row
/// `i`.
///
/// Every call of `iter` begins the next epoch, with the weights as they are by then: whoever holds the
/// sampler's [`Weights`](emberlens::sampling::Weights) may set others between two epochs. Batches are
/// made on the thread that asks for them. Devices of a distributed training share the rows of an epoch.
///
/// Burn's own samplers draw every row equally often, and its loaders shuffle what they are given; this one
/// does neither beside the sampler.
///
/// ```
/// use burn::data::{dataloader::batcher::Batcher, dataset::InMemDataset};
/// use burn::tensor::Device;
/// use emberlens::sampling::{Order, Pick, Sampler, Weights};
/// use emberlens_burn::SampledLoader;
///
/// struct Text;
/// impl Batcher<char, String> for Text {
///     fn batch(&self, items: Vec<char>, _: &Device) -> String {
///         items.into_iter().collect()
///     }
/// }
/// let weights = Weights::new(vec![1.0, 0.0, 2.0])?; // or table.sampling_weights()?
/// let sampler = Sampler::new(&weights, Pick::Repeated, Order::Sequential)?;
/// let letters = InMemDataset::new(vec!['a', 'b', 'c']);
/// let loader = SampledLoader::new(letters, Text, sampler, 2)?.build();
/// let epoch = |batches: Vec<_>| batches.into_iter().collect::<Result<Vec<String>, _>>().unwrap();
/// assert_eq!(epoch(loader.iter().collect()), ["ac", "c"]);
/// weights.set(vec![0.0, 1.0, 1.0])?;
/// assert_eq!(epoch(loader.iter().collect()), ["bc"]);
/// # Ok::<(), emberlens::Error>(())
/// ```
pub struct SampledLoader<I, O> {
    dataset: Arc<dyn Dataset<I>>,
    batcher: Arc<dyn Batcher<I, O>>,
    sampler: Sampler,
    batch_size: usize,
    device: Device,
    share: Vec<Part>,
    epoch: AtomicU64,
}

/// A part of what there is, such as the second of four.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: usize,
    end: usize,
    of: usize,
}

impl Part {
    fn within(self, rows: usize) -> std::ops::Range<usize> {
        let place = |at: usize| {
            let place = at as u128 * rows as u128 / self.of.max(1) as u128;
            usize::try_from(place).unwrap_or(rows).min(rows)
        };
        place(self.start)..place(self.end)
    }
}

impl<I, O> SampledLoader<I, O>
where
    I: Send + Sync + 'static,
    O: Send + 'static,
{
    /// A loader of batches on Burn's default device.
    ///
    /// # Errors
    /// `Invalid` for a batch size of 0, and a dataset with another number of items than the sampler has
    /// weights.
    pub fn new(
        dataset: impl Dataset<I> + 'static,
        batcher: impl Batcher<I, O> + 'static,
        sampler: Sampler,
        batch_size: usize,
    ) -> EmberlensResult<Self> {
        if batch_size == 0 {
            let reason = "a batch holds at least one item";
            return Err(Error::invalid("batch_size", 0, reason, "pass 1 or more"));
        }
        let (items, rows) = (dataset.len(), sampler.weights().row_count());
        if items != rows {
            return Err(Error::invalid(
                "dataset",
                format!("{items} items"),
                format!("the sampler has {rows} weights"),
                "give one weight for every item of the dataset",
            ));
        }
        Ok(Self {
            dataset: Arc::new(dataset),
            batcher: Arc::new(batcher),
            sampler,
            batch_size,
            device: Device::default(),
            share: Vec::new(),
            epoch: AtomicU64::new(0),
        })
    }

    /// Begins with this epoch (0-based), for a training that goes on from a checkpoint.
    pub fn starting_at(mut self, epoch: u64) -> Self {
        self.epoch = AtomicU64::new(epoch);
        self
    }

    /// Makes batches on this device; a training places its loaders on its own.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// The loader as trainings take it.
    pub fn build(self) -> Arc<dyn DataLoader<O>> {
        Arc::new(self)
    }

    fn copy(&self) -> Self {
        Self {
            dataset: Arc::clone(&self.dataset),
            batcher: Arc::clone(&self.batcher),
            sampler: self.sampler.clone(),
            batch_size: self.batch_size,
            device: self.device.clone(),
            share: self.share.clone(),
            epoch: AtomicU64::new(self.epoch.load(Ordering::SeqCst)),
        }
    }

    fn rows(&self, epoch: u64) -> EmberlensResult<Vec<usize>> {
        let mut rows = self.sampler.epoch(epoch)?;
        for part in &self.share {
            let own = part.within(rows.len());
            rows.truncate(own.end);
            rows.drain(..own.start.min(own.end));
        }
        Ok(rows)
    }
}

impl<I, O> DataLoader<O> for SampledLoader<I, O>
where
    I: Send + Sync + 'static,
    O: Send + 'static,
{
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<O> + 'a> {
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst);
        let (rows, error) = match self.rows(epoch) {
            Ok(rows) => (rows, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let next = 0;
        Box::new(Epoch {
            loader: self,
            rows,
            next,
            error,
        })
    }

    /// Those of the next epoch; an error is told by `iter`.
    fn num_items(&self) -> usize {
        let all = self.sampler.epoch_rows(self.epoch.load(Ordering::SeqCst));
        let shares = self.share.iter();
        shares.fold(all.unwrap_or(0), |rows, part| part.within(rows).len())
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<O>> {
        Arc::new(self.copy().device(device.clone()))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<O>> {
        let of = self.num_items();
        let mut part = self.copy();
        part.share.push(Part { start, end, of });
        Arc::new(part)
    }
}

struct Epoch<'a, I, O> {
    loader: &'a SampledLoader<I, O>,
    rows: Vec<usize>,
    next: usize,
    error: Option<Error>,
}

impl<I, O> Iterator for Epoch<'_, I, O> {
    type Item = Result<O, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.error.take() {
            return Some(Err(DatasetError::new(error)));
        }
        let end = (self.next + self.loader.batch_size).min(self.rows.len());
        let rows = self.rows.get(self.next..end)?;
        if rows.is_empty() {
            return None;
        }
        let items = self.loader.dataset.get_many(rows.to_vec());
        self.next = end;
        Some(items.map(|items| self.loader.batcher.batch(items, &self.loader.device)))
    }
}

impl<I, O> DataLoaderIterator<O> for Epoch<'_, I, O> {
    fn progress(&self) -> Progress {
        Progress::new(self.next, self.rows.len(), Some("items".to_owned()))
    }
}

impl<I, O> fmt::Debug for SampledLoader<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SampledLoader")
            .field("sampler", &self.sampler)
            .field("batch_size", &self.batch_size)
            .field("share", &self.share)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}
