//! Whatever happens to the files of a run, verifying it names the damage, and reading it never panics
//! or gives other rows in silence.
//!
//! `EMBERLENS_PROOF_DAMAGES` sets how many files are damaged (200).

#![allow(clippy::unwrap_used, clippy::panic)]

mod logs;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use emberlens::collect::Silent;
use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run, RunReader};
use emberlens::table::{Column, Columns};
use emberlens_testkit::split_mix;
use ndarray::Array2;

/// Values that are flushed one by one: their log has a checkpoint.
const SCALARS: i64 = 57;

/// What takes longer hangs, unless a run that is whole takes long as well: on a machine that does much else.
const HANGS: Duration = Duration::from_secs(5);

/// How much longer than for a run that is whole an answer may take.
const LONGER: u32 = 20;

/// When an answer is not waited for any more.
const NEVER: Duration = Duration::from_secs(60);

/// A run with a checkpoint of a log, coordinates and their model, that was resumed from an epoch, and a
/// table that it is joined to, which was edited twice.
fn write(root: &Path) -> String {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    let labels: Vec<i64> = (0..200).map(|row| row % 10).collect();
    let mut table = project
        .create_table("t", Columns::new().with("label", labels))
        .unwrap();
    for label in [3, 4] {
        table.edit().set("label", [7], label).commit().unwrap();
        table = project.table("t").unwrap();
    }
    let run = project.run("r").start().unwrap();
    run.add_input(&table).unwrap();
    let log = |run: &Run, from| {
        for epoch in from..SCALARS {
            run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
            run.flush().unwrap();
        }
    };
    log(&run, 0);
    run.complete().unwrap();
    drop(run);
    let resumed = project.run("r").if_exists(IfExists::Resume);
    let run = resumed.from_epoch(SCALARS - 2).start().unwrap();
    log(&run, SCALARS - 2);
    for epoch in 0..3 {
        let mut writer = MetricsTableWriter::new(&run)
            .foreign_table(&table)
            .split("train")
            .epoch(epoch);
        let losses: Vec<f32> = (0..200).map(|row| (row * 7 % 31) as f32 / 31.0).collect();
        let vectors = Array2::from_shape_fn((200, 8), |(row, axis)| (row * axis) as f32);
        let columns = Columns::new()
            .with("example_id", (0..200).collect::<Vec<i64>>())
            .with("loss", losses)
            .with("embedding", Column::embedding(vectors.view()));
        writer.add_batch(columns).unwrap();
        writer.finalize().unwrap();
    }
    run.reduce_embeddings("embedding", &Pca::params().dims(2), FitOn::Latest)
        .unwrap();
    run.complete().unwrap();
    // What was taken back is not read: its damage is none.
    let vacuum = run.reader().unwrap().vacuum(Duration::ZERO).unwrap();
    vacuum.delete(&Silent).unwrap();
    run.id().to_owned()
}

fn open(root: &Path, id: &str) -> emberlens::Result<RunReader> {
    Project::open(&root.display().to_string(), "p")
        .unwrap()
        .open_run(id)
}

/// What a reader sees of the run, as text: all but the roles of columns, which have no checksum.
fn seen(root: &Path, id: &str) -> emberlens::Result<String> {
    seen_by(&open(root, id)?)
}

/// The same of a reader that skips damage, and whether it told of some.
fn seen_skipping(root: &Path, id: &str) -> emberlens::Result<(String, bool)> {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    let reader = project.open_damaged_run(id)?;
    let seen = seen_by(&reader)?;
    Ok((seen, !reader.skipped().problems.is_empty()))
}

fn seen_by(reader: &RunReader) -> emberlens::Result<String> {
    let rows = reader
        .metrics("default")
        .batches()?
        .collect::<emberlens::Result<Vec<_>>>()?;
    let passes = reader.passes("default");
    let coordinates = reader.projections().to_vec();
    let points = coordinates
        .iter()
        .map(|info| {
            reader.projection_model(&info.models[0])?;
            reader.projection(&info.name).matrix()
        })
        .collect::<emberlens::Result<Vec<_>>>()?;
    let mut labels = Vec::new();
    for input in reader.inputs() {
        let table = reader.input_table(input)?;
        let read = table.snapshot().read(None)?;
        labels.extend(read.columns().to_vec());
    }
    let columns: Vec<_> = rows
        .iter()
        .flat_map(|batch| {
            let schema = batch.schema();
            let names: Vec<_> = schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            names.into_iter().zip(batch.columns().to_vec())
        })
        .collect();
    Ok(format!(
        "{columns:?} {passes:?} {coordinates:?} {points:?} {labels:?} {:?} {:?}",
        reader.scalars()?,
        reader.status()
    ))
}

