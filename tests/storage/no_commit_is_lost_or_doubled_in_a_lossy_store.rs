//! A store in which every fifth write fails before it does anything, every fifth after it or is sent twice,
//! and every fifth in a time-out, half of them arriving late; every fifth read fails or gives fewer bytes
//! than it should, and every fifth listing fails, does not show the newest objects or leaves one out: each
//! commit that its writer repeats until it works is there exactly once, and so is everything of a run that
//! is written in it: documents, scalars, passes.
//!
//! `EMBERLENS_PROOF_COMMITS` sets how many commits (500), and a fiftieth of it how many runs.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use emberlens::collect::Silent;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run};
use emberlens::storage::object_store::memory::InMemory;
use emberlens::storage::{Documents, Location};
use emberlens::table::{Columns, DeltaTable, values};
use emberlens::{Error, ErrorKind, Result};
use emberlens_testkit::{Fault, FaultStore};

const ROWS: i64 = 3;
/// How often one commit is tried before the test gives it up.
const PATIENCE: usize = 200;

fn commits() -> i64 {
    let asked = std::env::var("EMBERLENS_PROOF_COMMITS").ok();
    asked.map_or(500, |text| text.parse().unwrap())
}

/// How many stores at once are written to at 20 %: most of the time goes by waiting between tries.
const STORES: i64 = 4;

#[test]
fn no_commit_is_lost_or_doubled_in_a_lossy_store() {
    let all = commits();
    std::thread::scope(|scope| {
        scope.spawn(|| assert_lossless(1, 1, all / 10));
        scope.spawn(|| assert_lossless(2, 5, all / 10));
        for store in 0..STORES {
            let commits = all / STORES + i64::from(store < all % STORES);
            scope.spawn(move || assert_lossless(3 + store.unsigned_abs(), 20, commits));
        }
    });
}

/// What a store that loses things may be the cause of.
fn assert_is_of_the_store(error: &Error) {
    let may_be = [ErrorKind::Storage, ErrorKind::Corrupt, ErrorKind::NotFound];
    assert!(may_be.contains(&error.kind()), "{}", error.chain());
}

fn assert_lossless(seed: u64, percent: u64, commits: i64) {
    let inner = Arc::new(InMemory::new());
    let open = |store| {
        let place = Location::in_store(store, "t").unwrap();
        place.assume_atomic_creates()
    };
    let clean = open(inner.clone());
    let batch = |number: i64| {
        let rows = (0..ROWS).map(|row| number * ROWS + row);
        Columns::new()
            .with("x", rows.collect::<Vec<i64>>())
            .into_batch("test")
            .unwrap()
    };
    DeltaTable::create(clean.clone(), &batch(0).schema()).unwrap();
    let lossy = FaultStore::new(inner, Fault::at_random(seed, percent));
    let lossy = open(Arc::new(lossy));
    let table = (0..PATIENCE)
        .find_map(|_| DeltaTable::open(lossy.clone()).ok())
        .unwrap();
    let mut errors = 0;
    for number in 0..commits {
        let mut lands = || match table.append("writer", number, &[batch(number)]) {
            Ok(_) => true,
            Err(error) => {
                assert_is_of_the_store(&error);
                errors += 1;
                false
            }
        };
        let landed = (0..PATIENCE).any(|_| lands());
        assert!(landed, "commit {number} never worked");
    }
    assert!(percent < 20 || errors > 0, "the store lost nothing");
    let table = DeltaTable::open(clean).unwrap().snapshot().unwrap();
    let stored = values::<i64>(&table.read(None).unwrap(), "x").unwrap();
    let expected: Vec<i64> = (0..commits * ROWS).collect();
    assert_eq!(stored, expected, "{percent} %");
}

/// The same call until it works; counts those that did not.
fn until_it_works<T>(failed: &mut usize, mut call: impl FnMut() -> Result<T>) -> T {
    let mut tries = (0..PATIENCE).filter_map(|_| {
        let done = call();
        if let Err(error) = &done {
            assert_is_of_the_store(error);
            *failed += 1;
        }
        done.ok()
    });
    tries.next().unwrap()
}

const SPLITS: [&str; 2] = ["train", "valid"];

