//! From the items of a batch to the batch that the model takes.

use crate::Result;

/// Turns the items of one batch, in order, into what the predictor and the collectors take.
///
/// A closure `Fn(Vec<Item>) -> Result<Batch>` is a collate function; [`Items`] keeps the vector.
/// It runs on the loader's worker threads.
pub trait Collate<I> {
    /// The batch.
    type Batch;

    /// Makes the batch; `items` has one to batch-size entries.
    ///
    /// # Errors
    /// Any error ends the pass with [`crate::Error::Dataset`] and the first index of the batch.
    fn collate(&self, items: Vec<I>) -> Result<Self::Batch>;
}

impl<I, B, F> Collate<I> for F
where
    F: Fn(Vec<I>) -> Result<B>,
{
    type Batch = B;

    fn collate(&self, items: Vec<I>) -> Result<B> {
        self(items)
    }
}

/// The batch is the vector of its items.
#[derive(Clone, Copy, Debug, Default)]
pub struct Items;

impl<I> Collate<I> for Items {
    type Batch = Vec<I>;

    fn collate(&self, items: Vec<I>) -> Result<Vec<I>> {
        Ok(items)
    }
}
