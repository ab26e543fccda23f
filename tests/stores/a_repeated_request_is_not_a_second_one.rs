//! A client sends a request again when the answer fails, and is then told that its own object exists:
//! what was created counts as created, once, for documents, data files and commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emberlens::run::{At, MetricsTableWriter, Project};
use emberlens::storage::{Documents, Location};
use emberlens::table::{Columns, DeltaTable, values};
use emberlens_testkit::{BucketServer, Flaw};

/// A server that does, to every third create, what `flaw` says.
fn every_third(flaw: Flaw) -> (BucketServer, Location) {
    let creates = Arc::new(AtomicUsize::new(0));
    let server = BucketServer::start(move |_| {
        let number = creates.fetch_add(1, Ordering::SeqCst);
        number.is_multiple_of(3).then_some(flaw)
    });
    let server = server.unwrap();
    let root = Location::open_with("s3://bucket", server.settings()).unwrap();
    (server, root.assume_atomic_creates())
}

#[test]
fn a_create_whose_answer_failed_was_ours() {
    for flaw in [Flaw::FailsAfterwards, Flaw::SeesConflict] {
        let (server, root) = every_third(flaw);
        for number in 0..6 {
            let name = format!("{number}");
            assert!(root.join(&name).create(name.clone()).unwrap(), "{flaw:?}");
            assert!(!root.join(&name).create("another").unwrap(), "{flaw:?}");
        }
        let expected = (0..6).map(|number| number.to_string());
        let objects = server.objects().into_iter();
        assert!(objects.eq(expected.map(|name| (name.clone(), name.into_bytes()))));
    }
}

#[test]
fn documents_are_numbered_without_gap_or_repeat() {
    for flaw in [Flaw::FailsAfterwards, Flaw::SeesConflict] {
        let (_server, root) = every_third(flaw);
        let documents = Documents::at(root);
        for number in 0..9 {
            assert_eq!(documents.append(&number).unwrap(), number, "{flaw:?}");
        }
        let all = documents.read_all::<u64>().unwrap();
        assert!(all.into_iter().all(|(number, document)| number == document));
    }
}

#[test]
fn commits_are_there_once_and_have_their_own_version() {
    for flaw in [Flaw::FailsAfterwards, Flaw::SeesConflict] {
        let (_server, root) = every_third(flaw);
        let rows = |number: i64| {
            let columns = Columns::new().with("x", vec![number]);
            columns.into_batch("test").unwrap()
        };
        let table = DeltaTable::create(root.join("t"), &rows(0).schema()).unwrap();
        for number in 0..9 {
            let version = table.append("w", number, &[rows(number)]).unwrap();
            assert_eq!(version, number as u64 + 1, "{flaw:?}");
        }
        let stored = table.snapshot().unwrap().read(None).unwrap();
        let numbers = values::<i64>(&stored, "x").unwrap();
        assert_eq!(numbers, (0..9).collect::<Vec<_>>(), "{flaw:?}");
    }
}

/// Rows that follow those of one certain revision: a commit taken for lost would be written again.
#[test]
fn a_revision_has_its_rows_once() {
    for flaw in [Flaw::FailsAfterwards, Flaw::SeesConflict] {
        let (_server, root) = every_third(flaw);
        let project = Project::at(root, "p").unwrap();
        let columns = |number: i64| Columns::new().with("x", vec![number]);
        let mut table = project.create_table("t", columns(0)).unwrap();
        for number in 1..7 {
            table = table.append(columns(number)).unwrap();
            assert_eq!(table.revision(), number as u64, "{flaw:?}");
        }
        let numbers = table.column::<i64>("x").unwrap();
        assert_eq!(numbers, (0..7).collect::<Vec<_>>(), "{flaw:?}");
    }
}

#[test]
fn writers_at_once_lose_and_double_nothing() {
    let (_server, root) = every_third(Flaw::FailsAfterwards);
    let run = Project::at(root, "p").unwrap().run("r").start().unwrap();
    std::thread::scope(|scope| {
        for split in ["a", "b", "c"] {
            let run = &run;
            scope.spawn(move || {
                for epoch in 0..3 {
                    let mut writer = MetricsTableWriter::new(run).split(split).epoch(epoch);
                    let batch = Columns::new().with("example_id", vec![0_i64, 1]);
                    writer.add_batch(batch).unwrap();
                    writer.finalize().unwrap();
                    run.log(&[(split, 0.5)], At::epoch(epoch)).unwrap();
                }
            });
        }
    });
    run.complete().unwrap();
    let reader = run.reader().unwrap();
    let ids: Vec<i64> = reader.metrics("default").values("example_id").unwrap();
    assert_eq!(ids.len(), 3 * 3 * 2);
    assert_eq!(reader.scalars().unwrap().len(), 9);
    let stored = DeltaTable::open(run.location().join("metrics/default")).unwrap();
    assert_eq!(stored.snapshot().unwrap().row_count().unwrap(), 18);
}
