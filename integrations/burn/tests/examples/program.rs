//! Running an example as its users do, and reading what it left.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use emberlens::run::{Project, RunReader, Status};

/// What the examples' own modules call an error.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A program as `cargo test --workspace` built it, beside the folder of this test.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = test.ancestors().nth(2).unwrap().join(file);
    let found = program.exists();
    assert!(
        found,
        "build it first: cargo build --workspace --examples --bins"
    );
    program
}

/// An example.
pub fn binary(name: &str) -> PathBuf {
    built(&format!("examples/{name}"))
}

/// Runs the command line; it must succeed.
pub fn emberlens<S: AsRef<OsStr>>(here: &Path, arguments: impl IntoIterator<Item = S>) -> String {
    let mut command = Command::new(built("emberlens"));
    let output = command.args(arguments).current_dir(here).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{error}");
    text
}

/// Runs every command line of `emberlens` that an example printed, in a shell, and returns their
/// arguments.
pub fn next_commands_work(here: &Path, printed: &str) -> Vec<String> {
    let (_, next) = printed.split_once("\nnext:\n").unwrap();
    let lines = next.lines();
    let lines = lines.filter_map(|line| line.split_once("--bin emberlens -- "));
    let lines: Vec<String> = lines.map(|(_, arguments)| arguments.to_owned()).collect();
    for line in &lines {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("\"$0\" {line}")]);
        let output = shell.arg(built("emberlens")).current_dir(here).output();
        let output = output.unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {error}");
    }
    lines
}

fn command(name: &str, root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    command
        .args(["--root", &root.display().to_string()])
        .args(arguments)
        .current_dir(root);
    command
}

/// Runs it to its end.
pub fn run(name: &str, root: &Path, arguments: &[&str]) -> Output {
    command(name, root, arguments).output().unwrap()
}

/// What it prints; it must succeed.
pub fn text(name: &str, root: &Path, arguments: &[&str]) -> String {
    let output = run(name, root, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{error}");
    text
}

/// A project below the root.
pub fn project(root: &Path, name: &str) -> Project {
    Project::open(&root.display().to_string(), name).unwrap()
}

/// The numbers of the first line that begins with `marker`, in their order.
pub fn numbers(text: &str, marker: &str) -> Vec<f64> {
    let line = text.lines().find(|line| line.trim().starts_with(marker));
    let line = line.unwrap_or_else(|| panic!("no line `{marker}` in {text}"));
    let line = &line.trim()[marker.len()..];
    let words = line.split(|c: char| c.is_whitespace() || "():".contains(c));
    words.filter_map(|word| word.parse().ok()).collect()
}

/// The mean of a float column over one split at its last epoch, from the rows.
pub fn last_mean(run: &RunReader, split: &str, column: &str) -> f64 {
    let last = run.latest_pass("default", split).unwrap();
    let metrics = run.metrics("default").split(split).epoch(last.epoch);
    let values = metrics.values::<f32>(column).unwrap();
    values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
}

/// Help and wrong arguments are told, with exit codes 0 and 2.
pub fn tells_its_arguments(name: &str) {
    let root = tempfile::tempdir().unwrap();
    let help = text(name, root.path(), &["--help"]);
    assert!(
        help.contains("--epochs") && help.contains("--root"),
        "{help}"
    );
    for (arguments, message) in [
        (["--epochs", "0"], "1 or more"),
        (["--learning-rate", "-1"], "positive"),
    ] {
        let output = run(name, root.path(), &arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

/// Ctrl-C after the first passes: exit code 130, an interrupted run, and whole passes.
#[cfg(unix)]
pub fn ends_by_ctrl_c(name: &str, in_project: &str, run_name: &str, arguments: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let mut endless = command(name, root.path(), arguments);
    endless.args(["--epochs", "100000"]).stdout(Stdio::null());
    let mut child = endless.spawn().unwrap();
    let started = Instant::now();
    let open = || project(root.path(), in_project).open_run(run_name);
    while !open().is_ok_and(|run| run.passes("default").len() >= 2) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "nothing was collected"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let signal = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(signal.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let run = open().unwrap();
    let status = run.status();
    assert!(matches!(status, Status::Interrupted(_)), "{status}");
    for pass in run.passes("default") {
        let rows = run.metrics("default").split(&pass.split).epoch(pass.epoch);
        assert_eq!(rows.read().unwrap().num_rows() as u64, pass.rows);
    }
}

/// A training that diverges has a failed run, a report that says why there are no coordinates, and the
/// exit code 1.
pub fn tells_that_it_diverges(name: &str, in_project: &str, run_name: &str, arguments: &[&str]) {
    let root = tempfile::tempdir().unwrap();
    let arguments = [arguments, &["--epochs", "1", "--learning-rate", "1e38"]].concat();
    let output = run(name, root.path(), &arguments);
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}{error}");
    assert!(
        text.contains(&format!("run `{run_name}`: failed after"))
            && text.contains("no coordinates: the embeddings are not finite"),
        "{text}{error}"
    );
    assert!(
        error.contains("NaN") && error.contains("what was collected is in"),
        "{error}"
    );
    let run = project(root.path(), in_project).open_run(run_name).unwrap();
    assert!(
        matches!(run.status(), Status::Failed(_)),
        "{}",
        run.status()
    );
    assert_eq!(run.passes("default").len(), 2, "both splits are there");
}
