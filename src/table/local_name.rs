//! Names of files within a folder, as data sets have them.

use std::path::{Component, Path, PathBuf};

/// The path below a folder that a name from a file or a table means, without `./`; or why it is
/// not followed.
pub(super) fn inside(name: &str) -> Result<PathBuf, &'static str> {
    if name.chars().any(char::is_control) || name.contains('\\') {
        return Err("holds a backslash or control characters");
    }
    let mut path = PathBuf::new();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err("leads out of its folder"),
        }
    }
    match path.as_os_str().is_empty() {
        true => Err("names no file"),
        false => Ok(path),
    }
}

/// The path without its folders called `images`: YOLO's labels are looked for beside the last of them.
pub(super) fn without_images(path: &Path) -> PathBuf {
    let folders = path.parent().unwrap_or(Path::new("")).components();
    let mut kept: PathBuf = folders
        .filter(|part| part.as_os_str() != "images")
        .collect();
    kept.extend(path.file_name().map(Path::new));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_folder_or_are_refused() {
        for name in ["a.jpg", "more/50% ä:b.jpg", "a..jpg"] {
            assert_eq!(inside(name), Ok(PathBuf::from(name)));
        }
        assert_eq!(inside("./a.jpg").unwrap().to_str(), Some("a.jpg"));
        assert_eq!(inside("a/./b.jpg").unwrap().to_str(), Some("a/b.jpg"));
        for (name, kept) in [
            ("a/images/b/x.jpg", "a/b/x.jpg"),
            ("images/images", "images"),
            ("x.jpg", "x.jpg"),
        ] {
            assert_eq!(without_images(Path::new(name)), Path::new(kept));
        }
        for name in ["", ".", "../a.jpg", "/a.jpg", "a/../../b", "a\\b", "a\nb"] {
            assert!(inside(name).is_err(), "{name}");
        }
    }
}
