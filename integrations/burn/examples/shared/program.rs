//! What the `main` of every example does alike: errors on one line, the exit code, the run's place.

#![allow(dead_code, reason = "not every example goes on after its training")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use emberlens::run::{Project, Run, RunReader, Status};
use emberlens_burn::{LaunchError, LaunchFailure, Trained};

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

/// A training that ended, well or not, and whose run tells what it came to.
pub struct Launched {
    pub run: Run,
    /// The run as it is now.
    pub reader: RunReader,
    /// How the program ends, after its report.
    pub outcome: Result<Ending, Failure>,
    /// Why embeddings have no coordinates, where that is known.
    no_coordinates: Option<&'static str>,
}

impl Launched {
    /// What a launch came to.
    ///
    /// # Errors
    /// The failure of a training that has no run.
    pub fn new<M>(launch: Result<Trained<M>, LaunchError<M>>) -> Result<Self, Failure> {
        let (run, outcome, no_coordinates) = match launch {
            Ok(trained) => {
                let ending = match trained.interrupted {
                    Some(_) => Ending::Interrupted,
                    None => Ending::Complete,
                };
                (trained.run, Ok(ending), None)
            }
            Err(error) => {
                let Some(run) = error.run() else {
                    return Err(chain(&error).into());
                };
                let text = format!("{}; what was collected is in {}", chain(&error), run.url());
                let reason = match error.failure() {
                    LaunchFailure::Emberlens(error) if is_not_finite(error) => Some(DIVERGED),
                    _ => None,
                };
                (run.clone(), Err(text.into()), reason)
            }
        };
        let reader = match (run.reader(), &outcome) {
            (Ok(reader), _) => reader,
            (Err(unread), Ok(_)) => return Err(unread.into()),
            (Err(unread), Err(text)) => {
                return Err(format!("{text}; it cannot be read: {}", unread.chain()).into());
            }
        };
        Ok(Self {
            reader,
            run,
            outcome,
            no_coordinates,
        })
    }

    /// Whether it did what it was asked to do.
    pub fn is_complete(&self) -> bool {
        matches!(self.outcome, Ok(Ending::Complete))
    }

    /// The run's name, status and place, the first lines of every report.
    pub fn heading(&self, took: Duration) -> String {
        let (run, seconds) = (&self.reader, took.as_secs_f64());
        let name = run.name();
        let status = match run.status() {
            failed @ Status::Failed(_) => failed.name().to_owned(), // the error follows the report
            other => other.to_string(),
        };
        let mut text = format!(
            "\nrun `{name}`: {status} after {seconds:.1} s\n  {}\n",
            place(run)
        );
        if let Some(reason) = self.no_coordinates {
            text += &format!("  no coordinates: {reason}\n");
        }
        text
    }
}

const DIVERGED: &str = "the embeddings are not finite (NaN or infinite), as after a training that \
    diverges; try a lower --learning-rate";

/// Whether numbers that are none are at the root of an error.
fn is_not_finite(error: &emberlens::Error) -> bool {
    match error {
        emberlens::Error::NonFinite { .. } => true,
        emberlens::Error::Callback { source, .. } => is_not_finite(source),
        emberlens::Error::Several { problems } => problems.iter().any(is_not_finite),
        _ => false,
    }
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
