//! What a run's documents say, folded together.

use std::collections::BTreeMap;

use serde_json::Value;

use super::crew::Crew;
use super::facts::{self, Document, Fact};
use super::passes::{IncompletePass, Passes};
use super::{InputTable, Output, ProjectionInfo, Status};
use crate::storage::Location;
use crate::{Error, Result};

/// What a run's documents say, folded together.
#[derive(Clone, Debug)]
pub(crate) struct RunState {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) project: String,
    pub(crate) emberlens_version: String,
    pub(crate) created_us: i64,
    /// When the last document was written.
    pub(crate) updated_us: i64,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) inputs: Vec<InputTable>,
    pub(crate) outputs: Vec<Output>,
    /// The last one that a document names; see [`RunState::status`].
    pub(crate) recorded_status: Status,
    pub(crate) passes: Passes,
    pub(crate) projections: Vec<ProjectionInfo>,
    pub(crate) superseded_by: Option<String>,
    /// The ranks of the current attempt.
    pub(crate) crew: Crew,
    /// How often the run was taken up again: a writer of an earlier attempt is fenced.
    pub(crate) attempt: u64,
    /// How many documents there were.
    pub(crate) documents: u64,
    /// How many scalars there are, at least.
    pub(crate) scalars: u64,
    /// What was taken back, in order.
    pub(crate) discards: Vec<Discard>,
}

/// From an epoch on nothing counts that was written before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Discard {
    pub(crate) from_epoch: i64,
    /// Microseconds since 1970 UTC.
    pub(crate) time_us: i64,
}

impl RunState {
    /// Reads and folds the documents of a run.
    pub(crate) fn read(run: &Location) -> Result<Self> {
        Ok(Self::fold(run, facts::read(run)?))
    }

    /// The same of the documents that are not damaged; what is wrong with others is told, and how many
    /// it is about.
    pub(crate) fn read_around(run: &Location, tell: &mut dyn FnMut(Error, u64)) -> Result<Self> {
        let mut state = Self::fold(run, facts::read_around(run, tell)?);
        if state.name.is_empty() {
            state.name = run.name();
        }
        Ok(state)
    }

    fn fold(run: &Location, (documents, count): (Vec<Document>, u64)) -> Self {
        let mut state = Self::empty();
        for document in documents {
            state.apply(document);
        }
        state.documents = count;
        // The folder's name is what others know the run by, also after a copy under another name.
        state.id = run.name();
        state
    }

