//! The write side of a run's scalars: a bounded buffer in front of their table.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use ulid::Ulid;

use super::attempt::Attempt;
use super::clock::now_us;
use super::scalars::{self, At, Scalar};
use super::stream_table::StreamTable;
use crate::storage::Location;
use crate::table::DeltaTable;
use crate::{Error, Result};

/// Values that are kept in memory before they are written.
const MAX_BUFFERED: usize = 10_000;

/// How long a value may wait for being written.
const MAX_AGE: Duration = Duration::from_secs(30);

/// How often another writer may log in between before a discard gives up.
const MAX_CONFLICTS: u32 = 50;

/// Takes scalars and appends them to the run's table in batches.
#[derive(Debug)]
pub(crate) struct ScalarBuffer {
    run: Location,
    /// Which of the processes that write the run this one is.
    rank: Option<u32>,
    /// Locked for a moment only, so that `log` does not wait for the disk.
    waiting: Mutex<Waiting>,
    /// Locked while writing; always before `waiting`.
    sink: Mutex<Sink>,
    /// How many values the table is known to hold: those that were there and those of this buffer; `None`
    /// from when values are taken back until they are gone.
    known: Mutex<Option<u64>>,
}

#[derive(Debug)]
struct Waiting {
    rows: Vec<Scalar>,
    since: Option<Instant>,
    /// When values were written last.
    written: Option<Instant>,
    /// A write in the background failed: the next call tries again and tells if it fails too.
    failed: bool,
    /// The next step of each series by split and name; `None` until the table was read.
    next_step: Option<HashMap<String, HashMap<String, i64>>>,
}

#[derive(Debug)]
struct Sink {
    table: StreamTable,
    writer_id: String,
    /// The number of the next batch; a batch keeps its number until it is written.
    sequence: i64,
    /// A batch whose write failed, or whose outcome is unknown: written again under its number.
    unsure: Option<RecordBatch>,
}

impl ScalarBuffer {
    /// A buffer for a run that is known to have so many scalars; `None` for a new one, which has none.
    pub(crate) fn new(run: Location, known: Option<u64>, attempt: Attempt) -> Self {
        let rank = attempt.rank().map(|rank| rank.index);
        let table = StreamTable::at(scalars::location(&run), attempt);
        Self {
            run,
            rank,
            waiting: Mutex::new(Waiting {
                rows: Vec::new(),
                since: None,
                written: None,
                failed: false,
                next_step: known.is_none().then(HashMap::new),
            }),
            sink: Mutex::new(Sink {
                table,
                writer_id: format!("scalars-{}", Ulid::new().to_string().to_ascii_lowercase()),
                sequence: 0,
                unsure: None,
            }),
            known: Mutex::new(Some(known.unwrap_or_default())),
        }
    }

    /// How many values the run has on the disk, at least; `None` while that is none.
    pub(crate) fn known(&self) -> Option<u64> {
        self.count().filter(|known| *known > 0)
    }

    /// Says no number any more, until values are taken back: what is there now may be among them.
    pub(crate) fn forget_known(&self) {
        *self.count() = None;
    }

    fn count(&self) -> MutexGuard<'_, Option<u64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes values, and writes those before them when the buffer is full. After an error the values of
    /// this call are not taken, those of earlier calls wait for the next attempt.
    pub(crate) fn log<N: AsRef<str>>(
        &self,
        split: &str,
        values: &[(N, f64)],
        at: At,
    ) -> Result<()> {
        check_names(values)?;
        if self.must_flush_first() {
            self.flush()?;
        }
        let mut waiting = self.waiting();
        if waiting.next_step.is_none() && matches!(at, At::Axis | At::Step(_)) {
            let mut steps = read_steps(&self.run, self.rank)?;
            waiting.rows.iter().for_each(|row| count(&mut steps, row));
            waiting.next_step = Some(steps);
        }
        waiting.push(split, values, at, self.rank);
        Ok(())
    }

