//! A process that stood still while another one took its run up finds that out at its next commit,
//! whatever it commits; nothing it still had counts.
//!
//! `EMBERLENS_PROOF_ZOMBIES` sets how many processes are stopped and woken (10).

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use emberlens::collect::Progress;
use emberlens::reduce::Pca;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run, Status};
use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::{Column, Columns, DeltaTable, values};
use emberlens::{Error, ErrorKind, Result};
use emberlens_testkit::{FaultStore, Operation, test_name};
use ndarray::Array2;

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
/// The exit code of a child that was told it is fenced.
const FENCED: i32 = 42;

fn batch(first: i64) -> Columns {
    Columns::new().with("example_id", (first..first + 10).collect::<Vec<i64>>())
}

fn writer(run: &Run, epoch: i64) -> MetricsTableWriter {
    MetricsTableWriter::new(run).split("train").epoch(epoch)
}

fn pass(run: &Run, stream: &str, epoch: i64) -> Result<()> {
    let mut writer = writer(run, epoch).stream(stream);
    writer.add_batch(batch(0))?;
    writer.finalize().map(drop)
}

fn resume(project: &Project) -> Run {
    project
        .run("r")
        .if_exists(IfExists::Resume)
        .from_epoch(1)
        .start()
        .unwrap()
}

fn assert_fenced<T: std::fmt::Debug>(outcome: Result<T>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error}");
}

#[test]
fn every_write_of_an_older_attempt_fails() {
    let project = Project::open("memory://", "p").unwrap();
    let old = project.run("r").start().unwrap();
    pass(&old, "default", 0).unwrap();
    old.log(&[("loss", 0.5)], At::epoch(0)).unwrap();
    old.flush().unwrap();
    let (mut flushed, mut begun) = (writer(&old, 1), writer(&old, 2));
    for writer in [&mut flushed, &mut begun] {
        writer.add_batch(batch(0)).unwrap();
        writer.flush().unwrap();
        writer.add_batch(batch(10)).unwrap();
    }
    let mut elsewhere = writer(&old, 1).stream("words");
    elsewhere.add_batch(batch(0)).unwrap();

    let new = resume(&project);
    assert_fenced(flushed.flush());
    assert_fenced(begun.finalize());
    assert_fenced(elsewhere.flush());
    old.log(&[("loss", 0.1)], At::epoch(1)).unwrap();
    assert_fenced(old.flush());
    assert_fenced(old.log_parameters(&serde_json::json!({"lr": 1})));
    assert_fenced(pass(&old, "default", 1));
    assert_fenced(old.complete());
    assert!(matches!(old.add_tag("late"), Err(Error::Fenced { .. })));

    pass(&new, "default", 1).unwrap();
    new.log(&[("loss", 0.2)], At::epoch(1)).unwrap();
    drop((flushed, begun, elsewhere, old));
    new.complete().unwrap();
    let reader = project.open_run("r").unwrap();
    assert_eq!(reader.status(), &Status::Completed);
    let values: Vec<f64> = reader
        .scalars()
        .unwrap()
        .iter()
        .map(|scalar| scalar.value)
        .collect();
    assert_eq!(values, [0.5, 0.2]);
    let epochs: Vec<_> = reader
        .passes("default")
        .iter()
        .map(|pass| pass.epoch)
        .collect();
    assert_eq!(epochs, [Some(0), Some(1)]);
    let rows: Vec<i64> = reader
        .metrics("default")
        .epoch(1)
        .values("example_id")
        .unwrap();
    assert_eq!(rows, (0..10).collect::<Vec<_>>());
    assert!(reader.tags().is_empty());
}

/// Has the run taken up by another process as soon as a reduction shows progress.
struct Meanwhile {
    project: Project,
    new: Mutex<Option<Run>>,
}

impl Progress for Meanwhile {
    fn start(&self, _: &str, _: u64) {
        let mut new = self.new.lock().unwrap();
        new.get_or_insert_with(|| resume(&self.project));
    }
}

