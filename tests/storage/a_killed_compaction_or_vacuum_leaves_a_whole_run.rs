//! A process that is killed while it compacts a run, or deletes the files that nobody needs, leaves all
//! rows and nothing that `verify` finds fault with; doing it again finishes the work.
//!
//! `EMBERLENS_PROOF_KILLS` sets how many processes are killed (40).

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project, RunReader};
use emberlens::table::Columns;
use emberlens_testkit::{split_mix, test_name};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const PASSES: i64 = 8;
const ROWS: i64 = 50;

fn open(root: &Path) -> RunReader {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    project.open_run("r").unwrap()
}

fn write(root: &Path) {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    for epoch in 0..PASSES {
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        let ids = (0..ROWS).collect::<Vec<i64>>();
        writer
            .add_batch(Columns::new().with("example_id", ids))
            .unwrap();
        writer.finalize().unwrap();
        run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
        run.flush().unwrap();
    }
    run.complete().unwrap();
}

/// Compacts, finds what nobody needs any more, and deletes it.
fn tidy(reader: &RunReader) {
    reader.compact(&Silent).unwrap();
    reader
        .vacuum(Duration::ZERO)
        .unwrap()
        .delete(&Silent)
        .unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

fn check(root: &Path, what: &str) {
    let reader = open(root);
    for epoch in 0..PASSES {
        let metrics = reader.metrics("default").epoch(epoch);
        let ids = metrics.values::<i64>("example_id");
        let ids = ids.unwrap_or_else(|error| panic!("{what}: {}", error.chain()));
        assert_eq!(ids, (0..ROWS).collect::<Vec<_>>(), "{what}");
    }
    assert_eq!(reader.scalars().unwrap().len() as i64, PASSES, "{what}");
    let verified = reader.verify(&Silent).unwrap();
    let problems = verified.problems;
    assert!(problems.is_empty(), "{what}: {problems:?}");
}

/// This test binary, started again, at the moment when its work begins.
fn start(root: &Path) -> Child {
    let test = "a_killed_compaction_or_vacuum_leaves_a_whole_run";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &test_name(module_path!(), test), "--nocapture"])
        .env(ROOT, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "begin"));
    child
}

#[test]
fn a_killed_compaction_or_vacuum_leaves_a_whole_run() {
    if let Some(root) = std::env::var_os(ROOT) {
        let reader = open(Path::new(&root));
        println!("\nbegin");
        tidy(&reader);
        std::process::exit(0);
    }
    let asked = std::env::var("EMBERLENS_PROOF_KILLS").ok();
    let kills: u64 = asked.map_or(40, |text| text.parse().unwrap());
    let template = tempfile::tempdir().unwrap();
    write(template.path());
    let place = tempfile::tempdir().unwrap();
    copy(template.path(), place.path());
    let mut child = start(place.path());
    let begun = Instant::now();
    child.wait().unwrap();
    let whole_us = begun.elapsed().as_micros() as u64;
    let (mut cut, mut state) = (0, 7);
    for kill in 0..kills {
        let place = tempfile::tempdir().unwrap();
        copy(template.path(), place.path());
        let mut child = start(place.path());
        let after = Duration::from_micros(split_mix(&mut state) % whole_us.max(1));
        std::thread::sleep(after);
        child.kill().unwrap();
        cut += usize::from(!child.wait().unwrap().success());
        let what = format!("kill {kill} after {after:?} of {whole_us} us");
        check(place.path(), &what);
        tidy(&open(place.path()));
        check(place.path(), &what);
        let reader = open(place.path());
        assert!(reader.vacuum(Duration::ZERO).unwrap().files.is_empty());
        for table in reader.verify(&Silent).unwrap().tables {
            assert_eq!(table.files, 1, "{what}: {}", table.folder);
        }
    }
    println!("{cut} of {kills} were killed before they were done");
    assert!(cut > 0, "no process was killed in the middle");
}
