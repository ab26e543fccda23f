use emberlens::run::{IfExists, MetricsTableWriter, Project};
use emberlens::table::{Columns, Table};
use serde_json::json;

use crate::example::{Example, stderr};

/// The labels of the table `ink` at its latest revision.
fn labels(example: &Example) -> Vec<i32> {
    let path = example.root().join("digits/tables/ink");
    let table = Table::open_url(path.to_str().unwrap()).unwrap();
    table.column("label").unwrap()
}

/// Standard error of a call that must end with that code.
fn fails(example: &Example, arguments: &[&str], code: i32) -> String {
    let output = example.emberlens(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    text
}

#[test]
fn what_the_metrics_of_an_epoch_reveal_is_set() {
    let example = Example::new();
    // At epoch 0 the loss of sample 1 is 2, and that of sample 2 is NaN, which is above all numbers.
    let edit = [
        "edit",
        "ink",
        "--set",
        "label=cat",
        "--where",
        "loss >= 2",
        "--run",
        "cnn",
        "--epoch",
        "0",
        "--split",
        "train",
        "--note",
        "too dark",
        "--author",
        "ann",
    ];
    let dry = example.text(&[&edit[..], &["--dry-run"]].concat());
    assert!(
        dry.contains("2 rows are meant; would change label in 2 rows"),
        "{dry}"
    );
    assert!(dry.contains("1 dog") && dry.contains("0 cat"), "{dry}");
    assert_eq!(labels(&example), [0, 1, 1, 0], "nothing was changed");

    let told = example.json(&edit);
    assert_eq!(told["revision"], 1);
    assert_eq!(told["parent"], 0);
    assert_eq!(told["columns"], json!([{"column": "label", "cells": 2}]));
    let change = |row| json!({"example_id": row, "column": "label", "before": 1, "after": 0});
    assert_eq!(told["changes"], json!([change(1), change(2)]));
    assert_eq!(labels(&example), [0, 0, 0, 0]);

    let text = example.text(&["revisions", "ink"]);
    for part in ["parent", "edited", "label", "ann", "too dark", "created"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let listed = example.json(&["revisions", "ink"]);
    let last = &listed["revisions"][1];
    assert_eq!(
        (&last["what"], &last["rows"], &last["parent"]),
        (&json!("edited"), &json!(2), &json!(0))
    );
    // Without an epoch it is the latest one, and of both splits: 1 in train, 0 in neither.
    let told = example.json(&[
        "edit", "ink", "--set", "label=1", "--where", "loss = 1", "--run", "cnn",
    ]);
    assert_eq!(told["changes"][0]["example_id"], 1);
    assert_eq!(told["rows"], 1);
}

#[test]
fn a_revision_is_compared_and_undone() {
    let example = Example::new();
    example.text(&[
        "edit",
        "ink",
        "--set",
        "label=dog",
        "--rows",
        "0,3",
        "--add",
        "tag:string",
        "--set",
        "tag=2024",
    ]);
    example.text(&[
        "edit",
        "ink",
        "--set",
        "label=0",
        "--where",
        "example_id = 1 AND label = 'dog'",
    ]);
    assert_eq!(labels(&example), [1, 0, 1, 1]);
    let told = example.json(&["diff", "ink@0", "ink@1"]);
    assert_eq!(told["columns_added"], json!(["tag"]));
    assert_eq!(told["rows"], 2);
    assert_eq!(
        told["changes"][1],
        json!({"example_id": 0, "column": "tag", "before": null, "after": "2024"})
    );
    let text = example.text(&["diff", "ink@1"]);
    assert!(text.contains("ink@1 to ink@2: label in 1 row"), "{text}");
    let text = example.text(&["diff", "ink@2", "ink@2"]);
    assert!(text.contains("no difference"), "{text}");

    let dry = example.text(&["undo", "ink@1", "--dry-run"]);
    assert!(dry.contains("nothing was changed"), "{dry}");
    let told = example.json(&["undo", "ink@1", "--note", "were cats"]);
    assert_eq!(told["revision"], 3);
    assert_eq!(labels(&example), [0, 0, 1, 0]);
    let listed = example.json(&["revisions", "ink"]);
    assert_eq!(listed["revisions"][3]["undoes"], 1);
    let text = example.text(&["revisions", "ink"]);
    let undone = text.lines().find(|line| line.contains("undoes 1")).unwrap();
    let numbers: Vec<&str> = undone.split_whitespace().take(2).collect();
    assert_eq!(numbers, ["3", "2"], "revision and parent: {text}");
    let text = example.text(&["edit", "ink", "--set", "label=cat", "--rows", "0"]);
    assert!(
        text.contains("every cell holds its value already"),
        "{text}"
    );
    let text = example.text(&[
        "edit",
        "ink",
        "--set",
        "label=cat",
        "--where",
        "example_id > 99",
    ]);
    assert!(text.contains("no row is meant"), "{text}");
    assert_eq!(
        example.json(&["revisions", "ink"])["revisions"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn an_edit_of_a_named_revision_fails_when_there_is_a_later_one() {
    let example = Example::new();
    example.text(&["edit", "ink@0", "--set", "label=dog", "--all"]);
    let text = fails(
        &example,
        &["edit", "ink@0", "--set", "label=cat", "--rows", "1"],
        1,
    );
    assert!(
        text.contains("revision 0") && text.contains("revision 1"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1, "{text}");
    let dry = [
        "edit",
        "ink@0",
        "--set",
        "label=cat",
        "--rows",
        "1",
        "--dry-run",
    ];
    assert_eq!(fails(&example, &dry, 1), text);
    assert_eq!(labels(&example), [1, 1, 1, 1]);
    let text = fails(&example, &["undo", "ink"], 1);
    assert!(text.contains("ink@1"), "{text}");
}

#[test]
fn the_author_comes_from_the_option_or_its_variable_and_nowhere_else() {
    let example = Example::new();
    let set = |value: &str| {
        vec![
            "edit".to_owned(),
            "ink".into(),
            "--all".into(),
            "--set".into(),
            format!("label={value}"),
        ]
    };
    let mut command = example.command(&set("dog"));
    assert!(
        command
            .env_remove("EMBERLENS_AUTHOR")
            .output()
            .unwrap()
            .status
            .success()
    );
    let mut command = example.command(&set("cat"));
    assert!(
        command
            .env("EMBERLENS_AUTHOR", "bob")
            .output()
            .unwrap()
            .status
            .success()
    );
    let listed = example.json(&["revisions", "ink"]);
    let authors: Vec<_> = [1, 2]
        .map(|revision| &listed["revisions"][revision]["author"])
        .into();
    assert_eq!(authors, [&json!(null), &json!("bob")]);
}

#[test]
fn errors_say_what_there_is() {
    let example = Example::new();
    let text = fails(
        &example,
        &["edit", "ink", "--set", "label=1", "--where", "labl = 'cat'"],
        1,
    );
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("error: ") && lines[0].contains("label, example_id"),
        "{text}"
    );
    assert_eq!(lines[1..], ["labl = 'cat'", "^^^^"]);
    for (arguments, part) in [
        (&["revisions", "inc"][..], "there are: ink"),
        (&["revisions", "ink@7"], "the latest revision is 0"),
        (
            &["edit", "ink", "--set", "label=cow", "--all"],
            "0 cat, 1 dog",
        ),
        (&["edit", "ink", "--set", "weight=1", "--all"], "label"),
        (&["edit", "ink", "--add", "example_id:int"], "its place"),
        (
            &["edit", "ink", "--set", "label=1", "--rows", "4"],
            "4 rows",
        ),
        (
            &[
                "edit", "ink", "--set", "label=1", "--where", "loss > 1", "--run", "cnn",
                "--epoch", "9",
            ],
            "train 1",
        ),
        (
            &[
                "edit", "ink", "--set", "label=1", "--where", "loss > 1", "--run", "mlp",
            ],
            "the run has",
        ),
    ] {
        let text = fails(&example, arguments, 1);
        assert!(text.contains(part), "{arguments:?}: {text}");
    }
}

#[test]
fn a_condition_may_begin_with_a_minus() {
    let example = Example::new();
    let condition = "-example_id <= -3";
    example.text(&["edit", "ink", "--set", "label=1", "--where", condition]);
    assert_eq!(labels(&example), [0, 1, 1, 1]);
}

#[test]
fn a_stream_that_joins_no_table_chooses_no_rows() {
    let example = Example::new();
    let root = example.root().display().to_string();
    let digits = Project::open(&root, "digits").unwrap();
    let run = digits.run("cnn").if_exists(IfExists::Reuse);
    let run = run.start().unwrap();
    let mut writer = MetricsTableWriter::new(&run).stream("per_class");
    let columns = Columns::new().with("iou", vec![0.25_f32, 0.75]);
    writer.add_batch(columns).unwrap();
    writer.finalize().unwrap();
    run.complete().unwrap();
    let edit = ["edit", "ink", "--set", "label=1", "--where", "iou < 0.5"];
    let of_run = ["--run", "cnn", "--stream", "per_class"];
    let text = fails(&example, &[&edit[..], &of_run].concat(), 1);
    assert!(
        text.contains("stream = per_class: its rows join no table")
            && text.contains("joins it: default"),
        "{text}"
    );
    assert_eq!(labels(&example), [0, 1, 1, 0], "nothing was changed");
}

#[test]
fn a_table_with_an_at_sign_in_its_name_is_found_by_it() {
    let example = Example::new();
    let file = example.root().join("p.csv");
    std::fs::write(&file, "a\n1\n2\n").unwrap();
    let file = file.display().to_string();
    example.json(&[
        "import",
        "csv",
        &file,
        "--name",
        "mail@home",
        "--project",
        "digits",
    ]);
    example.json(&["edit", "mail@home", "--set", "a=5", "--rows", "1"]);
    for (name, revision) in [
        ("mail@home", 1),
        ("mail@home@0", 0),
        ("mail@home@latest", 1),
    ] {
        let out = example.root().join("out.csv").display().to_string();
        let told = example.json(&["export", "--table", name, "-o", &out, "--force"]);
        assert_eq!(told["revision"], revision, "{name}");
    }
    let unknown = example.emberlens(&["revisions", "mail@work"]);
    let told = stderr(&unknown);
    assert!(
        told.contains("`@work` names no revision") && told.contains("mail@3"),
        "{told}"
    );
}

#[test]
fn wrong_usage_of_edits_ends_with_2() {
    let example = Example::new();
    for arguments in [
        &["edit", "ink"][..],
        &["edit", "ink", "--set", "label=1"],
        &["edit", "ink", "--set", "label", "--all"],
        &["edit", "ink", "--set", "label=1", "--all", "--rows", "1"],
        &["edit", "ink", "--set", "label=1", "--all", "--run", "cnn"],
        &[
            "edit", "ink", "--set", "label=1", "--where", "true", "--epoch", "1",
        ],
        &["edit", "ink", "--add", "tag:picture"],
        &["edit", "ink", "--add", "tag:string", "--where", "true"],
        &["edit", "ink", "--set", "label=1", "--rows", "-1"],
        &["diff"],
        &["undo"],
        &["revisions"],
    ] {
        let text = fails(&example, arguments, 2);
        assert!(text.contains("--help") || text.contains("Usage"), "{text}");
    }
    assert_eq!(labels(&example), [0, 1, 1, 0]);
}
