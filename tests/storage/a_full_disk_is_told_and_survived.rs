//! A disk that is full is told by the next call; the run reads meanwhile; when there is room again, a
//! new pass is written, and the scalars that waited are there, once.

#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

use std::sync::Arc;

use emberlens::ErrorKind;
use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project, Run};
use emberlens::storage::Location;
use emberlens::storage::object_store::memory::InMemory;
use emberlens::table::Columns;
use emberlens_testkit::{QuotaStore, split_mix};

/// More rows than a disk with a little room takes.
const ROWS: i64 = 20_000;

#[derive(Clone, Copy, Debug)]
enum Room {
    None,
    /// Enough for a document, not for rows.
    Little,
    Plenty,
}

fn rows(seed: u64) -> Columns {
    let mut state = seed;
    let losses: Vec<f32> = (0..ROWS)
        .map(|_| (split_mix(&mut state) >> 40) as f32)
        .collect();
    Columns::new()
        .with("example_id", (0..ROWS).collect::<Vec<i64>>())
        .with("loss", losses)
}

fn writer(run: &Run, epoch: i64) -> MetricsTableWriter {
    MetricsTableWriter::new(run).split("train").epoch(epoch)
}

/// What readers see while the disk is full, and later.
fn assert_reads(root: &Location, passes: &[i64], scalars: &[f64]) {
    let project = Project::at(root.clone(), "p").unwrap();
    let reader = project.open_run("r").unwrap();
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    let seen = reader.passes("default");
    let epochs: Vec<_> = seen.iter().map(|pass| pass.epoch.unwrap()).collect();
    assert_eq!(epochs, passes);
    for &epoch in passes {
        let metrics = reader.metrics("default").epoch(epoch);
        let ids: Vec<i64> = metrics.values("example_id").unwrap();
        assert_eq!(ids, (0..ROWS).collect::<Vec<_>>());
    }
    let values: Vec<_> = reader.scalars().unwrap();
    let values: Vec<f64> = values.iter().map(|scalar| scalar.value).collect();
    assert_eq!(values, scalars);
}

fn assert_storage_error<T: std::fmt::Debug>(outcome: emberlens::Result<T>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{}", error.chain());
    let text = error.chain().to_lowercase();
    assert!(text.contains("space"), "{text}");
}

