//! What is damaged in a log: gaps, entries that say nothing, or whose name says too much, checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use emberlens::ErrorKind;

use super::{answers, file_name, files, problems, seen, write};

/// The log of one table of a run.
fn log_of(root: &Path, id: &str, table: &str) -> PathBuf {
    root.join("p/runs").join(id).join(table).join("_delta_log")
}

/// Entries whose names claim that thousands came before them.
#[test]
fn an_entry_far_out_is_named_and_not_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let whole = seen(root.path(), &id).unwrap();
    let run = root.path().join("p/runs").join(&id);
    for table in ["scalars", "metrics/default"] {
        let log = run.join(table).join("_delta_log");
        for far in [4_000_u64, 40_000, 1 << 40, i64::MAX as u64] {
            let entry = log.join(format!("{far:020}.json"));
            fs::copy(log.join("00000000000000000002.json"), &entry).unwrap();
            let case = format!("{table}, {far}");
            let answers = answers(root.path(), &id);
            let answers = answers.unwrap_or_else(|| panic!("{case}: no answer, or a panic"));
            let told = answers.problems.join("; ");
            assert!(told.contains("are missing"), "{case}: {told}");
            assert!(answers.read.is_err(), "{case}");
            match answers.skipping {
                Ok((read, told)) => assert!(told || read == whole, "{case}"),
                Err(error) => assert!(error.to_string().contains("missing"), "{case}: {error}"),
            }
            fs::remove_file(&entry).unwrap();
        }
    }
}

/// An entry without a byte says nothing, as a commit does that did nothing.
#[test]
fn an_entry_without_a_byte_is_an_error_to_every_reader() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let run = root.path().join("p/runs").join(&id);
    for log in [
        run.join("scalars/_delta_log"),
        run.join("metrics/default/_delta_log"),
        root.path().join("p/tables/t/_delta_log"),
    ] {
        // Those before the checkpoint are not read.
        let entries = files(&log);
        let is_entry = |path: &&PathBuf| path.extension().is_some_and(|end| end == "json");
        for entry in entries.iter().filter(is_entry).rev().take(8) {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, "").unwrap();
            let error = seen(root.path(), &id).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains(&file_name(entry)), "{error}");
            fs::write(entry, bytes).unwrap();
        }
    }
}

#[test]
fn a_checkpoint_that_holds_other_files_than_the_entries_is_named() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let log = log_of(root.path(), &id, "scalars");
    let checkpoint = log.join("00000000000000000050.checkpoint.parquet");
    let other = tempfile::tempdir().unwrap();
    let other_id = write(other.path());
    let from = log_of(other.path(), &other_id, "scalars");
    fs::copy(from.join(file_name(&checkpoint)), &checkpoint).unwrap();
    let found = problems(root.path(), &id).join("; ");
    assert!(found.contains("other files than the entries"), "{found}");
}

#[test]
fn a_gap_in_a_log_is_named() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let log = log_of(root.path(), &id, "metrics/default");
    fs::remove_file(log.join("00000000000000000002.json")).unwrap();
    let found = problems(root.path(), &id);
    assert!(
        found
            .iter()
            .any(|text| text.contains("version 2 is missing")),
        "{found:?}"
    );
}

/// However many passes a damage is about.
#[test]
fn one_damage_is_told_once() {
    let root = tempfile::tempdir().unwrap();
    let id = write(root.path());
    let table = root.path().join("p/tables/t");
    let kept = root.path().join("kept");
    fs::rename(&table, &kept).unwrap();
    let found = problems(root.path(), &id);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("`t`"), "{found:#?}");
    fs::rename(&kept, &table).unwrap();

    let run = root.path().join("p/runs").join(&id);
    let entry = run.join("metrics/default/_delta_log/00000000000000000003.json");
    for damage in ["", "{ torn"] {
        let bytes = fs::read(&entry).unwrap();
        fs::write(&entry, damage).unwrap();
        let found = problems(root.path(), &id);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].contains(&file_name(&entry)), "{found:#?}");
        let unchecked = "3 passes were not checked, as the log cannot be read";
        assert!(found[1].contains(unchecked), "{found:#?}");
        fs::remove_file(&entry).unwrap();
        let found = problems(root.path(), &id);
        assert_eq!(found.len(), 2, "{found:#?}");
        fs::write(&entry, bytes).unwrap();
    }
    // How many scalars there are, a log that cannot be read does not say.
    let entry = run.join("scalars/_delta_log/00000000000000000001.json");
    let bytes = fs::read(&entry).unwrap();
    fs::write(&entry, "").unwrap();
    let found = problems(root.path(), &id);
    assert_eq!(found.len(), 1, "{found:#?}");
    fs::write(&entry, bytes).unwrap();
    assert!(problems(root.path(), &id).is_empty());
}
