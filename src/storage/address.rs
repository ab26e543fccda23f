//! Addresses as people write them: what is accepted, and what errors show of them.

use std::path::{Path as FilePath, PathBuf};

use object_store::path::Path;

use crate::{Error, Result};

/// A local path as the store names it.
pub(super) fn local(path: &FilePath) -> Result<Path> {
    let shown = path.display().to_string();
    if shown.contains('%') {
        // The Delta kernel would decode `%20` in it to a space and look elsewhere.
        return Err(bad_address(
            &shown,
            "a path with a percent sign cannot hold tables",
        ));
    }
    let absolute = std::path::absolute(path).map_err(|error| bad_address(&shown, error))?;
    // `absolute` keeps `..`; the store refuses it, so resolve what exists and clean up the rest.
    let mut clean = PathBuf::new();
    for part in absolute.components() {
        match part {
            std::path::Component::ParentDir => drop(clean.pop()),
            other => clean.push(other),
        }
    }
    Path::from_absolute_path(&clean).map_err(|error| bad_address(&shown, error))
}

pub(super) fn bad_address(address: &str, reason: impl ToString) -> Error {
    Error::invalid(
        "address",
        format!("{:?}", without_credentials(address)),
        reason.to_string(),
        "use a local path, file:///path or memory://",
    )
}

/// The address without `user:password@`.
fn without_credentials(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[host..])
        }
        None => address.to_owned(),
    }
}
