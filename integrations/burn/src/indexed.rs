//! Items that know their row in the table, whatever order a loader brings them in.

use burn::data::dataloader::batcher::Batcher;
use burn::data::dataset::{Dataset, DatasetError};
use burn::tensor::Device;
use emberlens::{Error, Result as EmberlensResult};

/// An item and its row.
///
/// Wrap a dataset in [`IndexedDataset`] **before** it is shuffled, sampled or split. Do not count
/// batches of a training loader instead: its workers share a channel and their order varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed<I> {
    /// 0-based row in the table.
    pub example_id: usize,
    /// The item.
    pub item: I,
}

/// A dataset whose items carry their index.
///
/// ```
/// use burn::data::dataset::{Dataset, InMemDataset, transform::ShuffledDataset};
/// use emberlens_burn::{Indexed, IndexedDataset};
/// let letters = InMemDataset::new(vec!['a', 'b', 'c']);
/// let shuffled = ShuffledDataset::new(IndexedDataset::new(letters), 7);
/// let Indexed { example_id, item } = shuffled.get(0).unwrap();
/// assert_eq!(item, ['a', 'b', 'c'][example_id]);
/// ```
#[derive(Clone, Debug)]
pub struct IndexedDataset<D> {
    dataset: D,
}

impl<D> IndexedDataset<D> {
    /// Numbers the items of `dataset` from 0.
    pub fn new(dataset: D) -> Self {
        Self { dataset }
    }

    /// The dataset inside.
    pub fn into_inner(self) -> D {
        self.dataset
    }
}

impl<D: Dataset<I>, I> Dataset<Indexed<I>> for IndexedDataset<D> {
    fn get(&self, index: usize) -> Result<Indexed<I>, DatasetError> {
        let item = self.dataset.get(index)?;
        Ok(Indexed {
            example_id: index,
            item,
        })
    }

    fn get_many(&self, indexes: Vec<usize>) -> Result<Vec<Indexed<I>>, DatasetError> {
        let items = self.dataset.get_many(indexes.clone())?;
        let indexed = indexes.into_iter().zip(items);
        Ok(indexed
            .map(|(example_id, item)| Indexed { example_id, item })
            .collect())
    }

    fn len(&self) -> usize {
        self.dataset.len()
    }
}

/// Makes batches of indexed items with a batcher that knows nothing of indices.
///
/// For trainings on a shuffled or split [`IndexedDataset`] whose batches need no indices.
#[derive(Clone, Debug)]
pub struct IndexedBatcher<B> {
    batcher: B,
}

impl<B> IndexedBatcher<B> {
    /// Hands the items to `batcher`.
    pub fn new(batcher: B) -> Self {
        Self { batcher }
    }
}

impl<B: Batcher<I, O>, I, O> Batcher<Indexed<I>, O> for IndexedBatcher<B> {
    fn batch(&self, items: Vec<Indexed<I>>, device: &Device) -> O {
        let items = items.into_iter().map(|indexed| indexed.item).collect();
        self.batcher.batch(items, device)
    }
}

/// The rows of all items, in the order of the dataset: what
/// [`Join::rows`](emberlens::callback::Join::rows) takes for a part of a table.
///
/// It reads every item once.
///
/// # Errors
/// `UserCode` when an item cannot be read, with its index.
///
/// ```
/// use burn::data::dataset::{InMemDataset, transform::PartialDataset};
/// use emberlens_burn::{IndexedDataset, example_ids};
/// let all = IndexedDataset::new(InMemDataset::new(vec!['a', 'b', 'c', 'd', 'e']));
/// let valid = PartialDataset::new(all, 3, 5);
/// assert_eq!(example_ids(&valid).unwrap(), [3, 4]);
/// ```
pub fn example_ids<I>(dataset: &impl Dataset<Indexed<I>>) -> EmberlensResult<Vec<i64>> {
    (0..dataset.len())
        .map(|index| {
            let item = dataset.get(index).map_err(|error| Error::Dataset {
                split: String::new(),
                index,
                source: error.to_string().into(),
            })?;
            i64::try_from(item.example_id).map_err(Error::user)
        })
        .collect()
}
