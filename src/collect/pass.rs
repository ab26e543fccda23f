//! The one inference pass: batches, predictor, all collectors, one writer.
//!
//! Whatever happens inside, three things are put back before the pass returns: the predictor leaves
//! evaluation mode, the run has the status it had, and a pass that did not finish is flushed and
//! recorded as abandoned.

use std::time::Instant;

use super::collate::Collate;
use super::dataset::MapDataset;
use super::gather::{Gathered, Gatherer, SecondStream, Summed};
use super::guard::{cause, guarded};
use super::loader::{Loaded, Source};
use super::predictor::Predictor;
use super::report::PassReport;
use super::settings::{Plan, Settings};
use crate::metrics::{Aggregates, MetricsCollector};
use crate::run::{At, DEFAULT_STREAM, MetricsTableWriter, Run, Status};
use crate::table::Role;
use crate::{Error, Result};

/// The code of the caller that a pass runs.
pub(crate) struct Parts<'a, D: ?Sized, K, P, B, O> {
    pub(crate) dataset: &'a D,
    pub(crate) collate: &'a K,
    pub(crate) predictor: &'a mut P,
    pub(crate) collectors: Vec<&'a dyn MetricsCollector<B, O>>,
}

/// Runs one pass and writes it to `run`.
pub(crate) fn run_pass<D, K, P>(
    settings: &Settings<'_>,
    plan: &Plan,
    run: &Run,
    parts: Parts<'_, D, K, P, K::Batch, P::Output>,
) -> Result<PassReport>
where
    D: MapDataset + Sync + ?Sized,
    K: Collate<D::Item> + Sync,
    K::Batch: Send,
    P: Predictor<K::Batch>,
{
    let constants = settings.constants.iter().map(|(name, _)| name.as_str());
    let mut gatherer = Gatherer::new(parts.collectors, constants, &settings.stream)?;
    let source = Source {
        dataset: parts.dataset,
        collate: parts.collate,
        selection: &plan.selection,
        split: &settings.split,
    };
    let seconds = gatherer.second_streams()?;
    let mut work = || {
        Pass::open(settings, plan, run, &seconds)
            .and_then(|pass| pass.work(&source, parts.predictor, &mut gatherer))
    };
    let before = run.recorded_status();
    // A run that runs is seen to collect by its pass; one that ended must become active again, so
    // that readers can tell whether its process lives.
    if matches!(before, Status::Running | Status::Collecting) {
        return work();
    }
    run.set_status(Status::Collecting)?;
    let outcome = work();
    // Whoever changed the status meanwhile (an interruption, say) has the last word.
    let restored = match run.recorded_status() {
        Status::Collecting => run.set_status(before),
        _ => Ok(()),
    };
    both(outcome, restored)
}

/// A pass under way.
struct Pass<'a> {
    settings: &'a Settings<'a>,
    plan: &'a Plan,
    run: &'a Run,
    writer: MetricsTableWriter,
    seconds: Vec<Second>,
    started: Instant,
    rows: u64,
    aggregates: Aggregates,
    embedding_columns: Vec<String>,
}

/// What goes to a second stream, beside the rows of the samples.
struct Second {
    stream: String,
    writer: MetricsTableWriter,
    rows: u64,
    aggregates: Aggregates,
}

impl<'a> Pass<'a> {
    fn open(
        settings: &'a Settings<'a>,
        plan: &'a Plan,
        run: &'a Run,
        seconds: &[SecondStream],
    ) -> Result<Self> {
        let mut writer = writer(settings, run, &settings.stream);
        if let Some(table) = &plan.table {
            run.add_input(table)?;
            writer = writer.foreign_table(table);
        }
        // Begins the passes: what cannot be written is found before the model runs.
        writer.flush()?;
        let mut pass = Self {
            settings,
            plan,
            run,
            writer,
            seconds: Vec::with_capacity(seconds.len()),
            started: Instant::now(),
            rows: 0,
            aggregates: Aggregates::new(),
            embedding_columns: Vec::new(),
        };
        for SecondStream {
            stream,
            joins_table,
        } in seconds
        {
            let mut second = self::writer(settings, run, stream);
            if let Some(table) = plan.table.as_ref().filter(|_| *joins_table) {
                second = second.foreign_table(table);
            }
            let begun = second.flush();
            pass.seconds.push(Second {
                stream: stream.clone(),
                writer: second,
                rows: 0,
                aggregates: Aggregates::new(),
            });
            if let Err(error) = begun {
                pass.abandon(&error);
                return Err(error);
            }
        }
        Ok(pass)
    }