    /// The state before the first document.
    pub(crate) fn empty() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            project: String::new(),
            emberlens_version: String::new(),
            created_us: 0,
            updated_us: 0,
            parameters: BTreeMap::new(),
            description: None,
            tags: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            recorded_status: Status::Running,
            passes: Passes::default(),
            projections: Vec::new(),
            superseded_by: None,
            crew: Crew::default(),
            attempt: 0,
            documents: 0,
            scalars: 0,
            discards: Vec::new(),
        }
    }

    /// What the run is doing: one that runs and has a pass under way is collecting.
    pub(crate) fn status(&self) -> Status {
        match &self.recorded_status {
            Status::Running if self.passes.any_under_way() => Status::Collecting,
            recorded => recorded.clone(),
        }
    }

    /// Folds in one more document.
    pub(crate) fn apply(&mut self, document: Document) {
        self.updated_us = self.updated_us.max(document.time_us);
        self.scalars = self.scalars.max(document.scalars.unwrap_or_default());
        match document.fact {
            Fact::Created {
                id,
                name,
                project,
                emberlens_version,
                ..
            } => {
                self.id = id;
                self.name = name;
                self.project = project;
                self.emberlens_version = emberlens_version;
                self.created_us = document.time_us;
            }
            Fact::Opened {
                emberlens_version, ..
            } => {
                self.emberlens_version = emberlens_version;
                self.attempt += 1;
                self.passes.orphan();
                self.crew.begin_attempt();
            }
            Fact::Joined {
                rank,
                asked,
                launch,
                ..
            } => {
                self.passes.orphan_rank(rank.index);
                self.crew.join(rank, asked, launch, document.time_us);
            }
            Fact::RankEnded {
                rank,
                status,
                reason,
            } => {
                if let Some(status) = Status::from_parts(&status, reason) {
                    self.crew.end(rank, status);
                }
            }
            Fact::Discarded { from_epoch } => {
                self.passes.discard_from(from_epoch);
                // The next documents tell how many are left.
                self.scalars = 0;
                self.discards.push(Discard {
                    from_epoch,
                    time_us: document.time_us,
                });
            }
            Fact::Parameters { values } => self.parameters.extend(values),
            Fact::Description { text } => self.description = Some(text),
            Fact::Tag { tag } => push_new(&mut self.tags, tag),
            Fact::Input(input) => push_new(&mut self.inputs, input),
            Fact::Output(output) => {
                self.outputs.retain(|known| known.name != output.name);
                self.outputs.push(output);
            }
            Fact::Status { status, reason } => {
                if let Some(status) = Status::from_parts(&status, reason) {
                    self.recorded_status = status;
                }
            }
            Fact::PassStarted {
                pass_id,
                stream,
                split,
                epoch,
                rank,
            } => {
                let pass = IncompletePass {
                    pass_id,
                    stream,
                    split,
                    epoch,
                    started_us: document.time_us,
                    reason: None,
                    missing_ranks: Vec::new(),
                };
                self.passes.start(pass, rank);
            }
            Fact::PassCompleted(record) => self.passes.finish(record),
            Fact::PassAbandoned { pass_id, reason } => self.passes.abandon(&pass_id, reason),
            Fact::Projected(info) => {
                self.projections.retain(|known| known.name != info.name);
                self.projections.push(info);
            }
            Fact::Superseded { by } => self.superseded_by = Some(by),
        }
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(facts: Vec<Fact>) -> RunState {
        let mut state = RunState::empty();
        for (time_us, fact) in (1..).zip(facts) {
            state.apply(Document {
                time_us,
                scalars: None,
                fact,
            });
        }
        state
    }

    #[test]
    fn later_parameters_win_and_earlier_ones_stay() {
        let values = |pairs: &[(&str, i32)]| Fact::Parameters {
            values: pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), Value::from(*v)))
                .collect(),
        };
        let state = fold(vec![values(&[("a", 1), ("b", 2)]), values(&[("b", 3)])]);
        assert_eq!(state.parameters["a"], 1);
        assert_eq!(state.parameters["b"], 3);
    }

    #[test]
    fn a_status_of_a_later_version_leaves_the_last_known_one() {
        let status = |name: &str| Fact::Status {
            status: name.into(),
            reason: None,
        };
        assert_eq!(
            fold(vec![status("reducing"), status("dreaming")]).status(),
            Status::Reducing
        );
    }

    #[test]
    fn a_running_run_collects_while_a_pass_is_under_way() {
        let begin = || Fact::PassStarted {
            pass_id: "a".into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: None,
            rank: None,
        };
        let abandon = Fact::PassAbandoned {
            pass_id: "a".into(),
            reason: "stopped".into(),
        };
        let opened = Fact::Opened {
            format_version: "1.0".into(),
            emberlens_version: "0.1.0".into(),
        };
        let completed = Fact::Status {
            status: "completed".into(),
            reason: None,
        };
        assert_eq!(fold(vec![begin()]).status(), Status::Collecting);
        assert_eq!(fold(vec![begin(), abandon]).status(), Status::Running);
        assert_eq!(fold(vec![begin(), opened]).status(), Status::Running);
        assert_eq!(fold(vec![begin(), completed]).status(), Status::Completed);
    }

    #[test]
    fn passes_from_an_epoch_on_are_discarded_and_later_ones_count() {
        let begin = |pass_id: &str, epoch| Fact::PassStarted {
            pass_id: pass_id.into(),
            stream: "default".into(),
            split: "train".into(),
            epoch,
            rank: None,
        };
        let end = |pass_id: &str, epoch| {
            Fact::PassCompleted(crate::run::PassRecord {
                pass_id: pass_id.into(),
                stream: "default".into(),
                split: "train".into(),
                epoch,
                rows: 1,
                files: Vec::new(),
                table: None,
                finished_us: 0,
                rank: None,
                parts: Vec::new(),
            })
        };
        let both = |id, epoch| [begin(id, epoch), end(id, epoch)];
        let mut facts: Vec<Fact> = Vec::new();
        facts.extend(both("none", None));
        facts.extend(both("zero", Some(0)));
        facts.extend(both("one", Some(1)));
        facts.push(begin("open", Some(2)));
        facts.push(Fact::Discarded { from_epoch: 1 });
        facts.push(end("open", Some(2)));
        facts.extend(both("again", Some(1)));
        let state = fold(facts);
        let ids: Vec<_> = state
            .passes
            .latest("default")
            .into_iter()
            .map(|pass| pass.pass_id)
            .collect();
        assert_eq!(ids, ["none", "zero", "again"]);
        assert!(state.passes.incomplete().is_empty());
    }

    #[test]
    fn the_same_input_twice_is_one_input() {
        let input = |revision| {
            Fact::Input(InputTable {
                name: "t".into(),
                url: "tables/t".into(),
                revision,
            })
        };
        assert_eq!(fold(vec![input(0), input(0), input(1)]).inputs.len(), 2);
    }
}
