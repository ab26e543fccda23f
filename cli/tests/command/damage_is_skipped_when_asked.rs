use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::example::{Example, stderr};

/// Damages the first data file of a folder of the run `cnn`; its name.
fn damage(example: &Example, id: &str, folder: &str) -> String {
    let folder: PathBuf = example.root().join("digits/runs").join(id).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .collect();
    files.sort();
    let bytes = fs::read(&files[0]).unwrap();
    fs::write(&files[0], &bytes[..bytes.len() / 2]).unwrap();
    files[0].file_name().unwrap().to_str().unwrap().to_owned()
}

/// Fails without the option, naming the file; with it, JSON and what standard error says.
fn skipping(example: &Example, arguments: &[&str], name: &str) -> (Value, String) {
    let failed = example.emberlens(arguments);
    let error = stderr(&failed);
    assert_eq!(failed.status.code(), Some(1), "{arguments:?}: {error}");
    assert!(error.contains(name), "{arguments:?}: {error}");
    let output = example.emberlens(&[arguments, &["--skip-corrupt", "--json"]].concat());
    let notes = stderr(&output);
    assert!(output.status.success(), "{arguments:?}: {notes}");
    assert!(notes.contains(name), "{arguments:?}: {notes}");
    (serde_json::from_slice(&output.stdout).unwrap(), notes)
}

#[test]
fn rows_that_are_missing_are_counted_on_standard_error_and_in_json() {
    let example = Example::new();
    // The four rows of `train` at epoch 0.
    let name = damage(&example, &example.cnn, "metrics/default");
    let file = example.root().join("rows.csv").display().to_string();
    let (json, notes) = skipping(&example, &["export", "cnn", "-o", &file], &name);
    assert_eq!(
        (&json["rows"], &json["missing_rows"]),
        (&8.into(), &4.into())
    );
    assert!(notes.contains("4 rows are missing"), "{notes}");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 9);
    let (json, _) = skipping(&example, &["top", "cnn", "--by=loss", "--epoch=0"], &name);
    assert_eq!(
        (&json["ranked_count"], &json["missing_rows"]),
        (&2.into(), &4.into())
    );
    let whole = example.json(&["top", "cnn", "--by=loss", "--epoch=1", "--skip-corrupt"]);
    assert_eq!(whole["missing_rows"], 0);
}

#[test]
fn damaged_scalars_leave_the_rest_of_a_run_and_of_a_list() {
    let example = Example::new();
    let name = damage(&example, &example.cnn, "scalars");
    let (json, notes) = skipping(&example, &["show", "cnn"], &name);
    assert_eq!(json["streams"][0]["name"], "default");
    let missing = json["missing_rows"].as_u64().unwrap();
    assert!(missing > 0 && notes.contains("missing"), "{notes}");
    let (json, _) = skipping(&example, &["ls"], &name);
    assert_eq!(json["projects"][0]["runs"][0]["missing_rows"], missing);
    assert_eq!(json["projects"][1]["runs"][0]["name"], "mlp");
    let failed = example.emberlens(&["ls"]);
    let text = String::from_utf8(failed.stdout).unwrap();
    assert!(
        text.contains(&example.cnn) && text.contains("mlp"),
        "{text}"
    );
}

#[test]
fn pictures_and_files_of_coordinates_are_made_of_what_is_left() {
    let example = Example::new();
    let id = crate::embedded::run(&example);
    example.text(&["reduce", &id, "--method", "pca"]);
    let name = damage(&example, &id, "metrics/default");
    let to = |name: &str| example.root().join(name).display().to_string();
    let (npy, svg) = (to("xy.npy"), to("xy.svg"));
    let (json, _) = skipping(
        &example,
        &["reduce", &id, "--method=pca", "-o", &npy],
        &name,
    );
    assert!(json["missing_rows"].as_u64().unwrap() > 0);
    let call = [
        "plot",
        "embedding",
        &id,
        "--epoch=0",
        "--color=loss",
        "-o",
        &svg,
    ];
    let (json, _) = skipping(&example, &call, &name);
    assert!(json["missing_rows"].as_u64().unwrap() > 0);
    let in_place = example.emberlens(&["reduce", &id, "--skip-corrupt"]);
    assert_eq!(in_place.status.code(), Some(2), "{}", stderr(&in_place));
}

#[test]
fn a_lost_document_leaves_rows_uncounted_and_no_claim_that_none_is_missing() {
    let example = Example::new();
    let documents = example
        .root()
        .join("digits/runs")
        .join(&example.cnn)
        .join("run");
    let completed = fs::read_dir(documents)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let completed = completed.filter(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.contains("pass_completed")
    });
    let document = completed.min().unwrap();
    fs::write(&document, "").unwrap();
    let name = document.file_name().unwrap().to_str().unwrap();
    let file = example.root().join("rows.csv").display().to_string();
    let (json, notes) = skipping(&example, &["export", "cnn", "-o", &file], name);
    assert_eq!(json["rows"], 8);
    assert!(json["missing_rows"].is_null(), "{json}");
    assert_eq!(json["unread_documents"], 1);
    assert!(notes.contains("not counted"), "{notes}");
    assert!(!notes.contains("no row is missing"), "{notes}");
}

#[test]
fn scalars_whose_log_has_no_beginning_are_counted_as_missing() {
    for is_gone in [false, true] {
        let example = Example::new();
        let entry = "scalars/_delta_log/00000000000000000000.json";
        let run = example.root().join("digits/runs").join(&example.cnn);
        match is_gone {
            true => fs::remove_file(run.join(entry)).unwrap(),
            false => fs::write(run.join(entry), "").unwrap(),
        }
        let (json, notes) = skipping(&example, &["show", "cnn"], "scalars");
        let missing = json["missing_rows"].as_u64().unwrap();
        assert!(missing > 0, "{json}");
        assert!(notes.contains("rows are missing"), "{notes}");
        assert!(notes.contains("may be missing too"), "{notes}");
        assert_eq!(json["streams"][0]["name"], "default");
        // Documents of earlier versions count no scalars.
        for document in fs::read_dir(run.join("run")).unwrap() {
            let document = document.unwrap().path();
            let text = fs::read_to_string(&document).unwrap();
            if let Ok(Value::Object(mut fields)) = serde_json::from_str(&text) {
                fields.remove("scalars");
                fields.remove("crc32");
                fs::write(&document, Value::Object(fields).to_string()).unwrap();
            }
        }
        let (json, notes) = skipping(&example, &["show", "cnn"], "scalars");
        assert!(json["missing_rows"].is_null(), "{json}");
        assert!(!notes.contains("no row is missing"), "{notes}");
        let (json, notes) = skipping(&example, &["ls"], "scalars");
        assert!(json["projects"][0]["runs"][0]["missing_rows"].is_null());
        assert!(notes.contains("may be missing too"), "{notes}");
    }
}
