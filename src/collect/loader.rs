//! Batches in order, made ahead by worker threads.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::collate::Collate;
use super::dataset::MapDataset;
use super::guard::{cause, guarded};
use crate::{Error, Result};

/// How a pass reads its dataset; every default suits a dataset in memory.
///
/// Batches arrive in dataset order whatever the number of workers: worker `w` of `W` makes the
/// batches `w, w + W, ...` and the pass takes one from each in turn.
///
/// # Memory
/// At most `workers * (prefetch + 1)` batches wait beside the one in the model.
///
/// ```
/// use emberlens::collect::Loader;
/// let loader = Loader::batch_size(256).workers(2).prefetch(4);
/// assert!(loader.check().is_ok());
/// assert!(loader.shuffle(true).check().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    batch_size: usize,
    workers: usize,
    prefetch: usize,
    shuffle: bool,
}

impl Default for Loader {
    fn default() -> Self {
        Self::batch_size(64)
    }
}

impl Loader {
    /// Batches of `samples` samples, the last one smaller; made on the calling thread.
    pub fn batch_size(samples: usize) -> Self {
        Self {
            batch_size: samples,
            workers: 0,
            prefetch: 2,
            shuffle: false,
        }
    }

    /// Sets the batch size of an existing loader.
    pub fn with_batch_size(mut self, samples: usize) -> Self {
        self.batch_size = samples;
        self
    }

    /// Number of threads that read and collate (default 0: the calling thread does).
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads;
        self
    }

    /// Batches that each worker makes ahead (default 2).
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = batches;
        self
    }

    /// Exists to be refused: a shuffled pass could not be joined to its table.
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// Samples per batch.
    pub fn samples_per_batch(&self) -> usize {
        self.batch_size
    }

    /// Checks the arguments.
    ///
    /// # Errors
    /// `Invalid` for a batch size of 0, no prefetch with workers, or shuffling.
    pub fn check(&self) -> Result<()> {
        if self.shuffle {
            return Err(Error::invalid(
                "shuffle",
                true,
                "row k of a pass joins to item k of the dataset",
                "leave shuffling to the training loader",
            ));
        }
        if self.batch_size == 0 {
            return Err(Error::invalid(
                "batch_size",
                0,
                "a batch holds at least one sample",
                "pass 1 or more",
            ));
        }
        if self.workers > 0 && self.prefetch == 0 {
            return Err(Error::invalid(
                "prefetch",
                0,
                "a worker without a place for its batch would only wait",
                "pass 1 or more, or no workers",
            ));
        }
        Ok(())
    }

    /// Hands every batch of `source` to `consume`, in order, until one fails.
    pub(crate) fn for_each<D, K>(
        &self,
        source: &Source<'_, D, K>,
        mut consume: impl FnMut(Loaded<K::Batch>) -> Result<()>,
    ) -> Result<()>
    where
        D: MapDataset + Sync + ?Sized,
        K: Collate<D::Item> + Sync,
        K::Batch: Send,
    {
        let batches = source.selection.len().div_ceil(self.batch_size);
        let workers = self.workers.min(batches);
        if workers == 0 {
            return (0..batches).try_for_each(|number| consume(self.make(source, number)?));
        }
        std::thread::scope(|scope| {
            let mut receivers: Vec<Receiver<Result<Loaded<K::Batch>>>> = Vec::new();
            for worker in 0..workers {
                let (sender, receiver) = sync_channel(self.prefetch);
                receivers.push(receiver);
                let numbers = (worker..batches).step_by(workers);
                std::thread::Builder::new()
                    .name(format!("emberlens-loader-{worker}"))
                    .spawn_scoped(scope, move || self.work(source, numbers, &sender))
                    .map_err(|error| Error::storage("starting a loader thread", "", error))?;
            }
            // Dropping the receivers on the way out is what stops the workers.
            (0..batches).try_for_each(|number| match receivers[number % workers].recv() {
                Ok(loaded) => consume(loaded?),
                Err(_) => Err(lost_worker(number)),
            })
        })
    }

    fn work<D, K>(
        &self,
        source: &Source<'_, D, K>,
        numbers: impl Iterator<Item = usize>,
        sender: &SyncSender<Result<Loaded<K::Batch>>>,
    ) where
        D: MapDataset + ?Sized,
        K: Collate<D::Item>,
    {
        for number in numbers {
            let loaded = self.make(source, number);
            let failed = loaded.is_err();
            if sender.send(loaded).is_err() || failed {
                return;
            }
        }
    }

    fn make<D, K>(&self, source: &Source<'_, D, K>, number: usize) -> Result<Loaded<K::Batch>>
    where
        D: MapDataset + ?Sized,
        K: Collate<D::Item>,
    {
        let first = number * self.batch_size;
        let rows = first..(first + self.batch_size).min(source.selection.len());
        let indices = source.selection.indices(rows);
        let batch = source.batch(&indices)?;
        Ok(Loaded {
            number,
            indices,
            batch,
        })
    }
}

fn lost_worker(batch: usize) -> Error {
    Error::Panicked {
        who: format!("the loader thread of batch {batch}"),
        message: "it ended without a batch".into(),
    }
}

/// Which items of a dataset a pass reads, in order.
#[derive(Clone, Debug)]
pub(crate) enum Selection {
    /// All of them.
    All(usize),
    /// These indices.
    Some(Vec<usize>),
}

impl Selection {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::All(len) => *len,
            Self::Some(indices) => indices.len(),
        }
    }

    fn indices(&self, rows: Range<usize>) -> Vec<usize> {
        match self {
            Self::All(_) => rows.collect(),
            Self::Some(indices) => indices[rows].to_vec(),
        }
    }
}

