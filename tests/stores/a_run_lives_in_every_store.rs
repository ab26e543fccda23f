//! A run is written, resumed, verified and read back in every store, with its tables and checkpoints.

use emberlens::collect::Silent;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run, Status};
use emberlens::storage::Location;
use emberlens::table::{Columns, DeltaTable, values};

use crate::places::{Place, in_every_store};

const ROWS: i64 = 50;
/// Enough for a checkpoint of the log.
const COMMITS: i64 = 52;

in_every_store!(a_run_lives_here);

fn pass(run: &Run, epoch: i64, loss: f32) {
    let mut writer = MetricsTableWriter::new(run).split("train").epoch(epoch);
    for half in 0..2 {
        let ids: Vec<i64> = (half * ROWS..(half + 1) * ROWS).collect();
        let losses = vec![loss; ids.len()];
        let batch = Columns::new().with("example_id", ids).with("loss", losses);
        writer.add_batch(batch).unwrap();
        writer.flush().unwrap();
    }
    writer.finalize().unwrap();
    run.log(&[("loss", f64::from(loss))], At::epoch(epoch))
        .unwrap();
}

fn a_run_lives_here(place: &Place) {
    let root = &place.root;
    let project = Project::at(root.clone(), "My Digits").unwrap();
    let labels: Vec<i64> = (0..2 * ROWS).collect();
    let columns = Columns::new().with("label", labels);
    let table = project.create_table("digits", columns).unwrap();
    let more = Columns::new().with("label", vec![7_i64]);
    assert_eq!(table.append(more).unwrap().revision(), 1);

    let run = project.run("cnn").input(&table).start().unwrap();
    run.log_parameters(&serde_json::json!({"lr": 0.1})).unwrap();
    for epoch in 0..3 {
        pass(&run, epoch, 1.0);
    }
    run.flush().unwrap();
    let old = run;
    let run = project.run("cnn").if_exists(IfExists::Resume);
    let run = run.from_epoch(1).start().unwrap();
    assert_eq!(old.id(), run.id());
    for epoch in 1..3 {
        pass(&run, epoch, 2.0);
    }
    run.complete().unwrap();
    assert!(
        old.add_tag("late").is_err(),
        "{root}: the old attempt is fenced"
    );
    drop(old);

    let reader = project.open_run("cnn").unwrap();
    assert_eq!(reader.status(), &Status::Completed);
    assert_eq!(reader.parameters()["lr"], 0.1);
    let input = reader.input_table(&reader.inputs()[0]).unwrap();
    assert_eq!(input.row_count(), 2 * ROWS as u64);
    let scalars: Vec<f64> = reader.scalars().unwrap().iter().map(|s| s.value).collect();
    assert_eq!(scalars, [1.0, 2.0, 2.0], "{root}");
    for (epoch, loss) in [(0, 1.0), (1, 2.0), (2, 2.0)] {
        let rows = reader.metrics("default").epoch(epoch);
        assert_eq!(
            rows.values::<f32>("loss").unwrap(),
            vec![loss; 2 * ROWS as usize]
        );
        let ids: Vec<i64> = rows.values("example_id").unwrap();
        assert_eq!(ids, (0..2 * ROWS).collect::<Vec<_>>(), "{root}");
    }
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    let names: Vec<String> = Project::list(root)
        .unwrap()
        .into_iter()
        .map(|project| project.unwrap().name().to_owned())
        .collect();
    assert_eq!(names, ["My Digits"], "{root}");
    assert_eq!(project.runs().unwrap().len(), 1);

    checkpoints(&root.join("t"));
}

/// A log is read from its checkpoint, in ranges, when the entries before it are gone.
fn checkpoints(place: &Location) {
    let rows = |number: i64| {
        let columns = Columns::new().with("x", vec![number]);
        columns.into_batch("test").unwrap()
    };
    let table = DeltaTable::create(place.clone(), &rows(0).schema()).unwrap();
    for number in 0..COMMITS {
        table.append("w", number, &[rows(number)]).unwrap();
    }
    for version in 0..50 {
        let entry = place.join(&format!("_delta_log/{version:020}.json"));
        entry.delete().unwrap();
    }
    let opened = DeltaTable::open(place.clone()).unwrap();
    let known = opened.snapshot().unwrap();
    let numbers = values::<i64>(&known.read(None).unwrap(), "x").unwrap();
    assert_eq!(numbers, (0..COMMITS).collect::<Vec<_>>(), "{place}");
    let again = opened.append("w", COMMITS - 1, &[rows(7)]).unwrap();
    assert_eq!(again, COMMITS as u64, "{place}: it is there already");
}
