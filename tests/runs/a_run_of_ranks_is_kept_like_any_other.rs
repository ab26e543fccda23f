//! Compaction, vacuum, resuming and reading around damage know the parts that ranks write: readers see
//! the same passes before and after, and nothing of a part is lost or comes back.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use emberlens::ErrorKind;
use emberlens::collect::Silent;
use emberlens::run::{IfExists, Position, Project, Run, RunReader};
use emberlens::table::Columns;

const WORLD: u32 = 3;

fn ranks(project: &Project) -> Vec<Run> {
    (0..WORLD)
        .map(|rank| project.run("ddp").rank(rank, WORLD).start().unwrap())
        .collect()
}

/// The part of a rank: two rows that nobody else has.
fn part(run: &Run, rank: u32, epoch: i64) {
    let first = i64::from(rank) * 2;
    let columns = Columns::new().with("example_id", vec![first, first + 1]);
    let position = Position::new("train").epoch(epoch);
    run.add_metrics("default", columns, None, Some(position))
        .unwrap();
}

fn ids(reader: &RunReader) -> Vec<(i64, String)> {
    let metrics = reader.metrics("default");
    let ids: Vec<i64> = metrics.values("example_id").unwrap();
    let passes: Vec<String> = metrics.values("pass_id").unwrap();
    ids.into_iter().zip(passes).collect()
}

/// A run of three epochs, of which rank 1 did the first twice, and the last lacks rank 2.
fn written(project: &Project) -> Vec<Run> {
    let runs = ranks(project);
    for epoch in 0..3 {
        for (rank, run) in (0..).zip(&runs) {
            if (epoch, rank) != (2, 2) {
                part(run, rank, epoch);
            }
        }
    }
    part(&runs[1], 1, 0);
    runs
}

#[test]
fn a_compaction_and_a_vacuum_leave_every_part() {
    let project = Project::open("memory://", "p").unwrap();
    let runs = written(&project);
    let before = runs[0].reader().unwrap();
    let rows = ids(&before);
    assert_eq!(rows.len(), 12);
    let compacted = before.compact(&Silent).unwrap();
    assert_eq!(
        (compacted[0].files_before, compacted[0].files_after),
        (9, 1)
    );
    assert_eq!(ids(&before), rows);
    // The part that was missing comes after the others were joined.
    part(&runs[2], 2, 2);
    // Rank 0 has ended the run, and another still writes.
    runs[0].complete().unwrap();
    let reader = runs[0].reader().unwrap();
    let refused = reader.vacuum(Duration::ZERO).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    runs[1..].iter().for_each(|run| run.complete().unwrap());
    let vacuum = reader.vacuum(Duration::ZERO).unwrap();
    assert_eq!(vacuum.files.len(), 9);
    vacuum.delete(&Silent).unwrap();
    let after = runs[0].reader().unwrap();
    let now = ids(&after);
    assert_eq!(now.len(), 18);
    let is_known = |row: &(i64, String)| rows.iter().any(|(_, pass)| *pass == row.1);
    let known: Vec<_> = now.into_iter().filter(is_known).collect();
    assert_eq!(known, rows);
    assert!(after.incomplete_passes().is_empty());
    let verified = after.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
}

#[test]
fn what_is_taken_back_leaves_joined_files() {
    let project = Project::open("memory://", "p").unwrap();
    let runs = written(&project);
    runs.iter().for_each(|run| run.complete().unwrap());
    let reader = runs[0].reader().unwrap();
    let rows = ids(&reader);
    reader.compact(&Silent).unwrap();
    drop(runs);
    let resumed = project
        .run("ddp")
        .rank(0, WORLD)
        .if_exists(IfExists::Resume)
        .from_epoch(1);
    let resumed = resumed.start().unwrap();
    let reader = resumed.reader().unwrap();
    let left = ids(&reader);
    let first = reader.passes("default")[0].pass_id.clone();
    let expected: Vec<_> = rows.into_iter().filter(|row| row.1 == first).collect();
    assert_eq!((left.len(), &left), (6, &expected));
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    // Four parts of the first epoch, one of which was replaced.
    let table = verified
        .tables
        .iter()
        .find(|table| table.folder == "metrics/default");
    assert_eq!(table.unwrap().rows, 8);
}

#[test]
fn a_damaged_part_is_missing_once() {
    let project = Project::open("memory://", "p").unwrap();
    let runs = written(&project);
    let reader = runs[0].reader().unwrap().skip_corrupt();
    let pass = &reader.passes("default")[0];
    let file = reader.location().join(&pass.files[2].url);
    file.replace("no Parquet any more").unwrap();
    for _ in 0..2 {
        assert_eq!(ids(&reader).len(), 10);
        assert_eq!(reader.skipped().missing_rows, 2);
    }
}
