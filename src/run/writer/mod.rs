//! Writing the per-sample rows of one pass: checks in front, a bounded queue, a thread that does I/O.

mod queue;
mod rows;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use self::queue::Queue;
use self::rows::Rows;
use self::worker::Worker;
use super::builder::input_of;
use super::clock::now_us;
use super::{PassId, PassRecord, Run, WrittenInfo};
use crate::table::{Column, Columns, Table};
use crate::{Error, Result};

/// Bounds of a [`MetricsTableWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterLimits {
    /// Bytes that may wait to be encoded; a batch beyond them waits (one always fits). 16 MiB.
    pub buffer_bytes: usize,
    /// Rows are committed when they have grown to about this many bytes in memory. 64 MiB.
    pub flush_bytes: usize,
    /// Rows are committed when the oldest is this old. 30 s.
    pub flush_interval: Duration,
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self {
            buffer_bytes: 16 << 20,
            flush_bytes: 64 << 20,
            flush_interval: Duration::from_secs(30),
        }
    }
}

/// The stream of a pass that names none.
pub(crate) const DEFAULT_STREAM: &str = "default";

/// Appends the rows of one pass to a stream of a run.
///
/// # Memory and durability
/// `add_batch` checks the rows and hands them to a writer thread through a bounded queue; when the
/// queue is full it waits, and drops nothing. Rows are encoded as they come and committed at the
/// bounds of [`WriterLimits`] and by `flush`. Rows for which `flush` or `finalize` returned `Ok` are
/// on the disk. Readers see the pass when `finalize` returned.
///
/// A writer that is dropped before `finalize` leaves an incomplete pass: its rows stay on the disk,
/// readers leave them out and name the pass.
///
/// ```
/// use emberlens::run::{MetricsTableWriter, Project};
/// use emberlens::storage::Location;
/// use emberlens::table::Columns;
/// let project = Project::at(Location::open("memory://")?, "digits")?;
/// let run = project.run("cnn").start()?;
/// let mut writer = MetricsTableWriter::new(&run).split("train").epoch(0);
/// writer.add_batch(Columns::new().with("example_id", vec![0_i64, 1]).with("loss", vec![0.1_f32, 2.0]))?;
/// let written = writer.finalize()?;
/// assert_eq!(written[0].rows, 2);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Debug)]
pub struct MetricsTableWriter {
    run: Run,
    stream: String,
    split: String,
    epoch: Option<i64>,
    table: Option<Table>,
    constants: Vec<(String, Column)>,
    limits: WriterLimits,
    pass: Option<Pass>,
    pass_id: PassId,
    /// What completes the pass, once all rows are written; the same at every try.
    record: Option<PassRecord>,
    finished: bool,
}

/// A pass that was begun: its checked rows and the thread that writes them.
#[derive(Debug)]
struct Pass {
    rows: Rows,
    queue: Arc<Queue>,
}

impl MetricsTableWriter {
    /// A writer to the stream `default`, at no split and no epoch.
    pub fn new(run: &Run) -> Self {
        Self {
            run: run.clone(),
            stream: DEFAULT_STREAM.into(),
            split: String::new(),
            epoch: None,
            table: None,
            constants: Vec::new(),
            limits: WriterLimits::default(),
            pass: None,
            pass_id: PassId::new(),
            record: None,
            finished: false,
        }
    }

    /// Sets the stream.
    pub fn stream(mut self, stream: &str) -> Self {
        self.stream = stream.to_owned();
        self
    }

    /// Sets the split.
    pub fn split(mut self, split: &str) -> Self {
        self.split = split.to_owned();
        self
    }

    /// Sets the 0-based epoch.
    pub fn epoch(mut self, epoch: i64) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Joins the rows to a table: `example_id` is then required and must be one of its rows.
    pub fn foreign_table(mut self, table: &Table) -> Self {
        self.table = Some(table.clone());
        self
    }