    fn work<D, K, P>(
        mut self,
        source: &Source<'_, D, K>,
        predictor: &mut P,
        gatherer: &mut Gatherer<'_, K::Batch, P::Output>,
    ) -> Result<PassReport>
    where
        D: MapDataset + Sync + ?Sized,
        K: Collate<D::Item> + Sync,
        K::Batch: Send,
        P: Predictor<K::Batch>,
    {
        let progress = self.settings.progress;
        progress.start(&self.label(), source.selection.len() as u64);
        let collected = self.in_evaluation(predictor, |pass, predictor| {
            pass.collect(source, predictor, gatherer)
        });
        progress.end();
        match collected.and_then(|()| self.finish(gatherer.finish()?)) {
            Ok(report) => Ok(report),
            Err(error) => {
                self.abandon(&error);
                Err(error)
            }
        }
    }

    /// Runs `work` in evaluation mode; leaving it is tried also after an error or a panic.
    fn in_evaluation<B, P: Predictor<B>>(
        &mut self,
        predictor: &mut P,
        work: impl FnOnce(&mut Self, &mut P) -> Result<()>,
    ) -> Result<()> {
        let split = &self.settings.split;
        let who =
            |doing: &str| format!("the predictor of split `{split}`, {doing} evaluation mode,");
        let entered = guarded(|| who("entering"), || predictor.enter_evaluation());
        let worked = entered.and_then(|()| {
            guarded(
                || format!("the pass over split `{split}`"),
                || work(self, predictor),
            )
        });
        let left = guarded(|| who("leaving"), || predictor.leave_evaluation());
        both(worked, left)
    }

    fn collect<D, K, P>(
        &mut self,
        source: &Source<'_, D, K>,
        predictor: &mut P,
        gatherer: &mut Gatherer<'_, K::Batch, P::Output>,
    ) -> Result<()>
    where
        D: MapDataset + Sync + ?Sized,
        K: Collate<D::Item> + Sync,
        K::Batch: Send,
        P: Predictor<K::Batch>,
    {
        if source.selection.len() == 0 {
            self.check_cancelled()?;
            return match gatherer.empty()? {
                Some(gathered) => self.write(gathered),
                None => Ok(()),
            };
        }
        self.settings.loader.for_each(source, |loaded| {
            self.check_cancelled()?;
            self.batch(loaded, predictor, gatherer)
        })
    }

    fn batch<B, P: Predictor<B>>(
        &mut self,
        loaded: Loaded<B>,
        predictor: &mut P,
        gatherer: &mut Gatherer<'_, B, P::Output>,
    ) -> Result<()> {
        let Loaded {
            number,
            indices,
            batch,
        } = loaded;
        let split = &self.settings.split;
        let output = guarded(
            || format!("the predictor on batch {number} of split `{split}`"),
            || predictor.predict(&batch),
        )
        .map_err(|error| match error {
            Error::Panicked { .. } => error,
            other => Error::Predictor {
                split: split.clone(),
                batch: number,
                source: cause(other),
            },
        })?;
        let ids = indices
            .iter()
            .map(|&index| self.settings.example_id(index))
            .collect();
        self.write(gatherer.gather(number, ids, &batch, &output)?)
    }

    fn write(&mut self, gathered: Gathered) -> Result<()> {
        let Gathered {
            columns,
            aggregated,
            summed,
        } = gathered;
        if self.settings.aggregates && !aggregated.is_empty() {
            self.aggregates.update_columns(&aggregated);
        }
        if self.rows == 0 {
            self.embedding_columns = embedding_columns(&columns);
        }
        let rows = columns.rows().unwrap_or(0) as u64;
        self.writer.add_batch(columns)?;
        for rows in summed {
            self.write_summed(rows)?;
        }
        self.rows += rows;
        self.settings.progress.update(self.rows);
        Ok(())
    }

    fn check_cancelled(&self) -> Result<()> {
        if !self.settings.cancel.is_cancelled() {
            return Ok(());
        }
        Err(Error::Interrupted {
            during: format!("the pass over {}, after {} rows", self.label(), self.rows),
            kept: "rows flushed before are kept",
        })
    }

