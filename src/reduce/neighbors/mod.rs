//! The nearest neighbours of every row.

mod block;
mod cells;
mod direct;
mod exact;
mod graph;
mod index;
mod kernel;
mod lists;
mod measure;
mod nearest;
mod panels;
mod rows;
mod search;

#[cfg(test)]
mod tests;

pub(super) use cells::strata;
pub use graph::Neighbors;
pub use index::NeighborIndex;
pub(super) use measure::distances_to_all;
pub(super) use rows::FARTHEST;
pub use search::{Metric, NeighborMethod, NeighborSearch};