#[test]
fn coordinates_of_an_older_attempt_do_not_reach_their_table() {
    let project = Project::open("memory://", "p").unwrap();
    let old = project.run("r").start().unwrap();
    let mut writer = writer(&old, 0);
    let vectors = Array2::from_shape_fn((10, 3), |(row, column)| (row * (column + 1)) as f32);
    let embedding = Column::embedding(vectors.view());
    writer
        .add_batch(batch(0).with("embedding", embedding))
        .unwrap();
    writer.finalize().unwrap();
    old.reduction("embedding").reduce(&Pca::params()).unwrap();
    let place = old.location().join("projections/embedding-pca");
    let version = || {
        let table = DeltaTable::open(place.clone()).unwrap();
        table.snapshot().unwrap().version()
    };
    let files = || {
        let names = place.list_files().unwrap().into_iter();
        names.filter(|name| name.ends_with(".parquet")).count()
    };
    let (before, files_before) = (version(), files());

    let meanwhile = Meanwhile {
        project: project.clone(),
        new: Mutex::default(),
    };
    let other = old.reduction("embedding").progress(&meanwhile);
    assert_fenced(other.reduce(&Pca::params()));
    let closed = before + 1;
    assert_eq!(version(), closed, "the resume closed it, and nothing came");
    assert_eq!(
        files(),
        files_before,
        "what was written is taken away again"
    );
    let new = meanwhile.new.into_inner().unwrap().unwrap();
    new.reduction("embedding").reduce(&Pca::params()).unwrap();
    assert_eq!(version(), closed + 1);
    new.complete().unwrap();
    let reader = project.open_run("r").unwrap();
    let placed = reader.projection("embedding-pca").read().unwrap();
    assert_eq!(placed.num_rows(), 10);
}

/// A run is taken up while a zombie makes the table of its scalars.
#[test]
fn a_table_that_is_made_during_the_resume_does_not_open_a_way() {
    let inner = Arc::new(InMemory::new());
    let open = |store| {
        let root = Location::in_store(store, "").unwrap();
        Project::at(root.assume_atomic_creates(), "p").unwrap()
    };
    let (clean, mut new) = (open(inner.clone()), None);
    let store = FaultStore::new(inner, move |call| {
        if call.operation == Operation::Create && call.path.contains("scalars/_delta_log") {
            new.get_or_insert_with(|| resume(&clean));
        }
        None
    });
    let old = open(Arc::new(store)).run("r").start().unwrap();
    old.log(&[("loss", 0.1)], At::epoch(0)).unwrap();
    assert_fenced(old.flush());
}

#[test]
fn a_run_whose_coordinates_are_damaged_is_resumed_all_the_same() {
    let project = Project::open("memory://", "p").unwrap();
    let old = project.run("r").start().unwrap();
    let log = old.location().join("projections/embedding-pca/_delta_log");
    log.join(&format!("{:020}.json", 0)).create("{").unwrap();
    drop(old);
    resume(&project).complete().unwrap();
}

#[test]
fn tables_that_came_after_the_resume_are_closed_too() {
    let project = Project::open("memory://", "p").unwrap();
    let old = project.run("r").start().unwrap();
    old.log(&[("loss", 0.1)], At::epoch(0)).unwrap();
    let mut waiting = writer(&old, 0);
    waiting.add_batch(batch(0)).unwrap();

    let new = project
        .run("r")
        .if_exists(IfExists::Resume)
        .from_epoch(0)
        .start()
        .unwrap();
    new.log(&[("loss", 0.2)], At::epoch(0)).unwrap();
    new.flush().unwrap();
    pass(&new, "default", 0).unwrap();
    assert_fenced(old.flush());
    assert_fenced(waiting.flush());
    let values: Vec<f64> = new
        .reader()
        .unwrap()
        .scalars()
        .unwrap()
        .iter()
        .map(|s| s.value)
        .collect();
    assert_eq!(values, [0.2]);
    let place = new.location().join("metrics/default");
    let stored = emberlens::table::DeltaTable::open(place)
        .unwrap()
        .snapshot()
        .unwrap();
    assert_eq!(stored.row_count().unwrap(), 10);
}

#[test]
fn only_the_last_of_several_attempts_writes() {
    let project = Project::open("memory://", "p").unwrap();
    let first = project.run("r").start().unwrap();
    let second = resume(&project);
    let third = resume(&project);
    for old in [&first, &second] {
        assert_fenced(pass(old, "default", 0));
    }
    pass(&third, "default", 0).unwrap();
    assert_eq!(third.reader().unwrap().passes("default").len(), 1);
}

