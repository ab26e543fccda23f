//! A store that overwrites what it was asked to create is refused before the first write, unless one
//! process says that it writes alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::run::Project;
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable};
use emberlens::{Error, ErrorKind};
use emberlens_testkit::{BucketServer, Flaw, Program};

fn flawed(flaw: Flaw) -> (BucketServer, Location) {
    let server = BucketServer::start(move |_| Some(flaw)).unwrap();
    let root = Location::open_with("s3://bucket/runs", server.settings()).unwrap();
    (server, root)
}

fn assert_refused(root: &Location, seen: &str) {
    let error = root.join("a").create("x").unwrap_err();
    assert!(
        matches!(error, Error::NotAtomic { .. }),
        "{}",
        error.chain()
    );
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    for part in [seen, root.url().as_str(), "EMBERLENS_SINGLE_WRITER"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(root.join("a").read_if_exists().unwrap(), None);
}

#[test]
fn a_store_that_ignores_the_condition_is_refused() {
    let (server, root) = flawed(Flaw::IgnoresCondition);
    assert_refused(&root, "one after the other, both succeeded");
    assert!(server.objects().is_empty(), "the probe cleans up");
    let run = Project::at(root, "p").unwrap().run("r").start();
    assert!(matches!(run, Err(Error::NotAtomic { .. })), "{run:?}");
    assert!(server.objects().is_empty());
}

#[test]
fn a_store_that_loses_races_is_refused() {
    let (server, root) = flawed(Flaw::LooksTooEarly);
    assert_refused(&root, "creates of one object at once");
    assert!(server.objects().is_empty());
}

#[test]
fn a_store_that_writes_what_it_refuses_is_refused() {
    let (server, root) = flawed(Flaw::WritesWhatItRefuses);
    assert_refused(&root, "changed the object");
    assert!(server.objects().is_empty());
}

#[test]
fn a_store_that_knows_no_condition_is_refused() {
    let (server, root) = flawed(Flaw::RefusesCondition);
    assert_refused(&root, "refuses to create");
    assert!(server.objects().is_empty());
}

/// Tables are created by the Delta kernel, and so are commits.
#[test]
fn no_way_to_write_leads_past_the_probe() {
    let (server, root) = flawed(Flaw::LooksTooEarly);
    let batch = Columns::new()
        .with("x", vec![1_i64])
        .into_batch("t")
        .unwrap();
    let table = DeltaTable::create(root.join("t"), &batch.schema());
    assert!(matches!(table, Err(Error::NotAtomic { .. })), "{table:?}");
    let heartbeat = root.join("h").replace("x");
    assert!(matches!(heartbeat, Err(Error::NotAtomic { .. })));
    assert!(server.objects().is_empty());
    root.join("h").delete().unwrap();
}

#[test]
fn a_single_writer_uses_such_a_store() {
    let (_server, root) = flawed(Flaw::IgnoresCondition);
    let root = root.single_writer();
    assert!(root.join("a").create("first").unwrap());
    assert!(!root.join("a").create("second").unwrap());
    assert_eq!(&root.join("a").read().unwrap()[..], b"first");
}

/// Threads of the process take turns, however they opened the bucket.
#[test]
fn threads_of_a_single_writer_do_not_overwrite_one_another() {
    let (server, root) = flawed(Flaw::IgnoresCondition);
    let opened = |_| {
        let place = Location::open_with("s3://bucket", server.settings());
        place.unwrap().single_writer().join("runs")
    };
    let mut places: Vec<Location> = (0..3).map(opened).collect();
    places.push(root.single_writer());
    for race in 0..30 {
        let name = format!("race-{race}");
        let winners: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|thread| {
                    let object = places[thread % places.len()].join(&name);
                    scope.spawn(move || object.create(format!("thread {thread}")).unwrap())
                })
                .collect();
            let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
            outcomes.filter(|created| *created).count()
        });
        assert_eq!(winners, 1, "race {race}");
    }
}

#[test]
fn a_store_that_is_known_is_not_asked() {
    let (server, root) = flawed(Flaw::IgnoresCondition);
    let root = root.assume_atomic_creates();
    root.join("a").create("first").unwrap();
    root.join("a").create("second").unwrap();
    assert_eq!(&root.join("a").read().unwrap()[..], b"second");
    assert!(
        !server
            .requests()
            .iter()
            .any(|request| request.contains("probe"))
    );
}

/// Requests that fail are no answer: the store is asked again.
#[test]
fn a_store_that_fails_now_and_then_is_not_refused() {
    let calls = AtomicUsize::new(0);
    let server = BucketServer::start(move |_| {
        let number = calls.fetch_add(1, Ordering::SeqCst);
        let flaws = [Flaw::FailsAfterwards, Flaw::SeesConflict];
        number.is_multiple_of(5).then(|| flaws[number / 5 % 2])
    });
    let server = server.unwrap();
    let root = Location::open_with("s3://bucket/runs", server.settings()).unwrap();
    assert!(root.join("a").create("x").unwrap());
    assert_eq!(server.objects().len(), 1);
}

#[test]
fn a_process_probes_a_place_once_and_readers_never() {
    let server = BucketServer::sound().unwrap();
    let open = |path: &str| Location::open_with(path, server.settings()).unwrap();
    let probes = || {
        let requests = server.requests();
        let begun = |request: &&String| request.ends_with("/sequence-0") && request.contains("PUT");
        requests.iter().filter(begun).count()
    };
    assert!(open("s3://bucket/one").is_empty().unwrap());
    assert_eq!(probes(), 0);
    for name in ["a", "b"] {
        open("s3://bucket/one").join(name).create("x").unwrap();
        // A create that must fail, and one that must not change it.
        assert_eq!(probes(), 2);
    }
    open("s3://bucket/two").join("a").create("x").unwrap();
    assert_eq!(probes(), 4);
    let probed = |request: &String| request.contains(".emberlens-probe-");
    let all: Vec<String> = server.requests().into_iter().filter(probed).collect();
    assert!(all.iter().all(|request| {
        request.contains(" one/.emberlens-probe-") || request.contains(" two/.emberlens-probe-")
    }));
}

fn assert_installed_is_refused(program: Program, seen: &str) {
    if let Some(server) = program.start().unwrap() {
        let address = format!("{}/runs", server.address());
        let root = Location::open_with(&address, server.settings()).unwrap();
        assert_refused(&root, seen);
        assert!(root.single_writer().join("a").create("x").unwrap());
    }
}

#[test]
fn s3rver_ignores_the_condition() {
    assert_installed_is_refused(Program::S3rver, "both succeeded");
}

#[test]
fn s3s_fs_loses_races() {
    assert_installed_is_refused(Program::S3sFs, "creates of one object at once");
}
