//! Whatever a run, project or stream is called, its files lie in its own folder, and the name is
//! kept as it was given.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use emberlens::run::Project;

const NAMES: [&str; 14] = [
    "../x",
    "..",
    ".",
    "/etc/passwd",
    "a/b/c",
    "..\\..\\x",
    "~root",
    "file:///tmp/x",
    "%2e%2e%2f",
    "学習",
    "é",
    "CON",
    "run.",
    "-",
];

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn all_names() -> Vec<String> {
    let long = ["n".repeat(300), "../".repeat(100) + "x", "é".repeat(300)];
    NAMES
        .iter()
        .map(|&name| name.to_owned())
        .chain(long)
        .collect()
}

#[test]
fn run_names_never_escape_the_project() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    for name in all_names() {
        let run = project.run(&name).start().unwrap();
        run.complete().unwrap();
        assert_eq!(run.name(), name);
        assert_eq!(
            run.location().local_path().unwrap(),
            root.join("p/runs").join(run.id())
        );
        assert!(run.id().len() < 128 && run.id().is_ascii(), "{}", run.id());
        assert_eq!(project.open_run(&name).unwrap().id(), run.id());
        let stream = run.stream_location(&name).unwrap().local_path().unwrap();
        assert_eq!(
            stream.parent().unwrap(),
            root.join("p/runs").join(run.id()).join("metrics")
        );
    }
    let runs = root.join("p/runs");
    for file in files_below(outer.path()) {
        let is_expected = file.starts_with(&runs) || file == root.join("p/project.json");
        assert!(is_expected, "{}", file.display());
    }
}

#[test]
fn project_names_never_escape_the_root() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    for name in all_names() {
        let project = Project::open(&root.display().to_string(), &name).unwrap();
        project.run("r").start().unwrap().complete().unwrap();
        let folder = project.location().local_path().unwrap();
        assert_eq!(folder.parent().unwrap(), root, "{name}");
        let again = Project::open(&root.display().to_string(), &name).unwrap();
        assert!(again.open_run("r").is_ok());
    }
    assert!(
        files_below(outer.path())
            .iter()
            .all(|file| file.starts_with(&root))
    );
}

#[test]
fn empty_and_invisible_names_are_refused() {
    let project = Project::open("memory://", "p").unwrap();
    for name in ["", " ", "\t", "a\nb", "a\0b", "\u{1b}[31mred"] {
        let error = project.run(name).start().unwrap_err();
        assert_eq!(error.kind(), emberlens::ErrorKind::Invalid, "{name:?}");
    }
    assert!(project.runs().unwrap().is_empty());
}

#[test]
fn a_run_of_another_project_cannot_be_opened_by_a_path() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().display().to_string();
    let other = Project::open(&root, "other")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let project = Project::open(&root, "p").unwrap();
    project.run("mine").start().unwrap().complete().unwrap();
    for path in [
        format!("../../other/runs/{}", other.id()),
        "..".into(),
        "".into(),
        other.url(),
    ] {
        assert!(project.open_run(&path).is_err(), "{path}");
    }
}