/// What a loader reads.
pub(crate) struct Source<'a, D: ?Sized, K> {
    pub(crate) dataset: &'a D,
    pub(crate) collate: &'a K,
    pub(crate) selection: &'a Selection,
    pub(crate) split: &'a str,
}

/// One batch and where it comes from.
pub(crate) struct Loaded<B> {
    /// 0-based batch of the pass.
    pub(crate) number: usize,
    /// Dataset index of every sample.
    pub(crate) indices: Vec<usize>,
    pub(crate) batch: B,
}

impl<D: MapDataset + ?Sized, K: Collate<D::Item>> Source<'_, D, K> {
    fn batch(&self, indices: &[usize]) -> Result<K::Batch> {
        let split = self.split;
        let first = indices.first().copied().unwrap_or(0);
        let last = indices.last().copied().unwrap_or(0);
        let items = guarded(
            || format!("the dataset of split `{split}`, indices {first} to {last},"),
            || self.dataset.get_many(indices),
        )
        .map_err(|error| self.at_index(first, error))?;
        if items.len() != indices.len() {
            return Err(Error::Shape {
                column: "get_many".into(),
                expected: indices.len(),
                found: items.len(),
                place: format!("the dataset of split `{split}`, indices {first} to {last}"),
            });
        }
        guarded(
            || format!("the collate function of split `{split}`, indices {first} to {last},"),
            || self.collate.collate(items),
        )
        .map_err(|error| self.at_index(first, error))
    }

    fn at_index(&self, first: usize, error: Error) -> Error {
        let (index, source) = match error {
            Error::Panicked { .. } => return error,
            Error::Dataset { index, source, .. } => (index, source),
            other => (first, cause(other)),
        };
        Error::Dataset {
            split: self.split.to_owned(),
            index,
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::collate::Items;
    use super::super::dataset::FnDataset;
    use super::*;

    fn load<D: MapDataset<Item = usize> + Sync>(
        loader: &Loader,
        dataset: &D,
        selection: &Selection,
    ) -> Result<Vec<Vec<usize>>> {
        let source = Source {
            dataset,
            collate: &Items,
            selection,
            split: "train",
        };
        let mut batches = Vec::new();
        loader.for_each(&source, |loaded| {
            assert_eq!(loaded.number, batches.len());
            assert_eq!(loaded.indices, loaded.batch);
            batches.push(loaded.batch);
            Ok(())
        })?;
        Ok(batches)
    }

    #[test]
    fn order_holds_when_early_batches_are_the_slow_ones() {
        let dataset = FnDataset::new(23, |index| {
            std::thread::sleep(Duration::from_millis(if index % 8 < 4 { 3 } else { 0 }));
            Ok(index)
        });
        let expected: Vec<Vec<usize>> = (0..23)
            .collect::<Vec<_>>()
            .chunks(4)
            .map(<[usize]>::to_vec)
            .collect();
        for workers in [0, 1, 2, 3, 9] {
            let loader = Loader::batch_size(4).workers(workers).prefetch(1);
            assert_eq!(
                load(&loader, &dataset, &Selection::All(23)).unwrap(),
                expected,
                "{workers} workers"
            );
        }
    }

    #[test]
    fn a_selection_is_read_in_its_own_order() {
        let dataset = FnDataset::new(10, Ok);
        let selection = Selection::Some(vec![9, 0, 4]);
        let batches = load(&Loader::batch_size(2).workers(2), &dataset, &selection).unwrap();
        assert_eq!(batches, [vec![9, 0], vec![4]]);
    }

    #[test]
    fn a_failing_item_ends_the_loading_with_its_index_on_any_number_of_workers() {
        let dataset = FnDataset::new(1000, |index| match index {
            700 => Err(Error::user("unreadable")),
            other => Ok(other),
        });
        for workers in [0, 1, 3] {
            let error = load(
                &Loader::batch_size(32).workers(workers),
                &dataset,
                &Selection::All(1000),
            )
            .unwrap_err();
            assert_eq!(
                error.chain(),
                "the dataset of split `train` failed at index 700: unreadable"
            );
        }
    }

    #[test]
    fn a_panic_in_a_worker_is_an_error_that_says_where() {
        let dataset = FnDataset::new(8, |index| {
            assert!(index != 5, "item five is cursed");
            Ok(index)
        });
        for workers in [0, 2] {
            let error = load(
                &Loader::batch_size(2).workers(workers),
                &dataset,
                &Selection::All(8),
            )
            .unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, Error::Panicked { .. }), "{text}");
            assert!(
                text.contains("indices 4 to 5") && text.contains("cursed"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_failing_consumer_stops_the_workers() {
        let dataset = FnDataset::new(1_000_000, Ok);
        let source = Source {
            dataset: &dataset,
            collate: &Items,
            selection: &Selection::All(1_000_000),
            split: "train",
        };
        let mut seen = 0;
        let result = Loader::batch_size(1).workers(2).for_each(&source, |_| {
            seen += 1;
            if seen == 3 {
                Err(Error::user("enough"))
            } else {
                Ok(())
            }
        });
        assert!(result.is_err());
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_dataset_that_returns_too_few_items_is_caught() {
        struct Short;
        impl MapDataset for Short {
            type Item = usize;
            fn len(&self) -> usize {
                4
            }
            fn get(&self, index: usize) -> Result<usize> {
                Ok(index)
            }
            fn get_many(&self, indices: &[usize]) -> Result<Vec<usize>> {
                Ok(indices[1..].to_vec())
            }
        }
        let error = load(&Loader::batch_size(4), &Short, &Selection::All(4))
            .unwrap_err()
            .to_string();
        assert!(error.contains("3 rows") && error.contains('4'), "{error}");
    }
}
