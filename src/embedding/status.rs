//! The status of a run while something is done to it.

use crate::Result;
use crate::run::{Run, Status};

/// Shows a run as `reducing`; what it was before comes back at the end, also after an error.
pub(super) struct Reducing<'a> {
    run: &'a Run,
    before: Option<Status>,
}

impl<'a> Reducing<'a> {
    pub(super) fn begin(run: &'a Run) -> Result<Self> {
        let before = run.recorded_status();
        run.set_status(Status::Reducing)?;
        Ok(Self {
            run,
            before: Some(before),
        })
    }

    /// Brings the status back and says whether that worked.
    pub(super) fn end(mut self) -> Result<()> {
        self.restore()
    }

    fn restore(&mut self) -> Result<()> {
        match self.before.take() {
            // Whoever changed it meanwhile (an interruption, say) has the last word.
            Some(before) if self.run.recorded_status() == Status::Reducing => {
                self.run.set_status(before)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Reducing<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            tracing::error!(
                "run `{}` still says that it is reducing: {}",
                self.run.id(),
                error.chain()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Project;

    #[test]
    fn a_pass_that_ends_meanwhile_leaves_the_run_running() {
        let project = Project::open("memory://", "p").unwrap();
        let run = project.run("r").start().unwrap();
        let pass = run.begin_pass("default", "train", None).unwrap();
        let reducing = Reducing::begin(&run).unwrap();
        assert_eq!(run.status(), Status::Reducing);
        run.abandon_pass(&pass, "stopped").unwrap();
        reducing.end().unwrap();
        assert_eq!(run.status(), Status::Running);
    }
}
