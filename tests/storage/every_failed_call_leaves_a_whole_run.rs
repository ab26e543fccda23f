//! Whatever call to the store fails, and however: what was acknowledged is there, once; what was not
//! is there whole or not at all; and the run can be read and written again.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use emberlens::Result;
use emberlens::collect::Silent;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, RunReader};
use emberlens::storage::Location;
use emberlens::storage::object_store::ObjectStore;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::{Columns, DeltaTable, values};
use emberlens_testkit::{Call, Fault, FaultStore, Operation};

const HALF: i64 = 50;

/// What the library said `Ok` to.
#[derive(Debug, Default)]
struct Acknowledged {
    started: bool,
    scalars: bool,
    /// Rows flushed of each epoch.
    rows: BTreeMap<i64, i64>,
    passes: Vec<i64>,
    completed: bool,
}

fn batch(first: i64) -> Columns {
    let ids: Vec<i64> = (first..first + HALF).collect();
    let losses: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
    Columns::new().with("example_id", ids).with("loss", losses)
}

/// A run with two passes, up to the first error.
fn write(root: &Location, said: &mut Acknowledged) -> Result<()> {
    let run = Project::at(root.clone(), "p")?.run("r").start()?;
    said.started = true;
    run.log_parameters(&serde_json::json!({"lr": 0.1}))?;
    for epoch in 0..2 {
        run.log(&[("loss", 0.5)], At::epoch(epoch))?;
        run.flush()?;
        said.scalars |= epoch == 1;
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        writer.add_batch(batch(0))?;
        writer.flush()?;
        said.rows.insert(epoch, HALF);
        writer.add_batch(batch(HALF))?;
        writer.finalize()?;
        said.rows.insert(epoch, 2 * HALF);
        said.passes.push(epoch);
    }
    run.complete()?;
    said.completed = true;
    Ok(())
}

/// Everything that must hold of what is in the store.
fn check(store: &Arc<InMemory>, said: &Acknowledged, what: &str) {
    let root = Location::in_store(store.clone(), "")
        .unwrap()
        .assume_atomic_creates();
    let project = Project::at(root, "p").unwrap();
    let reader = match project.open_run("r") {
        Ok(reader) => reader,
        Err(error) => {
            assert!(!said.started, "{what}: {error}");
            return;
        }
    };
    check_rows(&reader, said, what);
    if said.scalars {
        assert_eq!(reader.scalars().unwrap().len(), 2, "{what}");
    }
    assert!(
        !said.completed || reader.status().name() == "completed",
        "{what}"
    );

    let run = project.run("r").if_exists(IfExists::Reuse).start().unwrap();
    let mut again = MetricsTableWriter::new(&run).split("train").epoch(1);
    again.add_batch(batch(7)).unwrap();
    again.finalize().unwrap();
    run.complete().unwrap();
    let reader = run.reader().unwrap();
    let rows = reader.metrics("default").epoch(1);
    assert_eq!(
        rows.values::<i64>("example_id").unwrap(),
        (7..7 + HALF).collect::<Vec<_>>()
    );
}

fn check_rows(reader: &RunReader, said: &Acknowledged, what: &str) {
    let mut stored: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let place = reader.location().join("metrics/default");
    if DeltaTable::exists(&place).unwrap() {
        let rows = DeltaTable::open(place)
            .unwrap()
            .snapshot()
            .unwrap()
            .read(None)
            .unwrap();
        let epochs = values::<i64>(&rows, "epoch").unwrap();
        let ids = values::<i64>(&rows, "example_id").unwrap();
        let losses = values::<f32>(&rows, "loss").unwrap();
        for row in 0..rows.num_rows() {
            assert_eq!(losses[row], ids[row] as f32, "{what}");
            stored.entry(epochs[row]).or_default().push(ids[row]);
        }
    }
    for epoch in 0..2 {
        let rows = stored.remove(&epoch).unwrap_or_default();
        let promised = said.rows.get(&epoch).copied().unwrap_or(0);
        let there = rows.len() as i64;
        assert!(
            there >= promised && there % HALF == 0,
            "{what}: {there} of {promised} rows"
        );
        assert_eq!(
            rows,
            (0..there).collect::<Vec<_>>(),
            "{what}: no gap, no repeat"
        );
        let seen = reader
            .metrics("default")
            .epoch(epoch)
            .values::<i64>("example_id");
        let seen = seen.map_or(0, |ids| ids.len() as i64);
        assert!(
            seen == 0 || seen == 2 * HALF,
            "{what}: {seen} rows of a pass show"
        );
        assert!(
            !said.passes.contains(&epoch) || seen > 0,
            "{what}: a finished pass is gone"
        );
    }
    assert!(stored.is_empty(), "{what}");
}

