//! Passes: the unit in which metrics appear to readers.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::parts;
use super::{InputTable, Rank};
use crate::table::Discard;

/// The column that joins a row to its example.
pub(crate) const EXAMPLE_ID: &str = "example_id";

/// The column with the pass of a row.
pub(crate) const PASS_ID: &str = "pass_id";

/// The columns that say which pass a row belongs to.
pub(crate) const POSITION: [&str; 3] = ["split", "epoch", PASS_ID];

/// The columns that every metrics table has.
pub(crate) const KEYS: [&str; 4] = [EXAMPLE_ID, POSITION[0], POSITION[1], POSITION[2]];

/// The identifier of a pass: a ULID in lower case.
pub type PassId = String;

/// Where ready-made metrics belong: a split and, for metrics of a training, an epoch.
///
/// ```
/// use emberlens::run::Position;
/// let position = Position::new("train").epoch(3);
/// assert_eq!(position.epoch, Some(3));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// `train`, `valid`, ...; empty when the rows belong to no split.
    pub split: String,
    /// 0-based epoch.
    pub epoch: Option<i64>,
}

impl Position {
    /// A split, at no epoch.
    pub fn new(split: impl Into<String>) -> Self {
        Self {
            split: split.into(),
            epoch: None,
        }
    }

    /// Sets the 0-based epoch.
    pub fn epoch(mut self, epoch: i64) -> Self {
        self.epoch = Some(epoch);
        self
    }
}

/// One file that a pass wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenInfo {
    /// The file, relative to the run's folder.
    pub url: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// The stream that it belongs to.
    pub stream: String,
}

impl WrittenInfo {
    /// The folder, relative to the run's, and the name.
    fn place(&self) -> Option<(&str, &str)> {
        self.url.rsplit_once('/')
    }
}

/// The record that makes a pass complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassRecord {
    /// The pass.
    pub pass_id: PassId,
    /// The stream that it wrote to.
    pub stream: String,
    /// `train`, `valid`, ...; empty when the rows belong to no split.
    #[serde(default)]
    pub split: String,
    /// 0-based epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Rows in all its files.
    pub rows: u64,
    /// The files, in the order they were written.
    #[serde(default)]
    pub files: Vec<WrittenInfo>,
    /// The table, and its revision, whose rows `example_id` counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<InputTable>,
    /// When it was complete, microseconds since 1970 UTC.
    pub finished_us: i64,
    /// The rank whose part of a pass this is; `None` for a whole pass, so for all that readers are
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Rank>,
    /// The parts that make up the pass, one for each rank, where ranks wrote it.
    #[serde(skip)]
    pub parts: Vec<PassPart>,
}

/// What one rank wrote of a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassPart {
    /// The rank.
    pub rank: u32,
    /// The id in the column `pass_id` of the table of the stream; readers of ours show that of the
    /// whole pass.
    pub pass_id: PassId,
    /// Its rows.
    pub rows: u64,
}

impl PassRecord {
    /// The ids that its rows have in the table, and how many rows have each.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (&str, u64)> {
        let whole = self.parts.is_empty().then_some((&*self.pass_id, self.rows));
        let parts = self.parts.iter().map(|part| (&*part.pass_id, part.rows));
        whole.into_iter().chain(parts)
    }
}

/// A pass that was begun and has no completion record; readers leave its rows out.
///
/// A pass of several ranks is one of these until every rank has completed its part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncompletePass {
    /// The pass; of a pass of several ranks one of its parts.
    pub pass_id: PassId,
    /// The stream that it wrote to.
    pub stream: String,
    /// `train`, `valid`, ...; empty when the rows belong to no split.
    pub split: String,
    /// 0-based epoch.
    pub epoch: Option<i64>,
    /// When it began, microseconds since 1970 UTC.
    pub started_us: i64,
    /// Why it was abandoned; `None` while it goes on, and when its process died.
    pub reason: Option<String>,
    /// The ranks that have not completed their part; empty for a pass without ranks.
    pub missing_ranks: Vec<u32>,
}

/// A pass, or a part of one, without a completion record.
#[derive(Clone, Debug)]
pub(crate) struct OpenPass {
    pub(crate) pass: IncompletePass,
    pub(crate) rank: Option<Rank>,
}

