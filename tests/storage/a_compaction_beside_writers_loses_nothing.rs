//! Runs are compacted while others write, read and compact them: no row is lost, doubled or moved within
//! its pass.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project};
use emberlens::table::{Columns, DeltaTable};

const WRITERS: i64 = 3;
const PASSES: i64 = 15;
const BATCHES: i64 = 3;
const ROWS: i64 = 20;

fn rows(first: i64) -> Columns {
    let ids: Vec<i64> = (first..first + ROWS).collect();
    let losses: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
    Columns::new().with("example_id", ids).with("loss", losses)
}

#[test]
fn a_compaction_beside_writers_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().display().to_string();
    let project = Project::open(&root, "p").unwrap();
    let run = project.run("r").start().unwrap();
    let open = AtomicUsize::new(WRITERS as usize);
    let expected: Vec<i64> = (0..BATCHES * ROWS).collect();
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (run, open) = (run.clone(), &open);
            scope.spawn(move || {
                for epoch in 0..PASSES {
                    let split = number.to_string();
                    let writer = MetricsTableWriter::new(&run).split(&split);
                    let mut writer = writer.epoch(epoch);
                    for batch in 0..BATCHES {
                        writer.add_batch(rows(batch * ROWS)).unwrap();
                        writer.flush().unwrap();
                    }
                    writer.finalize().unwrap();
                    run.log_split(&split, &[("loss", 1.0)], At::axis()).unwrap();
                    run.flush().unwrap();
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for _ in 0..2 {
            let (project, open, id) = (&project, &open, run.id());
            scope.spawn(move || {
                while open.load(Ordering::SeqCst) > 0 {
                    project.open_run(id).unwrap().compact(&Silent).unwrap();
                }
            });
        }
        let (project, open, expected, id) = (&project, &open, &expected, run.id());
        scope.spawn(move || {
            while open.load(Ordering::SeqCst) > 0 {
                let reader = project.open_run(id).unwrap();
                for pass in reader.passes("default") {
                    let metrics = reader.metrics("default").split(&pass.split);
                    let metrics = metrics.epoch(pass.epoch);
                    assert_eq!(&metrics.values::<i64>("example_id").unwrap(), expected);
                }
            }
        });
    });
    let reader = run.reader().unwrap();
    reader.compact(&Silent).unwrap();
    let reader = run.reader().unwrap();
    assert_eq!(reader.passes("default").len() as i64, WRITERS * PASSES);
    for pass in reader.passes("default") {
        let metrics = reader
            .metrics("default")
            .split(&pass.split)
            .epoch(pass.epoch);
        assert_eq!(metrics.values::<i64>("example_id").unwrap(), expected);
        assert_eq!(
            metrics.values::<f32>("loss").unwrap(),
            expected.iter().map(|&id| id as f32).collect::<Vec<_>>()
        );
    }
    let mut steps = [0; WRITERS as usize];
    for scalar in reader.scalars().unwrap() {
        let next = &mut steps[scalar.split.parse::<usize>().unwrap()];
        assert_eq!(scalar.step, Some(*next), "in the order of logging");
        *next += 1;
    }
    assert_eq!(steps, [PASSES; WRITERS as usize]);
    let table = DeltaTable::open(reader.location().join("metrics/default")).unwrap();
    let snapshot = table.snapshot().unwrap();
    let total = WRITERS * PASSES * BATCHES * ROWS;
    assert_eq!(snapshot.row_count().unwrap() as i64, total);
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
}
