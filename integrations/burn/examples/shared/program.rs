//! What the `main` of every example does alike: errors on one line, the exit code, the run's place.

use std::error::Error;
use std::process::ExitCode;

use emberlens::run::{Project, RunReader};
use emberlens_burn::LaunchError;

/// Any error, for the terminal.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What shells report for a program that ended by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// How a training that did not fail ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did what it was asked to do.
    Complete,
    /// Somebody stopped it; its run is marked so and keeps what was collected.
    Interrupted,
}

/// The exit code of the program; an error goes to the standard error stream.
#[allow(clippy::print_stderr, reason = "this is what the program says last")]
pub fn end(outcome: Result<Ending, Failure>) -> ExitCode {
    match outcome {
        Ok(Ending::Complete) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// The project of this name below the root that was asked for, else below the default one.
pub fn open_project(root: Option<&str>, name: &str) -> Result<Project, Failure> {
    Ok(match root {
        Some(root) => Project::open(root, name)?,
        None => Project::open_default(name)?,
    })
}

/// A failed training, with the place of what it collected.
pub fn launch_failure<M>(error: &LaunchError<M>) -> Failure {
    let place = error
        .run()
        .map(|run| format!("; what was collected is in {}", run.url()));
    format!("{}{}", chain(error), place.unwrap_or_default()).into()
}

/// An error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some errors tell their cause themselves.
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// The run's folder as one would type it.
pub fn place(run: &RunReader) -> String {
    let Some(path) = run.location().local_path() else {
        return run.url();
    };
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here)
        .unwrap_or(&path)
        .display()
        .to_string()
}

/// The command line that finds what the program wrote, or `None` where it ends with this process.
pub fn command_line(run: &RunReader, root: Option<&str>) -> Option<String> {
    run.location().local_path()?;
    let root = root
        .map(|root| match root.contains(char::is_whitespace) {
            true => format!(" --root {root:?}"),
            false => format!(" --root {root}"),
        })
        .unwrap_or_default();
    Some(format!("cargo run --release --bin emberlens --{root}"))
}