/// All passes of a run, as its documents tell them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Passes {
    pub(super) open: Vec<OpenPass>,
    /// Those of `open` that the processes that write the run work on.
    under_way: Vec<PassId>,
    /// In order of completion; parts of ranks are records of their own.
    pub(super) complete: Vec<PassRecord>,
    discarded: Vec<PassRecord>,
    /// Every pass that was completed: a repeated record of it is the same one.
    finished: HashSet<PassId>,
    /// Passes that were under way when their epoch was discarded: they never count.
    given_up: HashSet<PassId>,
    /// Every stream in the order of its first pass.
    streams: Vec<String>,
}

impl Passes {
    pub(crate) fn start(&mut self, pass: IncompletePass, rank: Option<Rank>) {
        let is_known = self.finished.contains(&pass.pass_id)
            || self
                .open
                .iter()
                .any(|open| open.pass.pass_id == pass.pass_id);
        if is_known {
            return;
        }
        self.note_stream(&pass.stream);
        self.under_way.push(pass.pass_id.clone());
        self.open.push(OpenPass { pass, rank });
    }

    /// Another process took the run up: what the one before it began, nobody will finish.
    pub(crate) fn orphan(&mut self) {
        self.under_way.clear();
    }

    /// Another process took this rank: what the one before it began, nobody will finish.
    pub(crate) fn orphan_rank(&mut self, rank: u32) {
        let of_rank: HashSet<&PassId> = self
            .open
            .iter()
            .filter(|open| open.rank.is_some_and(|own| own.index == rank))
            .map(|open| &open.pass.pass_id)
            .collect();
        self.under_way.retain(|id| !of_rank.contains(id));
    }

    /// What an earlier attempt collected from this epoch on does not count; the files of its passes
    /// stay known, so that they can be taken out of their tables.
    pub(crate) fn discard_from(&mut self, epoch: i64) {
        let is_later = |other: Option<i64>| other.is_some_and(|other| other >= epoch);
        let (gone, kept) = std::mem::take(&mut self.complete)
            .into_iter()
            .partition(|pass| is_later(pass.epoch));
        self.complete = kept;
        self.discarded.extend::<Vec<_>>(gone);
        let (gone, kept) = std::mem::take(&mut self.open)
            .into_iter()
            .partition::<Vec<_>, _>(|open| is_later(open.pass.epoch));
        self.open = kept;
        self.given_up
            .extend(gone.into_iter().map(|open| open.pass.pass_id));
        let open: Vec<_> = self.open.iter().map(|open| &open.pass.pass_id).collect();
        self.under_way.retain(|id| open.contains(&id));
    }

    /// All complete passes that count, those too that a later one of their place replaced; parts of
    /// ranks one by one, whether their pass is whole or not.
    pub(crate) fn complete(&self) -> &[PassRecord] {
        &self.complete
    }

    /// The rows of discarded passes and parts, by the folder of the table that they were written to.
    pub(crate) fn to_discard(&self) -> HashMap<String, Discard> {
        let mut folders: HashMap<String, Discard> = HashMap::new();
        for pass in &self.discarded {
            for (folder, name) in pass.files.iter().filter_map(WrittenInfo::place) {
                let discard = folders.entry(folder.to_owned()).or_default();
                discard.files.insert(name.to_owned());
                discard.values.insert(pass.pass_id.clone());
            }
        }
        let kept = self.complete.iter().flat_map(|pass| &pass.files);
        for (folder, name) in kept.filter_map(WrittenInfo::place) {
            if let Some(discard) = folders.get_mut(folder) {
                discard.others.insert(name.to_owned());
            }
        }
        folders
    }

    /// Whether a process that writes the run works on a pass.
    pub(crate) fn any_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    pub(crate) fn finish(&mut self, record: PassRecord) {
        self.note_stream(&record.stream);
        self.under_way.retain(|id| *id != record.pass_id);
        self.open.retain(|open| open.pass.pass_id != record.pass_id);
        if !self.finished.insert(record.pass_id.clone()) {
            return;
        }
        match self.given_up.contains(&record.pass_id) {
            true => self.discarded.push(record),
            false => self.complete.push(record),
        }
    }

    pub(crate) fn abandon(&mut self, pass_id: &str, reason: String) {
        self.under_way.retain(|id| id != pass_id);
        let mut open = self.open.iter_mut();
        if let Some(open) = open.find(|open| open.pass.pass_id == pass_id) {
            open.pass.reason = Some(reason);
        }
    }

