//! Whatever was acknowledged is there, once, whenever the power goes and whatever the disk makes of
//! what was not synced; the rest is there whole or not at all, everything reads, and the run can be
//! gone on with.
//!
//! The changes of the disk are recorded while a run is written, and disks as a cut may leave them are
//! built from the record. `EMBERLENS_PROOF_CUTS` sets how many (200).

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use emberlens::storage::{DiskStep, DiskWatch, Location};
use emberlens_testkit::{Cut, Entry, Fate, Recorder, Training, quick_folder};

/// A training, and one that takes its run up from an earlier epoch.
const TRAININGS: [Training; 2] = [
    Training {
        number: 0,
        first_epoch: 0,
        epochs: 2,
        flushes: 4,
    },
    Training {
        number: 1,
        first_epoch: 1,
        epochs: 2,
        flushes: 2,
    },
];

/// Writes a run into a folder that the record shows being made.
fn record(folder: &Path, trainings: &[Training]) -> Vec<Entry> {
    let recorder = Arc::new(Recorder::default());
    let root = Location::watched(&folder.join("root"), recorder.clone()).unwrap();
    for training in trainings {
        training
            .train(&root, &mut |said| recorder.say(said))
            .unwrap();
    }
    recorder.entries_so_far()
}

fn check(entries: &[Entry], recorded: &Path, cut: Cut, goes_on: bool) {
    let folder = quick_folder().unwrap();
    cut.write(entries, recorded, folder.path()).unwrap();
    let root = Location::open(&folder.path().join("root").display().to_string()).unwrap();
    let mut promises = cut.promises(entries);
    promises
        .check(&root)
        .unwrap_or_else(|error| panic!("{cut:?}: {error}"));
    if goes_on {
        let again = Training {
            number: 2,
            first_epoch: 1,
            epochs: 1,
            flushes: 1,
        };
        again
            .train(&root, &mut |said| promises.hear(&said))
            .unwrap_or_else(|error| panic!("{cut:?}, going on: {}", error.chain()));
        promises
            .check(&root)
            .unwrap_or_else(|error| panic!("{cut:?}, gone on: {error}"));
    }
}

/// So many of the cuts, spread evenly.
fn spread(cuts: Vec<Cut>, count: usize) -> Vec<Cut> {
    let every = cuts.len().div_ceil(count.max(1)).max(1);
    cuts.into_iter().step_by(every).collect()
}

#[test]
fn acknowledged_rows_survive_a_power_cut() {
    let asked = std::env::var("EMBERLENS_PROOF_CUTS").ok();
    let count: usize = asked.map_or(200, |text| text.parse().unwrap());
    let folder = quick_folder().unwrap();
    let entries = record(folder.path(), &TRAININGS);
    let syncs = entries
        .iter()
        .filter(|entry| matches!(entry, Entry::SyncFile(_) | Entry::SyncFolder(_)))
        .count();
    assert!(syncs > 50, "{syncs} syncs are too few to prove anything");

    let all = Cut::suffixes(&entries);
    let possible = all.len();
    let mut cuts = spread(all, count / 2);
    let suffixes = cuts.len();
    cuts.extend(Cut::sampled(&entries, 1, count - suffixes.min(count)));
    println!(
        "{} entries, {possible} suffixes, of them {suffixes}, and {} cuts at random",
        entries.len(),
        cuts.len() - suffixes
    );
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(cut) = cuts.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let goes_on = cut.at.is_multiple_of(10);
                    check(&entries, folder.path(), *cut, goes_on);
                }
            });
        }
    });
}

/// A checkpoint of a log comes with two more files, which may be torn, or there without each other.
#[test]
fn a_power_cut_around_a_checkpoint_of_a_log_loses_nothing() {
    let folder = quick_folder().unwrap();
    let long = Training {
        number: 0,
        first_epoch: 0,
        epochs: 2,
        flushes: 27,
    };
    let entries = record(folder.path(), &[long]);
    let is_of_checkpoint = |entry: &Entry| format!("{entry:?}").contains("checkpoint");
    let first = entries.iter().position(is_of_checkpoint);
    let last = entries.iter().rposition(is_of_checkpoint);
    let (first, last) = (first.unwrap(), last.unwrap());
    let mut torn = 0;
    for at in first..=last + 2 {
        for fate in [
            Fate::Suffix(0),
            Fate::Suffix(1),
            Fate::Sampled(at as u64),
            Fate::Sampled(!(at as u64)),
        ] {
            check(&entries, folder.path(), Cut { at, fate }, at % 3 == 0);
            torn += 1;
        }
    }
    assert!(torn > 30, "{torn} cuts");
}

/// The proof above finds what it looks for: of a disk that never syncs nothing is safe.
#[test]
fn a_disk_that_does_not_sync_loses_acknowledged_rows() {
    let folder = quick_folder().unwrap();
    let entries = record(folder.path(), &TRAININGS[..1]);
    for leave_out in ["files", "folders"] {
        let mut unsafe_entries = entries.clone();
        unsafe_entries.retain(|entry| match entry {
            Entry::SyncFile(_) => leave_out != "files",
            Entry::SyncFolder(_) => leave_out != "folders",
            _ => true,
        });
        let lost = (0..20).any(|seed| {
            let cut = Cut {
                at: unsafe_entries.len(),
                fate: Fate::Sampled(seed),
            };
            let disk = quick_folder().unwrap();
            cut.write(&unsafe_entries, folder.path(), disk.path())
                .unwrap();
            let root = disk.path().join("root").display().to_string();
            let root = Location::open(&root).unwrap();
            cut.promises(&unsafe_entries).check(&root).is_err()
        });
        assert!(lost, "without syncs of {leave_out}");
    }
}

/// Stops at the first sync of a folder, until somebody says to go on.
#[derive(Debug)]
struct Slow {
    recorder: Arc<Recorder>,
    stopped: Barrier,
    goes_on: Barrier,
    syncs: AtomicUsize,
}

impl DiskWatch for Slow {
    fn step(
        &self,
        step: DiskStep<'_>,
        perform: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<()> {
        let is_sync = matches!(step, DiskStep::SyncFolder(_));
        if is_sync && self.syncs.fetch_add(1, Ordering::SeqCst) == 0 {
            self.stopped.wait();
            self.goes_on.wait();
        }
        self.recorder.step(step, perform)
    }
}

/// One writer makes a folder; another finds it and writes into it before the first one has synced it.
#[test]
fn a_folder_that_another_writer_made_lasts_with_what_is_in_it() {
    let folder = quick_folder().unwrap();
    let recorder = Arc::new(Recorder::default());
    let slow = Arc::new(Slow {
        recorder: recorder.clone(),
        stopped: Barrier::new(2),
        goes_on: Barrier::new(2),
        syncs: AtomicUsize::new(0),
    });
    let one = Location::watched(folder.path(), slow.clone()).unwrap();
    let other = Location::watched(folder.path(), recorder.clone()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| one.join("a/b/one.json").create("1").unwrap());
        slow.stopped.wait();
        assert!(folder.path().join("a/b").is_dir());
        other.join("a/b/two.json").create("2").unwrap();
        let entries = recorder.entries_so_far();
        slow.goes_on.wait();
        let cut = Cut {
            at: entries.len(),
            fate: Fate::Suffix(0),
        };
        let disk = quick_folder().unwrap();
        cut.write(&entries, folder.path(), disk.path()).unwrap();
        let kept = std::fs::read(disk.path().join("a/b/two.json"));
        assert_eq!(kept.ok().as_deref(), Some(&b"2"[..]));
    });
}
