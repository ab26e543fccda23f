//! Pictures of embeddings: plain coordinates and colour values in, PNG or SVG bytes out.
//!
//! Knows nothing of runs and tables. [`Figure`] is the one entry point.

mod arrange;
mod categories;
mod color;
mod density;
mod error;
mod figure;
mod labels;
mod legend;
mod palette;
mod png;
mod points;
mod raster;
mod scale;
mod scene;
mod space;
mod svg;
mod text;
mod window;

pub use error::PlotError;
pub use figure::{
    ANGLES, Color, Coordinates, Figure, Format, HEIGHTS, OnTop, SCALES, View, WIDTHS,
};
