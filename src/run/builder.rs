//! Starting runs.

use std::time::Duration;

use serde::Serialize;
use ulid::Ulid;

use super::clock::now_us;
use super::facts::{self, Document, FORMAT_VERSION, Fact};
use super::heartbeat::Heartbeat;
use super::join::{self, Join};
use super::project::{Project, check_name};
use super::reader::RunReader;
use super::run::Run;
use super::session::Session;
use super::{InputTable, Rank, Status, flatten::flatten};
use crate::storage::{Location, names};
use crate::table::Table;
use crate::{Error, Result};

/// Characters of the ULID that an id keeps: the time in milliseconds (10) and 30 random bits.
const ULID_LENGTH: usize = 16;

/// What [`RunBuilder::start`] does when the project has a run of that name.
///
/// Names are compared exactly; ids are always new, so that no choice can mix up two runs.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Start a new run named `name-2`, `name-3`, ...
    #[default]
    Rename,
    /// Go on with the newest run of that name, or start one when there is none.
    Reuse,
    /// Go on with the newest run of that name, as its next attempt, or start one when there is none.
    /// A process that still writes the run, or stands still and wakes up later, is fenced: its next
    /// commit fails with [`Error::Fenced`]. [`RunBuilder::from_epoch`] says where the training goes
    /// on; without it a [`MetricsCollection`](crate::callback::MetricsCollection) says so at the start
    /// of the training.
    ///
    /// **Take care which run that is.** Where [`IfExists::Rename`] called a crashed run `name-2`, resuming
    /// `name` goes on with the one before it, though that may be completed, and what it holds from the
    /// epoch of the checkpoint on is discarded. Give the name that `emberlens ls` shows, or take the run
    /// by its id with [`Project::resume_run`].
    Resume,
    /// Start a new run; once it exists, delete those of that name that no process writes.
    Overwrite,
    /// Return `AlreadyExists`.
    Raise,
}

/// A run to be started; made by [`Project::run`].
///
/// ```
/// use emberlens::run::{IfExists, Project};
/// let project = Project::open("memory://", "docs")?;
/// let start = || {
///     project
///         .run("cnn")
///         .tag("baseline")
///         .parameters(&serde_json::json!({"optimiser": {"learning_rate": 0.1}}))?
///         .if_exists(IfExists::Rename)
///         .start()
/// };
/// let (first, second) = (start()?, start()?);
/// assert_eq!(second.name(), "cnn-2");
/// assert_eq!(first.reader()?.parameters()["optimiser.learning_rate"], 0.1);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunBuilder {
    project: Project,
    name: String,
    facts: Vec<Fact>,
    if_exists: IfExists,
    from_epoch: Option<i64>,
    rank: Option<(u32, u32)>,
    launch: Option<String>,
    attach: Option<String>,
    rank_wait: Duration,
}

impl RunBuilder {
    pub(crate) fn new(project: Project, name: &str) -> Self {
        Self {
            project,
            name: name.to_owned(),
            facts: Vec::new(),
            if_exists: IfExists::default(),
            from_epoch: None,
            rank: None,
            launch: None,
            attach: None,
            rank_wait: join::DEFAULT_WAIT,
        }
    }

    /// Says in words what the run is for.
    pub fn description(mut self, text: &str) -> Self {
        self.facts.push(Fact::Description {
            text: text.to_owned(),
        });
        self
    }

    /// Adds a tag.
    pub fn tag(mut self, tag: &str) -> Self {
        self.facts.push(Fact::Tag {
            tag: tag.to_owned(),
        });
        self
    }

    /// Adds parameters: anything serde serialises to an object; see [`Run::log_parameters`].
    ///
    /// # Errors
    /// `Invalid` for a value without names, such as a number.
    pub fn parameters(mut self, parameters: &impl Serialize) -> Result<Self> {
        let values = flatten(parameters)?;
        self.facts.push(Fact::Parameters { values });
        Ok(self)
    }

    /// Records a table, at its revision, as an input.
    pub fn input(mut self, table: &Table) -> Self {
        self.facts.push(Fact::Input(input_of(&self.project, table)));
        self
    }

    /// Says what happens when the project has a run of that name (default: a new name).
    pub fn if_exists(mut self, choice: IfExists) -> Self {
        self.if_exists = choice;
        self
    }

    /// With [`IfExists::Resume`], the 0-based epoch that the training goes on with: what the run holds
    /// about it and later ones is taken back, see [`Run::discard_from`].
    pub fn from_epoch(mut self, epoch: i64) -> Self {
        self.from_epoch = Some(epoch);
        self
    }

