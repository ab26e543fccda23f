//! What a run is doing, or how it ended.

use std::fmt;

/// What a run is doing, or how it ended.
///
/// `Crashed` is never written: readers derive it when a run says that it is active and its process
/// is gone.
///
/// ```
/// use emberlens::run::Status;
/// let status = Status::Failed("loss is NaN".into());
/// assert_eq!(status.to_string(), "failed (loss is NaN)");
/// assert!(!status.is_active());
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Training, or whatever the run is for, goes on.
    Running,
    /// A pass is collecting metrics.
    Collecting,
    /// Embeddings are being reduced.
    Reducing,
    /// Ended well.
    Completed,
    /// Ended by an error; holds the reason.
    Failed(String),
    /// Stopped early without an error; holds the reason.
    Interrupted(String),
    /// Says that it is active, but its process is gone.
    Crashed,
}

impl Status {
    /// The status as one word, as documents spell it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Collecting => "collecting",
            Self::Reducing => "reducing",
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Interrupted(_) => "interrupted",
            Self::Crashed => "crashed",
        }
    }

    /// Why the run failed or was interrupted.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) | Self::Interrupted(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether work goes on.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Running | Self::Collecting | Self::Reducing)
    }

    /// The status that a document spells; `None` for a word of a later version, and for `crashed`.
    pub(crate) fn from_parts(name: &str, reason: Option<String>) -> Option<Self> {
        Some(match name {
            "running" => Self::Running,
            "collecting" => Self::Collecting,
            "reducing" => Self::Reducing,
            "completed" => Self::Completed,
            "failed" => Self::Failed(reason.unwrap_or_default()),
            "interrupted" => Self::Interrupted(reason.unwrap_or_default()),
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) if !reason.is_empty() => write!(f, "{} ({reason})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_written_status_reads_back() {
        for status in [
            Status::Running,
            Status::Collecting,
            Status::Reducing,
            Status::Completed,
            Status::Failed("disk full".into()),
            Status::Interrupted("Ctrl-C".into()),
        ] {
            let reason = status.reason().map(str::to_owned);
            assert_eq!(Status::from_parts(status.name(), reason), Some(status));
        }
        assert_eq!(Status::from_parts(Status::Crashed.name(), None), None);
    }
}
