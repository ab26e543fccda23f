//! The read side of a run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::clock::now_us;
use super::heartbeat::{self, Heartbeat};
use super::scalars::{self, Scalar};
use super::select::is_same_place;
use super::skipped::Skips;
use super::state::RunState;
use super::{IncompletePass, InputTable, Metrics, Output, PassRecord, Status};
use crate::storage::{Location, names};
use crate::table::Table;
use crate::{Error, ErrorKind, Result};

/// A run as it was when it was opened: it may go on meanwhile; open it again to see more.
///
/// ```
/// use emberlens::run::{At, Project};
/// let project = Project::open("memory://", "docs")?;
/// let run = project.run("cnn").tag("baseline").start()?;
/// run.log(&[("loss", 0.41)], At::epoch(0))?;
/// run.complete()?;
/// let reader = project.open_run("cnn")?;
/// assert_eq!(reader.tags(), ["baseline"]);
/// assert_eq!(reader.scalars()?[0].value, 0.41);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RunReader {
    location: Location,
    project: Location,
    pub(super) state: RunState,
    status: Status,
    /// Where it notes what it skips; `None` when damage is an error.
    pub(super) skips: Option<Skips>,
}

/// A project that cannot be read, and why.
#[non_exhaustive]
#[derive(Debug)]
pub struct DamagedProject {
    /// The folder's name below the root.
    pub folder: String,
    /// What is wrong; `Corrupt` or `Storage`.
    pub error: Box<Error>,
}

/// What a list of runs shows of each.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub struct RunInfo {
    /// Unique within the project; also the folder's name.
    pub id: String,
    /// The display name.
    pub name: String,
    /// The project's display name.
    pub project: String,
    /// What it is doing, or how it ended.
    pub status: Status,
    /// Microseconds since 1970 UTC.
    pub created_us: i64,
    /// The time of its last document, microseconds since 1970 UTC.
    pub updated_us: i64,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Flattened parameters.
    pub parameters: BTreeMap<String, Value>,
    /// The run that replaced it, when its deletion was begun and not finished.
    pub superseded_by: Option<String>,
    /// Its folder.
    pub url: String,
}

/// A run that cannot be read.
#[derive(Debug)]
pub struct DamagedRun {
    /// The folder's name.
    pub id: String,
    /// Why it cannot be read.
    pub error: Box<Error>,
}

impl RunReader {
    /// Reads a run's documents; `project` is the folder of its project.
    ///
    /// # Errors
    /// `Corrupt` when documents are missing, damaged or of a newer major version.
    pub fn open(run: Location, project: Location) -> Result<Self> {
        Self::open_by(run, project, RunState::read)
    }

    /// As [`RunReader::open`] and [`RunReader::skip_corrupt`], of a run whose documents may be damaged
    /// too: those are left out and told by [`RunReader::skipped`]. What a lost document told is not
    /// known: a pass that it completed is among the incomplete ones, and its rows are not counted, so
    /// that [`Skipped::unread_documents`](super::Skipped::unread_documents) is told beside the rows.
    ///
    /// # Errors
    /// `Corrupt` when no document can be read, or the format is of a newer major version.
    pub fn open_damaged(run: Location, project: Location) -> Result<Self> {
        let skips = Skips::default();
        let reader = Self::open_by(run, project, |run| {
            RunState::read_around(run, &mut |error, count| skips.document(error, count))
        })?;
        Ok(Self {
            skips: Some(skips),
            ..reader
        })
    }

    fn open_by(
        run: Location,
        project: Location,
        read: impl Fn(&Location) -> Result<RunState>,
    ) -> Result<Self> {
        let mut state = read(&run)?;
        let mut status = state.status();
        if status.is_active() && is_abandoned(&state, &run)? {
            // It may have ended, properly, after its documents were read.
            state = read(&run)?;
            status = state.status();
            if status.is_active() {
                status = Status::Crashed;
            }
        }
        Ok(Self {
            location: run,
            project,
            state,
            status,
            skips: None,
        })
    }

    /// Unique within the project; also the folder's name.
    pub fn id(&self) -> &str {
        &self.state.id
    }

    /// The display name.
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// The project's display name.
    pub fn project_name(&self) -> &str {
        &self.state.project
    }

