//! UMAP (McInnes, Healy, Melville 2018): neighbours that belong together more or less, and a layout
//! in which they do as much.

mod block;
mod curve;
mod fit;
mod graph;
mod kernel;
mod memberships;
mod model;
mod optimise;
mod params;
mod place;
mod points;
mod power;
mod schedule;
mod spectral;
mod start;
#[cfg(test)]
mod tests;
mod walk;

pub use model::Umap;
pub use params::{UmapInit, UmapParams, UmapValidParams};

/// The method's name in paths and files.
pub(super) const METHOD: &str = "umap";
