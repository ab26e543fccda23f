use crate::example::{Example, stderr};

/// Standard error of a call that must end with 1: one line that begins with `error: `.
fn error(example: &Example, arguments: &[&str]) -> String {
    let output = example.emberlens(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    assert_eq!(
        (text.lines().count(), text.starts_with("error: ")),
        (1, true),
        "{text}"
    );
    assert!(output.stdout.is_empty(), "{arguments:?}");
    text
}

#[test]
fn a_missing_run_is_answered_with_the_runs_there_are() {
    let example = Example::new();
    let text = error(&example, &["show", "nope"]);
    assert!(
        text.contains("`nope`") && text.contains(&example.cnn) && text.contains("mlp-"),
        "{text}"
    );
}

#[test]
fn a_missing_project_is_answered_with_the_projects_there_are() {
    let text = error(&Example::new(), &["ls", "--project", "nope"]);
    assert!(text.contains("there are: digits, other"), "{text}");
}

#[test]
fn a_missing_root_is_named_with_the_way_out() {
    let text = error(&Example::new(), &["ls", "/no/such/root"]);
    assert!(
        text.contains("/no/such/root") && text.contains("--root"),
        "{text}"
    );
}

#[test]
fn a_missing_column_split_epoch_or_stream_is_answered_with_those_there_are() {
    let example = Example::new();
    let top = |more: &[&str]| error(&example, &[&["top", "cnn", "--by"], more].concat());
    assert!(top(&["losss"]).contains("default.loss"));
    assert!(top(&["embedding"]).contains("loss"));
    assert!(top(&["loss", "--split", "test"]).contains("train, valid"));
    assert!(top(&["loss", "--epoch", "9"]).contains("0, 1"));
    assert!(top(&["loss", "--epoch", "-1"]).contains("0, 1"));
    assert!(top(&["loss", "--stream", "boxes"]).contains("default"));
    assert!(error(&example, &["top", "mlp", "--by", "loss"]).contains("no metrics yet"));
}

#[test]
fn an_ambiguous_beginning_is_answered_with_the_ids() {
    let example = Example::new();
    let root = example.root().display().to_string();
    let second = emberlens::run::Project::open(&root, "digits")
        .unwrap()
        .run("cnn")
        .start()
        .unwrap();
    second.complete().unwrap();
    let text = error(&example, &["show", "cn"]);
    assert!(text.contains("`cnn-") || text.contains("cnn-"), "{text}");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let example = Example::new();
    let to = |file: &str| error(&example, &["export", "cnn", "-o", file]);
    assert!(to("/no/such/folder/rows.csv").contains("/no/such/folder/rows.csv"));
    assert!(to("rows.xlsx").contains(".parquet, .csv or .jsonl"));
    let table = ["export", "--table", "ink", "-o", "rows.xlsx"];
    let text = error(&example, &table);
    assert!(text.contains(".jsonl or, for COCO, .json"), "{text}");
}

#[test]
fn what_is_not_there_is_called_by_the_name_that_was_given() {
    let example = Example::new();
    let text = error(&example, &["plot", "embedding", "cnn", "-o", "cnn.png"]);
    assert!(
        text.contains("no projection in run `cnn`") && text.contains("reduce"),
        "{text}"
    );
    let text = error(&example, &["undo", "ink@9"]);
    // Not by the one before it, which would be read.
    assert!(text.contains("`9`") && !text.contains("`8`"), "{text}");
    let file = example.root().join("one.txt");
    std::fs::write(&file, "a text").unwrap();
    let file = file.display().to_string();
    for call in [
        &["import", "text", &file, "--layout", "files"][..],
        &["import", "text", &file, "--layout", "class-folders"],
        &["import", "images", &file],
    ] {
        let call = [call, &["--name", "t", "--project", "digits"]].concat();
        let text = error(&example, &call);
        assert!(text.contains("a file where a folder is needed"), "{text}");
    }
}

#[test]
fn an_input_that_cannot_be_reduced_is_named_with_the_way_out() {
    let example = Example::new();
    let file = |name: &str, bytes: &[u8]| {
        let path = example.root().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let out = example.root().join("xy.npy").display().to_string();
    let reduce = |input: &str, more: &[&str]| {
        error(&example, &[&["reduce", input, "-o", &out], more].concat())
    };
    assert!(reduce("nothing.npy", &[]).contains("no file `nothing.npy`"));
    assert!(reduce("nothing", &[]).contains(&example.cnn));
    assert!(reduce(&file("x.txt", b"1,2"), &[]).contains("numpy.save"));
    assert!(reduce(&file("x.npy", b"\x93NUMPY\x01\x00"), &[]).contains("the file ends"));
    assert!(reduce(&file("x.parquet", b"PAR1 no more"), &[]).contains("no readable Parquet"));
    assert!(reduce("cnn", &["--column", "nope"]).contains("embedding (stream `default`)"));
    assert!(reduce("cnn", &["--stream", "boxes"]).contains("default"));
    let matrix = crate::embedded::matrix_file(&example);
    assert!(reduce(&matrix, &["--column", "a"]).contains("no columns"));
    assert!(reduce(&matrix, &["--with", &file("m.bin", b"EMBLPROJ")]).contains("cut"));
    assert!(error(&example, &["reduce", &matrix, "-o", "xy.csv"]).contains(".npy or .parquet"));
    assert!(error(&example, &["reduce", &matrix, "-o", "/no/such/xy.npy"]).contains("/no/such"));
}

#[cfg(unix)]
#[test]
fn a_pipe_or_a_folder_is_no_matrix_and_says_so() {
    let example = Example::new();
    for name in ["pipe", "pipe.npy"] {
        let pipe = example.root().join(name).display().to_string();
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let text = error(&example, &["reduce", &pipe, "-o", "xy.npy"]);
        assert!(text.contains("a pipe") && text.contains(&pipe), "{text}");
        std::fs::remove_file(pipe).unwrap();
    }
    for name in ["folder", "folder.npy"] {
        let folder = example.root().join("digits").join(name);
        std::fs::create_dir(&folder).unwrap();
        let folder = folder.display().to_string();
        let text = error(&example, &["reduce", &folder, "-o", "xy.npy"]);
        assert!(
            text.contains("neither a Delta table nor a run") && text.contains(&folder),
            "{text}"
        );
    }
}

#[test]
fn a_column_of_weights_that_holds_text_is_named_with_its_line() {
    let example = Example::new();
    let file = example.root().join("w.csv");
    std::fs::write(&file, "a,w\n1,0.5\n2,heavy\n").unwrap();
    let file = file.display().to_string();
    let call = [
        "import",
        "csv",
        &file,
        "--name",
        "t",
        "--project",
        "digits",
        "--weight",
        "w",
    ];
    let told = stderr(&example.emberlens(&call));
    let expected = [
        "column `w`",
        "heavy",
        "line 3",
        "w.csv",
        "weights and probabilities are numbers",
    ];
    for part in expected {
        assert!(told.contains(part), "{part}: {told}");
    }
}
