use crate::example::{Example, stderr};

#[test]
fn a_run_is_found_by_path_url_id_beginning_and_name() {
    let example = Example::new();
    let path = example
        .root()
        .join("digits/runs")
        .join(&example.cnn)
        .display()
        .to_string();
    let url = format!("file://{path}");
    let beginning = &example.cnn[..example.cnn.len() - 2];
    for run in [path.as_str(), &url, &example.cnn, beginning, "cnn"] {
        assert_eq!(
            example.json(&["show", run])["id"],
            example.cnn.as_str(),
            "{run}"
        );
    }
}

#[test]
fn a_name_means_the_newest_run_of_that_name() {
    let example = Example::new();
    let root = example.root().display().to_string();
    let other = emberlens::run::Project::open(&root, "other").unwrap();
    let newest = other.run("cnn").start().unwrap();
    newest.complete().unwrap();
    assert_eq!(example.json(&["show", "cnn"])["id"], newest.id());
    let older = example.json(&["show", "cnn", "--project", "digits"]);
    assert_eq!(older["id"], example.cnn.as_str());
}

#[test]
fn everything_that_was_recorded_is_shown() {
    let example = Example::new();
    let run = example.json(&["show", "cnn"]);
    assert_eq!(run["status"], "completed");
    assert_eq!(run["description"], "two convolutions");
    assert_eq!(run["tags"][0], "baseline");
    assert_eq!(run["parameters"]["optimiser.learning_rate"], 0.1);
    assert_eq!(
        (&run["inputs"][0]["name"], &run["inputs"][0]["revision"]),
        (&"ink".into(), &0.into())
    );
    assert_eq!(run["outputs"][0]["name"], "model");
    let passes = run["streams"][0]["passes"].as_array().unwrap();
    let rows: u64 = passes
        .iter()
        .map(|pass| pass["rows"].as_u64().unwrap())
        .sum();
    assert_eq!((passes.len(), rows), (4, 12));
    assert_eq!(run["incomplete_passes"][0]["epoch"], 2);
    let infinite = run["scalars"].as_array().unwrap().iter();
    assert!(infinite.clone().any(|scalar| scalar["value"] == "Infinity"));

    let output = example.emberlens(&["show", "cnn"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for part in [
        "cnn: completed",
        "two convolutions",
        "optimiser.learning_rate  0.1",
        "ink, revision 0",
        "incomplete passes",
        "train, by epoch",
        "gradient norm",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(
        stderr(&output).contains("train loss at epoch 1: 1 NaN"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_failed_run_says_why() {
    let text = Example::new().text(&["show", "mlp"]);
    assert!(text.starts_with("mlp: failed (the loss is NaN)"), "{text}");
}

#[test]
fn a_name_cannot_drive_the_terminal() {
    let example = Example::new();
    let root = example.root().display().to_string();
    let project = emberlens::run::Project::open(&root, "digits").unwrap();
    let run = project
        .run("quiet")
        .description("\u{1b}[2Jcleared")
        .start()
        .unwrap();
    run.complete().unwrap();
    assert!(!example.text(&["show", "quiet"]).contains('\u{1b}'));
}

#[test]
fn ranks_and_those_that_are_missing_are_named() {
    let example = Example::new();
    let root = example.root().display().to_string();
    let project = emberlens::run::Project::open(&root, "digits").unwrap();
    let rank = |index| project.run("ddp").rank(index, 4).start().unwrap();
    let runs = [rank(0), rank(1), rank(2)];
    for run in &runs[..2] {
        let columns = emberlens::table::Columns::new().with("example_id", vec![0_i64]);
        let at = emberlens::run::Position::new("valid").epoch(0);
        run.add_metrics("default", columns, None, Some(at)).unwrap();
    }
    runs[2].fail("out of memory").unwrap();
    let run = example.json(&["show", "ddp"]);
    assert_eq!(
        run["incomplete_passes"][0]["missing_ranks"],
        serde_json::json!([2, 3])
    );
    assert_eq!(run["ranks"][2]["reason"], "out of memory");
    assert!(run["ranks"][3]["status"].is_null());
    let text = String::from_utf8(example.emberlens(&["show", "ddp"]).stdout).unwrap();
    for part in ["4 ranks", "0-1", "never joined", "ranks 2-3 are missing"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
