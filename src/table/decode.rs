//! Decoding data files, damaged ones too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::ChunkReader;

use crate::error::panic_message;
use crate::storage::{Location, check_footer, check_pages};
use crate::{Error, Result};

/// Opens a data file, once its claims of sizes are known to fit it.
///
/// The Arrow schema that writers embed is not read: the log has the types, and a damaged one makes
/// its decoder panic.
pub(super) fn open<T: ChunkReader + 'static>(
    place: &Location,
    bytes: T,
) -> Result<ParquetRecordBatchReaderBuilder<T>> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    guarded(place, || check_footer(&bytes))?;
    let metadata = guarded(place, || ArrowReaderMetadata::load(&bytes, options))?;
    guarded(place, || check_pages(&bytes, metadata.metadata()))?;
    Ok(ParquetRecordBatchReaderBuilder::new_with_metadata(
        bytes, metadata,
    ))
}

/// Runs a step of decoding; a panic of the decoder is an error that names the file.
pub(super) fn guarded<T, E: ToString>(
    place: &Location,
    step: impl FnOnce() -> Result<T, E>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(Ok(decoded)) => Ok(decoded),
        Ok(Err(error)) => Err(damaged(place, error.to_string())),
        Err(panic) => Err(damaged(place, panic_message(panic.as_ref()))),
    }
}

/// The error for a data file that is not as it was written.
pub(super) fn damaged(place: &Location, reason: String) -> Error {
    Error::Corrupt {
        what: "data file",
        reason,
        path: place.url(),
    }
}
