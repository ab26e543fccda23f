//! Whatever happens to the files of a run, verifying it names the damage, and reading it never panics
//! or gives other rows in silence.
//!
//! `EMBERLENS_PROOF_DAMAGES` sets how many files are damaged (200).

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use emberlens::collect::Silent;
use emberlens::run::{At, MetricsTableWriter, Project, RunReader};
use emberlens::table::{Column, Columns};
use emberlens_testkit::split_mix;
use ndarray::Array2;

fn write(root: &Path) -> String {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    for epoch in 0..3 {
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        let losses: Vec<f32> = (0..200).map(|row| (row * 7 % 31) as f32 / 31.0).collect();
        let vectors = Array2::from_shape_fn((200, 8), |(row, axis)| (row * axis) as f32);
        let columns = Columns::new()
            .with("example_id", (0..200).collect::<Vec<i64>>())
            .with("loss", losses)
            .with("embedding", Column::embedding(vectors.view()));
        writer.add_batch(columns).unwrap();
        writer.finalize().unwrap();
        run.log(&[("loss", 0.5)], At::epoch(epoch)).unwrap();
        run.flush().unwrap();
    }
    run.complete().unwrap();
    run.id().to_owned()
}

fn open(root: &Path, id: &str) -> emberlens::Result<RunReader> {
    Project::open(&root.display().to_string(), "p")
        .unwrap()
        .open_run(id)
}

/// What a reader sees of the run, as text: all but the roles of columns, which have no checksum.
fn seen(root: &Path, id: &str) -> emberlens::Result<String> {
    let reader = open(root, id)?;
    let rows = reader
        .metrics("default")
        .batches()?
        .collect::<emberlens::Result<Vec<_>>>()?;
    let passes = reader.passes("default");
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
        "{columns:?} {passes:?} {:?} {:?}",
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
    assert_eq!(rows, [("scalars", 3), ("metrics/default", 600)]);
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
fn a_gap_in_a_log_is_named() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let log = root
        .path()
        .join("p/runs")
        .join(&id)
        .join("metrics/default/_delta_log");
    fs::remove_file(log.join("00000000000000000002.json")).unwrap();
    let found = problems(root.path(), &id);
    assert!(
        found
            .iter()
            .any(|text| text.contains("versions 2 to 2 are missing")),
        "{found:?}"
    );
}

fn random(state: &mut u64) -> usize {
    split_mix(state) as usize
}

#[test]
fn no_damage_gives_other_rows_in_silence() {
    let asked = std::env::var("EMBERLENS_PROOF_DAMAGES").ok();
    let damages: u64 = asked.map_or(200, |text| text.parse().unwrap());
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let run = root.path().join("p/runs").join(&id);
    let whole = seen(root.path(), &id).unwrap();
    let files = files(&run);
    let mut noticed = 0;
    for seed in 0..damages {
        let mut state = seed;
        let file = &files[random(&mut state) % files.len()];
        let bytes = fs::read(file).unwrap();
        let place = random(&mut state) % bytes.len().max(1);
        let mut damaged = bytes.clone();
        match random(&mut state) % 4 {
            0 => damaged.truncate(place),
            1 => damaged.clear(),
            2 => damaged[place] ^= 1 << (random(&mut state) % 8),
            _ => damaged[place] = random(&mut state) as u8,
        }
        fs::write(file, &damaged).unwrap();
        let found = problems(root.path(), &id);
        noticed += usize::from(!found.is_empty());
        match seen(root.path(), &id) {
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
