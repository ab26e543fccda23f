//! A run that an earlier version wrote is read, verified, resumed and reduced by this one; what a later
//! minor version adds is passed over, and a later major version is refused by its number.
//!
//! `tests/fixtures/format-1.0/` holds a project of that format as it was first written. It is made once
//! for every version of the format, by
//! `cargo test --test runs a_run_of_every_format -- --ignored`, and then stays as it is.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use emberlens::collect::Silent;
use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;
use emberlens::run::{At, IfExists, MetricsTableWriter, Position, Project, Run, RunReader, Status};
use emberlens::storage::{Documents, Location};
use emberlens::table::{Column, Columns, Role};
use emberlens::{ErrorKind, Result};
use ndarray::Array2;
use serde_json::{Value, json};

const ROWS: i64 = 12;
const EPOCHS: i64 = 3;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1.0")
}

fn losses(epoch: i64) -> Vec<f32> {
    let loss = |row: i64| match row {
        7 => f32::NAN,
        8 => f32::INFINITY,
        row => row as f32 / (1 + epoch) as f32,
    };
    (0..ROWS).map(loss).collect()
}

/// Points on a line, so that one axis has all of the variance.
fn vectors(epoch: i64) -> Array2<f32> {
    Array2::from_shape_fn((ROWS as usize, 4), |(row, axis)| {
        (row as i64 - ROWS / 2) as f32 * (axis as f32 + 1.0) * (1 + epoch) as f32
    })
}

fn metrics(epoch: i64) -> Columns {
    Columns::new()
        .with("example_id", (0..ROWS).collect::<Vec<i64>>())
        .with("loss", losses(epoch))
        .with(
            "predicted",
            Column::from((0..ROWS).map(|row| row % 2).collect::<Vec<i64>>())
                .role(Role::category(["cat", "dog"])),
        )
        .with("embedding", Column::embedding(vectors(epoch).view()))
}

fn write(root: &Path) -> Result<()> {
    let project = Project::open(&root.display().to_string(), "Fixture")?;
    let letters: Vec<String> = (0..ROWS).map(|row| format!("letter {row} é")).collect();
    let letters = Columns::new().with("letter", letters);
    let table = project.create_table("Letters", letters)?;
    let run = project
        .run("cnn")
        .description("two convolutions")
        .tag("baseline")
        .parameters(&json!({"optimiser": {"learning_rate": 0.1}, "nan": "NaN"}))?
        .input(&table)
        .start()?;
    run.add_output("checkpoint", "https://example.org/best.bin")?;
    for epoch in 0..EPOCHS {
        run.log_split(
            "train",
            &[("loss", 1.0 / (1 + epoch) as f64)],
            At::epoch(epoch),
        )?;
        let at = Position::new("train").epoch(epoch);
        run.add_metrics("default", metrics(epoch), Some(&table), Some(at))?;
    }
    run.flush()?;
    drop(run);
    // The last epoch once more, after a crash.
    let run = project
        .run("cnn")
        .if_exists(IfExists::Resume)
        .from_epoch(EPOCHS - 1)
        .start()?;
    let last = EPOCHS - 1;
    run.log_split(
        "train",
        &[("loss", 1.0 / (1 + last) as f64)],
        At::epoch(last),
    )?;
    let at = Position::new("train").epoch(last);
    run.add_metrics("default", metrics(last), Some(&table), Some(at))?;
    let mut open = MetricsTableWriter::new(&run).split("valid").epoch(last);
    open.add_batch(Columns::new().with("example_id", vec![0_i64]))?;
    open.flush()?;
    open.abandon("stopped")?;
    run.reduce_embeddings("embedding", &Pca::params().dims(2), FitOn::Latest)?;
    run.complete()?;

    let first = project.run("ddp").rank(0, 2).start()?;
    let second = project.run("ddp").rank(1, 2).start()?;
    for (run, first) in [(&first, 0_i64), (&second, 1)] {
        let ids: Vec<i64> = (first..ROWS).step_by(2).collect();
        let at = Position::new("valid").epoch(0);
        run.add_metrics(
            "default",
            Columns::new().with("example_id", ids),
            None,
            Some(at),
        )?;
        run.log(&[("loss", first as f64)], At::epoch(0))?;
    }
    second.complete()?;
    first.complete()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
#[ignore = "writes the fixture of the present format"]
fn write_the_fixture() {
    let place = fixture();
    assert!(!place.exists(), "a fixture of a format is written once");
    write(&place).unwrap();
    // They tell of the machine, and nothing of a run that ended.
    for file in files(&place) {
        if file
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("heartbeat")
        {
            fs::remove_file(file).unwrap();
        }
    }
}

/// A copy of the fixture, which the test may change.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = fixture();
    for file in files(&from) {
        let to = folder.path().join(file.strip_prefix(&from).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, to).unwrap();
    }
    folder
}

