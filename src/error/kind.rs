//! What a caller can do about an error.

use super::Error;

/// What a caller can do about an [`Error`].
///
/// ```
/// use emberlens::{Error, ErrorKind};
/// let error = Error::invalid("batch_size", 0, "a batch holds at least one sample", "pass 1 or more");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The arguments or the data are wrong: change the call.
    Invalid,
    /// What was asked for does not exist.
    NotFound,
    /// What was to be created exists already.
    AlreadyExists,
    /// Code that the caller supplied (collector, dataset, predictor, callback) failed or panicked.
    UserCode,
    /// The caller, or Ctrl-C, asked to stop.
    Interrupted,
    /// The store failed: disk full, permission, network. Trying again may help.
    Storage,
    /// Files on disk are damaged or written by a newer major version.
    Corrupt,
    /// Another process took the run over: this one must not write to it any more.
    Fenced,
    /// Something was changed meanwhile that this change was made for: look again, and make it again.
    Conflict,
}

impl Error {
    /// What a caller can do about this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidArgument { .. }
            | Self::Shape { .. }
            | Self::Schema { .. }
            | Self::DuplicateColumn { .. }
            | Self::MissingColumn { .. }
            | Self::ExampleId { .. }
            | Self::Filter { .. }
            | Self::NonFinite { .. }
            | Self::Degenerate { .. }
            | Self::TooLarge { .. }
            | Self::Value { .. }
            | Self::Import { .. }
            | Self::NotAtomic { .. } => ErrorKind::Invalid,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            Self::Collector { .. }
            | Self::Dataset { .. }
            | Self::Predictor { .. }
            | Self::User { .. }
            | Self::Panicked { .. } => ErrorKind::UserCode,
            Self::Callback { source, .. } => source.kind(),
            // A stop among them hides no failure.
            Self::Several { problems } => {
                let mut kinds = problems.iter().map(Error::kind);
                let failure = kinds.clone().find(|kind| *kind != ErrorKind::Interrupted);
                failure.or(kinds.next()).unwrap_or(ErrorKind::Invalid)
            }
            Self::Interrupted { .. } => ErrorKind::Interrupted,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Storage { .. } | Self::UnknownOutcome { .. } => ErrorKind::Storage,
            Self::Fenced { .. } => ErrorKind::Fenced,
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Writer { kind, .. } => *kind,
        }
    }
}
