//! What can be wrong with a figure.

/// Why a figure cannot be drawn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlotError {
    /// No points.
    #[error("there are no points to draw: the selection is empty")]
    Empty,
    /// A coordinate that is NaN or infinite.
    #[error("row {row} has the coordinate {value} on axis {axis}; coordinates must be finite")]
    Position {
        /// Position of the point, from 0.
        row: usize,
        /// Axis, from 0.
        axis: usize,
        /// The coordinate.
        value: f32,
    },
    /// Not one colour value for each point.
    #[error("{points} points but {values} values of the colour column '{title}'")]
    Lengths {
        /// Number of points.
        points: usize,
        /// Number of colour values.
        values: usize,
        /// Name of the colour column.
        title: String,
    },
    /// A category code without a name.
    #[error("row {row} has the category code {code} but there are {names} category names")]
    Code {
        /// Position of the point, from 0.
        row: usize,
        /// The code.
        code: u32,
        /// Number of names.
        names: usize,
    },
    /// A picture size outside what can be laid out.
    #[error("{name} is {value}; it must lie from {least} to {most}")]
    Size {
        /// Which size.
        name: &'static str,
        /// Its value.
        value: f32,
        /// The smallest that works.
        least: f32,
        /// The largest that works.
        most: f32,
    },
    /// The picture could not be encoded.
    #[error("the picture could not be encoded: {0}")]
    Encode(String),
}
