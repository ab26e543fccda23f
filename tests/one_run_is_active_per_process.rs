//! The active run is set explicitly, one per process, and ends with its guard.

#![allow(clippy::unwrap_used)]

use emberlens::ErrorKind;
use emberlens::run::{At, Project, Status, active};

#[test]
fn one_run_is_active_per_process() {
    let project = Project::open("memory://", "p").unwrap();
    let error = active::log(&[("loss", 1.0)], At::epoch(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    let (first, second) = (
        project.run("first").start().unwrap(),
        project.run("second").start().unwrap(),
    );
    let guard = active::set(&first).unwrap();
    let error = active::set(&second).unwrap_err().to_string();
    assert!(
        error.contains(first.id()) && error.contains(second.id()),
        "{error}"
    );
    active::log(&[("loss", 1.0)], At::epoch(0)).unwrap();
    assert_eq!(first.reader().unwrap().scalars().unwrap().len(), 1);

    let id = first.id().to_owned();
    drop(first);
    assert_eq!(
        active::get().unwrap().id(),
        id,
        "the guard keeps the run alive"
    );
    drop(guard);
    assert!(active::get().is_none());
    assert!(matches!(
        project.open_run("first").unwrap().status(),
        Status::Interrupted(_)
    ));

    let guard = active::set(&second).unwrap();
    active::clear();
    assert!(active::get().is_none());
    let third = project.run("third").start().unwrap();
    let _third = active::set(&third).unwrap();
    drop(guard);
    assert_eq!(
        active::get().unwrap().id(),
        third.id(),
        "an old guard clears only its own run"
    );
}