    /// The folder of the run.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The folder of the project.
    pub fn project_location(&self) -> &Location {
        &self.project
    }

    /// The run's address.
    pub fn url(&self) -> String {
        self.location.url()
    }

    /// What the run is doing, or how it ended; [`Status::Crashed`] when its process is gone.
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// When it was created, microseconds since 1970 UTC.
    pub fn created_us(&self) -> i64 {
        self.state.created_us
    }

    /// The time of its last document, microseconds since 1970 UTC.
    pub fn updated_us(&self) -> i64 {
        self.state.updated_us
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        self.state.description.as_deref()
    }

    /// Tags in the order they were added.
    pub fn tags(&self) -> &[String] {
        &self.state.tags
    }

    /// Parameters, flattened with dots; NaN and infinities are strings.
    pub fn parameters(&self) -> &BTreeMap<String, Value> {
        &self.state.parameters
    }

    /// The tables it used, with their revisions.
    pub fn inputs(&self) -> &[InputTable] {
        &self.state.inputs
    }

    /// What it produced outside its own tables.
    pub fn outputs(&self) -> &[Output] {
        &self.state.outputs
    }

    /// The version of Emberlens that wrote it last.
    pub fn emberlens_version(&self) -> &str {
        &self.state.emberlens_version
    }

    /// What a list shows.
    pub fn info(&self) -> RunInfo {
        let state = &self.state;
        RunInfo {
            id: state.id.clone(),
            name: state.name.clone(),
            project: state.project.clone(),
            status: self.status.clone(),
            created_us: state.created_us,
            updated_us: state.updated_us,
            description: state.description.clone(),
            tags: state.tags.clone(),
            parameters: state.parameters.clone(),
            superseded_by: state.superseded_by.clone(),
            url: self.location.url(),
        }
    }

    /// Opens an input at the revision that was used.
    ///
    /// # Errors
    /// `NotFound` when the table or its revision is gone.
    pub fn input_table(&self, input: &InputTable) -> Result<Table> {
        Table::open(self.input_location(input)?)?.at_revision(input.revision)
    }

    /// Where an input is.
    pub(crate) fn input_location(&self, input: &InputTable) -> Result<Location> {
        let is_relative = !input.url.contains("://") && !input.url.starts_with('/');
        match is_relative {
            true => self.project.inside(&input.url),
            false => Location::open(&input.url),
        }
    }

    /// All scalars that were flushed, in the order they were logged; where several ranks write the
    /// run, those of rank 0.
    ///
    /// # Errors
    /// `Storage` or `Corrupt` when their table cannot be read.
    pub fn scalars(&self) -> Result<Vec<Scalar>> {
        self.scalars_of_rank(0)
    }

