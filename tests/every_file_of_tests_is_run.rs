//! A file of tests that its folder's `main.rs` does not name would be compiled by nobody.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The folders below this one, and itself.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap();
    let below = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("target"))
        .flat_map(|path| folders(&path));
    below.chain([path.to_owned()]).collect()
}

#[test]
fn every_file_beside_a_main_is_one_of_its_modules() {
    let mut files = 0;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let groups = ["tests", "cli/tests", "integrations", "testkit"].map(|place| root.join(place));
    for folder in groups.iter().flat_map(|place| folders(place)) {
        let is_test = folder.components().any(|part| part.as_os_str() == "tests");
        let Some(main) = fs::read_to_string(folder.join("main.rs")).ok() else {
            continue;
        };
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let is_source = path.extension().is_some_and(|ending| ending == "rs");
            if !is_test || !is_source || name == "main" {
                continue;
            }
            let declared = main.lines().any(|line| line == format!("mod {name};"));
            assert!(declared, "{} is not in its main.rs", path.display());
            files += 1;
        }
    }
    assert!(files > 50, "{files} files found");
}
