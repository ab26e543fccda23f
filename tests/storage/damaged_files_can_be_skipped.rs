//! A damaged file is an error that names it; a reader that is told to skip reads all other rows, and
//! says how many are missing, to the row.

#![allow(clippy::panic, clippy::unwrap_used)]

mod checkpoints;
mod joined_twice;

use std::fs;
use std::path::Path;

use emberlens::ErrorKind;
use emberlens::collect::Silent;
use emberlens::embedding::FitOn;
use emberlens::reduce::Pca;
use emberlens::run::ranking::{Epochs, RankBy};
use emberlens::run::{At, IfExists, MetricsTableWriter, Project, Run, RunReader};
use emberlens::storage::Location;
use emberlens::table::{Column, Columns};
use ndarray::Array2;

const ROWS: i64 = 30;

/// Passes of epochs 0..4, each of two files, and as many scalars.
fn write(root: &Path) -> Run {
    let project = Project::open(&root.display().to_string(), "p").unwrap();
    let run = project.run("r").start().unwrap();
    for epoch in 0..4 {
        let mut writer = MetricsTableWriter::new(&run).split("train").epoch(epoch);
        for half in 0..2 {
            let ids: Vec<i64> = (half * ROWS..(half + 1) * ROWS).collect();
            let losses: Vec<f32> = ids.iter().map(|&id| id as f32 + epoch as f32).collect();
            let vectors =
                Array2::from_shape_fn((ROWS as usize, 3), |(row, axis)| (row * (axis + 1)) as f32);
            let columns = Columns::new().with("example_id", ids).with("loss", losses);
            let columns = columns.with("embedding", Column::embedding(vectors.view()));
            writer.add_batch(columns).unwrap();
            writer.flush().unwrap();
        }
        writer.finalize().unwrap();
        run.log(&[("loss", 0.5), ("accuracy", 0.5)], At::epoch(epoch))
            .unwrap();
        run.flush().unwrap();
    }
    run.complete().unwrap();
    run
}

/// Empties a data file, or cuts it off, or deletes it.
fn damage(reader: &RunReader, url: &str, how: usize) {
    let file = reader.location().join(url).local_path().unwrap();
    let bytes = fs::read(&file).unwrap();
    match how {
        0 => fs::write(&file, "").unwrap(),
        1 => fs::write(&file, &bytes[..bytes.len() / 2]).unwrap(),
        _ => fs::remove_file(&file).unwrap(),
    }
}

/// The name of the first data file that an entry of a log adds.
fn first_added(entry: &Location) -> String {
    let text = String::from_utf8(entry.read().unwrap().to_vec()).unwrap();
    let added = text.lines().find_map(|line| {
        let action: serde_json::Value = serde_json::from_str(line).unwrap();
        Some(action["add"]["path"].as_str()?.to_owned())
    });
    added.unwrap()
}

fn ids(reader: &RunReader, epoch: i64) -> emberlens::Result<Vec<i64>> {
    reader.metrics("default").epoch(epoch).values("example_id")
}

#[test]
fn what_is_left_of_a_pass_is_read_and_the_rest_is_counted() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let run = write(root.path());
        let reader = run.reader().unwrap();
        let file = reader.passes("default")[2].files[1].url.clone();
        damage(&reader, &file, how);
        let name = file.rsplit('/').next().unwrap();
        let error = ids(&reader, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(ids(&reader, 1).unwrap().len(), 60, "others are read");
        assert_eq!(reader.skipped().missing_rows, 0);

        let reader = reader.skip_corrupt();
        assert_eq!(ids(&reader, 1).unwrap().len(), 60);
        assert_eq!(reader.skipped().missing_rows, 0, "nothing is missing there");
        assert_eq!(ids(&reader, 2).unwrap(), (0..ROWS).collect::<Vec<_>>());
        let all: Vec<f32> = reader.metrics("default").values("loss").unwrap();
        assert_eq!(all.len(), 7 * ROWS as usize);
        let skipped = reader.skipped();
        // Two calls missed the same rows.
        assert_eq!(skipped.missing_rows, ROWS as u64);
        assert_eq!(skipped.problems.len(), 1);
        assert!(skipped.problems[0].to_string().contains(name));
    }
}

#[test]
fn a_changed_byte_is_found_where_a_file_is_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let reader = write(root.path()).reader().unwrap();
    let all = reader.metrics("default").epoch(2);
    let rows = all.read().unwrap();
    let url = &reader.passes("default")[2].files[1].url;
    let file = reader.location().join(url).local_path().unwrap();
    let bytes = fs::read(&file).unwrap();
    for place in (0..bytes.len()).step_by(bytes.len() / 50) {
        let mut changed = bytes.clone();
        changed[place] ^= 0b100;
        fs::write(&file, changed).unwrap();
        let error = all.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {place}: {error}");
        assert!(
            error.to_string().contains(url.rsplit('/').next().unwrap()),
            "{error}"
        );
    }
    fs::write(&file, bytes).unwrap();
    assert!(all.read().unwrap() == rows);
}

