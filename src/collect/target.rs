//! Which run a pass or a training writes to.

use crate::run::{IfExists, Project, Run, active};
use crate::{Error, ErrorKind, Result};

/// Where a run came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The caller's, or the process's active one: the caller ends it.
    Adopted,
    /// Started here: ended here.
    Created,
}

/// The run that was asked for: an explicit one, else the active one, else a new one by its names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Target {
    pub(crate) run: Option<Run>,
    pub(crate) project: Option<Project>,
    pub(crate) project_name: Option<String>,
    pub(crate) run_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) if_exists: IfExists,
}

impl Target {
    /// Finds or starts the run.
    pub(crate) fn resolve(&self) -> Result<(Run, Origin)> {
        if let Some(run) = self.run.clone().or_else(active::get) {
            self.agree(&run)?;
            if let Some(description) = &self.description
                && run.description().is_none()
            {
                run.set_description(description)?;
            }
            return Ok((run, Origin::Adopted));
        }
        let project = match (&self.project, &self.project_name) {
            (Some(project), _) => project.clone(),
            (None, Some(name)) => Project::open_default(name)?,
            (None, None) => return Err(no_run("project")),
        };
        let name = self.run_name.as_deref().ok_or_else(|| no_run("run name"))?;
        let mut builder = project.run(name).if_exists(self.if_exists);
        if let Some(description) = &self.description {
            builder = builder.description(description);
        }
        Ok((builder.start()?, Origin::Created))
    }

    /// An explicit or active run must be the one that the names describe.
    fn agree(&self, run: &Run) -> Result<()> {
        let asked = [
            (
                "project",
                self.project_name(),
                Some(run.project_name().to_owned()),
            ),
            ("run name", self.run_name.clone(), Some(run.name())),
            ("description", self.description.clone(), run.description()),
        ];
        let problems = asked.into_iter().filter_map(|(what, asked, found)| {
            let (asked, found) = (asked?, found?);
            (asked != found).then(|| {
                Error::invalid(
                    what,
                    format!("`{asked}`"),
                    format!("the run in use has `{found}`"),
                    "leave it out, or end the other run first (drop its active guard)",
                )
            })
        });
        Error::all(problems.collect())
    }

    fn project_name(&self) -> Option<String> {
        let of_project = self
            .project
            .as_ref()
            .map(|project| project.name().to_owned());
        self.project_name.clone().or(of_project)
    }
}

fn no_run(missing: &str) -> Error {
    Error::invalid(
        missing,
        "none",
        "there is no explicit run and no active one",
        "pass a run, make one active with run::active::set, or give a project and a run name",
    )
}

/// Ends a run that was started here with the outcome of the work.
pub(crate) fn end_run(run: &Run, outcome: Option<&Error>) -> Result<()> {
    match outcome {
        None => run.complete(),
        Some(error) if error.kind() == ErrorKind::Interrupted => run.interrupt(&error.chain()),
        Some(error) => run.fail(&error.chain()),
    }
}