/// The calls that something made.
struct Made {
    calls: Vec<Call>,
    /// The numbers of those that the writer thread made.
    on_writer: HashSet<usize>,
    /// How often the planned fault was met.
    fired: usize,
}

/// Does something to a store with one planned fault, and checks what is in it then.
fn attempt(
    fault: Option<(usize, Fault)>,
    inner: &Arc<InMemory>,
    act: impl FnOnce(&Location) -> Result<()>,
    check: impl FnOnce(&Arc<InMemory>, &str),
) -> Made {
    let fired = Arc::new(AtomicUsize::new(0));
    let on_writer = Arc::new(Mutex::new(HashSet::new()));
    let (counter, by_writer) = (fired.clone(), on_writer.clone());
    let store = Arc::new(FaultStore::new(inner.clone(), move |call| {
        let is_writer = std::thread::current().name() == Some("emberlens-writer");
        if is_writer {
            by_writer.lock().unwrap().insert(call.number);
        }
        let (_, fault) = fault.filter(|(number, _)| *number == call.number)?;
        // A store may panic on our own thread only: elsewhere it is the caller's.
        if fault == Fault::Panic && !is_writer {
            return None;
        }
        counter.fetch_add(1, Ordering::SeqCst);
        Some(fault)
    }));
    let objects: Arc<dyn ObjectStore> = store.clone();
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let root = Location::in_store(objects, "").unwrap();
        // The calls of the probe are not those of a run.
        act(&root.assume_atomic_creates())
    }));
    let what = match fault {
        None => "no fault".to_owned(),
        Some((number, fault)) => format!("{fault:?} at {:?}", store.calls().get(number)),
    };
    let outcome = outcome.unwrap_or_else(|_| panic!("{what}: the library panicked"));
    let fired = fired.load(Ordering::SeqCst);
    if fired == 0 {
        outcome.unwrap_or_else(|error| panic!("{what}: {}", error.chain()));
    }
    check(inner, &what);
    let on_writer = on_writer.lock().unwrap().clone();
    Made {
        calls: store.calls(),
        on_writer,
        fired,
    }
}

/// The faults that a call can meet.
fn faults_of(operation: Operation) -> &'static [Fault] {
    match operation {
        Operation::Read => &[Fault::Before, Fault::Short, Fault::Panic],
        Operation::List => &[Fault::Before, Fault::Stale, Fault::Gap, Fault::Panic],
        _ => &[
            Fault::Before,
            Fault::After,
            Fault::TimeOut,
            Fault::Late,
            Fault::Panic,
            Fault::Twice,
        ],
    }
}

/// All calls, failing in every way; at least so many calls, and so many of the writer thread.
///
/// Every fault must be met, once: calls up to it are those of the run without one. A panic is met where the
/// writer thread makes the call.
fn every_call(
    least: usize,
    least_on_writer: usize,
    attempt: impl Fn(Option<(usize, Fault)>) -> Made,
) {
    let Made {
        calls, on_writer, ..
    } = attempt(None);
    let counts = (calls.len(), on_writer.len());
    assert!(
        counts.0 >= least && counts.1 >= least_on_writer,
        "{counts:?} calls are too few to prove anything"
    );
    for (number, call) in calls.iter().enumerate() {
        for &fault in faults_of(call.operation) {
            let is_met = fault != Fault::Panic || on_writer.contains(&number);
            let fired = attempt(Some((number, fault))).fired;
            assert_eq!(fired, usize::from(is_met), "{fault:?} at {call:?}");
        }
    }
}

#[test]
fn every_failed_call_leaves_a_whole_run() {
    every_call(30, 20, |fault| {
        let said = RefCell::new(Acknowledged::default());
        attempt(
            fault,
            &Arc::new(InMemory::new()),
            |root| write(root, &mut said.borrow_mut()),
            |store, what| check(store, &said.borrow(), what),
        )
    });
}

/// A run that ended, with everything acknowledged.
fn whole() -> Arc<InMemory> {
    let store = Arc::new(InMemory::new());
    let root = Location::in_store(store.clone(), "")
        .unwrap()
        .assume_atomic_creates();
    write(&root, &mut Acknowledged::default()).unwrap();
    store
}

fn all_said() -> Acknowledged {
    Acknowledged {
        started: true,
        scalars: true,
        rows: BTreeMap::from([(0, 2 * HALF), (1, 2 * HALF)]),
        passes: vec![0, 1],
        completed: true,
    }
}

