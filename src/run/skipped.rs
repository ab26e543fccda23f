//! Reading what is left of a damaged run, and telling what is missing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::RunReader;
use crate::storage::Location;
use crate::table::{Damaged, DeltaTable, PassOver, Snapshot};
use crate::{Error, Result};

/// What a reader that skips damaged files has left out so far.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct Skipped {
    /// Rows that the run's documents and logs count and that were not read; a row that several calls
    /// missed counts once.
    pub missing_rows: u64,
    /// Documents of the run that are damaged or missing: rows that only these tell of are not counted.
    pub unread_documents: u64,
    /// Whether scalars were read without commits of their log: those that no document counts may be missing
    /// beside the rows above.
    pub may_miss_scalars: bool,
    /// What is wrong with each file that was skipped; the text names it.
    pub problems: Vec<Arc<Error>>,
}

/// Where the readers of a run note what they skip.
#[derive(Clone, Debug, Default)]
pub(super) struct Skips(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By pass or by file.
    missing: BTreeMap<String, u64>,
    /// Documents by what is wrong with them: a run may be opened twice.
    documents: BTreeMap<String, u64>,
    may_miss_scalars: bool,
    /// By file, or by the text where it is about something else.
    problems: BTreeMap<String, Arc<Error>>,
}

impl Skips {
    /// Rows of a pass, or of something else, that did not come.
    pub(super) fn missing(&self, what: &str, rows: u64) {
        self.state().miss(what, rows);
    }

    /// Notes what is wrong with something that is no data file.
    pub(super) fn problem(&self, error: Error) {
        let problem = error.to_string();
        self.state()
            .problems
            .entry(problem)
            .or_insert_with(|| Arc::new(error));
    }

    /// Notes what is wrong with so many documents.
    pub(super) fn document(&self, error: Error, count: u64) {
        self.state().documents.insert(error.to_string(), count);
        self.problem(error);
    }

    /// Scalars were read without commits of their log, or not at all.
    pub(super) fn scalars_without_commits(&self) {
        self.state().may_miss_scalars = true;
    }

    /// Scalars are missing, and no commit that is known to be lacking explains it: the end of their log
    /// is gone, or all of it.
    pub(super) fn explain_scalars(&self, problem: impl FnOnce() -> Error) {
        let was_explained = std::mem::replace(&mut self.state().may_miss_scalars, true);
        if !was_explained {
            self.problem(problem());
        }
    }

    /// The latest version of a table without the commits whose entries are damaged.
    pub(super) fn snapshot(&self, table: &DeltaTable) -> Result<Snapshot> {
        table.snapshot_around(&mut |error| self.problem(error))
    }

    /// A version of a table without the commits whose entries are damaged.
    pub(super) fn version(&self, table: &DeltaTable, version: u64) -> Result<Snapshot> {
        table.version_around(version, &mut |error| self.problem(error))
    }

    /// Rows that are missing in the files of a table that were passed over.
    pub(super) fn missing_below(&self, table: &Location) -> u64 {
        let state = self.state();
        let folder = format!("{}/", table.url());
        let of_table = state
            .missing
            .iter()
            .filter(|(file, _)| file.starts_with(&folder));
        of_table.fold(0, |sum, (_, rows)| rows.saturating_add(sum))
    }

    /// Notes damaged files whose rows are counted by their passes.
    pub(super) fn of_passes(&self) -> PassOver {
        let skips = self.clone();
        Arc::new(move |damaged| skips.state().note(damaged))
    }

    /// Notes damaged files and their rows.
    pub(super) fn of_files(&self) -> PassOver {
        let skips = self.clone();
        Arc::new(move |damaged: Damaged| {
            let mut state = skips.state();
            state.miss(&damaged.file, damaged.rows.unwrap_or_default());
            state.note(damaged);
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn miss(&mut self, what: &str, rows: u64) {
        let known = self.missing.entry(what.to_owned()).or_default();
        *known = rows.max(*known);
    }

    fn note(&mut self, damaged: Damaged) {
        let problem = self.problems.entry(damaged.file);
        problem.or_insert_with(|| Arc::new(damaged.error));
    }
}

impl RunReader {
    /// Makes this reader, and what is read through it, leave out what is damaged instead of ending
    /// with an error; [`RunReader::skipped`] tells what is missing.
    ///
    /// Left out are data files, and commits whose entry in a log is damaged or missing; the files that the
    /// documents of the run name are read all the same. A log without a first entry is an error, but
    /// for scalars, of which all count as missing then; so is a damaged document, unless the run was
    /// opened by [`RunReader::open_damaged`].
    ///
    /// ```
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::Columns;
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// for epoch in 0..2 {
    ///     let columns = Columns::new().with("example_id", vec![0_i64, 1]);
    ///     run.add_metrics("default", columns, None, Some(Position::new("train").epoch(epoch)))?;
    /// }
    /// let reader = run.reader()?.skip_corrupt();
    /// let file = &reader.passes("default")[0].files[0].url;
    /// reader.location().join(file).replace("no Parquet any more")?;
    /// let ids: Vec<i64> = reader.metrics("default").values("example_id")?;
    /// assert_eq!((ids.len(), reader.skipped().missing_rows), (2, 2));
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn skip_corrupt(mut self) -> Self {
        self.skips.get_or_insert_default();
        self
    }

    /// What was left out of everything that was read through this reader, and its clones, so far;
    /// nothing unless [`RunReader::skip_corrupt`] was called.
    ///
    /// Batches that were not read to their end are not counted.
    pub fn skipped(&self) -> Skipped {
        let Some(skips) = &self.skips else {
            return Skipped::default();
        };
        let state = skips.state();
        let sum = |counts: &BTreeMap<String, u64>| {
            let counts = counts.values();
            counts.fold(0, |sum: u64, count| sum.saturating_add(*count))
        };
        Skipped {
            missing_rows: sum(&state.missing),
            unread_documents: sum(&state.documents),
            may_miss_scalars: state.may_miss_scalars,
            problems: state.problems.values().cloned().collect(),
        }
    }
}
