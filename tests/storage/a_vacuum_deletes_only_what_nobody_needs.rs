//! A vacuum finds files that neither the latest version of a table, nor one that was the latest within
//! the age, nor a document needs; it deletes nothing unless told to, and nothing else then.

#![allow(clippy::unwrap_used, clippy::panic)]

mod lost_commits;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use emberlens::ErrorKind;
use emberlens::collect::Silent;
use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;
use emberlens::run::{
    At, IfExists, MetricsTableWriter, Project, Run, RunReader, Unneeded, VACUUM_AGE, Vacuum,
};
use emberlens::table::{Column, Columns, DeltaTable};
use ndarray::arr2;

const DAY: Duration = Duration::from_secs(24 * 3600);

struct Example {
    folder: tempfile::TempDir,
    run: Run,
}

impl Example {
    /// A run that ended, with three passes and three flushes of scalars.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display().to_string();
        let run = Project::open(&root, "p").unwrap().run("r").start().unwrap();
        for epoch in 0..3 {
            pass(&run, epoch);
            run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
            run.flush().unwrap();
        }
        run.complete().unwrap();
        Self { folder, run }
    }

    fn reader(&self) -> RunReader {
        self.run.reader().unwrap()
    }

    fn path(&self) -> PathBuf {
        self.run.location().local_path().unwrap()
    }

    fn vacuum(&self, age: Duration) -> Vacuum {
        self.reader().vacuum(age).unwrap()
    }

    /// Makes every file of the run as old as that.
    fn age(&self, age: Duration) {
        for file in files(&self.path()) {
            set_age(&self.path().join(file), age);
        }
    }

    fn check(&self) {
        let reader = self.reader();
        for epoch in 0..3 {
            let ids: Vec<i64> = reader
                .metrics("default")
                .epoch(epoch)
                .values("example_id")
                .unwrap();
            assert_eq!(ids, [0, 1]);
        }
        assert_eq!(reader.scalars().unwrap().len(), 3);
        let verified = reader.verify(&Silent).unwrap();
        assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    }
}

fn pass(run: &Run, epoch: i64) {
    let mut writer = MetricsTableWriter::new(run).split("train").epoch(epoch);
    let vectors = Column::embedding(arr2(&[[0.0_f32, epoch as f32], [3.0, 4.0]]).view());
    let columns = Columns::new().with("example_id", vec![0_i64, 1]);
    writer
        .add_batch(columns.with("embedding", vectors))
        .unwrap();
    writer.finalize().unwrap();
}

/// Paths of all files, relative to the folder.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true => found.extend(files(&path).iter().map(|inner| format!("{name}/{inner}"))),
            false => drop(found.insert(name)),
        }
    }
    found
}

