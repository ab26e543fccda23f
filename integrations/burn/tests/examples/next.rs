//! What the examples print as the next commands works, however much there is to show.

use std::process::Command;

use crate::program::{binary, next_commands_work, text};

/// Runs an example and everything that it prints for later; the plots among it.
fn plots(name: &str, arguments: &[&str]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a reader's runs");
    std::fs::create_dir(&root).unwrap();
    let printed = text(name, &root, arguments);
    let next = next_commands_work(&root, &printed);
    assert!(next.len() >= 3, "{printed}");
    next.iter().filter(|line| line.contains(" plot ")).count()
}

#[test]
fn of_digits() {
    assert_eq!(plots("digits", &["--epochs=1"]), 1);
}

#[cfg(unix)]
#[test]
fn of_digits_for_python() {
    let python = std::env::var("EMBERLENS_PYTHON").ok();
    if python.is_none() {
        eprintln!("skipped: EMBERLENS_PYTHON names no Python with polars");
    }
    python_reads("reader's", python.as_deref());
    // Polars itself finds no files below a space or a double quote.
    python_reads(r#"a "best" reader's runs"#, None);
}

/// The line for Python names the table below this root, as a shell takes it apart; a Python with
/// Polars reads it.
#[cfg(unix)]
fn python_reads(root: &str, python: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let mut example = Command::new(binary("digits"));
    example.args(["--epochs=1", "--root", root]);
    let output = example.current_dir(folder.path()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    let line = printed.lines().find(|line| line.contains("python -c"));
    let line = line.unwrap().trim();

    let shell = |python: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("python() {{ {python} \"$@\"; }}\n{line}")]);
        shell.current_dir(folder.path()).output().unwrap()
    };
    let words = String::from_utf8(shell(r"printf '%s\n'").stdout).unwrap();
    let [option, code] = words.lines().collect::<Vec<_>>()[..] else {
        panic!("{words}");
    };
    assert_eq!(option, "-c");
    let literal = code.strip_prefix("import polars; print(polars.read_delta(\"");
    let literal = literal.and_then(|rest| rest.strip_suffix("\"))")).unwrap();
    let table = literal.replace("\\\"", "\"");
    assert!(table.starts_with(root), "{table}");
    let log = folder.path().join(table).join("_delta_log");
    assert!(log.is_dir(), "{}", log.display());

    if let Some(python) = python {
        let read = shell(&format!("'{python}'"));
        let error = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success(), "{error}");
        let table = String::from_utf8_lossy(&read.stdout);
        assert!(table.contains("example_id"), "{table}");
    }
}

#[test]
fn of_text() {
    assert_eq!(
        plots("text", &["--epochs=1", "--sentences=40", "--reduce=none"]),
        0
    );
    assert_eq!(
        plots("text", &["--epochs=1", "--sentences=40", "--reduce=pca"]),
        2
    );
}

#[test]
fn of_segmentation() {
    assert_eq!(
        plots(
            "segmentation",
            &["--epochs=1", "--scenes=16", "--reduce=none"]
        ),
        0
    );
    assert_eq!(
        plots(
            "segmentation",
            &["--epochs=1", "--scenes=16", "--reduce=pca"]
        ),
        2
    );
}

#[test]
fn of_detection() {
    // After one step nothing is seen with confidence: there are no boxes to show.
    assert_eq!(plots("detection", &["--epochs=1", "--scenes=4"]), 0);
    let learned = ["--epochs=4", "--every=4", "--scenes=120"];
    assert_eq!(
        plots("detection", &[&learned[..], &["--reduce=none"]].concat()),
        0
    );
    assert_eq!(
        plots("detection", &[&learned[..], &["--reduce=pca"]].concat()),
        2
    );
}

#[test]
fn of_fix_labels() {
    let short = ["--epochs=1", "--review=0.05"];
    assert_eq!(
        plots("fix_labels", &[&short[..], &["--reduce=none"]].concat()),
        0
    );
    assert_eq!(
        plots("fix_labels", &[&short[..], &["--reduce=pca"]].concat()),
        1
    );
}
