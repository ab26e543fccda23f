//! While a run is written, committed and checkpointed, every reader, in threads and in another process,
//! sees whole passes only, and what it saw once it sees ever after.
//!
//! `EMBERLENS_PROOF_READERS` (3) sets how many threads read, `EMBERLENS_PROOF_SECONDS` for how long;
//! without it each of them takes at least 40 snapshots, until it saw 60 versions.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use emberlens::run::{At, MetricsTableWriter, Project, Run};
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable, values};
use emberlens_testkit::{Child, test_name};

const ROOT: &str = "EMBERLENS_TEST_CHILD_ROOT";
const PART: i64 = 20;
const PARTS: i64 = 4;
const SNAPSHOTS: u64 = 40;
/// Enough for a checkpoint.
const VERSIONS: u64 = 60;
/// Epochs that are written again and again: the latest pass of each counts.
const EPOCHS: i64 = 12;

fn setting(name: &str) -> Option<u64> {
    let asked = std::env::var(format!("EMBERLENS_PROOF_{name}")).ok();
    asked.map(|text| text.parse().unwrap())
}

/// Writes passes until told to stop; how many.
fn write(run: &Run, is_over: &AtomicBool) -> i64 {
    let mut pass = 0;
    while !is_over.load(Ordering::SeqCst) {
        let mut writer = MetricsTableWriter::new(run)
            .split("train")
            .epoch(pass % EPOCHS);
        for part in 0..PARTS {
            let ids: Vec<i64> = (part * PART..(part + 1) * PART).collect();
            let batch = Columns::new()
                .with("number", vec![pass; ids.len()])
                .with("example_id", ids);
            writer.add_batch(batch).unwrap();
            writer.flush().unwrap();
        }
        writer.finalize().unwrap();
        run.log(&[("pass", pass as f64)], At::epoch(pass % EPOCHS))
            .unwrap();
        run.flush().unwrap();
        pass += 1;
    }
    pass
}

/// What a reader saw last; nothing of it may go back.
#[derive(Default)]
struct Seen {
    /// The number of the pass that counts, by epoch.
    passes: BTreeMap<i64, i64>,
    scalars: usize,
    version: u64,
    rows: usize,
}

impl Seen {
    fn look(&mut self, root: &Location) {
        let project = Project::at(root.clone(), "p").unwrap();
        let reader = project.open_run("r").unwrap();
        let mut shown: BTreeMap<i64, Vec<(i64, i64)>> = BTreeMap::new();
        if !reader.streams().is_empty() && !reader.passes("default").is_empty() {
            let columns = ["epoch", "number", "example_id"];
            let rows = reader.metrics("default").columns(&columns).read().unwrap();
            let [epochs, numbers, ids] = columns.map(|name| values::<i64>(&rows, name).unwrap());
            for ((epoch, number), id) in epochs.into_iter().zip(numbers).zip(ids) {
                shown.entry(epoch).or_default().push((number, id));
            }
        }
        for (epoch, rows) in shown {
            let number = rows[0].0;
            let whole: Vec<_> = (0..PART * PARTS).map(|id| (number, id)).collect();
            assert_eq!(rows, whole, "epoch {epoch} is not one whole pass");
            let before = self.passes.insert(epoch, number);
            assert!(before <= Some(number), "epoch {epoch} went back");
        }
        let epochs = reader.passes("default").len();
        assert_eq!(epochs, self.passes.len(), "a pass that was seen is gone");

        let scalars = reader.scalars().unwrap();
        let numbers: Vec<f64> = scalars.iter().map(|scalar| scalar.value).collect();
        assert_eq!(
            numbers,
            (0..numbers.len()).map(|n| n as f64).collect::<Vec<_>>()
        );
        assert!(numbers.len() >= self.scalars, "scalars went back");
        self.scalars = numbers.len();
        self.look_at_table(reader.location().join("metrics/default"));
    }

    /// The table as other tools see it.
    fn look_at_table(&mut self, place: Location) {
        if !DeltaTable::exists(&place).unwrap() {
            return;
        }
        let snapshot = DeltaTable::open(place).unwrap().snapshot().unwrap();
        let rows = snapshot.read(Some(&["number"])).unwrap().num_rows();
        assert_eq!(rows as u64, snapshot.row_count().unwrap());
        assert_eq!(rows % PART as usize, 0, "half a commit shows");
        assert!(snapshot.version() >= self.version && rows >= self.rows);
        (self.version, self.rows) = (snapshot.version(), rows);
    }
}

/// Looks as often, or as long, as is asked for; how often, and the last version.
fn read(root: &Location) -> (u64, u64) {
    let time = setting("SECONDS").map(Duration::from_secs);
    let (start, mut seen, mut looks) = (Instant::now(), Seen::default(), 0_u64);
    let is_enough = |looks: u64, seen: &Seen| match time {
        Some(time) => start.elapsed() >= time,
        None => looks >= SNAPSHOTS && seen.version >= VERSIONS,
    };
    while !is_enough(looks, &seen) {
        seen.look(root);
        looks += 1;
    }
    (looks, seen.version)
}

#[test]
fn readers_see_whole_passes_while_a_run_is_written() {
    if let Ok(root) = std::env::var(ROOT) {
        let (looks, version) = read(&Location::open(&root).unwrap());
        println!("\nlooked {looks} {version}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().display().to_string();
    let root = Location::open(&address).unwrap();
    let run = Project::at(root.clone(), "p")
        .unwrap()
        .run("r")
        .start()
        .unwrap();
    let readers = setting("READERS").unwrap_or(3);
    let (is_over, looks, version) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let passes = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(&run, &is_over));
        let child = Child::start(
            &test_name(
                module_path!(),
                "readers_see_whole_passes_while_a_run_is_written",
            ),
            &[(ROOT, address.clone())],
        );
        let reading: Vec<_> = (0..readers)
            .map(|_| {
                scope.spawn(|| {
                    let (looked, last) = read(&root);
                    looks.fetch_add(looked, Ordering::SeqCst);
                    version.fetch_max(last, Ordering::SeqCst);
                })
            })
            .collect();
        let outcomes: Vec<_> = reading.into_iter().map(|reader| reader.join()).collect();
        let (lines, status) = child.unwrap().finish().unwrap();
        is_over.store(true, Ordering::SeqCst);
        let passes = writing.join().unwrap();
        assert!(outcomes.iter().all(Result::is_ok));
        assert!(status.success(), "the reading process: {lines:?}");
        let said = lines.iter().find_map(|line| line.strip_prefix("looked "));
        let (looked, _) = said.unwrap().split_once(' ').unwrap();
        looks.fetch_add(looked.parse().unwrap(), Ordering::SeqCst);
        passes
    });
    let (looks, version) = (looks.into_inner(), version.into_inner());
    println!("{looks} snapshots of {passes} passes; the table was at version {version}");
    let log = run.stream_location("default").unwrap().join("_delta_log");
    let names = log.list_files().unwrap();
    assert!(
        names.iter().any(|name| name.contains("checkpoint")),
        "no checkpoint was written meanwhile: {passes} passes"
    );
}
