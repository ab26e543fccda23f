//! The handle that writes a run.

mod passes;

use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::Serialize;

use super::builder::input_of;
use super::facts::Fact;
use super::flatten::flatten;
use super::session::Session;
use super::{At, InputTable, Output, Project, ProjectionInfo, Rank, RunReader, Status};
use crate::Result;
use crate::storage::Location;
use crate::table::Table;

/// A run that is being written; cloning gives another handle to the same run.
///
/// A thread renews the run's heartbeat every 5 s and writes scalars that waited for 30 s. When the
/// last handle is dropped and nobody ended the run, it becomes `interrupted`, or `failed` while the
/// thread panics; a process that is killed leaves a run that readers show as `crashed`.
///
/// # Durability
/// What a method wrote is on the disk when it returns `Ok`, except scalars: those are when
/// [`Run::flush`] does.
///
/// ```
/// use emberlens::run::{At, Project};
/// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
/// run.log_parameters(&serde_json::json!({"batch_size": 64}))?;
/// run.log(&[("loss", 0.41), ("accuracy", 0.88)], At::epoch(0))?;
/// run.complete()?;
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    session: Arc<Session>,
}

/// A handle that does not keep the run alive.
#[derive(Debug)]
pub(crate) struct WeakRun(Weak<Session>);

impl WeakRun {
    pub(crate) fn upgrade(&self) -> Option<Run> {
        self.0.upgrade().map(|session| Run { session })
    }

    pub(crate) fn is(&self, run: &Run) -> bool {
        std::ptr::eq(self.0.as_ptr(), Arc::as_ptr(&run.session))
    }
}

