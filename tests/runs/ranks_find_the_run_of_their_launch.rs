//! Ranks join the run that rank 0 of their launch started and no other, wait for it a bounded time,
//! and say what was wrong. Who had a rank before is fenced.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run, RunBuilder, Status};
use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::Columns;
use emberlens::{Error, ErrorKind};
use emberlens_testkit::{Fault, FaultStore, Operation};

const SOON: Duration = Duration::from_millis(50);

fn project() -> Project {
    Project::open("memory://", "p").unwrap()
}

fn rank(project: &Project, index: u32) -> RunBuilder {
    project.run("ddp").rank(index, 2).rank_wait(SOON)
}

fn error(started: Result<Run, Error>) -> Error {
    started.err().unwrap()
}

#[test]
fn a_rank_waits_for_rank_0() {
    let project = project();
    std::thread::scope(|scope| {
        let long = rank(&project, 1).rank_wait(Duration::from_secs(60));
        let waiting = scope.spawn(|| long.start().unwrap());
        // Not before it is looked for, as far as a test can tell.
        std::thread::sleep(Duration::from_millis(30));
        let first = rank(&project, 0).tag("x").start().unwrap();
        let second = waiting.join().unwrap();
        assert_eq!(second.id(), first.id());
        let reader = second.reader().unwrap();
        assert_eq!(reader.tags(), ["x"]);
    });
}

#[test]
fn waiting_ends_with_an_error_that_says_what_is_missing() {
    let project = project();
    let told = error(rank(&project, 1).start());
    assert_eq!(told.kind(), ErrorKind::NotFound);
    assert!(told.to_string().contains("rank 1 of 2"), "{told}");
    // A run of that name that ended, and one of a single process, are none to join.
    rank(&project, 0).start().unwrap().complete().unwrap();
    let alone = project.run("ddp").start().unwrap();
    let told = error(rank(&project, 1).start());
    assert_eq!(told.kind(), ErrorKind::NotFound, "{told}");
    drop(alone);
    let _first = rank(&project, 0).start().unwrap();
    let told = error(project.run("ddp").rank(1, 3).rank_wait(SOON).start());
    assert_eq!(told.kind(), ErrorKind::Invalid);
    assert!(told.to_string().contains("world of 2"), "{told}");
    let _second = rank(&project, 1).start().unwrap();
    let told = error(rank(&project, 1).start());
    assert_eq!(told.kind(), ErrorKind::AlreadyExists);
    assert!(told.to_string().contains("process"), "{told}");
    assert_eq!(error(rank(&project, 2).start()).kind(), ErrorKind::Invalid);
}

#[test]
fn a_damaged_run_of_the_same_name_hides_nothing() {
    let project = project();
    let old = rank(&project, 0).start().unwrap();
    old.complete().unwrap();
    let folder = project.open_run(old.id()).unwrap().location().clone();
    let document = folder.join("run/00000000000000000001.json");
    document.replace("{").unwrap();
    let told = error(rank(&project, 1).start());
    assert_eq!(told.kind(), ErrorKind::Corrupt, "{told}");
    let _first = project.run("ddp-2").rank(0, 3).start().unwrap();
    let _first = rank(&project, 0).start().unwrap();
    let told = error(project.run("ddp").rank(1, 3).rank_wait(SOON).start());
    assert!(told.to_string().contains("world of 2"), "{told}");
    let _second = rank(&project, 1).start().unwrap();
}

#[test]
fn a_store_that_fails_for_a_moment_does_not_end_the_waiting() {
    let inner = Arc::new(InMemory::new());
    let open = |store| {
        let root = Location::in_store(store, "").unwrap();
        Project::at(root.assume_atomic_creates(), "p").unwrap()
    };
    let _first = rank(&open(inner.clone()), 0).start().unwrap();
    let mut listings = 0;
    let store = FaultStore::new(inner, move |call| {
        let is_listing = call.operation == Operation::List && call.path.ends_with("runs");
        listings += i32::from(is_listing);
        (is_listing && listings <= 3).then_some(Fault::Before)
    });
    let second = rank(&open(Arc::new(store)), 1).rank_wait(Duration::from_secs(60));
    assert_eq!(second.start().unwrap().rank().unwrap().index, 1);
}

#[test]
fn a_run_that_had_to_be_renamed_is_found() {
    let project = project();
    rank(&project, 0).start().unwrap().complete().unwrap();
    let first = rank(&project, 0).start().unwrap();
    assert_eq!(first.name(), "ddp-2");
    let second = rank(&project, 1).start().unwrap();
    assert_eq!(second.id(), first.id());
    // A name that only begins so is another.
    let other = project.run("ddp-2-long").rank(0, 2).start().unwrap();
    let joined = project.run("ddp-2-long").rank(1, 2).start().unwrap();
    assert_eq!(joined.id(), other.id());
}

#[test]
fn launches_of_one_name_are_told_apart_by_their_keys() {
    let project = project();
    let of = |key: &str, index| rank(&project, index).launch(key);
    let (one, other) = (of("1", 0).start().unwrap(), of("2", 0).start().unwrap());
    assert_eq!(of("1", 1).start().unwrap().id(), one.id());
    assert_eq!(of("2", 1).start().unwrap().id(), other.id());
    assert_eq!(error(of("3", 1).start()).kind(), ErrorKind::NotFound);
    assert_eq!(error(rank(&project, 1).start()).kind(), ErrorKind::NotFound);
}

