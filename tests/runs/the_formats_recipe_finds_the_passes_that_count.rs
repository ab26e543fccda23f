//! The command that docs/format.md gives to tools without our library names the passes that its readers take.
//! Skipped, saying so, where there is no jq.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::process::Command;

use emberlens::run::{IfExists, Position, Project, Run};
use emberlens::table::Columns;

const FORMAT: &str = include_str!("../../docs/format.md");

/// The shell command of section 9.4, for the run in this folder.
fn recipe(run: &str) -> String {
    let (_, section) = FORMAT.split_once("### 9.4 Metrics").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    let (command, _) = block.split_once("```").unwrap();
    assert!(command.contains("runs/<run id>"), "{command}");
    command.replace("runs/<run id>", run)
}

fn collect(run: &Run, split: &str, epoch: i64) {
    let columns = Columns::new()
        .with("example_id", vec![0_i64, 1])
        .with("loss", vec![0.5_f32, 1.5]);
    let at = Position::new(split).epoch(epoch);
    run.add_metrics("default", columns, None, Some(at)).unwrap();
}

#[test]
fn it_names_what_was_not_replaced_or_discarded() {
    if Command::new("jq").arg("--version").output().is_err() {
        eprintln!("skipped: jq is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open(&folder.path().display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    for (split, epoch) in [
        ("train", 0),
        ("valid", 0),
        ("train", 1),
        ("train", 1),
        ("train", 2),
    ] {
        collect(&run, split, epoch);
    }
    run.begin_pass("default", "train", Some(3)).unwrap();
    drop(run);
    let run = project
        .run("r")
        .if_exists(IfExists::Resume)
        .from_epoch(2)
        .start()
        .unwrap();
    collect(&run, "valid", 2);
    run.complete().unwrap();

    let reader = project.open_run("r").unwrap();
    let mut counting: Vec<String> = reader
        .passes("default")
        .iter()
        .map(|pass| pass.pass_id.to_string())
        .collect();
    assert_eq!(counting.len(), 4, "{counting:?}");
    let place = run.location().local_path().unwrap();
    let out = Command::new("sh")
        .args(["-c", &recipe(place.to_str().unwrap())])
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let mut named: Vec<String> = String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    counting.sort();
    named.sort();
    assert_eq!(named, counting);
}