fn project(root: &Path) -> Project {
    Project::open(&root.display().to_string(), "fixture").unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn check_cnn(reader: &RunReader) {
    assert_eq!(reader.status(), &Status::Completed);
    assert_eq!(reader.description(), Some("two convolutions"));
    assert_eq!(reader.tags(), ["baseline"]);
    let parameters = reader.parameters();
    assert_eq!(parameters["optimiser.learning_rate"], 0.1);
    assert_eq!(parameters["nan"], "NaN");
    assert_eq!(reader.outputs()[0].url, "https://example.org/best.bin");
    let table = reader.input_table(&reader.inputs()[0]).unwrap();
    assert_eq!(table.name(), "Letters");
    assert_eq!(table.column::<String>("letter").unwrap()[11], "letter 11 é");
    let scalars: Vec<_> = reader
        .scalars()
        .unwrap()
        .into_iter()
        .map(|scalar| (scalar.name, scalar.split, scalar.epoch, scalar.value))
        .collect();
    let expected = [1.0, 0.5, 1.0 / 3.0].into_iter().zip(0..);
    let expected: Vec<_> = expected
        .map(|(value, epoch)| ("loss".to_owned(), "train".to_owned(), Some(epoch), value))
        .collect();
    assert_eq!(scalars, expected);
    for epoch in 0..EPOCHS {
        let of_epoch = reader.metrics("default").split("train").epoch(epoch);
        assert_eq!(
            bits(&of_epoch.values::<f32>("loss").unwrap()),
            bits(&losses(epoch))
        );
        assert_eq!(
            of_epoch.passes()[0].table.as_ref().unwrap().url,
            "tables/letters"
        );
    }
    let batch = reader.metrics("default").epoch(0).read().unwrap();
    let schema = batch.schema();
    let role = emberlens::table::role(schema.field_with_name("predicted").unwrap());
    assert_eq!(role, Some(Role::category(["cat", "dog"])));
    let found = emberlens::table::embedding(&batch, "embedding").unwrap();
    assert_eq!(found, vectors(0));
    let incomplete = reader.incomplete_passes();
    assert_eq!(incomplete.len(), 1);
    assert_eq!(incomplete[0].reason.as_deref(), Some("stopped"));
    let x = reader.projection("embedding-pca").matrix().unwrap();
    assert_eq!(x.dim(), ((ROWS * EPOCHS) as usize, 2));
    // The line's points lie as far from one another on the first axis as in space.
    let step = (x[[1, 0]] - x[[0, 0]]).abs();
    assert!((step - 30_f32.sqrt()).abs() < 1e-4, "{step}");
    let info = &reader.projections()[0];
    reader.projection_model(&info.models[0]).unwrap();
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
}

fn check_ddp(reader: &RunReader) {
    let pass = reader.latest_pass("default", "valid").unwrap();
    assert_eq!((pass.rows, pass.parts.len()), (ROWS as u64, 2));
    let mut ids: Vec<i64> = reader.metrics("default").values("example_id").unwrap();
    ids.sort_unstable();
    assert_eq!(ids, (0..ROWS).collect::<Vec<_>>());
    assert_eq!(reader.scalars_of_rank(1).unwrap()[0].value, 1.0);
    assert_eq!(reader.ranks().unwrap().len(), 2);
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
}

#[test]
fn it_is_small() {
    let sizes = files(&fixture())
        .into_iter()
        .map(|file| fs::metadata(file).unwrap().len());
    let size: u64 = sizes.sum();
    assert!(size < 200 << 10, "{size} bytes");
}

#[test]
fn it_reads_as_it_was_written() {
    let root = copy();
    let project = project(root.path());
    assert_eq!(project.name(), "Fixture");
    assert_eq!(project.runs().unwrap().len(), 2);
    check_cnn(&project.open_run("cnn").unwrap());
    check_ddp(&project.open_run("ddp").unwrap());
}

#[test]
fn it_goes_on() {
    let root = copy();
    let project = project(root.path());
    let resumed = project.run("cnn").if_exists(IfExists::Resume).from_epoch(2);
    let run = resumed.start().unwrap();
    let table = project.table("Letters").unwrap();
    let at = || Some(Position::new("train").epoch(2));
    // Columns that are new are null in the rows that were there.
    let wider = metrics(2).with("margin", vec![0.5_f32; ROWS as usize]);
    run.add_metrics("default", wider, Some(&table), at())
        .unwrap();
    let changed = Columns::new()
        .with("example_id", vec![0_i64])
        .with("loss", vec!["high"]);
    let error = run
        .add_metrics("default", changed, Some(&table), at())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    run.reduce_embeddings("embedding", &Pca::params().dims(2), FitOn::Latest)
        .unwrap();
    run.complete().unwrap();
    let reader = project.open_run("cnn").unwrap();
    let margins = |epoch| -> Vec<Option<f32>> {
        let metrics = reader.metrics("default").split("train").epoch(epoch);
        metrics.values("margin").unwrap()
    };
    assert_eq!(margins(0), vec![None; ROWS as usize]);
    assert_eq!(margins(2), vec![Some(0.5); ROWS as usize]);
    let verified = reader.verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    // Rank 0 of a later launch goes on, too.
    let resumed = project.run("ddp").rank(0, 2).if_exists(IfExists::Resume);
    let first: Run = resumed.from_epoch(1).start().unwrap();
    assert!(project.run("ddp").rank(1, 2).start().is_ok());
    assert_eq!(first.reader().unwrap().passes("default").len(), 1);
}

/// Every document changed in place, without its checksum, which it need not have.
fn change_documents(run: &Location, change: impl Fn(&mut Value)) {
    for name in run.join("run").list_files().unwrap() {
        let place = run.join("run").join(&name);
        let mut value: Value = serde_json::from_slice(&place.read().unwrap()).unwrap();
        value.as_object_mut().unwrap().remove("crc32");
        change(&mut value);
        place.replace(value.to_string()).unwrap();
    }
}

#[test]
fn what_a_later_minor_version_adds_is_passed_over() {
    let root = copy();
    let project = project(root.path());
    let run = project.open_run("cnn").unwrap().location().clone();
    change_documents(&run, |document| {
        document["a_later_field"] = json!({"x": [1, 2]});
        if document.get("format_version").is_some() {
            document["format_version"] = json!("1.9");
        }
        for file in document["files"].as_array_mut().into_iter().flatten() {
            file["a_later_field"] = json!(1);
        }
    });
    let documents = Documents::at(run.join("run"));
    for later in [
        json!({"time_us": 9, "kind": "mood", "epoch": "none"}),
        json!({"time_us": 9, "kind": "status", "status": "dreaming"}),
    ] {
        documents.append(&later).unwrap();
    }
    run.join("later/file.bin").create("x").unwrap();
    run.join("run/later.txt").create("x").unwrap();
    project.location().join("later.json").create("x").unwrap();
    check_cnn(&project.open_run("cnn").unwrap());
    assert_eq!(project.runs().unwrap().len(), 2);
}

#[test]
fn a_later_major_version_is_refused_by_its_number_and_hides_nothing_else() {
    let root = copy();
    let project = project(root.path());
    let run = project.open_run("cnn").unwrap().location().clone();
    let id = run.name();
    change_documents(&run, |document| {
        if document.get("format_version").is_some() {
            document["format_version"] = json!("2.0");
        }
    });
    let told = project.open_run(&id).unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Corrupt);
    assert!(told.to_string().contains("format 2.0"), "{told}");
    assert!(told.to_string().contains("update"), "{told}");
    assert!(project.resume_run(&id).is_err(), "nor written");
    let listed = project.runs().unwrap();
    let damaged: Vec<_> = listed.iter().filter_map(|run| run.as_ref().err()).collect();
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].id, id);
    check_ddp(&project.open_run("ddp").unwrap());
    // The same of the project.
    let document = project.location().join("project.json");
    document
        .replace(r#"{"format_version": "2.0", "name": "Fixture", "created_us": 1}"#)
        .unwrap();
    let opened = Project::open(&root.path().display().to_string(), "fixture");
    assert!(opened.unwrap_err().to_string().contains("format 2.0"));
}
