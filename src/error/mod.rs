//! The one error type of the library, and the kind that tells a caller what to do about it.

mod kind;
mod text;

use std::error::Error as StdError;

pub use kind::ErrorKind;
use text::numbered;
pub(crate) use text::panic_message;

/// A boxed error from user code or from a library below ours.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// The library's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the library; each variant holds the offending values.
///
/// Match on [`Error::kind`] to decide what to do, and on the variants only for their values.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument has a value that cannot work.
    #[error("{argument} = {value}: {reason}; {hint}")]
    InvalidArgument {
        /// The argument's name as the caller wrote it.
        argument: String,
        /// The value given.
        value: String,
        /// Why it cannot work.
        reason: String,
        /// The way out.
        hint: String,
    },

    /// Columns of one batch, or a batch and its dataset, differ in their number of rows.
    #[error("column `{column}` has {found} rows where {expected} are expected ({place})")]
    Shape {
        /// The column.
        column: String,
        /// Rows expected.
        expected: usize,
        /// Rows found.
        found: usize,
        /// Where: collector, stream or table.
        place: String,
    },

    /// A column's type or embedding width differs from what the stream or table holds.
    #[error("column `{column}` is {found} where {place} holds {expected}; {hint}")]
    Schema {
        /// The column.
        column: String,
        /// The type that the stream or table holds.
        expected: String,
        /// The type given.
        found: String,
        /// Stream or table.
        place: String,
        /// The way out.
        hint: String,
    },

    /// Two sources emit the same column.
    #[error(
        "column `{column}` comes from both {first} and {second}; rename one of them or write it to another stream"
    )]
    DuplicateColumn {
        /// The column.
        column: String,
        /// Who emitted it first.
        first: String,
        /// Who emitted it again.
        second: String,
    },

    /// A column that is needed is not there.
    #[error("column `{column}` is missing from {place}; it has: {available}")]
    MissingColumn {
        /// The column.
        column: String,
        /// Where it was looked for.
        place: String,
        /// What is there instead, comma-separated.
        available: String,
    },

    /// An `example_id` points outside the table that it joins to.
    #[error("example_id {value} in row {row} is outside 0..{rows}, the rows of {table}")]
    ExampleId {
        /// The offending value.
        value: i64,
        /// Row of the batch, 0-based.
        row: usize,
        /// Rows of the table.
        rows: u64,
        /// The table.
        table: String,
    },

    /// A run, table, stream, column value or file that does not exist.
    #[error("no {what} `{name}`; {hint} ({place})")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// The way out.
        hint: String,
        /// Where it was looked for, credentials stripped.
        place: String,
    },

    /// Something of that name exists already.
    #[error("{what} `{name}` exists already; {hint} ({place})")]
    AlreadyExists {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// The way out.
        hint: String,
        /// Where it is, credentials stripped.
        place: String,
    },

    /// A metrics collector returned an error.
    #[error("metrics collector {collector} failed on batch {batch}")]
    Collector {
        /// The collector's name.
        collector: String,
        /// 0-based batch of the pass.
        batch: usize,
        /// What it returned.
        source: BoxError,
    },

    /// The dataset or the collate function failed.
    #[error("the dataset of split `{split}` failed at index {index}")]
    Dataset {
        /// The split.
        split: String,
        /// 0-based index asked for (the first of the batch for collate).
        index: usize,
        /// What it returned.
        source: BoxError,
    },

    /// The predictor failed.
    #[error("the predictor failed on batch {batch} of split `{split}`")]
    Predictor {
        /// The split.
        split: String,
        /// 0-based batch of the pass.
        batch: usize,
        /// What it returned.
        source: BoxError,
    },

    /// An error of the caller's own code, wrapped by [`Error::user`].
    #[error(transparent)]
    User {
        /// The error.
        source: BoxError,
    },

    /// User code panicked; the panic was caught and its message kept.
    #[error("{who} panicked: {message}")]
    Panicked {
        /// Whose code, and where it was.
        who: String,
        /// The panic message.
        message: String,
    },

    /// A callback failed during training.
    #[error("callback {callback} failed in {event}")]
    Callback {
        /// The callback's name.
        callback: String,
        /// The event, for example `on_training_end`.
        event: &'static str,
        /// What it returned.
        source: Box<Error>,
    },

    /// Stopped on request.
    #[error("interrupted during {during}; {kept}")]
    Interrupted {
        /// What was going on.
        during: String,
        /// What became of the work done so far.
        kept: &'static str,
    },

    /// Several things are wrong at once.
    #[error("{} problems: {}", problems.len(), numbered(problems))]
    Several {
        /// All of them, in the order they were found.
        problems: Vec<Error>,
    },

    /// A single value is not what its column, or the reader of the column, needs.
    #[error("column `{column}` holds {found} in row {row} where {expected} is needed; {hint}")]
    Value {
        /// The column.
        column: String,
        /// 0-based row of the table or batch.
        row: u64,
        /// The value, or what stands there instead.
        found: String,
        /// What is needed.
        expected: String,
        /// The way out.
        hint: String,
    },

    /// A filter is no condition over the columns that there are.
    #[error("{reason}, at character {character}; {hint}\n{marked}")]
    Filter {
        /// What is wrong.
        reason: String,
        /// The way out.
        hint: String,
        /// Line of the filter, from 1.
        line: usize,
        /// Character of that line, from 1.
        character: usize,
        /// The line, and below it a line with `^` under what is wrong.
        marked: String,
    },

    /// A value that must be finite is not.
    #[error("{what} holds {value} in row {row}, column {column}; {hint}")]
    NonFinite {
        /// The matrix or column.
        what: String,
        /// 0-based row.
        row: usize,
        /// 0-based column.
        column: usize,
        /// The value, as text.
        value: String,
        /// The way out.
        hint: String,
    },

    /// A matrix from which nothing can be learnt.
    #[error("{method} cannot be fitted to {rows} x {columns} values: {reason}; {hint}")]
    Degenerate {
        /// The reduction method.
        method: &'static str,
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
        /// Why nothing can be learnt from it.
        reason: String,
        /// The way out.
        hint: String,
    },

    /// More memory would be needed than is allowed; nothing was allocated.
    #[error("{what} needs {needed} bytes of memory where {limit} are allowed; {hint}")]
    TooLarge {
        /// The work.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes allowed.
        limit: u64,
        /// The way out.
        hint: String,
    },

    /// A file that is imported is malformed.
    #[error("{reason} at {position}; {hint} ({path})")]
    Import {
        /// What is wrong.
        reason: String,
        /// Line, row or id.
        position: String,
        /// The way out.
        hint: String,
        /// The file.
        path: String,
    },

    /// A file of ours is damaged, or of a format that this version cannot read.
    #[error("{what} cannot be read: {reason} ({path})")]
    Corrupt {
        /// The thing.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
        /// The file or folder, credentials stripped.
        path: String,
    },

    /// The store failed.
    #[error("{operation} failed ({path})")]
    Storage {
        /// What was tried.
        operation: &'static str,
        /// What the store said.
        source: BoxError,
        /// The file or folder, credentials stripped.
        path: String,
    },

    /// A write failed, and what became of it could not be found out: it may have been done, or be done
    /// yet. The same call with the same identity finds out, and does nothing twice.
    #[error(
        "{operation} failed, and whether it was done all the same is not known: {reason} ({path})"
    )]
    UnknownOutcome {
        /// What was tried.
        operation: &'static str,
        /// Why that is not known: it could not be read back, or is not there and may still arrive.
        reason: String,
        /// What the store said to the write.
        source: BoxError,
        /// The file or folder, credentials stripped.
        path: String,
    },

    /// The store does not create objects atomically: writers at once would overwrite one another.
    #[error(
        "the store does not create objects atomically: {seen}; use another store, or, where one process alone writes, say so with EMBERLENS_SINGLE_WRITER=1 or Location::single_writer ({path})"
    )]
    NotAtomic {
        /// What it did.
        seen: String,
        /// The store's address, credentials stripped.
        path: String,
    },

    /// Another process took the run over, so what this one still writes would not count.
    #[error(
        "run `{run}` was taken up again by another process while this one stood still; end this process, or resume the run from it ({path})"
    )]
    Fenced {
        /// The run.
        run: String,
        /// The run's folder, credentials stripped.
        path: String,
    },

    /// What a change was made for is not what is there any more; nothing was changed.
    #[error("{what} meets another change: {reason}; {hint} ({path})")]
    Conflict {
        /// The change.
        what: String,
        /// What is there instead.
        reason: String,
        /// The way out.
        hint: String,
        /// The table, credentials stripped.
        path: String,
    },

    /// A background writer failed earlier; every call until `finalize` returns this.
    #[error("the writer of stream `{stream}` failed: {message}")]
    Writer {
        /// The stream.
        stream: String,
        /// The first failure, with its causes.
        message: String,
        /// Its kind.
        kind: ErrorKind,
    },
}

impl Error {
    /// Builds [`Error::InvalidArgument`] from anything printable.
    pub fn invalid(
        argument: impl Into<String>,
        value: impl ToString,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::InvalidArgument {
            argument: argument.into(),
            value: value.to_string(),
            reason: reason.into(),
            hint: hint.into(),
        }
    }

    /// Builds [`Error::Storage`].
    pub fn storage(
        operation: &'static str,
        path: impl Into<String>,
        source: impl Into<BoxError>,
    ) -> Self {
        Self::Storage {
            operation,
            source: source.into(),
            path: path.into(),
        }
    }

    /// Wraps an error of the caller's own, for collectors, datasets, predictors and callbacks.
    pub fn user(source: impl Into<BoxError>) -> Self {
        Self::User {
            source: source.into(),
        }
    }

    /// `Ok` without problems; else the one problem, or [`Error::Several`].
    pub(crate) fn all(mut problems: Vec<Error>) -> Result<()> {
        match (problems.pop(), problems.is_empty()) {
            (None, _) => Ok(()),
            (Some(only), true) => Err(only),
            (Some(last), false) => {
                problems.push(last);
                Err(Self::Several { problems })
            }
        }
    }
}