    /// Adds a column that has the same value in every row of the pass; `value` holds one row.
    pub fn constant(mut self, name: &str, value: impl Into<Column>) -> Self {
        self.constants.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the bounds.
    pub fn limits(mut self, limits: WriterLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The pass's id; empty before the first batch.
    pub fn pass_id(&self) -> &str {
        &self.pass_id
    }

    /// Appends one batch, one row per sample.
    ///
    /// # Shapes and units
    /// `example_id` `[batch]`, 0-based row of the foreign table; without a foreign table it may be
    /// left out and counts the rows of the pass. Other columns `[batch]`; embeddings
    /// `[batch, width]`, `width` fixed by the first batch of the stream.
    ///
    /// # Errors
    /// `Invalid` for columns that differ in length, or in name, type or width from those before; for
    /// an `example_id` that is missing, null, negative or beyond the table; for the reserved names
    /// `split`, `epoch` and `pass_id`. Such a batch is left out whole and the next one may follow.
    /// [`Error::Writer`] when an earlier write failed, from then on.
    pub fn add_batch(&mut self, columns: Columns) -> Result<()> {
        self.check_open()?;
        if self.record.is_some() {
            return Err(Error::invalid(
                "writer",
                &self.pass_id,
                "finalize was called and has not said that the pass is complete",
                "call finalize again",
            ));
        }
        self.begin()?;
        let Some(pass) = &mut self.pass else {
            return Ok(());
        };
        let batch = pass.rows.check(columns)?;
        pass.queue.push_batch(batch)
    }

    /// Makes every row so far durable.
    ///
    /// # Errors
    /// [`Error::Writer`] with the first failure of the writer thread.
    pub fn flush(&mut self) -> Result<()> {
        self.check_open()?;
        if self.record.is_some() {
            return Ok(());
        }
        self.begin()?;
        self.pass.as_ref().map_or(Ok(()), |pass| pass.queue.flush())
    }

    /// Makes every row durable and the pass visible; returns the files that it wrote.
    ///
    /// # Errors
    /// As [`MetricsTableWriter::flush`]; the pass then stays incomplete. `Storage`,
    /// [`Error::UnknownOutcome`] too, when all rows are durable and the record of the pass is not known to
    /// be: `finalize` may then be called again, and the pass is complete once.
    pub fn finalize(&mut self) -> Result<Vec<WrittenInfo>> {
        self.check_open()?;
        self.begin()?;
        let Some(pass) = &mut self.pass else {
            return Ok(Vec::new());
        };
        let record = match &self.record {
            Some(record) => record,
            None => {
                pass.queue.finish()?;
                self.record.insert(PassRecord {
                    pass_id: self.pass_id.clone(),
                    stream: self.stream.clone(),
                    split: self.split.clone(),
                    epoch: self.epoch,
                    rows: pass.rows.count(),
                    files: pass.queue.written(),
                    table: self
                        .table
                        .as_ref()
                        .map(|table| input_of(self.run.project(), table)),
                    finished_us: now_us(),
                    // The run knows its rank.
                    rank: None,
                    parts: Vec::new(),
                })
            }
        };
        self.run.complete_pass(record)?;
        self.finished = true;
        Ok(record.files.clone())
    }

    /// Gives the pass up with a reason: rows so far are kept, readers leave them out.
    ///
    /// # Errors
    /// As [`MetricsTableWriter::flush`]; the reason is recorded all the same.
    pub fn abandon(&mut self, reason: &str) -> Result<()> {
        if self.finished {
            return Ok(());
        }
        self.finished = true;
        let Some(pass) = &mut self.pass else {
            return Ok(());
        };
        let flushed = match self.record {
            Some(_) => Ok(()),
            None => pass.queue.finish(),
        };
        self.run.abandon_pass(&self.pass_id, reason)?;
        flushed
    }

    /// The files written and committed so far.
    pub fn written_infos(&self) -> Vec<WrittenInfo> {
        self.pass
            .as_ref()
            .map(|pass| pass.queue.written())
            .unwrap_or_default()
    }

    fn check_open(&self) -> Result<()> {
        if !self.finished {
            return Ok(());
        }
        Err(Error::invalid(
            "writer",
            &self.pass_id,
            "this pass is finished",
            "make a new writer for the next pass",
        ))
    }

    fn begin(&mut self) -> Result<()> {
        if self.pass.is_some() {
            return Ok(());
        }
        let table = self.run.stream_table(&self.stream)?;
        let folder = format!("metrics/{}", self.stream_folder()?);
        if self.pass_id.is_empty() {
            self.pass_id = Run::new_pass_id();
        }
        let pass_id = self.pass_id.clone();
        self.run
            .begin_pass_as(&pass_id, &self.stream, &self.split, self.epoch)?;
        let rows = Rows::try_new(
            &self.stream,
            &table,
            [
                ("split", Column::from(vec![self.split.as_str()])),
                ("epoch", Column::from(vec![self.epoch])),
                ("pass_id", Column::from(vec![pass_id.as_str()])),
            ],
            &self.constants,
            self.table.as_ref(),
        );
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                self.finished = true;
                self.run.abandon_pass(&pass_id, &error.chain())?;
                return Err(error);
            }
        };
        let queue = Arc::new(Queue::new(&self.stream, self.limits.buffer_bytes));
        let worker = Worker::new(
            queue.clone(),
            table,
            folder,
            pass_id.clone(),
            self.stream.clone(),
            self.limits,
        );
        let thread = std::thread::Builder::new()
            .name("emberlens-writer".into())
            .spawn(move || worker.run());
        // Nobody waits for its end: what it did is known when it answers, and a thread that is gone
        // without an answer closes the queue.
        if let Err(error) = thread {
            let error = Error::storage("start the writer thread", self.run.url(), error);
            self.finished = true;
            self.run.abandon_pass(&pass_id, &error.chain())?;
            return Err(error);
        }
        self.pass = Some(Pass { rows, queue });
        Ok(())
    }

    fn stream_folder(&self) -> Result<String> {
        Ok(self.run.stream_location(&self.stream)?.name())
    }
}

impl Drop for MetricsTableWriter {
    fn drop(&mut self) {
        if self.finished || self.pass.is_none() {
            return;
        }
        let reason = if std::thread::panicking() {
            "its writer was dropped by a panic"
        } else {
            "its writer was dropped before finalize"
        };
        tracing::warn!(pass_id = self.pass_id, stream = self.stream, "{reason}");
        if let Err(error) = self.abandon(reason) {
            tracing::error!(
                pass_id = self.pass_id,
                error = error.chain(),
                "abandoning the pass failed"
            );
        }
    }
}