/// Writes the passes of an epoch; the ids of those that were finalized, and how many failed as a whole.
fn write_epoch(run: &Run, epoch: i64, failed: &mut usize) -> (Vec<String>, usize) {
    let (mut finalized, mut given_up) = (Vec::new(), 0);
    for split in SPLITS {
        let ids = |first: i64| {
            Columns::new().with("example_id", (first..first + ROWS).collect::<Vec<i64>>())
        };
        loop {
            let mut writer = MetricsTableWriter::new(run).split(split).epoch(epoch);
            let rows = writer.add_batch(ids(0)).and_then(|()| writer.flush());
            let rows = rows.and_then(|()| writer.add_batch(ids(ROWS)));
            // A writer that failed stays so: its pass is incomplete, and another one takes its place.
            if let Err(error) = rows.and_then(|()| writer.flush()) {
                assert_is_of_the_store(&error);
                given_up += 1;
                continue;
            }
            until_it_works(failed, || writer.finalize());
            finalized.push(writer.pass_id().to_owned());
            break;
        }
    }
    (finalized, given_up)
}

#[test]
fn a_run_is_written_whole_in_a_lossy_store() {
    let runs = commits() / 50;
    let failed: usize = std::thread::scope(|scope| {
        let write = |first: i64| {
            let mine = (first..runs).step_by(STORES as usize);
            mine.map(|run| assert_a_whole_run(run.unsigned_abs())).sum()
        };
        let threads: Vec<_> = (0..STORES)
            .map(|first| scope.spawn(move || -> usize { write(first) }))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert!(failed > 0, "the stores lost nothing");
}

/// Epochs of a run. A log of many entries is hardly ever read whole where every tenth read fails, and a
/// writer does not try for ever.
const EPOCHS: i64 = 3;

/// Writes a run in a store that loses 1, 5 or 10 %; how many calls and writers failed.
fn assert_a_whole_run(seed: u64) -> usize {
    let (percent, epochs) = ([1, 5, 10][seed as usize % 3], EPOCHS);
    let what = format!("{percent} %, seed {seed}");
    let inner = Arc::new(InMemory::new());
    let open = |store| {
        let root = Location::in_store(store, "").unwrap();
        Project::at(root.assume_atomic_creates(), "p")
    };
    let lossy = Arc::new(FaultStore::new(
        inner.clone(),
        Fault::at_random(seed, percent),
    ));
    let (mut failed, mut given_up, mut finalized) = (0, 0, Vec::new());
    let project = until_it_works(&mut failed, || open(lossy.clone()));
    let run = until_it_works(&mut failed, || {
        project.run("r").if_exists(IfExists::Reuse).start()
    });
    for epoch in 0..epochs {
        let tag = format!("epoch {epoch}");
        until_it_works(&mut failed, || run.add_tag(&tag));
        let parameters = serde_json::json!({ &tag: epoch });
        until_it_works(&mut failed, || run.log_parameters(&parameters));
        until_it_works(&mut failed, || {
            run.log(&[("loss", epoch as f64)], At::epoch(epoch))
        });
        until_it_works(&mut failed, || run.flush());
        let (ids, lost) = write_epoch(&run, epoch, &mut failed);
        finalized.extend(ids);
        given_up += lost;
    }
    until_it_works(&mut failed, || run.complete());
    drop(run);
    let reader = open(inner).unwrap().open_run("r").unwrap();
    assert_eq!(reader.status().name(), "completed", "{what}");
    let tags: Vec<String> = (0..epochs).map(|epoch| format!("epoch {epoch}")).collect();
    assert_eq!(reader.tags(), tags, "{what}");
    assert_eq!(reader.parameters().len() as i64, epochs, "{what}");
    let scalars = reader.scalars().unwrap();
    let logged: Vec<f64> = scalars.iter().map(|scalar| scalar.value).collect();
    assert_eq!(
        logged,
        (0..epochs).map(|epoch| epoch as f64).collect::<Vec<_>>(),
        "{what}"
    );
    let passes = reader.passes("default");
    let ids: Vec<_> = passes.iter().map(|pass| pass.pass_id.clone()).collect();
    assert_eq!(ids, finalized, "{what}");
    for pass in &passes {
        let rows = reader.metrics("default").split(&pass.split);
        let rows = rows.epoch(pass.epoch.unwrap()).values::<i64>("example_id");
        assert_eq!(rows.unwrap(), (0..2 * ROWS).collect::<Vec<_>>(), "{what}");
    }
    assert!(reader.incomplete_passes().is_empty(), "{what}");
    let problems = reader.verify(&Silent).unwrap().problems;
    assert!(problems.is_empty(), "{what}: {problems:?}");
    // Nothing that was repeated is there twice.
    let documents = Documents::at(reader.location().join("run"));
    let documents: Vec<(u64, serde_json::Value)> = documents.read_all().unwrap();
    for kind in ["pass_started", "pass_completed"] {
        let of_kind = documents
            .iter()
            .filter(|(_, document)| document["kind"] == kind);
        let mut ids: Vec<_> = of_kind
            .map(|(_, document)| document["pass_id"].as_str().unwrap())
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{what}: {kind}");
    }
    failed + given_up
}
