//! Checkpoints of a log that are damaged: nobody needs them, where the entries are there.

use std::fs;
use std::path::Path;

use emberlens::collect::Silent;
use emberlens::run::{At, Project, Run};
use emberlens::table::DeltaTable;
use parquet::file::reader::{FileReader, SerializedFileReader};

/// Commits of scalars: enough for a checkpoint at version 50 and entries after it.
const FLUSHES: i64 = 53;

fn checkpointed(root: &Path) -> (Project, Run) {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    for epoch in 0..FLUSHES {
        run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
        run.flush().unwrap();
    }
    (project, run)
}

#[test]
fn a_checkpoint_that_is_damaged_or_gone_hides_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (project, run) = checkpointed(root.path());
    let log = run.location().join("scalars/_delta_log").local_path();
    let log = log.unwrap();
    let checkpoint = log.join("00000000000000000050.checkpoint.parquet");
    let hint = log.join("_last_checkpoint");
    let (whole, named) = (fs::read(&checkpoint).unwrap(), fs::read(&hint).unwrap());
    let mut flipped = whole.clone();
    for byte in &mut flipped[4..whole.len() / 2] {
        *byte ^= 0x5a;
    }
    let elsewhere = String::from_utf8_lossy(&named).replace("\"version\":50", "\"version\":49");
    let damages: [(&Path, Option<&[u8]>); 7] = [
        (&checkpoint, None),
        (&checkpoint, Some(b"")),
        (&checkpoint, Some(&whole[..whole.len() / 2])),
        (&checkpoint, Some(&flipped)),
        (&hint, Some(b"")),
        (&hint, Some(b"{")),
        (&hint, Some(elsewhere.as_bytes())),
    ];
    for (number, (file, damage)) in damages.into_iter().enumerate() {
        match damage {
            None => fs::remove_file(file).unwrap(),
            Some(bytes) => fs::write(file, bytes).unwrap(),
        }
        let reader = project.open_run("r").unwrap();
        assert_eq!(reader.scalars().unwrap().len() as i64, FLUSHES, "{number}");
        let problems = reader.verify(&Silent).unwrap().problems;
        assert!(!problems.is_empty(), "{number}");
        let told = problems[0].to_string();
        assert!(told.contains("_delta_log"), "{number}: {told}");
        fs::write(&checkpoint, &whole).unwrap();
        fs::write(&hint, &named).unwrap();
    }
    // Another process goes on with the run while its checkpoint is damaged.
    fs::write(&checkpoint, "").unwrap();
    run.complete().unwrap();
    drop(run);
    let run = project.resume_run("r").unwrap();
    run.log(&[("loss", 0.5)], At::epoch(FLUSHES)).unwrap();
    run.complete().unwrap();
    let read = project.open_run("r").unwrap().scalars().unwrap().len();
    assert_eq!(read as i64, FLUSHES + 1);
}

/// Whatever column of a checkpoint is damaged, its entries say the same.
#[test]
fn no_column_of_a_checkpoint_stops_a_reader_or_a_writer() {
    let root = tempfile::tempdir().unwrap();
    let (_, run) = checkpointed(root.path());
    run.complete().unwrap();
    let place = run.location().join("scalars");
    let name = "_delta_log/00000000000000000050.checkpoint.parquet";
    let checkpoint = place.join(name).local_path().unwrap();
    let whole = fs::read(&checkpoint).unwrap();
    let metadata = SerializedFileReader::new(bytes::Bytes::from(whole.clone())).unwrap();
    let metadata = metadata.metadata();
    let mut damaged = 0;
    let groups = metadata.row_groups().iter();
    for column in groups.flat_map(|group| group.columns()) {
        let (start, length) = column.byte_range();
        let mut bytes = whole.clone();
        for byte in &mut bytes[start as usize..(start + length) as usize] {
            *byte ^= 0x5a;
        }
        fs::write(&checkpoint, bytes).unwrap();
        // As another process does, which has seen nothing of the log yet.
        let table = DeltaTable::open(place.clone()).unwrap();
        let rows = table.snapshot().unwrap().read(None).unwrap();
        let case = column.column_path().string();
        assert_eq!(rows.num_rows() as i64, FLUSHES + damaged, "{case}");
        let appended = table.append(&case, 0, &[rows.slice(0, 1)]);
        appended.unwrap_or_else(|error| panic!("{case}: {}", error.chain()));
        damaged += 1;
    }
    assert!(damaged > 20, "{damaged} columns");
    fs::write(&checkpoint, &whole).unwrap();
    let rows = DeltaTable::open(place).unwrap().snapshot().unwrap();
    assert_eq!(rows.row_count().unwrap() as i64, FLUSHES + damaged);
}
