//! Names of files within a folder, as data sets have them.

use std::path::{Component, Path};

/// Why a name of a file below a folder, from a file or a table, is not followed.
pub(super) fn leads_out(name: &str) -> Option<&'static str> {
    let parts = Path::new(name).components();
    if name.is_empty() {
        Some("is empty")
    } else if name.chars().any(char::is_control) || name.contains('\\') {
        Some("holds a backslash or control characters")
    } else if parts
        .clone()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        None
    } else {
        Some("leads out of its folder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder_or_are_refused() {
        for name in ["a.jpg", "more/50% ä:b.jpg", "a..jpg"] {
            assert_eq!(leads_out(name), None, "{name}");
        }
        for name in ["", "../a.jpg", "/a.jpg", "a/../../b", "a\\b", "./a", "a\nb"] {
            assert!(leads_out(name).is_some(), "{name}");
        }
    }
}
