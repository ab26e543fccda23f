//! What starting a run does when its name is taken: `IfExists`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emberlens::run::{At, IfExists, Project, Run, Status};
use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::{Error, ErrorKind};
use emberlens_testkit::{Fault, FaultStore, Operation};

fn project() -> (tempfile::TempDir, Project) {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(&root.path().display().to_string(), "p").unwrap();
    (root, project)
}

fn finished(project: &Project, name: &str, loss: f64) -> Run {
    let run = project.run(name).start().unwrap();
    run.log(&[("loss", loss)], At::epoch(0)).unwrap();
    run.complete().unwrap();
    run
}

fn names(project: &Project) -> Vec<String> {
    let mut names: Vec<_> = project
        .runs()
        .unwrap()
        .into_iter()
        .map(|run| run.unwrap().name)
        .collect();
    names.sort();
    names
}

#[test]
fn by_default_a_new_run_gets_a_new_name_and_id() {
    let (_root, project) = project();
    let ids: Vec<_> = (0..3)
        .map(|_| finished(&project, "cnn", 1.0).id().to_owned())
        .collect();
    assert_eq!(names(&project), ["cnn", "cnn-2", "cnn-3"]);
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    assert_eq!(project.open_run("cnn").unwrap().id(), ids[0]);
    assert_eq!(project.open_run("cnn-3").unwrap().id(), ids[2]);
}

#[test]
fn reuse_goes_on_with_the_newest_run_and_its_parameters() {
    let (_root, project) = project();
    let start = |rate: f64| {
        let parameters = serde_json::json!({"rate": rate, format!("only {rate}"): true});
        project
            .run("cnn")
            .parameters(&parameters)
            .unwrap()
            .if_exists(IfExists::Reuse)
            .start()
            .unwrap()
    };
    let first = start(0.1);
    first.complete().unwrap();
    let id = first.id().to_owned();
    drop(first);
    let second = start(0.2);
    assert_eq!(second.id(), id);
    assert_eq!(second.status(), Status::Running);
    let reader = second.reader().unwrap();
    assert_eq!(reader.parameters()["rate"], 0.2, "later values win");
    assert_eq!(reader.parameters()["only 0.1"], true, "earlier ones stay");
}

#[test]
fn reuse_of_a_run_that_is_being_written_is_refused() {
    let (_root, project) = project();
    let _writing = project.run("cnn").start().unwrap();
    for choice in [IfExists::Reuse, IfExists::Overwrite] {
        let error = project.run("cnn").if_exists(choice).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("IfExists::Rename"), "{error}");
    }
    assert_eq!(names(&project), ["cnn"]);
}

#[test]
fn overwrite_deletes_the_old_run_and_nothing_else() {
    let (root, project) = project();
    let old = finished(&project, "cnn", 1.0);
    let other = finished(&project, "cnn 2", 2.0);
    let root = root.path().display().to_string();
    let elsewhere = Project::open(&root, "q").unwrap();
    finished(&elsewhere, "cnn", 3.0);

    let new = project
        .run("cnn")
        .if_exists(IfExists::Overwrite)
        .start()
        .unwrap();
    assert_ne!(new.id(), old.id());
    assert!(!old.location().local_path().unwrap().exists());
    assert_eq!(names(&project), ["cnn", "cnn 2"]);
    assert_eq!(other.reader().unwrap().scalars().unwrap()[0].value, 2.0);
    assert_eq!(
        elsewhere.open_run("cnn").unwrap().scalars().unwrap()[0].value,
        3.0
    );
}

#[test]
fn raise_names_the_run_and_the_way_out() {
    let (_root, project) = project();
    let old = finished(&project, "cnn", 1.0);
    let error = project
        .run("cnn")
        .if_exists(IfExists::Raise)
        .start()
        .unwrap_err();
    assert!(matches!(&error, Error::AlreadyExists { name, .. } if name == "cnn"));
    let text = error.to_string();
    assert!(
        text.contains("IfExists::Rename") && text.contains(old.id()),
        "{text}"
    );
    assert!(
        project
            .run("other")
            .if_exists(IfExists::Raise)
            .start()
            .is_ok()
    );
}

#[test]
fn names_that_share_a_slug_are_different_runs() {
    let (_root, project) = project();
    finished(&project, "My CNN", 1.0);
    let other = project
        .run("my-cnn")
        .if_exists(IfExists::Overwrite)
        .start()
        .unwrap();
    assert_eq!(other.name(), "my-cnn");
    assert_eq!(names(&project), ["My CNN", "my-cnn"]);
}

#[test]
fn a_damaged_run_is_listed_by_its_id_and_hides_no_other() {
    let (_root, project) = project();
    let damaged = finished(&project, "a", 1.0);
    finished(&project, "b", 2.0);
    let document = damaged
        .location()
        .local_path()
        .unwrap()
        .join("run/00000000000000000000.json");
    std::fs::write(document, "{").unwrap();
    let runs = project.runs().unwrap();
    assert_eq!(runs[0].as_ref().unwrap().name, "b");
    let report = runs[1].as_ref().unwrap_err();
    assert_eq!(report.id, damaged.id());
    assert_eq!(report.error.kind(), ErrorKind::Corrupt);
    assert_eq!(
        project.open_run(damaged.id()).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn a_run_is_found_by_the_beginning_of_its_id() {
    let (_root, project) = project();
    let run = finished(&project, "cnn", 1.0);
    let beginning = &run.id()[..run.id().len() - 2];
    assert_eq!(project.open_run(beginning).unwrap().id(), run.id());
    finished(&project, "cnn", 1.0);
    let error = project.open_run("cn").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let error = project.open_run("resnet").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("2 runs"), "{error}");
}

#[test]
fn a_name_that_cannot_be_read_for_a_moment_starts_no_second_run() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = fails.clone();
    let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
        let is_first = call.path.ends_with("/run/00000000000000000000.json");
        let is_hit = is_first && call.operation == Operation::Read;
        (is_hit && failing.load(Ordering::SeqCst)).then_some(Fault::Before)
    });
    let root = Location::in_store(Arc::new(store), "").unwrap();
    let project = Project::at(root, "p").unwrap();
    finished(&project, "cnn", 1.0);
    fails.store(true, Ordering::SeqCst);
    for choice in [IfExists::Resume, IfExists::Reuse, IfExists::Raise] {
        let error = project.run("cnn").if_exists(choice).start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage, "{error}");
    }
    fails.store(false, Ordering::SeqCst);
    assert_eq!(names(&project), ["cnn"]);
}
