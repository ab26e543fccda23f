//! What to say of a transaction log that cannot be read: the file, and the reason without noise.

use std::panic::{AssertUnwindSafe, catch_unwind};

use delta_kernel::{KernelError, KernelResult};

use crate::error::panic_message;
use crate::storage::Location;
use crate::{Error, Result};

/// The kernel's words without the stack trace that it adds where `RUST_BACKTRACE` is set.
pub(super) fn reason(error: &KernelError) -> String {
    error.without_backtrace().to_string()
}

/// Runs a step of reading a log; a panic of the kernel, or of a decoder below it, is an error that
/// names the table.
pub(super) fn guarded<T>(table: &Location, step: impl FnOnce() -> KernelResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(read) => read.map_err(|error| log_error(table, &error)),
        Err(panic) => Err(unreadable(table, panic_message(panic.as_ref()))),
    }
}

/// The error for a log that cannot be read; it names the damaged entry where one is found.
pub(super) fn log_error(table: &Location, error: &KernelError) -> Error {
    unreadable(table, reason(error))
}

fn unreadable(table: &Location, reason: String) -> Error {
    let damaged = damaged_entry(&table.join("_delta_log"));
    Error::Corrupt {
        what: "table log",
        reason,
        path: damaged.as_ref().unwrap_or(table).url(),
    }
}

/// The first log entry that is not one JSON object a line.
fn damaged_entry(log: &Location) -> Option<Location> {
    let names = log.list_files().ok()?;
    let entries = names.iter().filter(|name| name.ends_with(".json"));
    entries.map(|name| log.join(name)).find(|entry| {
        entry.read().is_ok_and(|bytes| {
            let lines = bytes.split(|byte| *byte == b'\n');
            lines
                .filter(|line| !line.trim_ascii().is_empty())
                .any(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err())
        })
    })
}
