//! Whatever step to the local disk fails (making, writing, syncing, linking or removing a file or a
//! folder), before or after it was done: what was acknowledged is there, once; the rest is there whole
//! or not at all; and the run is gone on with when the disk is sound again.
//!
//! `EMBERLENS_PROOF_STEPS=1` fails every step; without it every fourth one fails.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::ErrorKind;
use emberlens::storage::Location;
use emberlens_testkit::{FailingDisk, Promises, Training, quick_folder};

const FIRST: Training = Training {
    number: 0,
    first_epoch: 0,
    epochs: 1,
    flushes: 2,
};

const AGAIN: Training = Training {
    number: 1,
    first_epoch: 0,
    epochs: 1,
    flushes: 1,
};

/// Trains on that disk, up to its first error; what was acknowledged.
fn train(folder: &Path, disk: Arc<FailingDisk>) -> (Promises, emberlens::Result<()>) {
    let root = Location::watched(&folder.join("root"), disk).unwrap();
    let mut promises = Promises::default();
    let outcome = FIRST.train(&root, &mut |said| promises.hear(&said));
    (promises, outcome)
}

fn fail_at(number: usize, is_done: bool) {
    let folder = quick_folder().unwrap();
    let what = format!("step {number}, done: {is_done}");
    let (mut promises, outcome) = train(folder.path(), Arc::new(FailingDisk::at(number, is_done)));
    if let Err(error) = outcome {
        assert_eq!(
            error.kind(),
            ErrorKind::Storage,
            "{what}: {}",
            error.chain()
        );
    }
    let root = folder.path().join("root").display().to_string();
    let root = Location::open(&root).unwrap();
    let check = |promises: &Promises| {
        promises
            .check(&root)
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    };
    check(&promises);
    AGAIN
        .train(&root, &mut |said| promises.hear(&said))
        .unwrap_or_else(|error| panic!("{what}, again: {}", error.chain()));
    check(&promises);
}

#[test]
fn every_failed_step_to_the_disk_leaves_a_whole_run() {
    let folder = quick_folder().unwrap();
    let disk = Arc::new(FailingDisk::sound());
    let (promises, outcome) = train(folder.path(), disk.clone());
    outcome.unwrap();
    assert!(promises.is_started());
    let asked = std::env::var("EMBERLENS_PROOF_STEPS").ok();
    let every: usize = asked.map_or(4, |text| text.parse().unwrap());
    let steps = disk.steps();
    assert!(steps > 60, "{steps} steps are too few to prove anything");
    println!("{steps} steps, every {every} of them fails before and after it was done");
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(every, Ordering::SeqCst);
                    if number >= steps {
                        break;
                    }
                    fail_at(number, false);
                    fail_at(number, true);
                }
            });
        }
    });
}