    /// Says which of `world` processes of one training this is: all of them write one run.
    ///
    /// Rank 0 starts the run as it would alone, and speaks for it: its builder's description, tags,
    /// parameters, inputs and `if_exists` count, and how it ends is how the run ends. The others join
    /// the run that rank 0 started under the same name, and wait for it, see
    /// [`RunBuilder::rank_wait`]; what describes the run is left out of theirs, which say the same.
    /// Every rank writes its own files. Passes of one stream, split and epoch are one pass to readers,
    /// which is complete when all ranks have completed theirs. A rank that starts again, after its
    /// process died, joins the same run, and its new passes replace its own.
    ///
    /// ```
    /// use emberlens::run::{MetricsTableWriter, Project};
    /// use emberlens::table::Columns;
    /// let project = Project::open("memory://", "docs")?;
    /// for rank in 0..2_u32 {
    ///     let run = project.run("cnn").rank(rank, 2).start()?; // each in a process of its own
    ///     let mut writer = MetricsTableWriter::new(&run).split("valid").epoch(0);
    ///     writer.add_batch(Columns::new().with("example_id", vec![i64::from(rank)]))?;
    ///     writer.finalize()?;
    /// #   std::mem::forget(run);
    /// }
    /// let reader = project.open_run("cnn")?;
    /// assert_eq!(reader.passes("default").len(), 1);
    /// assert_eq!(reader.metrics("default").values::<i64>("example_id")?, [0, 1]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn rank(mut self, rank: u32, world: u32) -> Self {
        self.rank = Some((rank, world));
        self
    }

    /// A key that the ranks of one launch share and no other launch has, such as the job id of a
    /// scheduler. With it no rank can take a run of the same name for its own that another launch, or
    /// an earlier one that died within the last 30 s, has started.
    pub fn launch(mut self, key: &str) -> Self {
        self.launch = Some(key.to_owned());
        self
    }

    /// Joins the run of this id, which rank 0 told the others, instead of looking for it by its name.
    /// With rank 0 it takes the place of a rank 0 that died, while the others go on.
    pub fn attach(mut self, run_id: &str) -> Self {
        self.attach = Some(run_id.to_owned());
        self
    }

    /// How long a rank waits for the run to join, and for whoever had its rank before to be gone
    /// (default: 60 s; a process that died on another machine is gone after 30 s).
    pub fn rank_wait(mut self, wait: Duration) -> Self {
        self.rank_wait = wait;
        self
    }

    /// Starts the run; its status is `running`.
    ///
    /// # Errors
    /// `Invalid` for an empty name or one with control characters; `AlreadyExists` with
    /// [`IfExists::Raise`], and when [`IfExists::Reuse`] or [`IfExists::Overwrite`] meet a run that
    /// a living process writes; `Storage` when the root is not writable.
    ///
    /// With [`RunBuilder::rank`]: `Invalid` for a rank that is not below the world size, a run of
    /// another world size, and rank 0 that resumes without [`RunBuilder::from_epoch`]; `NotFound` when
    /// there was no run to join in time; `AlreadyExists` when another process has the rank.
    pub fn start(self) -> Result<Run> {
        check_name("run name", &self.name)?;
        let rank = self.rank.map(|(index, world)| Rank::new(index, world));
        let rank = rank.transpose()?;
        if let Some(rank) = rank.filter(|rank| !rank.leads() || self.attach.is_some()) {
            return self.join(rank).map(Run::new);
        }
        self.check_lead(rank)?;
        let run = self.start_alone()?;
        if let Some(rank) = rank {
            // Only now do the others find it: nothing of theirs can be among what was taken back.
            run.admit(rank, &self.name, self.launch.as_deref())?;
        }
        Ok(run)
    }

    fn join(&self, rank: Rank) -> Result<Session> {
        join::join(&Join {
            project: &self.project,
            name: &self.name,
            id: self.attach.as_deref(),
            launch: self.launch.as_deref(),
            rank,
            wait: self.rank_wait,
        })
    }

    /// Refuses what makes no sense for one process, or for the one that leads.
    fn check_lead(&self, rank: Option<Rank>) -> Result<()> {
        if let (None, Some(id)) = (rank, &self.attach) {
            return Err(Error::invalid(
                "attach",
                id,
                "only ranks join a run that another process writes",
                "say which with RunBuilder::rank, or resume the run with Project::resume_run",
            ));
        }
        let resumes = self.if_exists == IfExists::Resume && self.from_epoch.is_none();
        match rank {
            Some(rank) if resumes && rank.world > 1 => Err(Error::invalid(
                "from_epoch",
                "none",
                "ranks that join a resumed run must know what of it counts",
                "say with RunBuilder::from_epoch where the training goes on",
            )),
            _ => Ok(()),
        }
    }

    fn start_alone(&self) -> Result<Run> {
        self.project.create()?;
        let ids = self.project.run_ids()?;
        let existing = self.project.named(&ids, &self.name)?;
        match (self.if_exists, existing.first()) {
            (_, None) => self.create(self.name.clone()),
            (IfExists::Rename, _) => {
                let name = self.free_name(&ids)?;
                self.create(name)
            }
            (IfExists::Reuse, Some(id)) => self.reuse(id),
            (IfExists::Resume, Some(id)) => self.resume(id),
            (IfExists::Overwrite, _) => self.overwrite(&existing),
            (IfExists::Raise, Some(id)) => Err(Error::AlreadyExists {
                what: "run",
                name: self.name.clone(),
                hint: "choose another name, or IfExists::Rename, Reuse or Overwrite".into(),
                place: self.project.run_location(id).url(),
            }),
        }
    }

    fn create(&self, name: String) -> Result<Run> {
        let location = self.free_location(&names::slug(&name)?)?;
        let created = Fact::Created {
            format_version: FORMAT_VERSION.to_owned(),
            id: location.name(),
            name,
            project: self.project.name().to_owned(),
            emberlens_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let project = self.project.clone();
        Session::create(project, location, created, self.given_rank(), &self.facts).map(Run::new)
    }

    fn free_location(&self, slug: &str) -> Result<Location> {
        loop {
            let location = self.project.run_location(&new_id(slug));
            if location.is_empty()? {
                return Ok(location);
            }
        }
    }

    fn free_name(&self, ids: &[String]) -> Result<String> {
        let mut number = 2_u64;
        loop {
            let name = format!("{}-{number}", self.name);
            if self.project.named(ids, &name)?.is_empty() {
                return Ok(name);
            }
            number += 1;
        }
    }

    /// Goes on with this run.
    pub(super) fn reuse(&self, id: &str) -> Result<Run> {
        self.reopen(self.reader_unless_written(id)?)
    }

    /// Goes on with this run, whoever writes it.
    fn resume(&self, id: &str) -> Result<Run> {
        let location = self.project.run_location(id);
        let reader = RunReader::open(location, self.project.location().clone())?;
        let run = self.reopen(reader)?;
        match self.from_epoch {
            Some(epoch) => run.discard_from(epoch)?,
            None => run.await_epoch(),
        }
        Ok(run)
    }

    fn reopen(&self, reader: RunReader) -> Result<Run> {
        let opened = Fact::Opened {
            format_version: FORMAT_VERSION.to_owned(),
            emberlens_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let running = Fact::Status {
            status: Status::Running.name().to_owned(),
            reason: None,
        };
        let mut facts = vec![running];
        facts.extend(self.facts.iter().cloned());
        let project = self.project.clone();
        Session::reopen(project, reader, opened, self.given_rank(), &facts).map(Run::new)
    }

    /// The rank, which `start` has checked.
    fn given_rank(&self) -> Option<Rank> {
        self.rank.map(|(index, world)| Rank { index, world })
    }

    fn overwrite(&self, old: &[String]) -> Result<Run> {
        for id in old {
            self.reader_unless_written(id)?;
        }
        let run = self.create(self.name.clone())?;
        for id in old {
            if let Err(error) = delete(&self.project.run_location(id), run.id()) {
                run.fail(&format!(
                    "the run `{id}` that it replaces could not be deleted"
                ))?;
                return Err(error);
            }
        }
        Ok(run)
    }

    /// Opens a run, unless a living process writes it.
    fn reader_unless_written(&self, id: &str) -> Result<RunReader> {
        let location = self.project.run_location(id);
        let reader = RunReader::open(location.clone(), self.project.location().clone())?;
        if !reader.status().is_active() {
            return Ok(reader);
        }
        let writer = match Heartbeat::read(&location, 0)? {
            Some(beat) => format!("process {} on {}", beat.pid, beat.host),
            None => "another process".to_owned(),
        };
        Err(Error::AlreadyExists {
            what: "run",
            name: id.to_owned(),
            hint: format!(
                "{writer} is writing it: wait until it ends (30 s after a crash elsewhere), or use IfExists::Rename"
            ),
            place: location.url(),
        })
    }
}

/// A table as a run's documents name it.
pub(crate) fn input_of(project: &Project, table: &Table) -> InputTable {
    InputTable {
        name: table.name().to_owned(),
        url: project.relative(&table.url()),
        revision: table.revision(),
    }
}

/// Deletes a run, its documents last: until then they say by which run it was replaced.
fn delete(run: &Location, by: &str) -> Result<()> {
    let superseded = Document {
        time_us: now_us(),
        scalars: None,
        fact: Fact::Superseded { by: by.to_owned() },
    };
    facts::documents(run).append(&superseded)?;
    for folder in run.list_folders()? {
        if folder != "run" {
            run.join(&folder).delete_all()?;
        }
    }
    run.delete_all()
}

fn new_id(slug: &str) -> String {
    let mut ulid = Ulid::new().to_string().to_ascii_lowercase();
    ulid.truncate(ULID_LENGTH);
    format!("{slug}-{ulid}")
}

/// Whether this is the id of a run whose name has this slug.
pub(crate) fn is_id_of(id: &str, slug: &str) -> bool {
    id.strip_prefix(slug)
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(|ulid| {
            ulid.len() == ULID_LENGTH && ulid.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_belongs_to_one_slug() {
        let id = new_id("cnn-2");
        assert!(is_id_of(&id, "cnn-2"));
        assert!(!is_id_of(&id, "cnn"));
        assert_ne!(id, new_id("cnn-2"));
        assert_eq!(id, id.to_ascii_lowercase());
    }
}
