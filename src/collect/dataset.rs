//! Map-style datasets: a length and a way to get the item at an index.

use std::fmt;
use std::sync::Arc;

use super::guard::cause;
use crate::{Error, Result};

/// A dataset with a known length whose items are found by a 0-based index.
///
/// The index is the join: item `i` belongs to row `i` of the table, so `get` must return the same
/// sample for the same index every time (no shuffling, no random selection). Slices, arrays,
/// vectors, references, [`Arc`]s and [`FnDataset`] are datasets.
///
/// ```
/// use emberlens::collect::MapDataset;
/// let dataset = vec![0.5_f32, 1.5];
/// assert_eq!(MapDataset::len(&dataset), 2);
/// assert_eq!(dataset.get_many(&[1, 0]).unwrap(), [1.5, 0.5]);
/// ```
pub trait MapDataset {
    /// One sample as the collate function takes it.
    type Item;

    /// Number of items.
    fn len(&self) -> usize;

    /// The item at `index`, which is below [`MapDataset::len`].
    ///
    /// # Errors
    /// Any error ends the pass with [`Error::Dataset`] and the index; wrap errors of your own with
    /// [`Error::user`].
    fn get(&self, index: usize) -> Result<Self::Item>;

    /// The items at `indices`, in that order; override it where reading many at once is cheaper.
    ///
    /// # Errors
    /// As [`MapDataset::get`]. Return [`Error::Dataset`] to say which index failed; any other error
    /// is reported with the first index of the batch.
    fn get_many(&self, indices: &[usize]) -> Result<Vec<Self::Item>> {
        indices
            .iter()
            .map(|&index| {
                self.get(index).map_err(|error| Error::Dataset {
                    split: String::new(),
                    index,
                    source: cause(error),
                })
            })
            .collect()
    }

    /// True when there are no items.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn at<T: Clone>(items: &[T], index: usize) -> Result<T> {
    items.get(index).cloned().ok_or_else(|| {
        Error::invalid(
            "index",
            index,
            format!("the dataset has {} items", items.len()),
            "ask for an index below that",
        )
    })
}

impl<T: Clone> MapDataset for [T] {
    type Item = T;

    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn get(&self, index: usize) -> Result<T> {
        at(self, index)
    }
}

impl<T: Clone, const N: usize> MapDataset for [T; N] {
    type Item = T;

    fn len(&self) -> usize {
        N
    }

    fn get(&self, index: usize) -> Result<T> {
        at(self, index)
    }
}

impl<T: Clone> MapDataset for Vec<T> {
    type Item = T;

    fn len(&self) -> usize {
        <[T]>::len(self)
    }

    fn get(&self, index: usize) -> Result<T> {
        at(self, index)
    }
}

macro_rules! forward_dataset {
    ($($pointer:ty),*) => {$(
        impl<D: MapDataset + ?Sized> MapDataset for $pointer {
            type Item = D::Item;

            fn len(&self) -> usize {
                (**self).len()
            }

            fn get(&self, index: usize) -> Result<Self::Item> {
                (**self).get(index)
            }

            fn get_many(&self, indices: &[usize]) -> Result<Vec<Self::Item>> {
                (**self).get_many(indices)
            }
        }
    )*};
}
forward_dataset!(&D, Box<D>, Arc<D>);

/// A dataset made of a length and a closure.
///
/// ```
/// use emberlens::collect::{FnDataset, MapDataset};
/// let squares = FnDataset::new(4, |index| Ok((index * index) as f32));
/// assert_eq!(squares.get(3).unwrap(), 9.0);
/// ```
#[derive(Clone)]
pub struct FnDataset<F> {
    len: usize,
    item: F,
}

impl<T, F: Fn(usize) -> Result<T>> FnDataset<F> {
    /// A dataset of `len` items; `item` makes the one at an index.
    pub fn new(len: usize, item: F) -> Self {
        Self { len, item }
    }
}

impl<T, F: Fn(usize) -> Result<T>> MapDataset for FnDataset<F> {
    type Item = T;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Result<T> {
        (self.item)(index)
    }
}

impl<F> fmt::Debug for FnDataset<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnDataset")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// A dataset whose items go through a transform of their own for collection.
#[derive(Clone, Debug)]
pub struct Transformed<D, F> {
    dataset: D,
    transform: F,
}

impl<D, F> Transformed<D, F> {
    /// Applies `transform` to every item of `dataset`.
    pub fn new(dataset: D, transform: F) -> Self {
        Self { dataset, transform }
    }
}

impl<D, F, T> MapDataset for Transformed<D, F>
where
    D: MapDataset,
    F: Fn(D::Item) -> Result<T>,
{
    type Item = T;

    fn len(&self) -> usize {
        self.dataset.len()
    }

    fn get(&self, index: usize) -> Result<T> {
        self.dataset.get(index).and_then(&self.transform)
    }

    fn get_many(&self, indices: &[usize]) -> Result<Vec<T>> {
        let items = self.dataset.get_many(indices)?;
        let transformed = items.into_iter().zip(indices).map(|(item, &index)| {
            (self.transform)(item).map_err(|error| Error::Dataset {
                split: String::new(),
                index,
                source: cause(error),
            })
        });
        transformed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_item_is_reported_with_its_own_index() {
        let dataset = FnDataset::new(10, |index| match index {
            7 => Err(Error::user("no such file")),
            other => Ok(other),
        });
        let error = dataset.get_many(&[5, 6, 7, 8]).unwrap_err();
        assert!(matches!(error, Error::Dataset { index: 7, .. }), "{error}");
        assert!(
            error.chain().ends_with("at index 7: no such file"),
            "{}",
            error.chain()
        );
    }

    #[test]
    fn pointers_and_arrays_are_datasets() {
        fn sum(dataset: impl MapDataset<Item = i32>) -> i32 {
            (0..dataset.len())
                .map(|index| dataset.get(index).unwrap())
                .sum()
        }
        let items = [1, 2, 3];
        assert_eq!(sum(items), 6);
        assert_eq!(sum(&items[..]), 6);
        assert_eq!(sum(Arc::new(items.to_vec())), 6);
        assert_eq!(sum(Transformed::new(&items, |item: i32| Ok(item * 10))), 60);
    }

    #[test]
    fn an_index_beyond_the_end_is_an_error() {
        assert!(vec![1].get(1).is_err());
        assert!(MapDataset::is_empty(&Vec::<u8>::new()));
    }
}