fn problems(root: &Path, id: &str) -> Vec<String> {
    match open(root, id).and_then(|reader| reader.verify(&Silent)) {
        Ok(verified) => verified
            .problems
            .iter()
            .map(emberlens::Error::chain)
            .collect(),
        Err(error) => vec![error.chain()],
    }
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
    found.sort();
    found
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_run_that_is_whole_has_no_problems() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let verified = open(root.path(), &id).unwrap().verify(&Silent).unwrap();
    assert!(verified.problems.is_empty(), "{:?}", verified.problems);
    let rows: Vec<_> = verified
        .tables
        .iter()
        .map(|table| (&*table.folder, table.rows))
        .collect();
    let expected = [
        ("scalars", SCALARS as u64),
        ("metrics/default", 600),
        ("projections/embedding-pca", 600),
        ("../../tables/t", 200),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn a_data_file_that_is_missing_cut_off_or_altered_is_named() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let metrics = root.path().join("p/runs").join(&id).join("metrics/default");
    let data = files(&metrics)
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "parquet"));
    let data = data.unwrap();
    let whole = fs::read(&data).unwrap();
    // A bit in the middle of the vectors, which are stored as they are: nothing else would notice.
    let mut flipped = whole.clone();
    let place = whole.len() / 2;
    flipped[place] ^= 1;
    for damage in [
        None,
        Some(&whole[..whole.len() / 2]),
        Some(&[][..]),
        Some(&flipped[..]),
    ] {
        match damage {
            None => fs::remove_file(&data).unwrap(),
            Some(bytes) => fs::write(&data, bytes).unwrap(),
        }
        let found = problems(root.path(), &id);
        assert!(
            found.iter().any(|text| text.contains(&file_name(&data))),
            "{found:?}"
        );
    }
    fs::write(&data, &whole).unwrap();
    assert!(problems(root.path(), &id).is_empty());
}

#[test]
fn a_table_that_is_gone_is_named() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let run = root.path().join("p/runs").join(&id);
    fs::remove_dir_all(run.join("metrics/default/_delta_log")).unwrap();
    let found = problems(root.path(), &id);
    assert!(
        found.iter().any(|text| text.contains("metrics/default")),
        "{found:?}"
    );
}

#[test]
fn everything_that_a_run_needs_is_missed_when_it_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let run = root.path().join("p/runs").join(&id);
    let model = files(&run.join("models")).remove(0);
    let entry = |table: &str, back: usize| {
        let entries = files(&run.join(table).join("_delta_log"));
        let is_entry = |path: &&PathBuf| path.extension().is_some_and(|end| end == "json");
        entries
            .iter()
            .filter(is_entry)
            .nth_back(back)
            .unwrap()
            .clone()
    };
    let input = root.path().join("p/tables/t");
    for gone in [
        run.join("scalars"),
        run.join("scalars/_delta_log"),
        entry("scalars", 0),
        entry("scalars", 20),
        entry("metrics/default", 0),
        entry("projections/embedding-pca", 0),
        run.join("scalars/_delta_log/00000000000000000050.checkpoint.parquet"),
        model,
        input.join("_delta_log"),
        // What the last edit wrote anew.
        files(&input)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
            .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap())
            .unwrap(),
        input,
    ] {
        let kept = root.path().join("kept");
        fs::rename(&gone, &kept).unwrap();
        let found = problems(root.path(), &id);
        assert!(!found.is_empty(), "{} is not missed", gone.display());
        fs::rename(&kept, &gone).unwrap();
        assert!(problems(root.path(), &id).is_empty());
    }
}

#[test]
fn a_document_that_is_there_twice_is_named() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let documents = root.path().join("p/runs").join(&id).join("run");
    let all = files(&documents);
    let numbered = all.iter().filter(|path| file_name(path).starts_with('0'));
    let next = format!("{:020}.json", numbered.count());
    fs::copy(
        documents.join("00000000000000000001.json"),
        documents.join(&next),
    )
    .unwrap();
    let found = problems(root.path(), &id).join("; ");
    assert!(found.contains(&next), "{found}");
}