    /// The scalars that one rank logged, in the order it logged them. A run of one process has those
    /// of rank 0 alone.
    ///
    /// ```
    /// use emberlens::run::{At, Project};
    /// let project = Project::open("memory://", "docs")?;
    /// let runs = [project.run("cnn").rank(0, 2).start()?, project.run("cnn").rank(1, 2).start()?];
    /// for (run, loss) in runs.iter().zip([0.41, 0.43]) {
    ///     run.log(&[("loss", loss)], At::epoch(0))?;
    ///     run.flush()?;
    /// }
    /// let reader = runs[0].reader()?;
    /// assert_eq!(reader.scalars()?[0].value, 0.41);
    /// assert_eq!(reader.scalars_of_rank(1)?[0].value, 0.43);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`RunReader::scalars`].
    pub fn scalars_of_rank(&self, rank: u32) -> Result<Vec<Scalar>> {
        let mut scalars = match &self.skips {
            None => scalars::read(&self.location)?,
            Some(skips) => {
                match scalars::read_around(&self.location, &self.state.discards, skips) {
                    // None can be read: all that the documents tell of are missing.
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        skips.problem(error);
                        skips.scalars_without_commits();
                        Vec::new()
                    }
                    read => read?,
                }
            }
        };
        self.miss_scalars(scalars.len() as u64)?;
        scalars.retain(|scalar| scalar.rank.unwrap_or(0) == rank);
        Ok(scalars)
    }

    /// Tells of scalars that the documents of the run count and that were not read.
    fn miss_scalars(&self, read: u64) -> Result<()> {
        let place = scalars::location(&self.location);
        let lost = self.scalars_told(read)?.saturating_sub(read);
        let Some(skips) = &self.skips else {
            return match lost {
                0 => Ok(()),
                lost => Err(lost_scalars(lost, &place)),
            };
        };
        // Those of damaged files are counted with these.
        let elsewhere = lost.saturating_sub(skips.missing_below(&place));
        if elsewhere > 0 {
            skips.missing(scalars::FOLDER, elsewhere);
            skips.explain_scalars(|| lost_scalars(elsewhere, &place));
        }
        Ok(())
    }

    /// How many scalars the run has at least, by its documents, where fewer were read.
    pub(super) fn scalars_told(&self, read: u64) -> Result<u64> {
        match self.state.scalars > read {
            // Some may have been taken back since this reader was opened.
            true if self.skips.is_some() => Ok(self.state.scalars),
            true => Ok(RunState::read(&self.location)?.scalars),
            false => Ok(self.state.scalars),
        }
    }

    /// The streams in the order of their first pass.
    pub fn streams(&self) -> Vec<String> {
        self.state.passes.streams().to_vec()
    }

    /// The complete passes of a stream, in order of completion; where a split and epoch have
    /// several, the last. A pass that several ranks wrote is one pass, complete when all of them
    /// have completed their part.
    pub fn passes(&self, stream: &str) -> Vec<PassRecord> {
        self.state.passes.latest(stream)
    }

    /// Those of [`RunReader::passes`] that are joined to this table, at whichever revision.
    ///
    /// # Errors
    /// `Corrupt` for a pass whose table has an address that leads out of the project.
    pub fn passes_over(&self, stream: &str, table: &Table) -> Result<Vec<PassRecord>> {
        let mut over = Vec::new();
        for pass in self.passes(stream) {
            let is_this = match &pass.table {
                Some(input) => is_same_place(&self.input_location(input)?, table.location()),
                None => false,
            };
            over.extend(is_this.then_some(pass));
        }
        Ok(over)
    }

    /// The pass of a stream and split that was completed last.
    pub fn latest_pass(&self, stream: &str, split: &str) -> Option<PassRecord> {
        let passes = self.state.passes.latest(stream);
        passes.into_iter().rev().find(|pass| pass.split == split)
    }

    /// Passes that were begun and never completed or replaced; no reader sees their rows. While
    /// the run goes on, the pass under way is among them. A pass of several ranks is here once, with
    /// the ranks whose part is missing.
    pub fn incomplete_passes(&self) -> Vec<IncompletePass> {
        self.state.passes.incomplete()
    }

    /// The per-sample metrics of a stream.
    ///
    /// ```
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::Columns;
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// let columns = Columns::new()
    ///     .with("example_id", vec![0_i64, 1])
    ///     .with("loss", vec![0.3_f32, 1.7]);
    /// run.add_metrics("default", columns, None, Some(Position::new("train").epoch(0)))?;
    /// let reader = run.reader()?;
    /// let losses: Vec<f32> = reader.metrics("default").split("train").epoch(0).values("loss")?;
    /// assert_eq!(losses, [0.3, 1.7]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn metrics(&self, stream: &str) -> Metrics<'_> {
        Metrics::new(self, stream)
    }

    /// The folder of a stream's table.
    pub(crate) fn stream_location(&self, stream: &str) -> Result<Location> {
        Ok(self.location.join("metrics").join(&names::slug(stream)?))
    }

    pub(crate) fn into_state(self) -> (Location, RunState) {
        (self.location, self.state)
    }
}

fn lost_scalars(lost: u64, place: &Location) -> Error {
    Error::Corrupt {
        what: "scalars",
        reason: format!("{lost} of them are lost: the run's documents tell of more"),
        path: place.url(),
    }
}

/// Whether a run that says it is active has no living writer.
fn is_abandoned(state: &RunState, run: &Location) -> Result<bool> {
    let now = now_us();
    Ok(match Heartbeat::read(run, 0)? {
        Some(beat) => beat.is_dead(now),
        // Killed, or being created, between the first document and the first heartbeat.
        None => heartbeat::is_stale(state.updated_us, now),
    })
}
