//! What to say of a transaction log that cannot be read: the file, and the reason without noise.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use delta_kernel::{KernelError, KernelResult};

use crate::error::panic_message;
use crate::storage::{Location, bare_urls};
use crate::{Error, Result};

/// How often a log is listed before a version that its listing lacks counts as missing.
const LOOKS: u32 = 6;

/// The kernel's words without the stack trace that it adds where `RUST_BACKTRACE` is set, and without
/// credentials in URLs that it quotes.
pub(super) fn reason(error: &KernelError) -> String {
    bare_urls(&error.without_backtrace().to_string())
}

/// Runs a step of reading a log; a panic of the kernel, or of a decoder below it, is an error that
/// names the table.
pub(super) fn guarded<T>(table: &Location, step: impl FnOnce() -> KernelResult<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(read) => read.map_err(|error| log_error(table, &error)),
        Err(panic) => Err(unreadable(table, panic_message(panic.as_ref()))),
    }
}

/// As [`guarded`], of a step that lists the log.
///
/// A folder that is listed while others write to it may show an entry and not the one before: only a gap
/// that stays is damage, or one in memory, where a listing shows one moment.
pub(super) fn guarded_listing<T>(
    table: &Location,
    mut step: impl FnMut() -> KernelResult<T>,
) -> Result<T> {
    let looks = if table.lists_one_moment() { 1 } else { LOOKS };
    for look in 1..looks {
        match catch_unwind(AssertUnwindSafe(&mut step)) {
            Ok(Err(error)) if is_gap(&error) => {
                tracing::debug!(look, reason = %reason(&error), "the log is listed again");
                std::thread::sleep(Duration::from_millis(u64::from(look) * 4));
            }
            Ok(read) => return read.map_err(|error| log_error(table, &error)),
            Err(panic) => return Err(unreadable(table, panic_message(panic.as_ref()))),
        }
    }
    guarded(table, step)
}

fn is_gap(error: &KernelError) -> bool {
    matches!(error.without_backtrace(), KernelError::MissingVersion(_))
}

/// The error for a log that cannot be read: what the store said, or the damage, with the entry where one
/// is found.
fn log_error(table: &Location, error: &KernelError) -> Error {
    match is_of_the_store(error) {
        true => Error::storage("read the log", table.url(), reason(error)),
        false => unreadable(table, reason(error)),
    }
}

/// Whether the store failed, rather than what is in it.
fn is_of_the_store(error: &KernelError) -> bool {
    use object_store::Error::{InvalidPath, NotFound, NotSupported};
    match error.without_backtrace() {
        KernelError::ObjectStore(error) => !matches!(
            error,
            // What a log that leads elsewhere is refused with.
            NotSupported { .. } | InvalidPath { .. } | NotFound { .. }
        ),
        _ => false,
    }
}

fn unreadable(table: &Location, reason: String) -> Error {
    let damaged = damaged_entry(&table.join("_delta_log"));
    Error::Corrupt {
        what: "table log",
        reason,
        path: damaged.as_ref().unwrap_or(table).url(),
    }
}

/// The first log entry that is empty, or not one JSON object a line.
fn damaged_entry(log: &Location) -> Option<Location> {
    let names = log.list_files().ok()?;
    let entries = names.iter().filter(|name| name.ends_with(".json"));
    entries.map(|name| log.join(name)).find(|entry| {
        entry.read().is_ok_and(|bytes| {
            let lines = bytes.split(|byte| *byte == b'\n');
            bytes.is_empty()
                || lines
                    .filter(|line| !line.trim_ascii().is_empty())
                    .any(|line| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_err())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a log that shows a gap every time is listed.
    fn looks(table: &Location) -> u32 {
        let mut looks = 0;
        let error = guarded_listing(table, || {
            looks += 1;
            Err::<(), _>(KernelError::MissingVersion(3))
        })
        .unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{error}");
        looks
    }

    #[test]
    fn a_gap_is_looked_at_again_where_writers_may_have_caused_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Location::open(folder.path().to_str().unwrap()).unwrap();
        assert_eq!(looks(&disk), LOOKS);
        assert_eq!(looks(&Location::open("memory://").unwrap()), 1);
    }
}