#[test]
fn the_id_of_the_run_is_enough() {
    let project = project();
    let first = rank(&project, 0).launch("key").start().unwrap();
    let by_id = |id: &str| project.run("any").rank(1, 2).attach(id).rank_wait(SOON);
    let second = by_id(first.id()).start().unwrap();
    assert_eq!(second.id(), first.id());
    drop(second);
    let again = by_id(first.id()).start().unwrap();
    assert_eq!(again.id(), first.id());
    drop(again);
    first.complete().unwrap();
    assert_eq!(error(by_id(first.id()).start()).kind(), ErrorKind::NotFound);
    let alone = project.run("any").attach(first.id()).start();
    assert_eq!(error(alone).kind(), ErrorKind::Invalid);
}

#[test]
fn rank_0_speaks_for_the_run() {
    let project = project();
    let first = rank(&project, 0).start().unwrap();
    let second = rank(&project, 1).start().unwrap();
    second.fail("out of memory").unwrap();
    let reader = first.reader().unwrap();
    assert_eq!(reader.status(), &Status::Running);
    let failed = Status::Failed("out of memory".into());
    assert_eq!(reader.ranks().unwrap()[1].status, Some(failed));
    let again = rank(&project, 1).start().unwrap();
    assert_eq!(
        again.reader().unwrap().ranks().unwrap()[1].status,
        Some(Status::Running)
    );
    drop(again);
    let left = first.reader().unwrap().ranks().unwrap()[1].status.clone();
    assert!(matches!(left, Some(Status::Interrupted(_))), "{left:?}");
    drop(first);
    let reader = project.open_run("ddp").unwrap();
    assert!(matches!(reader.status(), Status::Interrupted(_)));
}

#[test]
fn what_only_rank_0_can_do_is_refused_to_others() {
    let project = project();
    let first = rank(&project, 0).start().unwrap();
    let second = rank(&project, 1).start().unwrap();
    assert_eq!(
        second.discard_from(0).unwrap_err().kind(),
        ErrorKind::Invalid
    );
    drop((first, second));
    let resumed = rank(&project, 0).if_exists(IfExists::Resume);
    assert_eq!(error(resumed.clone().start()).kind(), ErrorKind::Invalid);
    resumed.from_epoch(0).start().unwrap();
}

fn columns(first: i64) -> Columns {
    Columns::new().with("example_id", vec![first, first + 2])
}

fn pass(run: &Run, epoch: i64) -> Result<(), Error> {
    let first = i64::from(run.rank().unwrap().index);
    let mut writer = MetricsTableWriter::new(run).split("valid").epoch(epoch);
    writer.add_batch(columns(first))?;
    writer.finalize().map(drop)
}

#[test]
fn ranks_of_an_attempt_that_was_resumed_are_fenced() {
    let project = project();
    let first = rank(&project, 0).start().unwrap();
    let second = rank(&project, 1).start().unwrap();
    for epoch in 0..2 {
        pass(&first, epoch).unwrap();
        pass(&second, epoch).unwrap();
    }
    let resumed = rank(&project, 0).if_exists(IfExists::Resume).from_epoch(1);
    let first_again = resumed.start().unwrap();
    assert_eq!(first_again.id(), first.id());
    assert_eq!(pass(&second, 2).unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(pass(&first, 2).unwrap_err().kind(), ErrorKind::Fenced);
    let second_again = rank(&project, 1).start().unwrap();
    pass(&second_again, 1).unwrap();
    let reader = first_again.reader().unwrap();
    assert_eq!(reader.passes("default").len(), 1, "epoch 1 was taken back");
    assert_eq!(reader.incomplete_passes()[0].missing_ranks, [0]);
    pass(&first_again, 1).unwrap();
    let reader = first_again.reader().unwrap();
    let ids = reader
        .metrics("default")
        .epoch(1)
        .values::<i64>("example_id");
    let mut ids = ids.unwrap();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3]);
}

#[test]
fn a_process_that_stood_still_while_its_rank_was_given_away_is_fenced() {
    let folder = tempfile::tempdir().unwrap();
    let project = Project::open(&folder.path().display().to_string(), "p").unwrap();
    let first = rank(&project, 0).start().unwrap();
    let still = rank(&project, 1).start().unwrap();
    still.log(&[("loss", 1.0)], At::epoch(0)).unwrap();
    still.flush().unwrap();
    let mut open = MetricsTableWriter::new(&still).split("valid").epoch(0);
    open.add_batch(columns(1)).unwrap();
    open.flush().unwrap();
    // Its last sign of life is old, and from another machine.
    let beat = r#"{"pid": 1, "host": "gone", "time_us": 0, "attempt": 0, "joins": 1}"#;
    let run = first.location();
    run.join("run/heartbeat-00001.json").replace(beat).unwrap();
    let again = rank(&project, 1).start().unwrap();
    still.log(&[("loss", 2.0)], At::epoch(1)).unwrap();
    assert_eq!(still.flush().unwrap_err().kind(), ErrorKind::Fenced);
    open.add_batch(columns(5)).unwrap();
    assert_eq!(open.flush().unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(pass(&still, 0).unwrap_err().kind(), ErrorKind::Fenced);
    pass(&first, 0).unwrap();
    pass(&again, 0).unwrap();
    let reader = first.reader().unwrap();
    let mut ids = reader
        .metrics("default")
        .values::<i64>("example_id")
        .unwrap();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 3]);
    assert!(reader.incomplete_passes().is_empty());
    assert_eq!(reader.scalars_of_rank(1).unwrap().len(), 1);
    drop(open);
}
