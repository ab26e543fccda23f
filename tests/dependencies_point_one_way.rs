//! A folder of the library uses only folders of lower floors, so that each can be read, tested and
//! changed without those above it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Floors from the bottom; rooms of one floor do not know each other.
const FLOORS: [&[&str]; 7] = [
    &["error"],
    &["cancel", "progress"],
    &["storage", "reduce", "filter", "sampling", "geometry"],
    &["table"],
    &["run", "metrics"],
    &["collect", "embedding"],
    &["callback"],
];

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .flat_map(|entry| sources(&entry.unwrap().path()))
        .collect()
}

/// The rooms that a file names as `crate::room`, in its code, not in its documentation.
fn rooms_used(source: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(source).unwrap();
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .collect();
    let mut used = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split_once('}').map_or(group, |(names, _)| names),
            None => rest,
        };
        let names = names.split(|c: char| !c.is_alphanumeric() && c != '_');
        let count = if rest.starts_with('{') { usize::MAX } else { 1 };
        used.extend(names.take(count).map(str::to_owned));
    }
    used.retain(|room| floor(room).is_some());
    used
}

#[test]
fn a_room_uses_lower_floors_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = 0;
    for entry in fs::read_dir(&src).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if room == "lib" {
            continue;
        }
        let own = floor(&room).unwrap_or_else(|| panic!("`{room}` has no floor"));
        rooms += 1;
        for source in sources(&path) {
            for used in rooms_used(&source) {
                assert!(
                    used == room || floor(&used) < Some(own),
                    "{} of floor {own} uses `{used}`",
                    source.display()
                );
            }
        }
    }
    assert_eq!(rooms, FLOORS.iter().map(|floor| floor.len()).sum::<usize>());
}

#[test]
fn reduction_needs_errors_arrays_and_what_watches_it_only() {
    let reduce = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/reduce");
    for source in sources(&reduce) {
        let mut used = rooms_used(&source);
        for lower in ["reduce", "error", "progress", "cancel"] {
            used.remove(lower);
        }
        assert!(used.is_empty(), "{} uses {used:?}", source.display());
    }
}

#[test]
fn the_library_knows_no_framework_no_server_and_no_terminal() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let (_, own) = manifest.split_once("\n[dependencies]\n").unwrap();
    let own = own.split("\n[").next().unwrap();
    for banned in ["burn", "axum", "clap", "indicatif", "datafusion"] {
        let found = own.lines().find(|line| line.starts_with(banned));
        assert_eq!(found, None);
    }
}
