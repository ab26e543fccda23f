//! What to draw.

use std::ops::RangeInclusive;

use super::arrange;
use super::error::PlotError;
use super::text::Fonts;
use super::{png, svg};

/// Widths that can be laid out, in picture units.
pub const WIDTHS: RangeInclusive<f32> = 320.0..=8000.0;
/// Heights that can be laid out, in picture units.
pub const HEIGHTS: RangeInclusive<f32> = 240.0..=8000.0;
/// Pixels of a PNG for each picture unit.
pub const SCALES: RangeInclusive<f32> = 0.5..=4.0;
/// Directions to look from, in degrees.
pub const ANGLES: RangeInclusive<f32> = -360.0..=360.0;

/// From where three-dimensional coordinates are seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Turn around the third axis, in degrees.
    pub azimuth: f32,
    /// Height over the plane of the first two axes, in degrees.
    pub elevation: f32,
}

impl Default for View {
    fn default() -> Self {
        View {
            azimuth: -60.0,
            elevation: 25.0,
        }
    }
}

/// Where the points are.
#[derive(Debug, Clone, PartialEq)]
pub enum Coordinates {
    /// Two coordinates each, drawn at the same scale.
    Plane(Vec<[f32; 2]>),
    /// Three coordinates each, drawn without perspective.
    Space(Vec<[f32; 3]>, View),
}

impl Coordinates {
    /// Number of points.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a figure without points is an error"
    )]
    pub fn len(&self) -> usize {
        match self {
            Coordinates::Plane(points) => points.len(),
            Coordinates::Space(points, _) => points.len(),
        }
    }
}

/// Which values matter most: they get the strong colours and lie on top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnTop {
    /// High values, as of a loss.
    #[default]
    High,
    /// Low values, as of a confidence.
    Low,
}

/// What the colours say.
#[derive(Debug, Clone, PartialEq)]
pub enum Color {
    /// Nothing.
    None,
    /// A category for each point.
    Categories {
        /// Name of the column.
        title: String,
        /// The categories. Up to 20 names keep their colours whatever the points are, so that
        /// pictures of several epochs agree.
        names: Vec<String>,
        /// Position in `names` for each point; `None` without a value.
        codes: Vec<Option<u32>>,
    },
    /// A number for each point.
    Values {
        /// Name of the column.
        title: String,
        /// The numbers; NaN without a value.
        values: Vec<f32>,
        /// Which of them matter most.
        on_top: OnTop,
    },
}

/// File format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Pixels.
    Png,
    /// Vectors and text; beyond 10,000 points with the points as an embedded picture.
    Svg,
}

/// A scatter plot of an embedding.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Where the points are.
    pub coordinates: Coordinates,
    /// What the colours say.
    pub color: Color,
    /// First line; may be empty.
    pub title: String,
    /// Second line; may be empty.
    pub subtitle: String,
    /// Name of each axis; empty names are left out.
    pub axes: [String; 3],
    /// Width in picture units (pixels of a PNG at scale 1), one of [`WIDTHS`].
    pub width: f32,
    /// Height in picture units, one of [`HEIGHTS`].
    pub height: f32,
    /// Pixels of a PNG for each picture unit, one of [`SCALES`].
    pub scale: f32,
}

impl Figure {
    /// A figure of 1200 x 900 without colours and texts.
    pub fn new(coordinates: Coordinates) -> Self {
        Figure {
            coordinates,
            color: Color::None,
            title: String::new(),
            subtitle: String::new(),
            axes: Default::default(),
            width: 1200.0,
            height: 900.0,
            scale: 1.0,
        }
    }

    /// The bytes of the picture's file. The same figure gives the same bytes.
    ///
    /// # Errors
    ///
    /// No points, coordinates that are not finite, colour values that do not match the points, and
    /// sizes out of bounds.
    pub fn render(&self, format: Format) -> Result<Vec<u8>, PlotError> {
        self.check()?;
        let fonts = Fonts::load()?;
        let scene = arrange::scene(self, &fonts);
        match format {
            Format::Png => png::encode(&scene, &fonts, self.scale),
            Format::Svg => svg::encode(&scene, &fonts).map(String::into_bytes),
        }
    }

    /// Says what is wrong with the figure.
    pub(super) fn check(&self) -> Result<(), PlotError> {
        within("the width", self.width, &WIDTHS)?;
        within("the height", self.height, &HEIGHTS)?;
        within("the scale", self.scale, &SCALES)?;
        match &self.coordinates {
            Coordinates::Plane(points) => finite(points)?,
            Coordinates::Space(points, view) => {
                finite(points)?;
                within("the azimuth", view.azimuth, &ANGLES)?;
                within("the elevation", view.elevation, &ANGLES)?;
            }
        }
        let points = self.coordinates.len();
        let same = |values: usize, title: &str| {
            if values == points {
                return Ok(());
            }
            let title = title.to_owned();
            Err(PlotError::Lengths {
                points,
                values,
                title,
            })
        };
        match &self.color {
            Color::None => Ok(()),
            Color::Values { title, values, .. } => same(values.len(), title),
            Color::Categories {
                title,
                names,
                codes,
            } => {
                same(codes.len(), title)?;
                let names = names.len();
                let wrong = |code: &Option<u32>| code.is_some_and(|code| code as usize >= names);
                match codes.iter().position(wrong) {
                    None => Ok(()),
                    Some(row) => {
                        let code = codes[row].unwrap_or_default();
                        Err(PlotError::Code { row, code, names })
                    }
                }
            }
        }
    }
}

fn within(name: &'static str, value: f32, allowed: &RangeInclusive<f32>) -> Result<(), PlotError> {
    // NaN lies in no range.
    match allowed.contains(&value) {
        true => Ok(()),
        false => Err(PlotError::Size {
            name,
            value,
            least: *allowed.start(),
            most: *allowed.end(),
        }),
    }
}

fn finite<const D: usize>(points: &[[f32; D]]) -> Result<(), PlotError> {
    if points.is_empty() {
        return Err(PlotError::Empty);
    }
    for (row, point) in points.iter().enumerate() {
        if let Some(axis) = point.iter().position(|value| !value.is_finite()) {
            let value = point[axis];
            return Err(PlotError::Position { row, axis, value });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