#[test]
fn a_changed_byte_is_found_in_memory_whatever_is_read() {
    let project = Project::open("memory://", "p").unwrap();
    let run = project.run("r").start().unwrap();
    let columns = Columns::new()
        .with("example_id", (0..ROWS).collect::<Vec<i64>>())
        .with("loss", vec![0.25_f32; ROWS as usize]);
    let files = run.add_metrics("default", columns, None, None).unwrap();
    let place = run.location().join(&files[0].url);
    let mut bytes = place.read().unwrap().to_vec();
    let middle = bytes.len() / 4;
    bytes[middle] ^= 0b100;
    place.delete().unwrap();
    place.create(bytes).unwrap();
    let losses = run
        .reader()
        .unwrap()
        .metrics("default")
        .values::<f32>("loss");
    assert!(losses.unwrap_err().to_string().contains("checksum"));
}

#[test]
fn a_ranking_leaves_out_what_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let reader = write(root.path()).reader().unwrap();
    let last = reader.passes("default")[3].clone();
    damage(&reader, &last.files[0].url, 1);
    let by = RankBy::column("loss").epochs(Epochs::At(3));
    assert_eq!(reader.rank(&by).unwrap_err().kind(), ErrorKind::Corrupt);
    let reader = reader.skip_corrupt();
    let ranked = reader.rank(&by).unwrap();
    assert_eq!(ranked.ranking.samples.len() as i64, ROWS);
    assert_eq!(reader.skipped().missing_rows as i64, ROWS);
}

#[test]
fn scalars_are_counted_by_their_file() {
    let root = tempfile::tempdir().unwrap();
    let reader = write(root.path()).reader().unwrap();
    let folder = reader.location().join("scalars");
    let names = folder.list_files().unwrap();
    damage(&reader, &format!("scalars/{}", names[1]), 0);
    assert_eq!(reader.scalars().unwrap_err().kind(), ErrorKind::Corrupt);
    let reader = reader.skip_corrupt();
    assert_eq!(reader.scalars().unwrap().len(), 6);
    assert_eq!(reader.skipped().missing_rows, 2);
}

#[test]
fn coordinates_are_counted_by_their_file() {
    let root = tempfile::tempdir().unwrap();
    let run = write(root.path());
    let pca = Pca::params().dims(1);
    run.reduce_embeddings("embedding", &pca, FitOn::Latest)
        .unwrap();
    let reader = run.reader().unwrap();
    let folder = "projections/embedding-pca";
    let names = reader.location().join(folder).list_files().unwrap();
    damage(&reader, &format!("{folder}/{}", names[0]), 1);
    let read = |reader: &RunReader| reader.projection("embedding-pca").read();
    assert_eq!(read(&reader).unwrap_err().kind(), ErrorKind::Corrupt);
    let reader = reader.skip_corrupt();
    let left = read(&reader).unwrap().num_rows() as u64;
    assert_eq!(left + reader.skipped().missing_rows, 8 * ROWS as u64);
}

