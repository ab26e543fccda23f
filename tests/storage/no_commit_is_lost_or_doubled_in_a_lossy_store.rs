//! A store in which every fifth write fails before it does anything, every fifth after it, and every
//! fifth in a time-out; every fifth read fails or gives fewer bytes than it should, and every fifth
//! listing fails, does not show the newest objects or leaves one out: each commit that its writer repeats
//! until it works is there exactly once.
//!
//! `EMBERLENS_PROOF_COMMITS` sets how many commits (500).

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use emberlens::ErrorKind;
use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::{Columns, DeltaTable, values};
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
                let kind = error.kind();
                let may_be = [ErrorKind::Storage, ErrorKind::Corrupt, ErrorKind::NotFound];
                assert!(may_be.contains(&kind), "{error}");
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
