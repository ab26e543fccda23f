//! An option that has no use in a call ends it with an error that names the option; none is ignored.

use std::fs;

use serde_json::json;

use crate::example::{Example, stderr};

/// Standard error of a call that must end with that code and leave nothing.
fn refused(example: &Example, arguments: &[&str], code: i32) -> String {
    let output = example.emberlens(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    text
}

#[test]
fn options_of_yolo_are_refused_where_none_is_written() {
    let example = Example::new();
    let options: [&[&str]; 4] = [
        &["--lenient"],
        &["--task", "boxes"],
        &["--split", "train"],
        &["--no-images"],
    ];
    for file in ["rows.json", "rows.csv"] {
        let out = example.root().join(file);
        let target = out.display().to_string();
        for option in options {
            let call = [&["export", "--table", "ink", "-o", &target][..], option].concat();
            let text = refused(&example, &call, 1);
            assert!(text.contains(option[0]) && text.contains("YOLO"), "{text}");
        }
        assert!(!out.exists());
    }
    let target = example.root().join("rows.csv").display().to_string();
    let call = ["export", "--table", "ink", "-o", &target, "--skip-corrupt"];
    let text = refused(&example, &call, 1);
    assert!(text.contains("--skip-corrupt"), "{text}");
    let text = example.text(&call[..5]);
    assert!(text.starts_with("4 rows, 1 column of ink@0"), "{text}");
}

#[test]
fn so_many_changes_are_so_many_for_programs_too() {
    let example = Example::new();
    example.text(&["edit", "ink", "--set", "label=dog", "--all"]);
    let changes = |more: &[&str]| {
        let told = example.json(&[&["diff", "ink@0"], more].concat());
        told["changes"].as_array().unwrap().len()
    };
    assert_eq!((changes(&[]), changes(&["-n", "1"])), (2, 1));
    let told = example.json(&["undo", "ink@latest", "--dry-run", "-n", "1"]);
    assert_eq!(told["changes"].as_array().unwrap().len(), 1);
    assert_eq!(told["columns"], json!([{"column": "label", "cells": 2}]));
}

#[test]
fn a_column_is_set_once() {
    let example = Example::new();
    let call = [
        "edit", "ink", "--set", "label=0", "--set", "Label=1", "--all",
    ];
    let text = refused(&example, &call, 1);
    assert!(text.contains("label=0 and Label=1"), "{text}");
}

#[test]
fn a_revision_is_a_number_or_the_latest() {
    let example = Example::new();
    example.text(&["edit", "ink", "--set", "label=dog", "--all"]);
    let latest = example.json(&["diff", "ink@0", "ink@latest"]);
    assert_eq!(latest["to"], 1);
    let rows = example.json(&["revisions", "ink@latest"]);
    assert_eq!(rows["revisions"].as_array().unwrap().len(), 2);
    for call in [&["diff", "ink@0", "ink@x"][..], &["revisions", "ink@v1"]] {
        let text = refused(&example, call, 1);
        assert!(
            text.contains("ink@3") && text.contains("ink@latest"),
            "{text}"
        );
    }
    // An address may hold the letter.
    let moved = example.root().join("a@b");
    fs::rename(example.root().join("digits/tables/ink"), &moved).unwrap();
    let path = moved.display().to_string();
    assert_eq!(
        example.json(&["diff", &format!("{path}@0"), &path])["to"],
        1
    );
}

#[test]
fn rows_are_numbers_and_a_range_is_a_condition() {
    let example = Example::new();
    let call = ["edit", "ink", "--set", "label=1", "--rows", "1-2"];
    let text = refused(&example, &call, 2);
    assert!(text.contains("example_id BETWEEN"), "{text}");
}