fn set_age(path: &Path, age: Duration) {
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

fn names(vacuum: &Vacuum) -> BTreeSet<String> {
    let path = |file: &emberlens::run::UnneededFile| match file.folder.as_str() {
        "" => file.name.clone(),
        folder => format!("{folder}/{}", file.name),
    };
    vacuum.files.iter().map(path).collect()
}

#[test]
fn a_run_that_was_never_rewritten_has_nothing_to_delete() {
    let example = Example::new();
    example.age(30 * DAY);
    let vacuum = example.vacuum(Duration::ZERO);
    assert!(vacuum.files.is_empty(), "{:?}", vacuum.files);
    assert_eq!(vacuum.young, 0);
}

#[test]
fn after_a_compaction_exactly_the_old_files_go_and_only_on_delete() {
    let example = Example::new();
    let is_data = |name: &String| name.ends_with(".parquet") && !name.contains("_delta_log");
    let old: BTreeSet<String> = files(&example.path()).into_iter().filter(is_data).collect();
    assert_eq!(old.len(), 6);
    example.reader().compact(&Silent).unwrap();
    let all = files(&example.path());

    assert!(example.vacuum(VACUUM_AGE).files.is_empty());
    assert_eq!(example.vacuum(VACUUM_AGE).young, 6);
    let vacuum = example.vacuum(Duration::ZERO);
    assert_eq!(names(&vacuum), old);
    assert_eq!(files(&example.path()), all, "nothing was deleted yet");
    vacuum.delete(&Silent).unwrap();
    assert_eq!(files(&example.path()), &all - &old);
    example.check();
    vacuum.delete(&Silent).unwrap();
    assert!(example.vacuum(Duration::ZERO).files.is_empty());
}

#[test]
fn a_file_stays_as_long_as_a_version_that_held_it_was_the_latest_within_the_age() {
    let example = Example::new();
    example.age(30 * DAY);
    example.reader().compact(&Silent).unwrap();
    // The files are old, and readers of two days ago may still read them.
    let log = example.path().join("metrics/default/_delta_log");
    let entry = files(&log)
        .into_iter()
        .rfind(|name| name.ends_with(".json"))
        .unwrap();
    set_age(&log.join(&entry), 2 * DAY);
    let of_metrics = |vacuum: Vacuum| {
        let files = vacuum.files.into_iter();
        files
            .filter(|file| file.folder == "metrics/default")
            .count()
    };
    assert_eq!(of_metrics(example.vacuum(3 * DAY)), 0);
    assert_eq!(of_metrics(example.vacuum(DAY)), 3);
    // The scalars were compacted just now.
    let vacuum = example.vacuum(DAY);
    assert!(vacuum.files.iter().all(|file| file.folder != "scalars"));
}

#[test]
fn a_reader_from_before_reads_on_until_a_vacuum_and_is_told_then() {
    let example = Example::new();
    let table = example.run.location().join("metrics/default");
    let opened = DeltaTable::open(table).unwrap().snapshot().unwrap();
    let mut begun = example.reader().metrics("default").batches().unwrap();
    example.reader().compact(&Silent).unwrap();
    assert_eq!(opened.read(None).unwrap().num_rows(), 6);
    assert_eq!(begun.next().unwrap().unwrap().num_rows(), 2);
    example.vacuum(Duration::ZERO).delete(&Silent).unwrap();
    let errors = [
        opened.read(None).unwrap_err(),
        begun.find_map(|batch| batch.err()).unwrap(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.contains("cleaned up") && text.contains("open the run again"),
            "{text}"
        );
    }
    example.check();
}

#[test]
fn leftovers_go_and_what_is_not_ours_stays() {
    let example = Example::new();
    let path = example.path();
    let part = format!(
        "part-{:020}-{:05}-{}-00000000.parquet",
        7,
        0,
        "0".repeat(26)
    );
    let leftovers = [
        format!("metrics/default/{part}"),
        format!("metrics/never/{part}"),
        "models/embedding-pca-01.bin".to_owned(),
        "run/00000000000000000009.json#4711000".to_owned(),
        "metrics/default/_delta_log/00000000000000000009.json#4711001".to_owned(),
        "metrics/default/_announced/01k00000000000000000000000.json".to_owned(),
    ];
    let foreign = [
        "metrics/default/notes.parquet",
        "metrics/default/_announced/notes.txt",
        "blobs/0123",
        "models/README",
        "a#b",
    ];
    for name in leftovers.iter().map(String::as_str).chain(foreign) {
        let file = path.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "x").unwrap();
    }
    let all = files(&path);
    assert!(
        example.vacuum(DAY).files.is_empty(),
        "all of them are young"
    );
    let vacuum = example.vacuum(Duration::ZERO);
    let leftovers: BTreeSet<String> = leftovers.into_iter().collect();
    assert_eq!(names(&vacuum), leftovers);
    let of = |reason| {
        vacuum
            .files
            .iter()
            .filter(|file| file.reason == reason)
            .count()
    };
    assert_eq!(
        [
            Unneeded::Data,
            Unneeded::Model,
            Unneeded::Staged,
            Unneeded::Announced
        ]
        .map(of),
        [2, 1, 2, 1]
    );
    vacuum.delete(&Silent).unwrap();
    assert_eq!(files(&path), &all - &leftovers);
    example.check();
}

#[test]
fn coordinates_and_models_that_a_document_names_stay() {
    let example = Example::new();
    let reduce = || {
        let pca = Pca::params().dims(1);
        let run = &example.run;
        run.reduce_embeddings("embedding", &pca, FitOn::Latest)
            .unwrap()
    };
    reduce();
    let first = files(&example.path().join("projections/embedding-pca"));
    let second = reduce();
    // As if a third reduction had been killed before it wrote its document.
    let place = example.run.location().join("projections/embedding-pca");
    let table = DeltaTable::open(place).unwrap();
    let rows = table.snapshot().unwrap().read(None).unwrap();
    table.append("killed", 0, &[rows]).unwrap();

    let vacuum = example.vacuum(Duration::ZERO);
    let data = first.iter().find(|name| name.ends_with(".parquet"));
    let data = format!("projections/embedding-pca/{}", data.unwrap());
    assert_eq!(names(&vacuum), BTreeSet::from([data]));
    vacuum.delete(&Silent).unwrap();
    let reader = example.reader();
    let coordinates = reader.projection("embedding-pca");
    assert_eq!(coordinates.info().unwrap().version, second.version);
    assert_eq!(coordinates.read().unwrap().num_rows(), 6);
    for model in &second.models {
        reader.projection_model(model).unwrap();
    }
    let models = files(&example.path().join("models"));
    assert_eq!(models.len(), 2, "a model that was ever named may be used");
}

#[test]
fn models_stay_where_another_run_of_the_project_cannot_be_read() {
    let example = Example::new();
    let model = example.path().join("models/embedding-pca-01.bin");
    fs::create_dir_all(model.parent().unwrap()).unwrap();
    fs::write(&model, "x").unwrap();
    assert_eq!(example.vacuum(Duration::ZERO).files.len(), 1);
    let other = example.folder.path().join("p/runs/broken-1/run");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("00000000000000000000.json"), "{ torn").unwrap();
    let vacuum = example.vacuum(Duration::ZERO);
    assert!(vacuum.files.is_empty());
    assert!(vacuum.problems[0].to_string().contains("broken-1"));
}

