use crate::example::{Example, stderr};

#[test]
fn compact_joins_files_and_then_has_nothing_to_do() {
    let example = Example::new();
    let before = example.json(&["show", "cnn"]);
    let report = example.json(&["compact", "cnn"]);
    let tables = report["tables"].as_array().unwrap();
    let metrics = tables.iter().find(|one| one["folder"] == "metrics/default");
    let metrics = metrics.unwrap();
    assert_eq!(
        (&metrics["files_before"], &metrics["files_after"]),
        (&4.into(), &1.into())
    );
    assert_eq!(metrics["rows_moved"], 12);
    assert_eq!(example.json(&["show", "cnn"]), before);
    assert_eq!(
        example.json(&["verify", "cnn"])["problems"],
        serde_json::json!([])
    );
    let text = example.text(&["compact", "cnn"]);
    assert!(text.contains("no small files to join"), "{text}");
}

#[test]
fn vacuum_lists_first_and_deletes_when_told_to() {
    let example = Example::new();
    example.text(&["compact", "cnn"]);
    let text = example.text(&["vacuum", "cnn"]);
    assert!(
        text.contains("no unneeded files older than 7days"),
        "{text}"
    );
    assert!(text.contains("younger than 7days"), "{text}");
    let young = ["vacuum", "cnn", "--older-than", "0s"];
    let text = example.text(&young);
    assert!(
        text.contains("would be deleted") && text.contains("metrics/default"),
        "{text}"
    );
    let listed = example.json(&young);
    assert_eq!(listed["deleted"], false);
    let files = listed["files"].as_array().unwrap().len();
    assert!(files >= 4, "{listed}");
    let deleted = example.json(&[&young[..], &["--delete"]].concat());
    assert_eq!(deleted["deleted"], true);
    assert_eq!(deleted["files"], listed["files"]);
    assert_eq!(example.json(&young)["files"], serde_json::json!([]));
    assert_eq!(
        example.json(&["verify", "cnn"])["problems"],
        serde_json::json!([])
    );
    let top = example.json(&["top", "cnn", "--by", "loss"]);
    assert_eq!(top["samples"][0]["value"], 1.0);
}

#[test]
fn an_age_that_is_none_is_wrong_usage() {
    let example = Example::new();
    for age in ["soon", "-1h", ""] {
        let output = example.emberlens(&["vacuum", "cnn", "--older-than", age]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("--older-than"),
            "{}",
            stderr(&output)
        );
    }
}