impl Run {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session: Arc::new(session),
        }
    }

    /// Unique within the project; also the folder's name.
    pub fn id(&self) -> &str {
        &self.session.id
    }

    /// The display name.
    pub fn name(&self) -> String {
        self.session.state().name.clone()
    }

    /// Which of the processes that write the run together this one is; `None` for a run of one
    /// process.
    pub fn rank(&self) -> Option<Rank> {
        self.session.rank()
    }

    /// The run's address.
    pub fn url(&self) -> String {
        self.session.location.url()
    }

    /// The folder of the run.
    pub fn location(&self) -> &Location {
        &self.session.location
    }

    /// What the run is for.
    pub fn description(&self) -> Option<String> {
        self.session.state().description.clone()
    }

    /// The project's display name.
    pub fn project_name(&self) -> &str {
        self.session.project.name()
    }

    /// The folder of the project.
    pub fn project_location(&self) -> &Location {
        self.session.project.location()
    }

    /// The project that the run belongs to.
    pub fn project(&self) -> &Project {
        &self.session.project
    }

    /// Records parameters: anything that serde serialises to an object.
    ///
    /// Nested values are flattened with dots (`optimiser.learning_rate`); NaN and infinities become
    /// strings; later values of a key replace earlier ones.
    ///
    /// # Errors
    /// `Invalid` for a value without names, such as a number, or two values of one key.
    pub fn log_parameters(&self, parameters: &impl Serialize) -> Result<()> {
        let values = flatten(parameters)?;
        if values.is_empty() {
            return Ok(());
        }
        self.session.record(Fact::Parameters { values })
    }

    /// Says in words what the run is for; replaces an earlier description.
    pub fn set_description(&self, text: &str) -> Result<()> {
        self.session.record(Fact::Description {
            text: text.to_owned(),
        })
    }

    /// Adds a tag.
    pub fn add_tag(&self, tag: &str) -> Result<()> {
        self.session.record(Fact::Tag {
            tag: tag.to_owned(),
        })
    }

    /// Records a table, at its revision, as an input; once however often it is called.
    pub fn add_input(&self, table: &Table) -> Result<()> {
        let input = input_of(&self.session.project, table);
        if self.session.state().inputs.contains(&input) {
            return Ok(());
        }
        self.session.record(Fact::Input(input))
    }

    /// Records something that the run produced; credentials in the address are left out.
    pub fn add_output(&self, name: &str, url: &str) -> Result<()> {
        let url = self.session.project.relative(url);
        self.session.record(Fact::Output(Output {
            name: name.to_owned(),
            url,
        }))
    }

    /// Records a fitted projection of another run as an input.
    pub(crate) fn add_input_model(&self, name: &str, url: &str) -> Result<()> {
        let input = InputTable {
            name: name.to_owned(),
            url: self.session.project.relative(url),
            revision: 0,
        };
        if self.session.state().inputs.contains(&input) {
            return Ok(());
        }
        self.session.record(Fact::Input(input))
    }

    /// Records a table of coordinates; readers see it from now on.
    pub(crate) fn add_projection(&self, info: &ProjectionInfo) -> Result<()> {
        self.session.record(Fact::Projected(info.clone()))
    }

    /// Logs one value of each named series; a name that was logged before extends its series.
    ///
    /// # Durability
    /// Values are kept in memory until there are 10,000, for at most 30 s, or until [`Run::flush`].
    ///
    /// # Errors
    /// `Invalid` for an empty name; `Storage` when values that were taken before cannot be written
    /// (they are kept and tried again; those of this call are not taken).
    pub fn log<N: AsRef<str>>(&self, values: &[(N, f64)], at: At) -> Result<()> {
        self.log_split("", values, at)
    }

    /// Logs values that belong to a split; see [`Run::log`].
    pub fn log_split<N: AsRef<str>>(&self, split: &str, values: &[(N, f64)], at: At) -> Result<()> {
        self.session.scalars.log(split, values, at)
    }

    /// Writes all scalars that wait; when it returns `Ok` they are on the disk.
    pub fn flush(&self) -> Result<()> {
        self.session.scalars.flush()
    }

    /// Writes the scalars that wait, unless some were written within `age`.
    pub(crate) fn flush_unless_within(&self, age: Duration) -> Result<()> {
        self.session.scalars.flush_unless_within(age)
    }

    /// What the run is doing, or how it ended.
    pub fn status(&self) -> Status {
        self.session.state().status()
    }

    /// The status that its documents name: a pass under way does not show.
    pub(crate) fn recorded_status(&self) -> Status {
        self.session.state().recorded_status.clone()
    }

    /// Says what the run is doing. Where several ranks write it, rank 0 speaks for the run, and the
    /// others only say how they ended.
    ///
    /// # Errors
    /// `Invalid` for [`Status::Crashed`], which only readers derive.
    pub fn set_status(&self, status: Status) -> Result<()> {
        self.session.set_status(status)
    }

    /// Takes back what the run holds about this epoch and later ones, for a training that goes on from
    /// a checkpoint: scalars of those epochs, passes, and passes that were never completed.
    ///
    /// Readers leave the passes out from one document on; their files leave the latest version of
    /// their tables, and scalars theirs, in one commit each. Scalars that belong to no epoch stay, and
    /// so do coordinates, until the embeddings are reduced again. Call it before anything is collected.
    ///
    /// ```
    /// use emberlens::run::{At, IfExists, Project};
    /// let project = Project::open("memory://", "docs")?;
    /// let run = project.run("cnn").start()?;
    /// for epoch in 0..3 {
    ///     run.log(&[("loss", 1.0 / (1 + epoch) as f64)], At::epoch(epoch))?;
    /// }
    /// drop(run);
    /// let run = project.run("cnn").if_exists(IfExists::Resume).start()?;
    /// run.discard_from(2)?;
    /// assert_eq!(run.reader()?.scalars()?.len(), 2);
    /// # run.complete()?;
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Fenced`](crate::Error::Fenced) when another process took the run over; `Invalid` on a rank other than rank 0.
    pub fn discard_from(&self, epoch: i64) -> Result<()> {
        self.session.discard_from(epoch)
    }

    /// Whether the run was resumed and nobody has said yet from which epoch.
    pub(crate) fn awaits_epoch(&self) -> bool {
        self.session.awaits_epoch()
    }

    /// Expects to be told from which epoch a resumed training goes on.
    pub(super) fn await_epoch(&self) {
        self.session.await_epoch();
    }

    /// Flushes, then ends the run well; on a rank other than rank 0, ends that rank.
    ///
    /// # Errors
    /// When the flush fails the run goes on.
    pub fn complete(&self) -> Result<()> {
        self.flush()?;
        self.set_status(Status::Completed)
    }

    /// Ends the run, or the rank, as failed, then flushes.
    pub fn fail(&self, reason: &str) -> Result<()> {
        self.set_status(Status::Failed(reason.to_owned()))?;
        self.flush()
    }

    /// Ends the run, or the rank, as interrupted, then flushes.
    pub fn interrupt(&self, reason: &str) -> Result<()> {
        self.set_status(Status::Interrupted(reason.to_owned()))?;
        self.flush()
    }

    /// Flushes and opens the run for reading.
    pub fn reader(&self) -> Result<RunReader> {
        self.flush()?;
        RunReader::open(
            self.session.location.clone(),
            self.session.project.location().clone(),
        )
    }

    /// Opens the run to the other ranks.
    pub(super) fn admit(&self, rank: Rank, asked: &str, launch: Option<&str>) -> Result<()> {
        self.session.admit(rank, asked, launch)
    }

    pub(crate) fn downgrade(&self) -> WeakRun {
        WeakRun(Arc::downgrade(&self.session))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Run {
        Project::open("memory://", "p")
            .unwrap()
            .run("r")
            .start()
            .unwrap()
    }

    #[test]
    fn a_dropped_run_is_interrupted_and_keeps_its_scalars() {
        let run = start();
        let project = run.project().clone();
        run.log(&[("loss", 1.0)], At::epoch(0)).unwrap();
        drop(run.clone());
        assert_eq!(
            project.open_run("r").unwrap().status(),
            &Status::Running,
            "one handle is left"
        );
        drop(run);
        let reader = project.open_run("r").unwrap();
        assert!(matches!(reader.status(), Status::Interrupted(_)));
        assert_eq!(reader.scalars().unwrap().len(), 1);
    }

    #[test]
    fn a_run_lost_in_a_panic_is_failed() {
        let run = start();
        let project = run.project().clone();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _held = run;
            panic!("out of luck");
        }));
        assert!(result.is_err());
        assert!(matches!(
            project.open_run("r").unwrap().status(),
            Status::Failed(_)
        ));
    }

    #[test]
    fn a_completed_run_stays_completed_when_dropped() {
        let run = start();
        let project = run.project().clone();
        run.complete().unwrap();
        drop(run);
        assert_eq!(project.open_run("r").unwrap().status(), &Status::Completed);
    }

    #[test]
    fn crashed_is_never_written() {
        assert!(start().set_status(Status::Crashed).is_err());
    }
}
