//! The log of a table says what a model of its writer says, at every version: appends, new columns,
//! passes given up, discards and resumes, across a checkpoint. It is read by the library and, entry by
//! entry, by a dozen lines of this test.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use emberlens::run::{IfExists, MetricsTableWriter, Project, Run};
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable, values};
use proptest::prelude::*;
use serde_json::Value;

/// Versions before the first step, so that most sequences cross the checkpoint at 50.
const BEFORE: i64 = 46;

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    /// With a column that the ones before need not have.
    WiderPass(i64, u8),
    /// Given up after a flush.
    HalfPass(i64),
    Discard(i64),
    Resume(i64),
    /// A commit that was made already, once more.
    Again,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let epoch = || 0..4_i64;
    let step = prop_oneof![
        4 => epoch().prop_map(Step::Pass),
        2 => (epoch(), 0..3_u8).prop_map(|(epoch, column)| Step::WiderPass(epoch, column)),
        1 => epoch().prop_map(Step::HalfPass),
        1 => epoch().prop_map(Step::Discard),
        1 => epoch().prop_map(Step::Resume),
        1 => Just(Step::Again),
    ];
    prop::collection::vec(step, 1..14)
}

/// A row that the table must hold: its number, and the epoch when its pass was completed.
type Row = (i64, Option<i64>);

fn write(run: &Run, epoch: i64, columns: Columns, is_whole: bool) {
    let mut writer = MetricsTableWriter::new(run).split("train").epoch(epoch);
    writer.add_batch(columns).unwrap();
    match is_whole {
        true => drop(writer.finalize().unwrap()),
        false => writer.abandon("stopped").unwrap(),
    }
}

fn seed(table: &DeltaTable, number: i64) {
    let columns = Columns::new().with("example_id", vec![number]);
    let batch = columns.into_batch("test").unwrap();
    table.append("seed", number, &[batch]).unwrap();
}

/// Rows of the files that entries up to `version` add and do not remove again.
fn replay(table: &Location, version: u64) -> u64 {
    let mut files: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..=version {
        let entry = table
            .join(&format!("_delta_log/{number:020}.json"))
            .read()
            .unwrap();
        for line in entry
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let action: Value = serde_json::from_slice(line).unwrap();
            if let Some(add) = action.get("add") {
                let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
                let rows = stats["numRecords"].as_u64().unwrap();
                let known = files.insert(add["path"].as_str().unwrap().to_owned(), rows);
                assert_eq!(known, None, "no file is added twice");
            }
            if let Some(remove) = action.get("remove") {
                files.remove(remove["path"].as_str().unwrap()).unwrap();
            }
        }
    }
    files.into_values().sum()
}

fn run_all(steps: &[Step]) {
    let project = Project::open("memory://", "p").unwrap();
    let mut run = project.run("r").start().unwrap();
    let mut rows: Vec<Row> = vec![(0, None)];
    let columns = Columns::new().with("example_id", vec![0_i64]);
    run.add_metrics("default", columns, None, None).unwrap();
    let place = run.stream_location("default").unwrap();
    let table = DeltaTable::open(place.clone()).unwrap();
    for number in 1..BEFORE {
        seed(&table, number);
        rows.push((number, None));
    }
    let mut versions: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for (number, step) in (BEFORE..).zip(steps) {
        let columns = || Columns::new().with("example_id", vec![number]);
        let discard = |rows: &mut Vec<Row>, from: i64| {
            rows.retain(|(_, epoch)| epoch.is_none_or(|epoch| epoch < from));
        };
        match step {
            Step::Pass(epoch) => {
                write(&run, *epoch, columns(), true);
                rows.push((number, Some(*epoch)));
            }
            Step::WiderPass(epoch, column) => {
                let wider = columns().with(format!("column_{column}"), vec![0.5_f32]);
                write(&run, *epoch, wider, true);
                rows.push((number, Some(*epoch)));
            }
            Step::HalfPass(epoch) => {
                write(&run, *epoch, columns(), false);
                rows.push((number, None));
            }
            Step::Discard(from) => {
                run.discard_from(*from).unwrap();
                discard(&mut rows, *from);
            }
            Step::Resume(from) => {
                let again = project
                    .run("r")
                    .if_exists(IfExists::Resume)
                    .from_epoch(*from);
                run = again.start().unwrap();
                discard(&mut rows, *from);
            }
            Step::Again => seed(&table, 1),
        }
        let version = DeltaTable::open(place.clone())
            .unwrap()
            .snapshot()
            .unwrap()
            .version();
        let mut numbers: Vec<i64> = rows.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        versions.insert(version, numbers);
    }
    for (version, expected) in versions {
        let snapshot = table.snapshot_at(version).unwrap();
        let mut found =
            values::<i64>(&snapshot.read(Some(&["example_id"])).unwrap(), "example_id").unwrap();
        found.sort_unstable();
        assert_eq!(found, expected, "version {version}");
        assert_eq!(snapshot.row_count().unwrap(), expected.len() as u64);
        assert_eq!(replay(&place, version), expected.len() as u64);
    }
}

#[test]
fn the_log_replays_to_a_model() {
    let config = ProptestConfig {
        cases: 16,
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
