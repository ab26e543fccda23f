//! Passes of a run, and the tables that their rows go to.

use ulid::Ulid;

use super::Run;
use crate::run::facts::Fact;
use crate::run::stream_table::StreamTable;
use crate::run::{PassId, PassRecord, projection_location};
use crate::storage::{Location, names};
use crate::{Error, Result};

impl Run {
    /// Begins a pass: rows that carry its id count once [`Run::complete_pass`] was called.
    ///
    /// # Errors
    /// `Invalid` for a stream whose folder another stream has.
    pub fn begin_pass(&self, stream: &str, split: &str, epoch: Option<i64>) -> Result<PassId> {
        let pass_id = Self::new_pass_id();
        self.begin_pass_as(&pass_id, stream, split, epoch)?;
        Ok(pass_id)
    }

    pub(crate) fn new_pass_id() -> PassId {
        Ulid::new().to_string().to_ascii_lowercase()
    }

    /// As [`Run::begin_pass`], with an id of [`Run::new_pass_id`]; after an error it may be called again
    /// with the same id.
    pub(crate) fn begin_pass_as(
        &self,
        pass_id: &str,
        stream: &str,
        split: &str,
        epoch: Option<i64>,
    ) -> Result<()> {
        self.stream_location(stream)?;
        let started = Fact::PassStarted {
            pass_id: pass_id.to_owned(),
            stream: stream.to_owned(),
            split: split.to_owned(),
            epoch,
            rank: self.rank(),
        };
        self.session.begin_pass(started, pass_id)
    }

    /// Makes a pass visible to readers; its rows must be on the disk. Where several ranks write the
    /// run, readers see it when all of them have completed theirs of the same split and epoch.
    ///
    /// After an error of the store it may be called again with the same record: a pass is completed once.
    ///
    /// # Errors
    /// `Invalid` for a pass that is not under way, unless it was completed with the same rows and files.
    pub fn complete_pass(&self, record: &PassRecord) -> Result<()> {
        self.session.complete_pass(PassRecord {
            rank: self.rank(),
            ..record.clone()
        })
    }

    /// Gives a pass up; readers leave its rows out and show the reason.
    ///
    /// # Errors
    /// `Invalid` for a pass that is not under way.
    pub fn abandon_pass(&self, pass_id: &str, reason: &str) -> Result<()> {
        self.session.check_under_way(pass_id)?;
        self.session.record(Fact::PassAbandoned {
            pass_id: pass_id.to_owned(),
            reason: reason.to_owned(),
        })
    }

    /// The folder of a stream's table.
    ///
    /// # Errors
    /// `Invalid` for an empty name, or one whose folder another stream of the run has.
    pub fn stream_location(&self, stream: &str) -> Result<Location> {
        let slug = names::slug(stream)?;
        let state = self.session.state();
        for other in state.passes.streams() {
            if other != stream && names::slug(other)? == slug {
                return Err(Error::invalid(
                    "stream",
                    stream,
                    format!("its folder `{slug}` belongs to stream `{other}`"),
                    "use that name, or one that differs in more than case and punctuation",
                ));
            }
        }
        Ok(self.session.location.join("metrics").join(&slug))
    }

    /// The table of a stream, for its writers.
    pub(crate) fn stream_table(&self, stream: &str) -> Result<StreamTable> {
        Ok(self.session.table_at(self.stream_location(stream)?))
    }

    /// The table of coordinates of that name, for whoever reduces.
    pub(crate) fn projection_table(&self, name: &str) -> StreamTable {
        let place = projection_location(&self.session.location, name);
        self.session.table_at(place)
    }
}

#[cfg(test)]
mod tests {
    use crate::run::{Project, Run};

    fn start() -> Run {
        let project = Project::open("memory://", "p").unwrap();
        project.run("r").start().unwrap()
    }

    #[test]
    fn two_streams_never_share_a_folder() {
        let run = start();
        run.begin_pass("Per Class", "train", None).unwrap();
        let error = run
            .begin_pass("per-class", "train", None)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("Per Class") && error.contains("per-class"),
            "{error}"
        );
    }

    #[test]
    fn a_pass_ends_once() {
        let run = start();
        let pass = run.begin_pass("default", "train", Some(0)).unwrap();
        run.abandon_pass(&pass, "stopped").unwrap();
        assert!(run.abandon_pass(&pass, "again").is_err());
        let incomplete = run.reader().unwrap().incomplete_passes();
        assert_eq!(incomplete[0].reason.as_deref(), Some("stopped"));
    }
}
