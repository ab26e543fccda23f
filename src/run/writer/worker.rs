//! The writer thread: encodes batches and commits them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;

use super::WriterLimits;
use super::queue::{Message, Queue, size_of_rows};
use crate::run::WrittenInfo;
use crate::run::clock::now_us;
use crate::run::stream_table::StreamTable;
use crate::table::FileWriter;
use crate::{Error, Result};

/// How long the thread sleeps when nothing is uncommitted.
const IDLE: Duration = Duration::from_secs(3600);

/// What the writer thread owns.
pub(super) struct Worker {
    queue: Arc<Queue>,
    table: StreamTable,
    /// The stream's folder relative to the run.
    folder: String,
    writer_id: String,
    stream: String,
    limits: WriterLimits,
    sequence: i64,
    schema: Option<SchemaRef>,
    files: Option<FileWriter>,
    uncommitted_bytes: usize,
    oldest: Option<Instant>,
}

impl Worker {
    pub(super) fn new(
        queue: Arc<Queue>,
        table: StreamTable,
        folder: String,
        writer_id: String,
        stream: String,
        limits: WriterLimits,
    ) -> Self {
        Self {
            queue,
            table,
            folder,
            writer_id,
            stream,
            limits,
            sequence: 0,
            schema: None,
            files: None,
            uncommitted_bytes: 0,
            oldest: None,
        }
    }

    /// Works until told to finish; a failure is kept in the queue for the caller's next call.
    pub(super) fn run(mut self) {
        let _closed = CloseOnDrop(self.queue.clone());
        loop {
            let (result, answer, last) = match self.queue.next(self.patience()) {
                Some(Message::Rows(batches)) => (self.write(&batches), false, false),
                Some(Message::Flush) => (self.commit(), true, false),
                Some(Message::Finish) => (self.finish(), true, true),
                None => (self.commit(), false, false),
            };
            if let Err(error) = result {
                tracing::error!(
                    stream = self.stream,
                    error = error.chain(),
                    "writing failed"
                );
                self.queue.fail(&error);
                return;
            }
            if answer {
                self.queue.answer();
            }
            if last {
                return;
            }
        }
    }

    /// How long to wait for the next message before the oldest row must be committed.
    fn patience(&self) -> Duration {
        self.oldest.map_or(IDLE, |oldest| {
            self.limits.flush_interval.saturating_sub(oldest.elapsed())
        })
    }

    fn write(&mut self, batches: &[RecordBatch]) -> Result<()> {
        let Some(first) = batches.first() else {
            return Ok(());
        };
        let schema = self.schema.get_or_insert_with(|| first.schema());
        let batch = &concat_batches(schema, batches)
            .map_err(|error| Error::storage("join batches", self.table.location().url(), error))?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let order = u64::try_from(now_us()).unwrap_or(0);
        self.files
            .get_or_insert_with(|| {
                FileWriter::starting_at(self.table.location().clone(), batch.schema(), order)
            })
            .write(batch)?;
        self.uncommitted_bytes += size_of_rows(batch);
        let oldest = *self.oldest.get_or_insert_with(Instant::now);
        let due = self.uncommitted_bytes >= self.limits.flush_bytes
            || oldest.elapsed() >= self.limits.flush_interval;
        if due { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<()> {
        self.oldest = None;
        self.uncommitted_bytes = 0;
        let (Some(files), Some(schema)) = (&mut self.files, &self.schema) else {
            return Ok(());
        };
        let files = files.finish()?;
        if files.is_empty() {
            return Ok(());
        }
        let table = self.table.open_or_create(schema)?;
        table.commit(&self.writer_id, self.sequence, &files, schema)?;
        self.sequence += 1;
        let (folder, stream) = (&self.folder, &self.stream);
        self.queue
            .add_written(files.into_iter().map(|file| WrittenInfo {
                url: format!("{folder}/{}", file.name),
                size_bytes: file.size_bytes,
                rows: file.rows(),
                stream: stream.clone(),
            }));
        Ok(())
    }

    /// Commits the rest; a pass without rows whose columns are known still makes its table.
    fn finish(&mut self) -> Result<()> {
        self.commit()?;
        match &self.schema {
            Some(schema) => self.table.open_or_create(schema).map(drop),
            None => Ok(()),
        }
    }
}

/// Closes the queue when the thread ends, by a panic too.
struct CloseOnDrop(Arc<Queue>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