#[test]
fn coordinates_are_read_around_entries_that_made_none_of_them() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        drop(write(root.path()));
        let project = Project::open(&root.path().display().to_string(), "p").unwrap();
        // Whoever takes a run up closes its tables to others by an entry without rows.
        let reduce = |run: &Run| {
            let pca = Pca::params().dims(1);
            run.reduce_embeddings("embedding", &pca, FitOn::Latest)
                .unwrap();
            run.complete().unwrap();
        };
        reduce(&project.resume_run("r").unwrap());
        let run = project.resume_run("r").unwrap();
        run.complete().unwrap();
        let reader = run.reader().unwrap().skip_corrupt();
        let read = || reader.projection("embedding-pca").matrix();
        let whole = read().unwrap();
        let own = reader.projections()[0].version;
        damage_entry(&reader, "projections/embedding-pca", own + 1, how);
        // The last entry may be cut away without a trace.
        if how < 2 {
            assert!(
                run.reader()
                    .unwrap()
                    .projection("embedding-pca")
                    .read()
                    .is_err()
            );
            assert_eq!(reader.skipped().problems.len(), 0);
        }
        assert_eq!(read().unwrap(), whole);
        assert_eq!(reader.skipped().missing_rows, 0);
        // Without their own entry there are none, and none of an earlier reduction in their place.
        damage_entry(&reader, "projections/embedding-pca", own, how);
        assert_eq!(read().unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn of_a_compacted_file_each_pass_misses_its_own_rows() {
    let root = tempfile::tempdir().unwrap();
    let run = write(root.path());
    run.reader().unwrap().compact(&Silent).unwrap();
    let reader = run.reader().unwrap().skip_corrupt();
    let log = reader.location().join("metrics/default/_delta_log");
    let entry = log.list_files().unwrap().pop().unwrap();
    let added = first_added(&log.join(&entry));
    damage(&reader, &format!("metrics/default/{added}"), 1);
    // The files that were joined are still there, and the documents name them.
    assert_eq!(ids(&reader, 2).unwrap(), (0..2 * ROWS).collect::<Vec<_>>());
    let skipped = reader.skipped();
    assert_eq!((skipped.missing_rows, skipped.problems.len()), (0, 1));
    for file in reader.passes("default").iter().flat_map(|pass| &pass.files) {
        reader.location().join(&file.url).delete().unwrap();
    }
    assert_eq!(ids(&reader, 2).unwrap().len(), 0);
    assert_eq!(reader.skipped().missing_rows as i64, 2 * ROWS);
    assert_eq!(ids(&reader, 3).unwrap().len(), 0);
    assert_eq!(reader.skipped().missing_rows as i64, 4 * ROWS);
}

/// Damages an entry of a log: empties it, tears it, deletes it.
fn damage_entry(reader: &RunReader, table: &str, version: u64, how: usize) {
    let entry = format!("{table}/_delta_log/{version:020}.json");
    let file = reader.location().join(&entry).local_path().unwrap();
    match how {
        0 => fs::write(&file, "").unwrap(),
        1 => fs::write(&file, "{\"add\": {").unwrap(),
        _ => fs::remove_file(&file).unwrap(),
    }
}

#[test]
fn a_commit_whose_entry_is_damaged_is_read_by_the_documents() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let reader = write(root.path()).reader().unwrap();
        let all: Vec<f32> = reader.metrics("default").values("loss").unwrap();
        damage_entry(&reader, "metrics/default", 3, how);
        let error = ids(&reader, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let reader = reader.skip_corrupt();
        let mut read: Vec<f32> = reader.metrics("default").values("loss").unwrap();
        let mut all = all.clone();
        for losses in [&mut all, &mut read] {
            losses.sort_by(f32::total_cmp);
        }
        assert_eq!(read, all, "what no entry tells of is read after the rest");
        let skipped = reader.skipped();
        assert_eq!((skipped.missing_rows, skipped.problems.len()), (0, 1));
        let told = skipped.problems[0].to_string();
        assert!(told.contains("_delta_log"), "{told}");
        // With its file gone, its rows are missing, and only they.
        let file = reader.passes("default")[1].files[0].url.clone();
        damage(&reader, &file, 2);
        assert_eq!(ids(&reader, 1).unwrap().len() as i64, ROWS);
        assert_eq!(ids(&reader, 2).unwrap().len() as i64, 2 * ROWS);
        assert_eq!(reader.skipped().missing_rows as i64, ROWS);
    }
}

#[test]
fn scalars_whose_entry_is_damaged_are_counted() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let reader = write(root.path()).reader().unwrap();
        damage_entry(&reader, "scalars", 2, how);
        assert_eq!(reader.scalars().unwrap_err().kind(), ErrorKind::Corrupt);
        let reader = reader.skip_corrupt();
        assert_eq!(reader.scalars().unwrap().len(), 6);
        assert_eq!(reader.scalars().unwrap().len(), 6);
        let skipped = reader.skipped();
        assert_eq!((skipped.missing_rows, skipped.problems.len()), (2, 1));
        assert!(skipped.may_miss_scalars, "as many as documents tell of");
    }
}

#[test]
fn scalars_that_were_taken_back_do_not_come_again_with_the_damage() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        drop(write(root.path()));
        let project = Project::open(&root.path().display().to_string(), "p").unwrap();
        let run = project.run("r").if_exists(IfExists::Resume).from_epoch(1);
        let run = run.start().unwrap();
        // Epoch 3 is not reached again.
        for epoch in 1..3 {
            run.log(&[("loss", 0.25)], At::epoch(epoch)).unwrap();
            run.flush().unwrap();
        }
        run.complete().unwrap();
        let seen = |reader: &RunReader| {
            let scalars = reader.scalars().unwrap().into_iter();
            let seen = scalars.map(|scalar| (scalar.epoch, scalar.name, scalar.value));
            seen.collect::<Vec<_>>()
        };
        let reader = run.reader().unwrap();
        let whole = seen(&reader);
        assert_eq!(whole.len(), 4);
        // Four flushes, the fence, the discard.
        let entry = format!("{:020}.json", 6);
        let log = reader.location().join("scalars/_delta_log");
        let text = log.join(&entry).read().unwrap();
        assert!(String::from_utf8_lossy(&text).contains("\"remove\""));
        damage_entry(&reader, "scalars", 6, how);
        assert_eq!(reader.scalars().unwrap_err().kind(), ErrorKind::Corrupt);
        let reader = reader.skip_corrupt();
        assert_eq!(seen(&reader), whole);
        let skipped = reader.skipped();
        assert_eq!((skipped.missing_rows, skipped.problems.len()), (0, 1));
    }
}

