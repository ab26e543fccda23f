//! Ranking the samples of a run by one column: the most suspicious, the best, the hardest.

mod labels;
mod query;
mod ranker;

pub use query::{Epochs, RankBy, RankedRun};
pub use ranker::{Class, Order, RankedSample, Ranker, Ranking};
