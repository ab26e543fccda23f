use emberlens::run::{Position, Project};
use emberlens::table::{Column, ColumnKind, Columns, Role};
use serde_json::{Value, json};

use crate::example::{Example, stderr};

fn ranked(answer: &Value) -> Vec<(String, i64, Value)> {
    let samples = answer["samples"].as_array().unwrap().iter();
    samples
        .map(|sample| {
            let split = sample["split"].as_str().unwrap().to_owned();
            (
                split,
                sample["example_id"].as_i64().unwrap(),
                sample["value"].clone(),
            )
        })
        .collect()
}

fn of(split: &str, rows: &[(i64, Value)]) -> Vec<(String, i64, Value)> {
    rows.iter()
        .map(|(id, value)| (split.to_owned(), *id, value.clone()))
        .collect()
}

#[test]
fn the_latest_epoch_is_the_default() {
    let example = Example::new();
    let answer = example.json(&["top", "cnn", "--by", "loss", "--split", "train"]);
    let expected = [
        (1, json!(1.0)),
        (0, json!(0.75)),
        (3, json!(0.25)),
        (2, json!(0.125)),
    ];
    assert_eq!(ranked(&answer), of("train", &expected));
    assert_eq!(
        answer["samples"][0]["predicted"],
        json!({ "index": 1, "name": "dog" })
    );
}