#[test]
fn an_example_id_below_or_beyond_the_table_is_named() {
    let root = tempfile::tempdir().unwrap();
    let project = Project::open(&root.path().display().to_string(), "p").unwrap();
    let table = |name: &str, rows: i64| {
        let rows: Vec<i64> = (0..rows).collect();
        project
            .create_table(name, Columns::new().with("x", rows))
            .unwrap()
    };
    let (large, small) = (table("t", 9), table("s", 3));
    let run = project.run("r").start().unwrap();
    let mut writer = MetricsTableWriter::new(&run)
        .foreign_table(&large)
        .split("train");
    writer
        .add_batch(Columns::new().with("example_id", vec![2_i64, 8]))
        .unwrap();
    writer.finalize().unwrap();
    run.complete().unwrap();
    assert!(problems(root.path(), run.id()).is_empty());
    // The joined table is another than it was: its files are those of the small one.
    let tables = root.path().join("p/tables");
    fs::rename(tables.join("t"), tables.join("u")).unwrap();
    fs::rename(tables.join("s"), tables.join("t")).unwrap();
    let found = problems(root.path(), run.id()).join("; ");
    assert!(
        found.contains("example_id 8") && found.contains("3 rows"),
        "{found}"
    );
    drop(small);
}

fn random(state: &mut u64) -> usize {
    split_mix(state) as usize
}

/// Does something to the file; `false` for what nobody could notice.
fn damage(file: &Path, state: &mut u64) -> bool {
    let bytes = fs::read(file).unwrap();
    let place = random(state) % bytes.len().max(1);
    let mut damaged = bytes.clone();
    match random(state) % 5 {
        0 => damaged.truncate(place),
        1 => damaged.clear(),
        2 => damaged[place] ^= 1 << (random(state) % 8),
        3 => damaged[place] = random(state) as u8,
        // That there were more documents, nothing tells.
        _ if is_last_document(file) => return false,
        _ => {
            fs::remove_file(file).unwrap();
            return true;
        }
    }
    fs::write(file, &damaged).unwrap();
    true
}

fn is_last_document(file: &Path) -> bool {
    let folder = file.parent().unwrap();
    let siblings = files(folder);
    let documents = siblings
        .iter()
        .filter(|path| file_name(path).starts_with('0'));
    folder.ends_with("run") && documents.max().is_some_and(|last| last == file)
}

struct Answers {
    problems: Vec<String>,
    read: emberlens::Result<String>,
    skipping: emberlens::Result<(String, bool)>,
}

/// What is wrong and what readers see, or `None` when that does not end.
fn answers(root: &Path, id: &str) -> Option<Answers> {
    let (answers, taken) = timed(root, id)?;
    if taken < HANGS {
        return Some(answers);
    }
    let whole = tempfile::tempdir().unwrap();
    let id = write(whole.path());
    let (_, usual) = timed(whole.path(), &id)?;
    (taken < usual * LONGER).then_some(answers)
}

fn timed(root: &Path, id: &str) -> Option<(Answers, Duration)> {
    let (send, receive) = mpsc::channel();
    let (root, id) = (root.to_owned(), id.to_owned());
    let begun = Instant::now();
    thread::spawn(move || {
        let _ = send.send(Answers {
            problems: problems(&root, &id),
            read: seen(&root, &id),
            skipping: seen_skipping(&root, &id),
        });
    });
    let answers = receive.recv_timeout(NEVER).ok()?;
    Some((answers, begun.elapsed()))
}

#[test]
fn no_damage_gives_other_rows_in_silence() {
    let asked = std::env::var("EMBERLENS_PROOF_DAMAGES").ok();
    let damages: u64 = asked.map_or(200, |text| text.parse().unwrap());
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let run = root.path().join("p/runs").join(&id);
    let whole = seen(root.path(), &id).unwrap();
    let mut files = files(&run);
    files.extend(self::files(&root.path().join("p/tables")));
    let mut noticed = 0;
    for seed in 0..damages {
        let mut state = seed;
        let file = &files[random(&mut state) % files.len()];
        let bytes = fs::read(file).unwrap();
        if !damage(file, &mut state) {
            continue;
        }
        let answers = answers(root.path(), &id);
        let hangs = || format!("seed {seed}, {}: no answer, or a panic", file.display());
        let answers = answers.unwrap_or_else(|| panic!("{}", hangs()));
        let (found, read) = (answers.problems, answers.read);
        if let Ok((read, told)) = answers.skipping {
            assert!(
                told || read == whole || !found.is_empty(),
                "seed {seed}, {}: other rows in silence, skipping",
                file.display()
            );
        }
        noticed += usize::from(!found.is_empty());
        match read {
            // A byte of a note, a time or a size that nothing depends on.
            Ok(read) if read == whole => {}
            Ok(_) => assert!(
                !found.is_empty(),
                "seed {seed}, {}: other rows in silence",
                file.display()
            ),
            Err(error) => assert!(
                !found.is_empty(),
                "seed {seed}: {} and verify is content",
                error.chain()
            ),
        }
        fs::write(file, &bytes).unwrap();
    }
    assert!(
        noticed as u64 > damages / 2,
        "{noticed} of {damages} were noticed"
    );
    assert_eq!(seen(root.path(), &id).unwrap(), whole);
}
