//! Progress of long work, drawn by whoever has a terminal.

/// Receives the progress of a pass or a reduction; all methods have empty defaults.
pub trait Progress: Send + Sync {
    /// Work of `total` units (samples, iterations) begins.
    fn start(&self, label: &str, total: u64) {
        let _ = (label, total);
    }

    /// `done` of the total units are finished.
    fn update(&self, done: u64) {
        let _ = done;
    }

    /// The work ended, well or not.
    fn end(&self) {}
}

/// Draws nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}