#[test]
fn an_epoch_can_be_chosen_and_nan_comes_last_in_both_orders() {
    let example = Example::new();
    let top = [
        "top", "cnn", "--by", "loss", "--split", "train", "--epoch", "0",
    ];
    let highest = [
        (1, json!(2.0)),
        (0, json!(0.5)),
        (3, json!(0.25)),
        (2, json!("NaN")),
    ];
    let answer = example.json(&top);
    assert_eq!(ranked(&answer), of("train", &highest));
    assert_eq!(answer["nan_count"], 1);
    let lowest = [
        (3, json!(0.25)),
        (0, json!(0.5)),
        (1, json!(2.0)),
        (2, json!("NaN")),
    ];
    assert_eq!(
        ranked(&example.json(&[&top[..], &["--lowest"]].concat())),
        of("train", &lowest)
    );
    let output = example.emberlens(&top);
    assert!(
        stderr(&output).contains("NaN in 1 of 4 samples"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_mean_goes_over_all_epochs() {
    let example = Example::new();
    let answer = example.json(&["top", "cnn", "--by", "loss", "--split", "valid", "--mean"]);
    // (3 + 0.5) / 2 and (0.5 + 0.5) / 2
    assert_eq!(
        ranked(&answer),
        of("valid", &[(0, json!(1.75)), (1, json!(0.5))])
    );
}

#[test]
fn ties_are_broken_by_example_id_and_n_limits_the_list() {
    let example = Example::new();
    let answer = example.json(&["top", "cnn", "--by", "loss", "--split", "valid", "-n", "1"]);
    assert_eq!(ranked(&answer), of("valid", &[(0, json!(0.5))]));
    assert_eq!(answer["ranked_count"], 2);
}

#[test]
fn the_column_is_found_whatever_its_case() {
    let example = Example::new();
    let top = |by: &str| example.json(&["top", "cnn", "--by", by, "--split", "train"]);
    assert_eq!(top("LOSS"), top("loss"));
}

#[test]
fn names_of_classes_stand_in_the_text() {
    let text = Example::new().text(&["top", "cnn", "--by", "loss", "--split", "train"]);
    let first = text.lines().nth(2).unwrap();
    let cells: Vec<&str> = first.split_whitespace().collect();
    assert_eq!(cells, ["1", "1", "train", "1.0000", "1", "dog", "dog"]);
}

#[test]
fn labels_come_from_the_joined_table_and_their_loss_is_told() {
    let example = Example::new();
    let top = ["top", "cnn", "--by", "loss", "--split", "train"];
    let labels = |answer: &Value| {
        let samples = answer["samples"].as_array().unwrap().iter();
        samples
            .map(|sample| sample["label"].clone())
            .collect::<Vec<_>>()
    };
    let class = |index: i64, name: &str| json!({ "index": index, "name": name });
    // The order is that of the samples 1, 0, 3, 2, whose labels in the table are 1, 0, 0, 1.
    let expected = [
        class(1, "dog"),
        class(0, "cat"),
        class(0, "cat"),
        class(1, "dog"),
    ];
    assert_eq!(labels(&example.json(&top)), expected);
    std::fs::remove_dir_all(example.root().join("digits/tables")).unwrap();
    assert_eq!(labels(&example.json(&top)), vec![Value::Null; 4]);
    assert!(stderr(&example.emberlens(&top)).contains("note: no labels: no table"));
}

#[test]
fn each_split_is_ranked_at_its_own_latest_epoch() {
    let example = Example::new();
    example.collect_train_again(2, &[5.0, 0.0, 0.0, 0.0]);
    let answer = example.json(&[
        "top",
        "cnn",
        "--by",
        "loss",
        "-n",
        "2",
        "--project",
        "digits",
    ]);
    let samples = answer["samples"].as_array().unwrap();
    let places: Vec<_> = samples
        .iter()
        .map(|sample| (&sample["split"], &sample["epoch"]))
        .collect();
    assert_eq!(
        places,
        [(&json!("train"), &json!(2)), (&json!("valid"), &json!(1))]
    );
    assert_eq!(answer["ranked_count"], 6);
}

#[test]
fn further_columns_come_from_the_stream_or_the_joined_table() {
    let example = Example::new();
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    let table = project.table("ink").unwrap();
    let edit = table.edit().add_column("text", ColumnKind::String);
    let edit = edit.set_each("text", [(0, "nought"), (1, "one"), (2, "two\n")]);
    let table = edit.commit().unwrap().table;
    let run = project.run("texts").start().unwrap();
    let columns = Columns::new()
        .with("example_id", vec![3_i64, 1, 2])
        .with("loss", vec![3.0_f32, 1.0, 2.0])
        .with("margin", vec![0.25_f32, 0.5, f32::NAN])
        .with(
            "seen",
            Column::from(vec![0, 1, 1]).role(Role::category(["cat", "dog"])),
        );
    let at = Position::new("train").epoch(0);
    run.add_metrics("default", columns, Some(&table), Some(at))
        .unwrap();
    run.complete().unwrap();

    let top = ["top", "texts", "--by", "loss"];
    let show = ["--show", "text", "--show", "margin", "--show", "seen"];
    let answer = example.json(&[&top[..], &show].concat());
    let class = |index: i64, name: &str| json!({ "index": index, "name": name });
    let shown = answer["samples"].as_array().unwrap().iter();
    let shown: Vec<_> = shown.map(|sample| sample["show"].clone()).collect();
    let expected = [
        json!({ "text": null, "margin": 0.25, "seen": class(0, "cat") }),
        json!({ "text": "two\n", "margin": "NaN", "seen": class(1, "dog") }),
        json!({ "text": "one", "margin": 0.5, "seen": class(1, "dog") }),
    ];
    assert_eq!(shown, expected);
    // A line break in a cell does not break the line.
    let text = example.text(&[&top[..], &show].concat());
    let second = text.lines().nth(3).unwrap();
    assert!(second.ends_with(r"two\n  NaN     dog"), "{text}");

    let refused = |column: &str| {
        let output = example.emberlens(&[&top[..], &["--show", column]].concat());
        assert_eq!(output.status.code(), Some(1));
        stderr(&output)
    };
    let missing = refused("txt");
    assert!(
        missing.contains("`txt`") && missing.contains("text (table ink)"),
        "{missing}"
    );
    let cnn = ["top", "cnn", "--by", "loss", "--show", "embedding"];
    let nested = stderr(&example.emberlens(&cnn));
    assert!(
        nested.contains("embedding") && nested.contains("predicted"),
        "{nested}"
    );
}

#[test]
fn instances_are_ranked_and_shown_one_by_one() {
    let example = Example::new();
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    let run = project.run("boxes").start().unwrap();
    let columns = Columns::new()
        .with("example_id", vec![5_i64, 5, 2])
        .with("instance", vec![0_i64, 1, 0])
        .with("iou", vec![0.5_f32, 0.25, 0.75])
        .with("size", vec![8_i32, 9, 10]);
    let at = Position::new("valid").epoch(0);
    run.add_metrics("boxes", columns, None, Some(at)).unwrap();
    run.complete().unwrap();
    let top = ["top", "boxes", "--by", "iou", "--lowest", "--show", "size"];
    let answer = example.json(&top);
    let samples = answer["samples"].as_array().unwrap().iter();
    let places: Vec<_> = samples
        .map(|one| {
            json!([
                one["example_id"],
                one["instance"],
                one["value"],
                one["show"]["size"]
            ])
        })
        .collect();
    let expected = [
        json!([5, 1, 0.25, 9]),
        json!([5, 0, 0.5, 8]),
        json!([2, 0, 0.75, 10]),
    ];
    assert_eq!(places, expected);
    let text = example.text(&top);
    assert!(
        text.starts_with("boxes: 3 of 3 instances by iou, lowest first"),
        "{text}"
    );
    let first: Vec<&str> = text.lines().nth(2).unwrap().split_whitespace().collect();
    assert_eq!(first, ["1", "5", "1", "valid", "0.2500", "0", "9"]);
}
