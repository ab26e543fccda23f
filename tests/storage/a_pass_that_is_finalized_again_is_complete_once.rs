//! However the calls of `finalize` fail, and whenever what they sent arrives: called again it completes the
//! pass once, with all rows, and nothing is damaged.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use emberlens::collect::Silent;
use emberlens::run::{MetricsTableWriter, Project, Run};
use emberlens::storage::object_store::memory::InMemory;
use emberlens::storage::{Documents, Location};
use emberlens::table::Columns;
use emberlens_testkit::{Call, Fault, FaultStore, Operation};

const ROWS: i64 = 20;

/// What fails of the calls from when it is armed on.
#[derive(Clone, Copy, Debug)]
enum Failing {
    /// The call of that number alone.
    One(usize, Fault),
    /// Writes, from that one on; what could be read back cannot be read.
    AllFrom(usize, Fault),
}

impl Failing {
    fn of(self, number: usize, call: &Call) -> Option<Fault> {
        let is_write = matches!(call.operation, Operation::Create | Operation::Replace);
        match self {
            Self::One(at, fault) => (number == at).then_some(fault),
            Self::AllFrom(from, fault) if number >= from && is_write => Some(fault),
            Self::AllFrom(from, _) => (number >= from).then_some(Fault::Before),
        }
    }
}

/// A run in a store of which some calls fail while it is told so.
struct Rig {
    inner: Arc<InMemory>,
    is_armed: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    fired: Arc<Mutex<Vec<Call>>>,
    run: Run,
}

fn open(store: Arc<dyn emberlens::storage::object_store::ObjectStore>) -> Project {
    let root = Location::in_store(store, "").unwrap();
    Project::at(root.assume_atomic_creates(), "p").unwrap()
}

impl Rig {
    fn new(failing: Option<Failing>) -> Self {
        let inner = Arc::new(InMemory::new());
        let (is_armed, calls) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let fired = Arc::new(Mutex::new(Vec::new()));
        let (armed, count, seen) = (is_armed.clone(), calls.clone(), fired.clone());
        let store = FaultStore::new(inner.clone(), move |call| {
            if !armed.load(Ordering::SeqCst) {
                return None;
            }
            let number = count.fetch_add(1, Ordering::SeqCst);
            let fault = failing?.of(number, call)?;
            seen.lock().unwrap().push(call.clone());
            Some(fault)
        });
        let run = open(Arc::new(store)).run("r").start().unwrap();
        Self {
            inner,
            is_armed,
            calls,
            fired,
            run,
        }
    }

    fn writer(&self) -> MetricsTableWriter {
        let ids: Vec<i64> = (0..ROWS).collect();
        let mut writer = MetricsTableWriter::new(&self.run).split("train").epoch(0);
        writer
            .add_batch(Columns::new().with("example_id", ids))
            .unwrap();
        writer.flush().unwrap();
        writer
    }

    /// Finalizes with the faults, then without until it works; whether the first call said that it did.
    fn finalize(&self, between: impl Fn(&Run)) -> bool {
        let mut writer = self.writer();
        self.is_armed.store(true, Ordering::SeqCst);
        let first = writer.finalize();
        self.is_armed.store(false, Ordering::SeqCst);
        let Err(error) = first else {
            return true;
        };
        between(&self.run);
        let rows = Columns::new().with("example_id", vec![0_i64]);
        assert!(writer.add_batch(rows).is_err(), "{}", error.chain());
        writer.flush().unwrap();
        let files = writer.finalize().unwrap();
        assert_eq!(files.iter().map(|file| file.rows).sum::<u64>(), ROWS as u64);
        assert!(writer.finalize().is_err(), "the pass is finished");
        false
    }

    /// One pass, all its rows, no damage, and one document that completes it.
    fn check(&self, what: &str) {
        let reader = open(self.inner.clone()).open_run("r").unwrap();
        let passes = reader.passes("default");
        assert_eq!(passes.len(), 1, "{what}");
        let ids = reader
            .metrics("default")
            .values::<i64>("example_id")
            .unwrap();
        assert_eq!(ids, (0..ROWS).collect::<Vec<_>>(), "{what}");
        assert!(reader.incomplete_passes().is_empty(), "{what}");
        let problems = reader.verify(&Silent).unwrap().problems;
        assert!(problems.is_empty(), "{what}: {problems:?}");
        assert_eq!(self.completions(), 1, "{what}");
        assert_eq!(self.run.status().name(), "running", "{what}");
    }