/// The child: writes until it is told that it is fenced.
#[cfg(unix)]
fn write_until_fenced(root: &str) -> ! {
    let run = Project::open(root, "p").unwrap().run("r").start().unwrap();
    pass(&run, "default", 0).unwrap();
    let mut writer = writer(&run, 1);
    for number in 0_i64.. {
        let written = writer
            .add_batch(batch(number * 10))
            .and_then(|()| writer.flush())
            .and_then(|()| run.log(&[("loss", 0.5)], At::epoch(1)))
            .and_then(|()| run.flush());
        match written {
            Ok(()) => println!("\nacknowledged {number}"),
            Err(error) if error.kind() == ErrorKind::Fenced => std::process::exit(FENCED),
            Err(error) => {
                println!("\n{}", error.chain());
                std::process::exit(1);
            }
        }
    }
    std::process::exit(1);
}

/// The rows of the metrics table that are not of the pass of this id, in order.
#[cfg(unix)]
fn rows_beside(run: &Run, pass_id: &str) -> Vec<(i64, i64)> {
    let table = DeltaTable::open(run.location().join("metrics/default")).unwrap();
    let rows = table.snapshot().unwrap().read(None).unwrap();
    let passes = values::<String>(&rows, "pass_id").unwrap();
    let epochs = values::<i64>(&rows, "epoch").unwrap();
    let ids = values::<i64>(&rows, "example_id").unwrap();
    let all = passes.into_iter().zip(epochs.into_iter().zip(ids));
    all.filter(|(pass, _)| pass != pass_id)
        .map(|(_, row)| row)
        .collect()
}

#[cfg(unix)]
#[test]
fn a_process_that_was_stopped_and_woken_is_fenced() {
    if let Ok(root) = std::env::var(ROOT) {
        write_until_fenced(&root);
    }
    let asked = std::env::var("EMBERLENS_PROOF_ZOMBIES").ok();
    let zombies: usize = asked.map_or(10, |text| text.parse().unwrap());
    for zombie in 0..zombies {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &test_name(
                    module_path!(),
                    "a_process_that_was_stopped_and_woken_is_fenced",
                ),
                "--nocapture",
            ])
            .env(ROOT, &root)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_answer = |line: &str| line.starts_with("acknowledged");
        let answers = output
            .by_ref()
            .map(|line| line.unwrap())
            .filter(|line| is_answer(line));
        assert_eq!(answers.take(1 + zombie % 4).count(), 1 + zombie % 4);
        let signal = |name: &str| {
            let id = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args([name, &id])
                    .status()
                    .unwrap()
                    .success()
            );
        };
        signal("-STOP");
        let project = Project::open(&root, "p").unwrap();
        let run = resume(&project);
        // Rows of the pass that it was in the middle of stay: they are of no complete pass. All that it
        // acknowledged, and maybe the batch that it was stopped in.
        let before = rows_beside(&run, "");
        let flushed = before.len() as i64 - 10;
        let first_pass = (0..10).map(|id| (0, id));
        let half_pass = (0..flushed).map(|id| (1, id));
        assert_eq!(before, first_pass.chain(half_pass).collect::<Vec<_>>());
        assert!(flushed >= 10 * (1 + zombie as i64 % 4) && flushed % 10 == 0);
        signal("-CONT");
        // Read on, or the child would wait for room in the pipe.
        let rest: Vec<String> = output.map(|line| line.unwrap()).collect();
        assert_eq!(child.wait().unwrap().code(), Some(FENCED), "{rest:?}");
        pass(&run, "default", 1).unwrap();
        run.complete().unwrap();
        let reader = project.open_run("r").unwrap();
        let [_, new] = &reader.passes("default")[..] else {
            panic!("two passes are complete");
        };
        assert_eq!(
            rows_beside(&run, &new.pass_id),
            before,
            "it committed nothing after it was woken"
        );
        let rows: Vec<i64> = reader
            .metrics("default")
            .epoch(1)
            .values("example_id")
            .unwrap();
        assert_eq!(rows, (0..10).collect::<Vec<_>>());
        assert!(reader.scalars().unwrap().is_empty());
        assert!(reader.incomplete_passes().is_empty());
    }
}