    fn finish(&mut self, summed: Vec<Summed>) -> Result<PassReport> {
        // The rows that sum the pass up are written first, for the pass is not complete without them,
        // and count last: they never stand without it.
        for rows in summed {
            self.write_summed(rows)?;
        }
        // Passes over one split into several streams must not extend one another's series.
        let named = match self.settings.stream.as_str() {
            DEFAULT_STREAM => "",
            other => other,
        };
        let mut aggregates = self.scalars(&self.aggregates, named);
        for second in &mut self.seconds {
            second.writer.flush()?;
        }
        let written_infos = self.writer.finalize()?;
        for second in &mut self.seconds {
            second.writer.finalize()?;
        }
        let elapsed = self.started.elapsed();
        for second in &self.seconds {
            aggregates.extend(self.scalars(&second.aggregates, &second.stream));
        }
        let summed_rows = self.seconds.iter();
        let summed_rows = summed_rows
            .map(|second| (second.stream.clone(), second.rows))
            .collect();
        if !aggregates.is_empty() {
            let at = self.settings.epoch.map_or_else(At::axis, At::epoch);
            self.run.log_split(&self.settings.split, &aggregates, at)?;
            if self.settings.flush_scalars {
                self.run.flush()?;
            }
        }
        Ok(PassReport {
            run_id: self.run.id().to_owned(),
            run_url: self.run.url(),
            stream: self.settings.stream.clone(),
            split: self.settings.split.clone(),
            epoch: self.settings.epoch,
            pass_id: self.writer.pass_id().to_owned(),
            rows: self.rows,
            zero_weights: self.plan.zero_weights as u64,
            elapsed,
            rows_per_second: rate(self.rows, elapsed.as_secs_f64()),
            size_bytes: written_infos.iter().map(|info| info.size_bytes).sum(),
            written_infos,
            aggregates,
            embedding_columns: std::mem::take(&mut self.embedding_columns),
            summed_rows,
        })
    }

    /// Writes rows of a second stream, where they do not count yet.
    fn write_summed(&mut self, rows: Summed) -> Result<()> {
        let mut seconds = self.seconds.iter_mut();
        let Some(second) = seconds.find(|second| second.stream == rows.stream) else {
            return Err(Error::invalid(
                "stream",
                format!("`{}`", rows.stream),
                "its collector named another one when the pass began",
                "name one stream for the whole pass",
            ));
        };
        if rows.columns.is_empty() {
            return Ok(());
        }
        if self.settings.aggregates && rows.aggregates {
            second.aggregates.update_columns(&rows.columns);
        }
        second.rows += rows.columns.rows().unwrap_or(0) as u64;
        second.writer.add_batch(rows.columns)
    }

    /// Aggregates as scalars, named `<split>_<stream>_<column>_<what>`; no stream for the pass's own.
    fn scalars(&self, aggregates: &Aggregates, stream: &str) -> Vec<(String, f64)> {
        let parts = [self.settings.split.as_str(), stream];
        let place: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let mut scalars = aggregates.scalars(&place.join("_"));
        if place.is_empty() {
            // Without a split there is nothing to separate the column's name from.
            for (name, _) in &mut scalars {
                *name = name.trim_start_matches('_').to_owned();
            }
        }
        scalars
    }

    /// Keeps what was written and records why there is no more; the cause is already an error.
    fn abandon(&mut self, error: &Error) {
        let seconds = self.seconds.iter_mut().map(|second| &mut second.writer);
        for writer in std::iter::once(&mut self.writer).chain(seconds) {
            if let Err(second) = writer.abandon(&error.chain()) {
                let pass_id = writer.pass_id();
                tracing::warn!(pass_id, error = %second.chain(), "abandoning a pass failed");
            }
        }
    }

    fn label(&self) -> String {
        let split = match self.settings.split.as_str() {
            "" => "the dataset",
            split => split,
        };
        match self.settings.epoch {
            Some(epoch) => format!("{split}, epoch {epoch}"),
            None => split.to_owned(),
        }
    }
}

/// A writer to a stream, with the split, the epoch and the constants of the pass.
fn writer(settings: &Settings<'_>, run: &Run, stream: &str) -> MetricsTableWriter {
    let mut writer = MetricsTableWriter::new(run)
        .stream(stream)
        .split(&settings.split);
    if let Some(epoch) = settings.epoch {
        writer = writer.epoch(epoch);
    }
    for (name, constant) in &settings.constants {
        writer = writer.constant(name, constant.column().clone());
    }
    writer
}

fn embedding_columns(columns: &crate::table::Columns) -> Vec<String> {
    let embeddings = columns
        .iter()
        .filter(|(_, column)| matches!(column.get_role(), Some(Role::Embedding { .. })));
    embeddings.map(|(name, _)| name.to_owned()).collect()
}

fn rate(rows: u64, seconds: f64) -> f64 {
    if rows == 0 {
        0.0
    } else {
        rows as f64 / seconds.max(f64::MIN_POSITIVE)
    }
}

/// The outcome of the work, or what went wrong in it and after it.
fn both<T>(work: Result<T>, after: Result<()>) -> Result<T> {
    match (work, after) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        (Err(first), Err(second)) => Err(Error::Several {
            problems: vec![first, second],
        }),
    }
}
