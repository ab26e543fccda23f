//! A training that is resumed after any of its steps, any number of times: the run holds what a model of it
//! says. Scalars and passes from the checkpoint's epoch on are replaced, older ones stay, also where their
//! files were joined before. So they do when it came to an end in the middle of a step, at any call to the
//! store; `acknowledged_rows_survive_a_kill.rs` has processes that are killed, and resumed, at any moment.
//!
//! `EMBERLENS_PROOF_SEQUENCES` sets how many sequences (50), `EMBERLENS_PROOF_CALLS` that a training ends at
//! every call of that number's multiples (5).

#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use emberlens::Error;
use emberlens::collect::Silent;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run};
use emberlens::storage::Location;
use emberlens::storage::object_store::ObjectStore;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::{Columns, DeltaTable, values};
use emberlens_testkit::{Fault, FaultStore, Operation, Promises, Training};
use proptest::prelude::*;

/// What a training does next.
#[derive(Clone, Debug)]
enum Step {
    Scalar,
    Flush,
    Pass,
    /// A pass that the kill interrupts after a flush.
    HalfPass,
    NextEpoch,
    Compact,
    /// Killed, and resumed so many epochs before the current one.
    Resume(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Scalar),
        2 => Just(Step::Flush),
        3 => Just(Step::Pass),
        1 => Just(Step::HalfPass),
        3 => Just(Step::NextEpoch),
        1 => Just(Step::Compact),
        2 => (0..3_i64).prop_map(Step::Resume),
    ];
    prop::collection::vec(step, 1..25)
}

/// What the run must hold.
#[derive(Default)]
struct Model {
    /// Flushed values in order, with their epochs.
    scalars: Vec<(i64, f64)>,
    waiting: Vec<(i64, f64)>,
    /// First example of the last complete pass of every epoch.
    passes: BTreeMap<i64, i64>,
    /// Epochs and ids of all complete passes, and the ids of those that were discarded.
    complete: Vec<(i64, String)>,
    discarded: HashSet<String>,
}

impl Model {
    fn resume(&mut self, epoch: i64) {
        self.waiting.clear();
        self.scalars.retain(|(own, _)| *own < epoch);
        self.passes.retain(|own, _| *own < epoch);
        let (gone, kept) = std::mem::take(&mut self.complete)
            .into_iter()
            .partition(|(own, _)| *own >= epoch);
        self.complete = kept;
        self.discarded
            .extend(Vec::into_iter(gone).map(|(_, id)| id));
    }
}

fn rows(first: i64) -> Columns {
    Columns::new().with("example_id", (first..first + 3).collect::<Vec<i64>>())
}

fn run_all(steps: &[Step]) {
    let project = Project::open("memory://", "p").unwrap();
    let mut run = project.run("r").start().unwrap();
    let mut model = Model::default();
    let (mut epoch, mut count) = (0, 0);
    let mut zombies = Vec::new();
    for step in steps {
        count += 1;
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        match step {
            Step::Scalar => {
                run.log(&[("loss", f64::from(count))], At::epoch(epoch))
                    .unwrap();
                model.waiting.push((epoch, f64::from(count)));
            }
            Step::Flush => {
                run.flush().unwrap();
                model.scalars.append(&mut model.waiting);
            }
            Step::Pass => {
                writer.add_batch(rows(i64::from(count))).unwrap();
                writer.finalize().unwrap();
                model.passes.insert(epoch, i64::from(count));
                model.complete.push((epoch, writer.pass_id().to_owned()));
            }
            Step::HalfPass => {
                writer.add_batch(rows(i64::from(count))).unwrap();
                writer.flush().unwrap();
                zombies.push(writer);
            }
            Step::NextEpoch => epoch += 1,
            Step::Compact => {
                let reader = project.open_run(run.id()).unwrap();
                reader.compact(&Silent).unwrap();
            }
            Step::Resume(back) => {
                epoch = (epoch - back).max(0);
                let again = project
                    .run("r")
                    .if_exists(IfExists::Resume)
                    .from_epoch(epoch);
                let old = std::mem::replace(&mut run, again.start().unwrap());
                model.resume(epoch);
                // What the old process still does is in vain.
                zombies.clear();
                drop(old);
            }
        }
    }
    check(&run, &model);
    drop(zombies);
}

fn check(run: &Run, model: &Model) {
    let state = run.project().open_run(run.id()).unwrap();
    let scalars: Vec<(i64, f64)> = state
        .scalars()
        .unwrap()
        .iter()
        .map(|scalar| (scalar.epoch.unwrap(), scalar.value))
        .collect();
    assert_eq!(scalars, model.scalars);
    let seen: BTreeMap<i64, i64> = state
        .passes("default")
        .iter()
        .map(|pass| {
            let epoch = pass.epoch.unwrap();
            let ids: Vec<i64> = state
                .metrics("default")
                .epoch(epoch)
                .values("example_id")
                .unwrap();
            assert_eq!(ids, (ids[0]..ids[0] + 3).collect::<Vec<_>>());
            (epoch, ids[0])
        })
        .collect();
    assert_eq!(seen, model.passes);
    // Rows of passes that do not count any more have left the table, for readers of other kinds.
    let place = state.location().join("metrics/default");
    if DeltaTable::exists(&place).unwrap() {
        let stored = DeltaTable::open(place)
            .unwrap()
            .snapshot()
            .unwrap()
            .read(None)
            .unwrap();
        let complete: Vec<_> = state
            .passes("default")
            .into_iter()
            .map(|pass| pass.pass_id)
            .collect();
        let ids = values::<String>(&stored, "pass_id").unwrap();
        let counted = ids.iter().filter(|&id| complete.contains(id)).count();
        assert_eq!(counted, 3 * model.passes.len());
        assert!(ids.iter().all(|id| !model.discarded.contains(id)));
    }
}