    fn completions(&self) -> usize {
        let reader = open(self.inner.clone()).open_run("r").unwrap();
        let documents = Documents::at(reader.location().join("run"));
        let all: Vec<(u64, serde_json::Value)> = documents.read_all().unwrap();
        all.iter()
            .filter(|(_, document)| document["kind"] == "pass_completed")
            .count()
    }
}

/// How many calls `finalize` makes.
fn calls() -> usize {
    let rig = Rig::new(None);
    assert!(rig.finalize(|_| ()));
    rig.check("no fault");
    rig.calls.load(Ordering::SeqCst)
}

#[test]
fn whatever_call_fails_the_next_finalize_completes_the_pass_once() {
    let faults = [
        Fault::Before,
        Fault::After,
        Fault::TimeOut,
        Fault::Late,
        Fault::Twice,
    ];
    let mut failed = 0;
    for number in 0..calls() {
        for fault in faults {
            for failing in [Failing::One(number, fault), Failing::AllFrom(number, fault)] {
                let rig = Rig::new(Some(failing));
                failed += usize::from(!rig.finalize(|_| ()));
                assert!(
                    !rig.fired.lock().unwrap().is_empty(),
                    "{failing:?} met no call"
                );
                rig.check(&format!("{failing:?}"));
            }
        }
    }
    assert!(
        failed >= faults.len() - 1,
        "only {failed} calls of finalize failed"
    );
}

/// The document is there, as another one finds out that the same process writes.
#[test]
fn a_record_that_arrived_before_another_document_is_not_written_again() {
    for fault in [Fault::After, Fault::TimeOut, Fault::Late] {
        let rig = Rig::new(Some(Failing::AllFrom(0, fault)));
        let finished = rig.finalize(|run| run.add_tag("between").unwrap());
        assert!(!finished, "{fault:?}");
        rig.check(&format!("{fault:?}"));
    }
}

/// As a crew of an older version, or a copy, may have left it.
#[test]
fn a_record_that_stands_there_twice_is_one_pass() {
    let rig = Rig::new(None);
    assert!(rig.finalize(|_| ()));
    let reader = open(rig.inner.clone()).open_run("r").unwrap();
    let documents = Documents::at(reader.location().join("run"));
    let all: Vec<(u64, serde_json::Value)> = documents.read_all().unwrap();
    for time_us in [all[2].1["time_us"].clone(), 7.into()] {
        let mut again = all.last().unwrap().1.clone();
        assert_eq!(again["kind"], "pass_completed");
        again["time_us"] = time_us;
        again["finished_us"] = 7.into();
        documents.append(&again).unwrap();
    }
    assert_eq!(rig.completions(), 3);
    let reader = open(rig.inner.clone()).open_run("r").unwrap();
    assert_eq!(reader.passes("default").len(), 1);
    let problems = reader.verify(&Silent).unwrap().problems;
    assert!(problems.is_empty(), "{problems:?}");
    reader.compact(&Silent).unwrap();
    let ids = reader
        .metrics("default")
        .values::<i64>("example_id")
        .unwrap();
    assert_eq!(ids, (0..ROWS).collect::<Vec<_>>());
}

/// The beginning of a pass is repeated as its end is.
#[test]
fn a_pass_whose_beginning_failed_begins_once() {
    for fault in [Fault::After, Fault::TimeOut, Fault::Late] {
        let rig = Rig::new(Some(Failing::AllFrom(0, fault)));
        let rows = || Columns::new().with("example_id", (0..ROWS).collect::<Vec<i64>>());
        let mut writer = MetricsTableWriter::new(&rig.run).split("train").epoch(0);
        rig.is_armed.store(true, Ordering::SeqCst);
        writer.add_batch(rows()).unwrap_err();
        rig.is_armed.store(false, Ordering::SeqCst);
        writer.add_batch(rows()).unwrap();
        writer.finalize().unwrap();
        rig.check(&format!("{fault:?}"));
    }
}