#[test]
fn files_of_discarded_epochs_go_when_no_reader_can_need_them() {
    let example = Example::new();
    let project = Project::open(&example.folder.path().display().to_string(), "p").unwrap();
    let run = project.run("r").if_exists(IfExists::Resume).from_epoch(1);
    let run = run.start().unwrap();
    pass(&run, 1);
    run.complete().unwrap();
    let vacuum = example.vacuum(Duration::ZERO);
    let data = vacuum
        .files
        .iter()
        .filter(|file| file.folder == "metrics/default");
    assert_eq!(data.count(), 2);
    vacuum.delete(&Silent).unwrap();
    let reader = run.reader().unwrap();
    let ids: Vec<i64> = reader.metrics("default").values("example_id").unwrap();
    assert_eq!(ids, [0, 1, 0, 1]);
    assert!(reader.verify(&Silent).unwrap().problems.is_empty());
}

#[test]
fn a_run_that_is_written_is_vacuumed_of_old_files_only() {
    let example = Example::new();
    example.reader().compact(&Silent).unwrap();
    let project = Project::open(&example.folder.path().display().to_string(), "p").unwrap();
    let run = project.run("r").if_exists(IfExists::Reuse).start().unwrap();
    let mut writer = MetricsTableWriter::new(&run).split("train").epoch(3);
    let columns = || Columns::new().with("example_id", vec![0_i64, 1]);
    writer.add_batch(columns()).unwrap();
    writer.flush().unwrap();
    let error = run.reader().unwrap().vacuum(DAY / 25).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("being written"), "{error}");
    example.age(2 * DAY);
    let vacuum = run.reader().unwrap().vacuum(DAY).unwrap();
    assert_eq!(vacuum.files.len(), 6);
    vacuum.delete(&Silent).unwrap();
    writer.add_batch(columns()).unwrap();
    writer.finalize().unwrap();
    let reader = run.reader().unwrap();
    let ids: Vec<i64> = reader
        .metrics("default")
        .epoch(3)
        .values("example_id")
        .unwrap();
    assert_eq!(ids, [0, 1, 0, 1]);
    run.complete().unwrap();
    example.check();
}

#[test]
fn a_log_that_cannot_be_read_protects_its_files() {
    let example = Example::new();
    example.reader().compact(&Silent).unwrap();
    let log = example.path().join("metrics/default/_delta_log");
    for damage in [Some("{ torn"), None] {
        let entry = log.join("00000000000000000002.json");
        let whole = fs::read(&entry).unwrap();
        match damage {
            Some(text) => fs::write(&entry, text).unwrap(),
            None => fs::remove_file(&entry).unwrap(),
        }
        let vacuum = example.vacuum(Duration::ZERO);
        assert!(vacuum.files.iter().all(|file| file.folder == "scalars"));
        let [error] = &*vacuum.problems else {
            panic!("{:?}", vacuum.problems);
        };
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("metrics/default"), "{error}");
        fs::write(&entry, whole).unwrap();
    }
    example.check();
}

/// What is damaged can be mended from its files, as long as these are there.
#[test]
fn files_that_a_damaged_log_has_lost_stay() {
    let example = Example::new();
    let run = example.path();
    let log = |table: &str| run.join(table).join("_delta_log");
    let last = |table: &str| {
        let mut names = files(&log(table)).into_iter();
        log(table).join(names.rfind(|name| name.ends_with(".json")).unwrap())
    };
    let kept = example.folder.path().join("kept");
    for table in ["scalars", "metrics/default"] {
        for gone in [log(table), last(table)] {
            fs::rename(&gone, &kept).unwrap();
            let vacuum = example.vacuum(Duration::ZERO);
            assert!(vacuum.files.is_empty(), "{gone:?}: {:?}", vacuum.files);
            let told = vacuum.problems.iter().map(ToString::to_string);
            let told = told.collect::<Vec<_>>().join("; ");
            assert!(told.contains(table), "{gone:?}: {told}");
            fs::rename(&kept, &gone).unwrap();
        }
        let emptied = last(table);
        let whole = fs::read(&emptied).unwrap();
        fs::write(&emptied, "").unwrap();
        let vacuum = example.vacuum(Duration::ZERO);
        assert!(vacuum.files.is_empty(), "{:?}", vacuum.files);
        assert_eq!(vacuum.problems.len(), 1);
        let error = example.reader().compact(&Silent).unwrap_err();
        assert!(error.to_string().contains("it is empty"), "{error}");
        fs::write(&emptied, whole).unwrap();
    }
    example.check();
    // A table of which no commit was ever acknowledged needs nothing.
    fs::remove_dir_all(run.join("run")).unwrap();
    let copy = Project::open(&example.folder.path().display().to_string(), "p").unwrap();
    let other = copy.run("other").start().unwrap();
    other.complete().unwrap();
    let folder = other.location().local_path().unwrap().join("scalars");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("part-1-x.parquet"), "never committed").unwrap();
    let vacuum = other.reader().unwrap().vacuum(Duration::ZERO).unwrap();
    assert_eq!((vacuum.files.len(), vacuum.problems.len()), (1, 0));
}