#[test]
fn a_resumed_run_goes_on_from_its_checkpoint() {
    let asked = std::env::var("EMBERLENS_PROOF_SEQUENCES").ok();
    let cases = asked.map_or(50, |text| text.parse().unwrap());
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&steps(), |steps| {
            run_all(&steps);
            Ok(())
        })
        .unwrap();
}

fn in_store(store: Arc<dyn ObjectStore>) -> Location {
    Location::in_store(store, "")
        .unwrap()
        .assume_atomic_creates()
}

/// Trains until the store is gone: every call from that number on fails, the first one with this fault. How
/// many calls there were, if it was not.
fn train(
    inner: &Arc<InMemory>,
    training: Training,
    end: Option<(usize, Fault)>,
    promises: &mut Promises,
) -> usize {
    let store = Arc::new(FaultStore::new(inner.clone(), move |call| {
        let (number, fault) = end?;
        match call.number.cmp(&number) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(fault),
            std::cmp::Ordering::Greater => Some(Fault::Before),
        }
    }));
    let trained = training.train(&in_store(store.clone()), &mut |said| promises.hear(&said));
    assert_eq!(trained.is_ok(), end.is_none(), "{end:?}: {trained:?}");
    store.calls().len()
}

#[test]
fn a_run_that_ended_within_any_call_goes_on_from_its_checkpoint() {
    let asked = std::env::var("EMBERLENS_PROOF_CALLS").ok();
    let every: usize = asked.map_or(5, |text| text.parse().unwrap());
    let training = |number, first_epoch| Training {
        number,
        first_epoch,
        epochs: 2,
        flushes: 2,
    };
    let calls = train(
        &Arc::default(),
        training(0, 0),
        None,
        &mut Promises::default(),
    );
    assert!(calls > 50, "{calls} calls are too few to prove anything");
    for number in (0..calls).step_by(every) {
        for fault in [Fault::Before, Fault::After] {
            let what = format!("ended at call {number}, {fault:?}");
            let inner = Arc::new(InMemory::new());
            let mut promises = Promises::default();
            train(&inner, training(0, 0), Some((number, fault)), &mut promises);
            let check = |promises: &Promises| {
                let kept = promises.check(&in_store(inner.clone()));
                kept.unwrap_or_else(|error| panic!("{what}: {error}"))
            };
            check(&promises);
            // From the epoch that it was in, or had just ended, or from the one before.
            let back = (number / every % 2) as i64;
            let first = (promises.next_epoch() - 1 - back).max(0);
            train(&inner, training(1, first), None, &mut promises);
            let kept = check(&promises);
            assert_eq!(kept.passes as i64, first + 2, "{what}");
            assert_eq!(kept.scalars as i64, first + 2, "{what}");
        }
    }
}

/// A commit that took scalars back, of which nobody heard, and that came to be done later.
#[test]
fn documents_after_a_discard_that_failed_count_nothing_that_it_takes_back() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = is_down.clone();
    let store = FaultStore::new(Arc::new(InMemory::new()), move |call| {
        let is_commit = call.operation == Operation::Create && call.path.contains("_delta_log");
        (down.load(Ordering::SeqCst) && is_commit).then_some(Fault::Later)
    });
    let store = Arc::new(store);
    let root = Location::in_store(store.clone(), "").unwrap();
    let project = Project::at(root.assume_atomic_creates(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    for epoch in 0..5 {
        run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
        run.flush().unwrap();
    }
    is_down.store(true, Ordering::SeqCst);
    let error = run.discard_from(2).unwrap_err();
    assert!(matches!(error, Error::UnknownOutcome { .. }), "{error}");
    run.add_tag("in between").unwrap();
    is_down.store(false, Ordering::SeqCst);
    assert!(futures::executor::block_on(store.deliver()) > 0);
    let count = || run.reader().unwrap().scalars().unwrap().len();
    assert_eq!(count(), 2);
    // Once it is done, they are counted again.
    run.discard_from(2).unwrap();
    run.log(&[("loss", 0.25)], At::epoch(2)).unwrap();
    run.complete().unwrap();
    assert_eq!(count(), 3);
    run.location().join("scalars").delete_all().unwrap();
    let error = run.reader().unwrap().scalars().unwrap_err();
    assert!(error.to_string().contains("3 of them are lost"), "{error}");
}