    /// Writes everything; when it returns `Ok`, all values logged before are on the disk.
    pub(crate) fn flush(&self) -> Result<()> {
        self.waiting().failed = false;
        self.write()
    }

    /// As [`ScalarBuffer::flush`], unless values were written within `age`.
    pub(crate) fn flush_unless_within(&self, age: Duration) -> Result<()> {
        let written = self.waiting().written;
        match written.is_some_and(|written| written.elapsed() < age) {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn is_older_than(&self, age: Duration) -> bool {
        let since = self.waiting().since;
        since.is_some_and(|since| since.elapsed() >= age)
    }

    /// Writes when the oldest value waited long enough, or what failed before; an error is kept for the
    /// next call, unless writing again helps.
    pub(crate) fn flush_if_old(&self) {
        // Who holds the sink writes.
        let failed = self.sink.try_lock().is_ok_and(|sink| sink.unsure.is_some());
        if !failed && !self.is_older_than(MAX_AGE) {
            return;
        }
        let written = self.write();
        if let Err(error) = &written {
            tracing::warn!("writing scalars: {}", error.chain());
        }
        self.waiting().failed = written.is_err();
    }

    fn write(&self) -> Result<()> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        self.retry(&mut sink)?;
        let rows = {
            let mut waiting = self.waiting();
            waiting.since = None;
            std::mem::take(&mut waiting.rows)
        };
        if rows.is_empty() {
            return Ok(());
        }
        sink.unsure = Some(scalars::encode(&rows)?);
        self.retry(&mut sink)?;
        self.waiting().written = Some(Instant::now());
        Ok(())
    }

    fn retry(&self, sink: &mut Sink) -> Result<()> {
        let written = sink.retry()?;
        if let Some(known) = &mut *self.count() {
            *known += written;
        }
        Ok(())
    }

    /// The table, if there is one.
    pub(crate) fn table(&self) -> Result<Option<DeltaTable>> {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        sink.table.open()
    }

    /// Takes the values of this epoch and later ones out of the table, in one commit. Values that
    /// belong to no epoch stay.
    pub(crate) fn discard_from(&self, epoch: i64) -> Result<()> {
        self.flush()?;
        // Held, so that nothing of this process comes in between; others make it read again.
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(table) = sink.table.open()? else {
            *self.count() = Some(0);
            return Ok(());
        };
        for _ in 0..MAX_CONFLICTS {
            let snapshot = table.latest()?;
            let all = scalars::of(&snapshot, None)?;
            let is_kept = |scalar: &&Scalar| scalar.epoch.is_none_or(|own| own < epoch);
            let kept: Vec<Scalar> = all.iter().filter(is_kept).cloned().collect();
            if kept.len() == all.len()
                || table.replace_rows_after(snapshot.version(), &scalars::encode(&kept)?)?
            {
                self.waiting().next_step = None;
                *self.count() = Some(kept.len() as u64);
                return Ok(());
            }
        }
        let reason = "other writers logged first every time";
        Err(Error::storage("discard scalars", self.run.url(), reason))
    }

    fn must_flush_first(&self) -> bool {
        let waiting = self.waiting();
        waiting.failed || waiting.rows.len() >= MAX_BUFFERED
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push<N: AsRef<str>>(&mut self, split: &str, values: &[(N, f64)], at: At, rank: Option<u32>) {
        let wall_time_us = now_us();
        self.since.get_or_insert_with(Instant::now);
        for (name, value) in values {
            let name = name.as_ref();
            let step = match at {
                At::Step(step) => Some(step),
                At::Axis => Some(self.next_step(split, name)),
                At::Epoch(_) | At::Iteration(_) => None,
            };
            let scalar = Scalar {
                name: name.to_owned(),
                split: split.to_owned(),
                epoch: if let At::Epoch(epoch) = at {
                    Some(epoch)
                } else {
                    None
                },
                iteration: if let At::Iteration(iteration) = at {
                    Some(iteration)
                } else {
                    None
                },
                step,
                value: *value,
                wall_time_us,
                rank,
            };
            if let Some(steps) = &mut self.next_step {
                count(steps, &scalar);
            }
            self.rows.push(scalar);
        }
    }

    fn next_step(&self, split: &str, name: &str) -> i64 {
        let series = self.next_step.as_ref().and_then(|steps| steps.get(split));
        series
            .and_then(|series| series.get(name))
            .copied()
            .unwrap_or(0)
    }
}

impl Sink {
    /// Appends the batch that is not known to be written, if there is one; how many values it has.
    fn retry(&mut self) -> Result<u64> {
        let Some(batch) = &self.unsure else {
            return Ok(0);
        };
        let rows = batch.num_rows() as u64;
        let table = self.table.open_or_create(&batch.schema())?;
        table.append(&self.writer_id, self.sequence, std::slice::from_ref(batch))?;
        self.sequence += 1;
        self.unsure = None;
        Ok(rows)
    }
}

/// The next step of each series of that rank.
fn read_steps(run: &Location, rank: Option<u32>) -> Result<HashMap<String, HashMap<String, i64>>> {
    let mut steps = HashMap::new();
    scalars::read(run)?
        .iter()
        .filter(|scalar| scalar.rank.unwrap_or(0) == rank.unwrap_or(0))
        .for_each(|scalar| count(&mut steps, scalar));
    Ok(steps)
}

fn count(steps: &mut HashMap<String, HashMap<String, i64>>, scalar: &Scalar) {
    let Some(step) = scalar.step else { return };
    let series = steps.entry(scalar.split.clone()).or_default();
    let next = series.entry(scalar.name.clone()).or_insert(0);
    *next = (*next).max(step.saturating_add(1));
}

fn check_names<N: AsRef<str>>(values: &[(N, f64)]) -> Result<()> {
    match values
        .iter()
        .find(|(name, _)| name.as_ref().trim().is_empty())
    {
        None => Ok(()),
        Some((name, value)) => Err(Error::invalid(
            "scalar name",
            format!("{:?}", name.as_ref()),
            format!("the value {value} has no name"),
            "name every value",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::facts;

    #[test]
    fn the_first_values_are_written_at_once_and_those_soon_after_wait() {
        let run = Location::open("memory://").unwrap().join("r");
        let documents = facts::documents(&run);
        let attempt = Attempt::new(run.clone(), 0, documents, None);
        let buffer = ScalarBuffer::new(run.clone(), None, attempt);
        let log = |epoch| buffer.log("", &[("loss", 1.0)], At::epoch(epoch)).unwrap();
        let on_disk = || {
            let known = buffer.known().unwrap_or_default() as usize;
            assert_eq!(scalars::read(&run).unwrap().len(), known);
            known
        };
        let long = Duration::from_secs(3600);
        log(0);
        buffer.flush_unless_within(long).unwrap();
        assert_eq!(on_disk(), 1);
        log(1);
        buffer.flush_unless_within(long).unwrap();
        assert_eq!(on_disk(), 1, "some were written within the hour");
        buffer.flush_unless_within(Duration::ZERO).unwrap();
        assert_eq!(on_disk(), 2);
    }

    #[test]
    fn what_failed_in_the_background_is_written_there_when_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let run = Location::open(folder.path().to_str().unwrap()).unwrap();
        let attempt = Attempt::new(run.clone(), 0, facts::documents(&run), None);
        let buffer = ScalarBuffer::new(run.clone(), None, attempt);
        // A file where the folder of scalars would be: nothing can be written into it.
        let obstacle = folder.path().join(scalars::FOLDER);
        std::fs::write(&obstacle, "").unwrap();
        buffer.log("", &[("loss", 1.0)], At::epoch(0)).unwrap();
        assert!(buffer.flush().is_err());
        buffer.flush_if_old();
        assert!(buffer.must_flush_first(), "it failed again");

        std::fs::remove_file(&obstacle).unwrap();
        buffer.flush_if_old();
        assert!(!buffer.must_flush_first());
        assert_eq!(scalars::read(&run).unwrap().len(), 1);
    }
}