/// Nothing is lost or doubled, no damage is found, and what failed works when it is tried again.
fn check_upkeep(store: &Arc<InMemory>, what: &str) {
    let root = Location::in_store(store.clone(), "")
        .unwrap()
        .assume_atomic_creates();
    let reader = Project::at(root, "p").unwrap().open_run("r").unwrap();
    check_rows(&reader, &all_said(), what);
    let verified = reader.verify(&Silent).unwrap();
    assert!(
        verified.problems.is_empty(),
        "{what}: {:?}",
        verified.problems
    );
    reader.compact(&Silent).unwrap();
    let vacuum = reader.vacuum(Duration::ZERO).unwrap();
    vacuum.delete(&Silent).unwrap();
    for table in reader.verify(&Silent).unwrap().tables {
        let place = reader.location().join(&table.folder);
        let names = place.list_files().unwrap();
        assert_eq!((table.files, names.len()), (1, 1), "{what}: {names:?}");
    }
    check(store, &all_said(), what);
}

#[test]
fn every_failed_call_of_a_compaction_leaves_a_whole_run() {
    every_call(20, 0, |fault| {
        attempt(
            fault,
            &whole(),
            |root| {
                let reader = Project::at(root.clone(), "p")?.open_run("r")?;
                reader.compact(&Silent).map(drop)
            },
            check_upkeep,
        )
    });
}

#[test]
fn every_failed_call_of_a_vacuum_leaves_a_whole_run() {
    every_call(20, 0, |fault| {
        let store = whole();
        let clean = Location::in_store(store.clone(), "")
            .unwrap()
            .assume_atomic_creates();
        let reader = Project::at(clean, "p").unwrap().open_run("r").unwrap();
        reader.compact(&Silent).unwrap();
        attempt(
            fault,
            &store,
            |root| {
                let reader = Project::at(root.clone(), "p")?.open_run("r")?;
                let vacuum = reader.vacuum(Duration::ZERO)?;
                assert_eq!(
                    vacuum.files.len(),
                    6,
                    "four files of metrics, two of scalars"
                );
                vacuum.delete(&Silent)
            },
            check_upkeep,
        )
    });
}

#[test]
fn every_failed_call_of_a_resume_leaves_a_whole_run() {
    for is_compacted in [false, true] {
        every_call(20, 5, |fault| {
            let store = whole();
            let clean = Location::in_store(store.clone(), "")
                .unwrap()
                .assume_atomic_creates();
            let project = Project::at(clean, "p").unwrap();
            if is_compacted {
                let reader = project.open_run("r").unwrap();
                reader.compact(&Silent).unwrap();
            }
            attempt(
                fault,
                &store,
                |root| resume(&Project::at(root.clone(), "p")?),
                |_, what| check_resumed(&project, what),
            )
        });
    }
}

/// Goes on with epoch 1.
fn resume(project: &Project) -> Result<()> {
    let run = project.run("r").if_exists(IfExists::Resume).from_epoch(1);
    let run = run.start()?;
    run.log(&[("loss", 0.25)], At::epoch(1))?;
    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(1);
    writer.add_batch(batch(7))?;
    writer.finalize()?;
    run.complete()
}

/// Epoch 0 is as it was; epoch 1 is the old one, gone, or the new one. Then a resume works.
fn check_resumed(project: &Project, what: &str) {
    let seen = |epoch| {
        let reader = project.open_run("r").unwrap();
        let ids = reader
            .metrics("default")
            .epoch(epoch)
            .values::<i64>("example_id");
        ids.unwrap_or_else(|error| panic!("{what}: {}", error.chain()))
    };
    assert_eq!(seen(0), (0..2 * HALF).collect::<Vec<_>>(), "{what}");
    let again: Vec<i64> = (7..7 + HALF).collect();
    let rows = seen(1);
    assert!(
        rows.is_empty() || rows == again || rows == (0..2 * HALF).collect::<Vec<_>>(),
        "{what}: {rows:?}"
    );
    resume(project).unwrap_or_else(|error| panic!("{what}: {}", error.chain()));
    assert_eq!(seen(0), (0..2 * HALF).collect::<Vec<_>>(), "{what}");
    assert_eq!(seen(1), again, "{what}");
    let reader = project.open_run("r").unwrap();
    let scalars = reader.scalars().unwrap();
    let logged: Vec<_> = scalars
        .iter()
        .map(|scalar| (scalar.epoch, scalar.value))
        .collect();
    assert_eq!(logged, [(Some(0), 0.5), (Some(1), 0.25)], "{what}");
    let stored = DeltaTable::open(reader.location().join("metrics/default")).unwrap();
    let stored = stored.snapshot().unwrap().read(Some(&["pass_id"])).unwrap();
    let ids = values::<String>(&stored, "pass_id").unwrap();
    let complete = reader.passes("default");
    let counted = ids
        .iter()
        .filter(|id| complete.iter().any(|pass| pass.pass_id == **id));
    assert_eq!(counted.count() as i64, 3 * HALF, "{what}");
}
