//! A run whose process was killed says so at once, keeps what was flushed, and can be taken up.

#![allow(clippy::unwrap_used, clippy::print_stdout)]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use emberlens::ErrorKind;
use emberlens::run::{At, IfExists, Project, Status};
use emberlens_testkit::test_name;

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";

/// The child: this test binary, started again by the test below.
fn write_until_killed(root: &str) -> ! {
    let run = Project::open(root, "p")
        .unwrap()
        .run("long")
        .start()
        .unwrap();
    run.log(&[("loss", 0.5)], At::epoch(0)).unwrap();
    run.log(&[("norm", 2.0)], At::axis()).unwrap();
    run.begin_pass("default", "train", Some(0)).unwrap();
    run.flush().unwrap();
    println!("\nflushed");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_run_shows_as_crashed() {
    if let Ok(root) = std::env::var(ROOT) {
        write_until_killed(&root);
    }
    let root = tempfile::tempdir().unwrap();
    let root = root.path().display().to_string();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &test_name(module_path!(), "a_killed_run_shows_as_crashed"),
            "--nocapture",
        ])
        .env(ROOT, &root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap() == "flushed"),
        "the child ended early"
    );

    let project = Project::open(&root, "p").unwrap();
    assert_eq!(
        project.open_run("long").unwrap().status(),
        &Status::Collecting,
        "its pass is under way"
    );
    let error = project
        .run("long")
        .if_exists(IfExists::Reuse)
        .start()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(
        error
            .to_string()
            .contains(&format!("process {}", child.id())),
        "{error}"
    );

    child.kill().unwrap();
    child.wait().unwrap();

    let reader = project.open_run("long").unwrap();
    assert_eq!(reader.status(), &Status::Crashed);
    assert_eq!(
        reader.scalars().unwrap().len(),
        2,
        "what was flushed survives"
    );
    assert_eq!(reader.incomplete_passes().len(), 1);
    let listed = project.runs().unwrap();
    assert_eq!(listed[0].as_ref().unwrap().status, Status::Crashed);

    let run = project
        .run("long")
        .if_exists(IfExists::Reuse)
        .start()
        .unwrap();
    assert_eq!(run.id(), reader.id());
    assert_eq!(run.reader().unwrap().status(), &Status::Running);
    run.log(&[("norm", 1.0)], At::axis()).unwrap();
    run.complete().unwrap();
    let reader = project.open_run("long").unwrap();
    assert_eq!(reader.status(), &Status::Completed);
    let scalars = reader.scalars().unwrap();
    assert_eq!(
        scalars.last().unwrap().step,
        Some(1),
        "the axis goes on where it was"
    );
}
