//! The border to user code: panics become errors, wrapped errors are unwrapped once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::panic_message;
use crate::{BoxError, Error, Result};

/// Calls user code; a panic in it is an [`Error::Panicked`] that names `who`.
///
/// What the code left half done is not looked at again: after a panic the pass or the event ends.
pub(crate) fn guarded<T>(
    who: impl FnOnce() -> String,
    code: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(code)).unwrap_or_else(|payload| {
        Err(Error::Panicked {
            who: who(),
            message: panic_message(payload.as_ref()),
        })
    })
}

/// The error to keep as the cause: what the user wrapped, without our wrapper around it.
pub(crate) fn cause(error: Error) -> BoxError {
    match error {
        Error::User { source } => source,
        other => Box::new(other),
    }
}