    fn note_stream(&mut self, stream: &str) {
        if !self.streams.iter().any(|known| known == stream) {
            self.streams.push(stream.to_owned());
        }
    }

    pub(crate) fn streams(&self) -> &[String] {
        &self.streams
    }

    /// Whether a pass was begun, not abandoned and not completed.
    pub(crate) fn is_under_way(&self, pass_id: &str) -> bool {
        self.open
            .iter()
            .any(|open| open.pass.pass_id == pass_id && open.pass.reason.is_none())
    }

    /// Whether that pass was completed with the same rows and files, whenever that was recorded.
    pub(crate) fn is_completed_as(&self, record: &PassRecord) -> bool {
        let mut all = self.complete.iter().chain(&self.discarded);
        let known = all.find(|known| known.pass_id == record.pass_id);
        known.is_some_and(|known| {
            let finished_us = known.finished_us;
            *known
                == PassRecord {
                    finished_us,
                    ..record.clone()
                }
        })
    }

    /// The whole passes of a stream in order of completion; of those for the same split and epoch
    /// only the last.
    pub(crate) fn latest(&self, stream: &str) -> Vec<PassRecord> {
        let of_stream = self.complete.iter().filter(|pass| pass.stream == stream);
        let mut latest: Vec<(usize, PassRecord)> = parts::by_place(of_stream)
            .into_values()
            .filter_map(|at| at.whole.map(|(position, pass, _)| (position, pass)))
            .collect();
        latest.sort_unstable_by_key(|(position, _)| *position);
        latest.into_iter().map(|(_, pass)| pass).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(pass_id: &str, epoch: i64, started_us: i64) -> IncompletePass {
        IncompletePass {
            pass_id: pass_id.into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: Some(epoch),
            started_us,
            reason: None,
            missing_ranks: Vec::new(),
        }
    }

    fn done(pass_id: &str, epoch: i64, finished_us: i64) -> PassRecord {
        PassRecord {
            pass_id: pass_id.into(),
            stream: "default".into(),
            split: "train".into(),
            epoch: Some(epoch),
            rows: 1,
            files: Vec::new(),
            table: None,
            finished_us,
            rank: None,
            parts: Vec::new(),
        }
    }

    #[test]
    fn the_latest_pass_of_an_epoch_replaces_the_earlier_ones() {
        let mut passes = Passes::default();
        for (id, epoch, time) in [("a", 0, 1), ("b", 1, 2), ("c", 0, 3)] {
            passes.start(open(id, epoch, time), None);
            passes.finish(done(id, epoch, time));
        }
        let ids: Vec<_> = passes
            .latest("default")
            .iter()
            .map(|pass| pass.pass_id.clone())
            .collect();
        assert_eq!(ids, ["b", "c"]);
    }

    #[test]
    fn a_repeated_record_of_a_pass_is_the_same_pass() {
        let mut passes = Passes::default();
        passes.start(open("a", 0, 1), None);
        passes.start(open("a", 0, 1), None);
        assert_eq!(passes.incomplete().len(), 1);
        passes.finish(done("a", 0, 2));
        passes.finish(done("a", 0, 3));
        passes.start(open("a", 0, 1), None);
        assert_eq!(passes.complete(), [done("a", 0, 2)]);
        assert!(!passes.any_under_way() && passes.incomplete().is_empty());
        assert!(passes.is_completed_as(&done("a", 0, 9)));
        assert!(!passes.is_completed_as(&done("a", 1, 2)));
        // One that was discarded does not come back.
        passes.discard_from(0);
        passes.finish(done("a", 0, 4));
        assert!(passes.complete().is_empty());
    }

    #[test]
    fn a_pass_that_never_ended_is_reported_until_it_is_replaced() {
        let mut passes = Passes::default();
        passes.start(open("a", 0, 1), None);
        assert_eq!(passes.incomplete().len(), 1);
        passes.start(open("b", 0, 2), None);
        passes.finish(done("b", 0, 3));
        assert!(passes.incomplete().is_empty());
        passes.start(open("c", 0, 4), None);
        assert_eq!(passes.incomplete()[0].pass_id, "c");
    }
}