/// `set_room` says how much the disk takes from now on.
fn fill_and_free(root: &Location, set_room: &dyn Fn(Room)) {
    let project = Project::at(root.clone(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    let mut first = writer(&run, 0);
    first.add_batch(rows(0)).unwrap();
    first.finalize().unwrap();
    run.log(&[("loss", 0.5)], At::epoch(0)).unwrap();
    run.flush().unwrap();

    set_room(Room::None);
    run.log(&[("loss", 0.25)], At::epoch(1)).unwrap();
    assert_storage_error(run.flush());
    assert_storage_error(run.flush());
    assert_storage_error(writer(&run, 1).add_batch(rows(1)));
    assert_storage_error(run.log_parameters(&serde_json::json!({"lr": 0.1})));
    assert_reads(root, &[0], &[0.5]);

    set_room(Room::Little);
    let mut second = writer(&run, 1);
    second.add_batch(rows(1)).unwrap();
    assert_storage_error(second.flush());
    assert_storage_error(second.add_batch(rows(1)));
    assert_storage_error(second.finalize());
    set_room(Room::None);
    drop(second);
    assert_reads(root, &[0], &[0.5]);

    set_room(Room::Plenty);
    run.log(&[("loss", 0.125)], At::epoch(2)).unwrap();
    run.flush().unwrap();
    let mut third = writer(&run, 1);
    third.add_batch(rows(1)).unwrap();
    third.finalize().unwrap();
    run.complete().unwrap();
    assert_reads(root, &[0, 1], &[0.5, 0.25, 0.125]);
    let reader = project.open_run("r").unwrap();
    assert_eq!(reader.status().name(), "completed");
    assert!(
        reader.incomplete_passes().is_empty(),
        "it was written again"
    );
}

#[test]
fn a_store_with_a_quota() {
    let store = Arc::new(QuotaStore::new(Arc::new(InMemory::new()), u64::MAX));
    let root = Location::in_store(store.clone(), "").unwrap();
    fill_and_free(&root, &|room| {
        store.set_room(match room {
            Room::None => 0,
            Room::Little => 4 << 10,
            Room::Plenty => u64::MAX,
        });
    });
}

/// Scalars that nobody could write are an error of the calls that would drop them.
#[test]
fn scalars_that_cannot_be_written_are_not_lost_in_silence() {
    let store = Arc::new(QuotaStore::new(Arc::new(InMemory::new()), u64::MAX));
    let root = Location::in_store(store.clone(), "").unwrap();
    let project = Project::at(root.clone(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    store.set_room(0);
    let mut taken = 0;
    let refused = loop {
        match run.log(&[("loss", f64::from(taken))], At::epoch(i64::from(taken))) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100_000, "the buffer grows without a bound");
    };
    assert_eq!(refused.kind(), ErrorKind::Storage);
    assert_storage_error(run.complete());
    store.set_room(u64::MAX);
    run.complete().unwrap();
    let stored = project.open_run("r").unwrap().scalars().unwrap();
    let values: Vec<f64> = stored.iter().map(|scalar| scalar.value).collect();
    let taken: Vec<f64> = (0..taken).map(f64::from).collect();
    assert_eq!(values, taken, "those of the refused call were not taken");
}

#[cfg(target_os = "linux")]
mod mounted {
    use std::fs::{File, OpenOptions};
    use std::io::Write;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use emberlens_testkit::test_name;

    const FOLDER: &str = "EMBERLENS_TEST_CHILD_FOLDER";
    const SIZE: u64 = 4 << 20;

    /// Mounts a small file system where only the child sees it, and starts the child there.
    const MOUNT: &str = r#"mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@""#;

    /// Fills what is left with a file, or makes room by cutting it.
    fn set_room(filler: &Path, room: Room) {
        match room {
            Room::None => {
                let mut file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(filler)
                    .unwrap();
                while file.write_all(&[1; 1024]).is_ok() {}
            }
            Room::Little => {
                let file = OpenOptions::new().write(true).open(filler).unwrap();
                let length = file.metadata().unwrap().len();
                // The file ends at the end of a page or within the last one.
                file.set_len((length - (12 << 10)) / 4096 * 4096).unwrap();
            }
            Room::Plenty => drop(File::create(filler).unwrap()),
        }
    }

    fn fill_a_mounted_disk(folder: &str) {
        let filler = Path::new(folder).join("filler");
        let root = Path::new(folder).join("root");
        let place = Location::open(&root.display().to_string()).unwrap();
        fill_and_free(&place, &|room| set_room(&filler, room));
        assert!(File::open(&filler).unwrap().metadata().unwrap().len() < SIZE);
        let leftovers = Command::new("find")
            .arg(&root)
            .args(["-name", "*#*"])
            .output();
        assert_eq!(String::from_utf8_lossy(&leftovers.unwrap().stdout), "");
    }

    #[test]
    fn a_small_disk() {
        if let Ok(folder) = std::env::var(FOLDER) {
            return fill_a_mounted_disk(&folder);
        }
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display().to_string();
        let may_mount = |command: &[&str]| {
            let mut unshare = Command::new("unshare");
            unshare.args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                MOUNT,
                &place,
            ]);
            unshare.args(command).env(FOLDER, &place);
            unshare
        };
        let probe = may_mount(&["true"]).stderr(Stdio::null()).status();
        if !probe.is_ok_and(|status| status.success()) {
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {}: this system lets nobody mount a small disk (unshare)",
                file!()
            );
            return;
        }
        let binary = std::env::current_exe().unwrap();
        let binary = binary.to_str().unwrap();
        let test = test_name(module_path!(), "a_small_disk");
        let child = [binary, "--exact", &test, "--nocapture"];
        let output = may_mount(&child).output().unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
