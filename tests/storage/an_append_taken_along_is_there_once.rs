//! Writers that come in one another's way take along what others laid open: in a store that fails as it
//! likes, and when those who lay open or take along are killed, what was acknowledged is there once,
//! and the rest once or not at all.
//!
//! `EMBERLENS_PROOF_COMMITS` (4 of each thread, 12 of each process) and `EMBERLENS_PROOF_KILLS` (30) set how many.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::{Columns, DeltaTable, values};
use emberlens_testkit::{
    Call, Child, Fault, FaultStore, SlowStore, quick_folder, split_mix, test_name,
};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const WRITER: &str = "EMBERLENS_TEST_CHILD_WRITER";
const ROWS: usize = 3;
/// Threads at once: enough that many of their commits lose races.
const THREADS: i64 = 12;
/// Slow enough that a commit takes some milliseconds, in which others come.
const BYTES_PER_SECOND: u64 = 100_000;
/// Processes at once.
const WRITERS: i64 = 8;
/// How many of them are killed in a round.
const VICTIMS: usize = 5;
/// How often one commit is tried before the test gives it up.
const PATIENCE: usize = 200;

fn setting(name: &str, default: i64) -> i64 {
    let asked = std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    asked.map_or(default, |text| text.parse().unwrap())
}

fn rows(writer: i64, number: i64) -> arrow_array::RecordBatch {
    let columns = Columns::new()
        .with("writer", vec![writer; ROWS])
        .with("number", vec![number; ROWS]);
    columns.into_batch("test").unwrap()
}

/// How many rows each commit has in the table.
fn stored(place: &Location) -> BTreeMap<(i64, i64), usize> {
    let snapshot = DeltaTable::open(place.clone()).unwrap().snapshot().unwrap();
    let rows = snapshot.read(None).unwrap();
    let writers = values::<i64>(&rows, "writer").unwrap();
    let mut stored = BTreeMap::new();
    for commit in writers
        .into_iter()
        .zip(values::<i64>(&rows, "number").unwrap())
    {
        *stored.entry(commit).or_default() += 1;
    }
    stored
}

/// Whether writers come in one another's way is up to the machine: a busy one may let them take turns.
const ROUNDS: u64 = 8;

#[test]
fn in_a_lossy_store() {
    let somebody_was_taken_along = (0..ROUNDS).any(commit_in_a_lossy_store);
    assert!(somebody_was_taken_along, "nobody took anybody along");
}

/// Lets all threads commit to one table; whether there are fewer versions than commits.
fn commit_in_a_lossy_store(round: u64) -> bool {
    let inner = Arc::new(InMemory::new());
    let open = |store| {
        let place = Location::in_store(store, "t").unwrap();
        place.assume_atomic_creates()
    };
    let clean = open(inner.clone());
    DeltaTable::create(clean.clone(), &rows(0, 0).schema()).unwrap();
    // A log of many entries is hardly ever read whole where every tenth read fails.
    let (mut seldom, mut often) = (
        Fault::at_random(7 + round, 3),
        Fault::at_random(8 + round, 30),
    );
    let plan = move |call: &Call| match call.path.contains("_announced") {
        true => often(call),
        false => seldom(call),
    };
    let lossy = Arc::new(FaultStore::new(inner, plan));
    let commits = setting("COMMITS", 4);
    // All begin each commit at the same moment, and so come in one another's way.
    let (barrier, given_up) = (Barrier::new(THREADS as usize), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for writer in 0..THREADS {
            let slow = SlowStore::new(lossy.clone(), BYTES_PER_SECOND);
            let (lossy, barrier, given_up) = (open(Arc::new(slow)), &barrier, &given_up);
            scope.spawn(move || {
                let table = (0..PATIENCE).find_map(|_| DeltaTable::open(lossy.clone()).ok());
                let name = format!("writer {writer}");
                for number in 0..commits {
                    barrier.wait();
                    let lands = |table: &DeltaTable| {
                        let rows = rows(writer, number);
                        let mut tries = 0..PATIENCE;
                        tries.any(|_| {
                            table
                                .append(&name, number, std::slice::from_ref(&rows))
                                .is_ok()
                        })
                    };
                    // Nobody may leave the others waiting.
                    if !table.as_ref().is_some_and(lands) {
                        given_up.lock().unwrap().push((writer, number));
                    }
                }
            });
        }
    });
    assert!(given_up.into_inner().unwrap().is_empty());
    let expected = (0..THREADS).flat_map(|writer| (0..commits).map(move |number| (writer, number)));
    let expected: BTreeMap<_, _> = expected.map(|commit| (commit, ROWS)).collect();
    assert_eq!(stored(&clean), expected);
    let table = DeltaTable::open(clean).unwrap().snapshot().unwrap();
    (table.version() as i64) < THREADS * commits
}

/// The child: this test binary, started again by the test below.
fn commit_until_killed(root: &str, writer: i64) {
    let table = DeltaTable::open(Location::open(root).unwrap()).unwrap();
    for number in 0.. {
        let batch = rows(writer, number);
        table
            .append(&format!("writer {writer}"), number, &[batch])
            .unwrap();
        println!("\ndone {number}");
        // The others stop when their parent is gone.
        if number == setting("COMMITS", 12) {
            return;
        }
    }
}

#[test]
fn when_writers_are_killed() {
    if let Ok(root) = std::env::var(ROOT) {
        let writer = std::env::var(WRITER).unwrap().parse().unwrap();
        return commit_until_killed(&root, writer);
    }
    let (mut state, mut killed, mut cut_short) = (11, 0, 0);
    let mut round = 0;
    while killed < setting("KILLS", 30) {
        let folder = quick_folder().unwrap();
        let root = folder.path().display().to_string();
        let place = Location::open(&root).unwrap();
        DeltaTable::create(place.clone(), &rows(0, 0).schema()).unwrap();
        let start = |writer: i64| {
            let environment = [(ROOT, root.clone()), (WRITER, writer.to_string())];
            Child::start(
                &test_name(module_path!(), "when_writers_are_killed"),
                &environment,
            )
            .unwrap()
        };
        let mut children: Vec<Child> = (0..WRITERS).map(start).collect();
        for victim in children.iter_mut().take(VICTIMS) {
            let millis = split_mix(&mut state) % 120;
            victim.kill_after(Duration::from_millis(millis)).unwrap();
            killed += 1;
        }
        let mut acknowledged = Vec::new();
        for (writer, child) in (0..).zip(children) {
            let (lines, _) = child.finish().unwrap();
            let told = lines.iter().filter_map(|line| line.strip_prefix("done "));
            acknowledged.extend(told.filter_map(|number| Some((writer, number.parse().ok()?))));
        }
        let stored = stored(&place);
        for commit in &acknowledged {
            assert_eq!(
                stored.get(commit),
                Some(&ROWS),
                "round {round}: {commit:?} was acknowledged"
            );
        }
        assert!(
            stored.values().all(|rows| *rows == ROWS),
            "round {round}: {stored:?}"
        );
        cut_short += stored.len() - acknowledged.len();
        round += 1;
    }
    println!("{killed} kills, {cut_short} commits landed and were not acknowledged");
}