#[test]
fn scalars_without_a_first_entry_are_all_missing() {
    for how in 0..3 {
        let root = tempfile::tempdir().unwrap();
        let reader = write(root.path()).reader().unwrap();
        damage_entry(&reader, "scalars", 0, how);
        assert_eq!(reader.scalars().unwrap_err().kind(), ErrorKind::Corrupt);
        let reader = reader.skip_corrupt();
        assert_eq!(reader.scalars().unwrap().len(), 0);
        let skipped = reader.skipped();
        assert_eq!(skipped.missing_rows, 8);
        assert!(skipped.problems[0].to_string().contains("scalars"));
    }
}

#[test]
fn scalars_that_are_gone_are_missed() {
    let root = tempfile::tempdir().unwrap();
    let reader = write(root.path()).reader().unwrap();
    reader.location().join("scalars").delete_all().unwrap();
    let error = reader.scalars().unwrap_err();
    assert!(error.to_string().contains("8 of them are lost"), "{error}");
    let reader = reader.skip_corrupt();
    assert_eq!(reader.scalars().unwrap().len(), 0);
    let skipped = reader.skipped();
    assert_eq!((skipped.missing_rows, skipped.problems.len()), (8, 1));
    assert!(skipped.may_miss_scalars);
}

#[test]
fn a_table_that_is_gone_is_named() {
    let root = tempfile::tempdir().unwrap();
    let reader = write(root.path()).reader().unwrap();
    let table = reader.location().join("metrics/default");
    table.join("_delta_log").delete_all().unwrap();
    let reader = reader.skip_corrupt();
    assert_eq!(reader.metrics("default").read().unwrap().num_rows(), 0);
    let skipped = reader.skipped();
    assert_eq!(skipped.missing_rows as i64, 4 * 2 * ROWS);
    assert!(skipped.problems[0].to_string().contains(&table.url()));
}

#[test]
fn a_run_is_read_without_its_damaged_documents() {
    let root = tempfile::tempdir().unwrap();
    let run = write(root.path());
    let project = Project::open(&root.path().display().to_string(), "p").unwrap();
    let whole = project.open_run("r").unwrap();
    let documents = run.location().join("run");
    let names = documents.list_files().unwrap();
    let numbered = names.iter().filter(|name| name.starts_with('0'));
    let mut rows = Vec::new();
    for name in numbered {
        let file = documents.join(name);
        let bytes = file.read().unwrap();
        for damage in ["", "{ torn", "gone"] {
            match damage {
                "gone" => file.delete().unwrap(),
                text => file.replace(text).unwrap(),
            }
            let is_last = names.iter().rfind(|name| name.starts_with('0')) == Some(name);
            if !(is_last && damage == "gone") {
                let error = project.open_run(run.id()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{name}: {error}");
            }
            let reader = project.open_damaged_run(run.id()).unwrap();
            assert_eq!(reader.scalars().unwrap().len(), 8, "{name}");
            let losses: Vec<f32> = reader.metrics("default").values("loss").unwrap();
            rows.push(losses.len() as i64);
            assert_eq!(reader.skipped().missing_rows, 0);
            let problems = reader.skipped().problems;
            let is_noticed = !(is_last && damage == "gone");
            assert_eq!(reader.skipped().unread_documents, u64::from(is_noticed));
            if is_noticed {
                let told = problems[0].to_string();
                let number = name.trim_start_matches('0').trim_end_matches(".json");
                assert!(told.contains(number), "{name}: {told}");
            }
            file.replace(bytes.clone()).unwrap();
        }
    }
    // All rows but those of the pass whose completion is lost.
    let all = 8 * ROWS;
    assert!(
        rows.iter()
            .all(|&rows| rows == all || rows == all - 2 * ROWS)
    );
    assert_eq!(rows.iter().filter(|&&rows| rows < all).count(), 4 * 3);
    assert_eq!(
        project.open_run("r").unwrap().passes("default"),
        whole.passes("default")
    );
}
