//! Paths that were read from a file: followed only where they stay inside.

use super::Location;
use super::address::without_credentials;
use crate::{Error, Result};

impl Location {
    /// What a path that was read from a file names below this folder.
    ///
    /// [`Location::join`] is for paths that the program made. One from a file may be damaged or made
    /// to lead elsewhere; it is refused, not repaired, so that nothing is read in its stead.
    ///
    /// # Errors
    /// `Corrupt` for a path that is empty, absolute, climbs, or holds what some system understands as
    /// a way out.
    pub(crate) fn inside(&self, path: &str) -> Result<Self> {
        match leads_out(path) {
            None => Ok(self.join(path)),
            Some(why) => Err(Error::Corrupt {
                what: "path",
                reason: format!("{:?} {why}", without_credentials(path)),
                path: self.url(),
            }),
        }
    }
}

/// Why a path may lead out of the folder that it is relative to.
pub(crate) fn leads_out(path: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    // Most paths in a log are plain names of files, and there are thousands.
    let is_name = path.bytes().all(|byte| is_plain(byte) || byte == b'.');
    if is_name && path.bytes().next().is_some_and(is_plain) {
        None
    } else if path.is_empty() {
        Some("is empty")
    } else if path.chars().any(char::is_control) {
        Some("holds control characters")
    } else if path.contains('\\') {
        Some("holds a backslash, which separates folders on some systems")
    } else if path.contains('%') {
        Some("holds a percent sign, behind which other characters may hide")
    } else if path.contains(':') {
        Some("has a scheme or a drive")
    } else if path.starts_with('/') {
        Some("is absolute")
    } else if path
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        Some("has segments that are empty or climb")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_or_is_refused() {
        let root = Location::open("memory://").unwrap().join("run");
        let file = root.inside("metrics/default/part-0.parquet").unwrap();
        assert_eq!(
            file.relative_to(&root).unwrap(),
            "metrics/default/part-0.parquet"
        );
        for path in [
            "",
            "/etc/passwd",
            "//host/share",
            "../other",
            "a/../../b",
            "a/./b",
            "a//b",
            "a/",
            "..",
            "file:///etc/passwd",
            "s3://bucket/key",
            "C:/x",
            "C:\\x",
            "..\\x",
            "%2e%2e/x",
            "a%2fb",
            "a\0b",
            "a\nb",
        ] {
            let error = root.inside(path).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Corrupt, "{path:?}");
        }
    }
}
