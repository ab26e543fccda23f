use std::fs;

use crate::embedded;
use crate::example::{Example, stderr};

/// The example with a run whose embeddings were reduced to two coordinates.
fn reduced() -> (Example, String) {
    let example = Example::new();
    let id = embedded::run(&example);
    example.json(&["reduce", &id, "--method", "pca"]);
    (example, id)
}

fn svg(example: &Example, id: &str, more: &[&str]) -> (serde_json::Value, String) {
    let file = example.root().join("plot.svg").display().to_string();
    let call = ["plot", "embedding", id, "-o", &file, "--force"];
    let report = example.json(&[&call[..], more].concat());
    (report, fs::read_to_string(file).unwrap())
}

#[test]
fn the_latest_epoch_is_coloured_by_the_label_of_the_joined_table() {
    let (example, id) = reduced();
    let (report, picture) = svg(&example, &id, &[]);
    assert_eq!((&report["epoch"], &report["rows"]), (&1.into(), &16.into()));
    assert_eq!(report["color"], "label");
    for text in [
        "net",
        "PCA of embedding",
        "epoch 1",
        "train and valid",
        "16 rows",
        "round",
        "edged",
    ] {
        assert!(picture.contains(text), "{text} is not in the picture");
    }
}

#[test]
fn epoch_split_and_colour_can_be_chosen() {
    let (example, id) = reduced();
    let (report, picture) = svg(
        &example,
        &id,
        &["--epoch", "0", "--split", "valid", "--color", "loss"],
    );
    assert_eq!(
        (&report["rows"], &report["splits"]),
        (&4.into(), &serde_json::json!(["valid"]))
    );
    assert!(picture.contains("loss") && picture.contains("epoch 0"));
    let (report, picture) = svg(&example, &id, &["--color", "split"]);
    assert_eq!(report["color"], "split");
    assert!(picture.contains("valid"));
}

#[test]
fn a_png_and_three_dimensions_are_drawn() {
    let (example, id) = reduced();
    example.json(&["reduce", &id, "--method", "pca", "--dims", "3"]);
    let file = example.root().join("plot.png");
    let name = file.display().to_string();
    example.text(&[
        "plot",
        "embedding",
        &id,
        "--azimuth",
        "-20",
        "--elevation",
        "40",
        "-o",
        &name,
    ]);
    assert!(fs::read(file).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn what_is_missing_is_answered_with_what_there_is() {
    let (example, id) = reduced();
    let out = example.root().join("no.svg").display().to_string();
    let error = |run: &str, more: &[&str]| {
        let call = ["plot", "embedding", run, "-o", &out];
        let output = example.emberlens(&[&call[..], more].concat());
        assert_eq!(output.status.code(), Some(1), "{more:?}");
        stderr(&output)
    };
    assert!(error("cnn", &[]).contains("emberlens reduce cnn"));
    assert!(error(&id, &["--projection", "x"]).contains("embedding-pca"));
    assert!(error(&id, &["--epoch", "9"]).contains("0, 1"));
    assert!(error(&id, &["--split", "test"]).contains("train, valid"));
    let text = error(&id, &["--color", "nope"]);
    assert!(
        text.contains("loss") && text.contains("label (table shapes)"),
        "{text}"
    );
    assert!(!fs::exists(&out).unwrap());
}
