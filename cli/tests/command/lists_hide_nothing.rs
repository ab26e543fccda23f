use std::io::Read;
use std::process::Stdio;

use emberlens::run::Project;

use crate::example::{Example, stderr};

#[test]
fn every_run_of_every_project_is_listed() {
    let example = Example::new();
    let list = example.json(&["ls"]);
    let runs: Vec<(&str, &str)> = list["projects"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|project| project["runs"].as_array().unwrap())
        .map(|run| {
            (
                run["name"].as_str().unwrap(),
                run["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(runs, [("cnn", "completed"), ("mlp", "failed")]);
    let cnn = &list["projects"][0]["runs"][0];
    assert_eq!(cnn["epochs"], 2);
    assert_eq!(cnn["streams"], serde_json::json!(["default"]));
    let text = example.text(&["ls"]);
    assert!(text.contains("train loss 0.5000"), "{text}");
}

#[test]
fn a_long_name_is_shortened_for_people_and_whole_for_programs() {
    let example = Example::new();
    let name = "x".repeat(300);
    let root = example.root().display().to_string();
    let project = Project::open(&root, "digits").unwrap();
    project.run(&name).start().unwrap().complete().unwrap();
    let text = example.text(&["ls", "--project", "digits"]);
    assert!(
        text.contains("x…") && !text.contains(&"x".repeat(90)),
        "{text}"
    );
    let list = example.json(&["ls", "--project", "digits"]);
    assert_eq!(list["projects"][0]["runs"][0]["name"], name.as_str());
}

#[test]
fn a_damaged_run_is_listed_by_its_folder_beside_the_others() {
    let example = Example::new();
    let damaged = example.root().join("digits/runs/broken-1/run");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::write(damaged.join("00000000000000000000.json"), "{ torn").unwrap();
    let output = example.emberlens(&["ls", "--project=digits", "--json"]);
    assert_eq!(output.status.code(), Some(1), "damage is an error");
    assert!(stderr(&output).contains("broken-1"), "{}", stderr(&output));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let skipping = example.json(&["ls", "--project", "digits", "--skip-corrupt"]);
    for list in [list, skipping] {
        let project = &list["projects"][0];
        assert_eq!(project["runs"][0]["id"], example.cnn.as_str());
        assert_eq!(project["damaged_runs"][0]["id"], "broken-1");
    }
    let text = example.text(&["ls", "--skip-corrupt"]);
    assert!(
        text.contains("broken-1") && text.contains(&example.cnn),
        "{text}"
    );
}

#[test]
fn a_damaged_project_is_named_and_hides_no_other() {
    let example = Example::new();
    std::fs::write(example.root().join("other/project.json"), "{ torn").unwrap();
    for (option, code) in [(None, 1), (Some("--skip-corrupt"), 0)] {
        let call: Vec<&str> = ["ls"].into_iter().chain(option).collect();
        let output = example.emberlens(&call);
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(String::from_utf8_lossy(&output.stdout).contains(&example.cnn));
        assert!(
            stderr(&output).contains("other/project.json"),
            "{}",
            stderr(&output)
        );
    }
    let list = example.json(&["ls", "--skip-corrupt"]);
    assert_eq!(list["damaged_projects"][0]["folder"], "other");
    assert!(example.text(&["show", "cnn"]).contains(&example.cnn));
    // Only the name of the project is lost: its runs are there, under the name of the folder.
    assert_eq!(list["projects"][1]["name"], "other");
    assert!(example.text(&["show", "mlp"]).contains("mlp"));
    let output = example.emberlens(&["ls", "--project=other"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(error.contains("other/project.json"), "{error}");
}

#[test]
fn a_run_without_its_first_document_is_named_for_what_is_wrong() {
    let example = Example::new();
    // Its id begins as that of another run, which must not stand in for it.
    let project = Project::open(&example.root().display().to_string(), "digits").unwrap();
    project.run("cnn-2").start().unwrap().complete().unwrap();
    let run = example.root().join("digits/runs").join(&example.cnn);
    std::fs::remove_file(run.join("run/00000000000000000000.json")).unwrap();
    let output = example.emberlens(&["show", "cnn"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.contains(&example.cnn) && error.contains("00000000000000000000.json is missing"),
        "{error}"
    );
}

#[test]
fn a_damaged_table_log_is_named_by_its_file_and_in_one_line() {
    let example = Example::new();
    let log = example.root().join("digits/runs").join(&example.cnn);
    let log = log.join("metrics/default/_delta_log");
    let entry = "00000000000000000002.json";
    std::fs::write(log.join(entry), "{\"add\": {\"path\": \"to").unwrap();
    let mut command = example.command(&["top", "cnn", "--by=loss"]);
    let output = command.env("RUST_BACKTRACE", "1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(error.contains(entry), "{error}");
    assert!(!error.contains("delta_kernel::"), "no stack trace: {error}");
}

#[test]
fn damaged_scalars_are_told_and_hide_nothing_else() {
    let example = Example::new();
    let log = example
        .root()
        .join("digits/runs")
        .join(&example.cnn)
        .join("scalars/_delta_log");
    for entry in std::fs::read_dir(&log).unwrap() {
        std::fs::write(entry.unwrap().path(), "{ torn").unwrap();
    }
    for command in [["ls", "--project=digits"], ["show", "cnn"]] {
        let skipping = [command[0], command[1], "--skip-corrupt"];
        for (call, code, start) in [(&command[..], 1, "error: "), (&skipping, 0, "note: ")] {
            let output = example.emberlens(call);
            assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
            assert!(String::from_utf8_lossy(&output.stdout).contains(&example.cnn));
            assert!(stderr(&output).starts_with(start), "{}", stderr(&output));
            assert!(stderr(&output).contains("scalars"), "{}", stderr(&output));
        }
    }
}

#[test]
fn an_empty_root_is_an_empty_list() {
    let example = Example::new();
    let empty = tempfile::tempdir().unwrap();
    let root = empty.path().display().to_string();
    assert!(
        example
            .text(&["ls", &root])
            .starts_with("no projects in file://")
    );
    assert_eq!(
        example.json(&["ls", &root])["projects"],
        serde_json::json!([])
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let example = Example::new();
    for arguments in [["ls", "--json"], ["show", "cnn"]] {
        let mut child = example
            .command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Closed before the child can have written anything, so that its write finds no reader.
        drop(child.stdout.take());
        let mut errors = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut errors)
            .unwrap();
        assert!(child.wait().unwrap().success(), "{errors}");
        assert!(
            !errors.contains("panicked") && !errors.contains("error"),
            "{errors}"
        );
    }
}
