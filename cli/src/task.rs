//! What a YOLO data set is about, as an option.

use clap::ValueEnum;
use emberlens::table::import::YoloTask;

/// The kind of a data set's labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Boxes: class, centre, width, height
    Boxes,
    /// Rotated boxes: class, four corners
    Oriented,
    /// Polygons: class, points
    Segments,
}

impl From<Task> for YoloTask {
    fn from(task: Task) -> Self {
        match task {
            Task::Boxes => Self::Boxes,
            Task::Oriented => Self::Oriented,
            Task::Segments => Self::Segments,
        }
    }
}
