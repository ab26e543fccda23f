//! PaCMAP: a layout in which near rows stay near and the large shape is kept.

mod counts;
mod far;
mod fit;
mod force;
mod list;
mod model;
mod optimise;
mod order;
mod pairs;
mod params;
mod place;
mod schedule;
mod space;
mod start;

pub use model::Pacmap;
pub use params::{Init, PacmapParams, PacmapValidParams};

/// The method's name in paths and files.
pub(super) const METHOD: &str = "pacmap";

/// What is going on, in errors and for progress.
const DURING: &str = "PaCMAP";
