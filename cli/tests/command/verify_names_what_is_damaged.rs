use std::fs;

use crate::example::{Example, stderr};

#[test]
fn a_whole_run_ends_with_0_and_lists_its_tables() {
    let example = Example::new();
    let report = example.json(&["verify", "cnn"]);
    assert_eq!(report["problems"], serde_json::json!([]));
    let folders: Vec<_> = report["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| &table["folder"])
        .collect();
    assert!(folders.contains(&&"metrics/default".into()), "{folders:?}");
    assert!(
        example
            .text(&["verify", "cnn"])
            .contains("cnn: nothing is wrong")
    );
}

#[test]
fn a_damaged_run_ends_with_1_and_names_the_file() {
    let example = Example::new();
    let metrics = example
        .root()
        .join("digits/runs")
        .join(&example.cnn)
        .join("metrics/default");
    let is_data = |path: &std::path::Path| path.extension().is_some_and(|end| end == "parquet");
    let data = fs::read_dir(metrics)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| is_data(path));
    let data = data.unwrap();
    let bytes = fs::read(&data).unwrap();
    fs::write(&data, &bytes[..bytes.len() - 9]).unwrap();
    let output = example.emberlens(&["verify", "cnn"]);
    assert_eq!(output.status.code(), Some(1));
    let name = data.file_name().unwrap().to_str().unwrap();
    assert!(stderr(&output).contains(name), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("problem"), "{text}");
}
