//! The checksum in the name of a data file.

use std::io::Read;

use super::decode::damaged;
use crate::storage::Location;
use crate::{Error, Result};

/// Compares the bytes of a file with what its name tells of them; names of older and of other writers
/// tell nothing.
///
/// # Errors
/// `Corrupt` names the file; `Storage` when it cannot be read.
pub(super) fn check(place: &Location, name: &str, mut bytes: impl Read) -> Result<()> {
    let Some(told) = told_by(name) else {
        return Ok(());
    };
    let mut hasher = crc32fast::Hasher::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match bytes.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => hasher.update(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::storage("read", place.url(), error)),
        }
    }
    let found = hasher.finalize();
    match found == told {
        true => Ok(()),
        false => Err(damaged(
            place,
            format!("its checksum is {found:08x} and its name says {told:08x}"),
        )),
    }
}

fn told_by(name: &str) -> Option<u32> {
    let (start, checksum) = name.strip_suffix(".parquet")?.rsplit_once('-')?;
    // Order, number and ULID; a file that took the place of others has a second ULID.
    let is_ours = start.starts_with("part-") && matches!(start.matches('-').count(), 3 | 4);
    let is_checksum = checksum.len() == 8;
    (is_ours && is_checksum)
        .then(|| u32::from_str_radix(checksum, 16).ok())
        .flatten()
}
