//! Reading the per-sample metrics of complete passes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;

use super::passes::PASS_ID;
use super::skipped::Skips;
use super::unread::{Others, Source, Unread};
use super::{PassRecord, RunReader};
use crate::storage::Location;
use crate::table::{ColumnValue, DeltaTable, Snapshot, Wanted, values};
use crate::{Error, Result};

/// Which rows and columns of a stream to read; made by [`RunReader::metrics`].
///
/// Rows of complete passes only; where a split and epoch have several passes, those of the last.
/// Without a filter all splits and epochs are read, in the order they were written.
#[derive(Clone, Debug)]
pub struct Metrics<'a> {
    reader: &'a RunReader,
    stream: String,
    split: Option<String>,
    epoch: Option<Option<i64>>,
    columns: Option<Vec<String>>,
}

impl<'a> Metrics<'a> {
    pub(crate) fn new(reader: &'a RunReader, stream: &str) -> Self {
        Self {
            reader,
            stream: stream.to_owned(),
            split: None,
            epoch: None,
            columns: None,
        }
    }

    pub(super) fn reader(&self) -> &'a RunReader {
        self.reader
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Only rows of this split.
    pub fn split(mut self, split: &str) -> Self {
        self.split = Some(split.to_owned());
        self
    }

    /// Only rows of this epoch (0-based, or `None` for passes without one).
    pub fn epoch(mut self, epoch: impl Into<Option<i64>>) -> Self {
        self.epoch = Some(epoch.into());
        self
    }

    /// Only these columns, in this order.
    pub fn columns(mut self, columns: &[&str]) -> Self {
        self.columns = Some(columns.iter().map(|&column| column.to_owned()).collect());
        self
    }

    /// The passes that will be read.
    pub fn passes(&self) -> Vec<PassRecord> {
        let mut passes = self.reader.passes(&self.stream);
        passes.retain(|pass| {
            self.split.as_ref().is_none_or(|split| *split == pass.split)
                && self.epoch.is_none_or(|epoch| epoch == pass.epoch)
        });
        passes
    }

    /// Reads everything into one batch.
    ///
    /// # Errors
    /// See [`Metrics::batches`].
    pub fn read(&self) -> Result<RecordBatch> {
        let batches = self.batches()?;
        let schema = batches.schema().clone();
        let batches = batches.collect::<Result<Vec<_>>>()?;
        concat_batches(&schema, &batches)
            .map_err(|error| Error::storage("join batches", self.reader.url(), error))
    }

    /// Reads one column as Rust values.
    ///
    /// # Errors
    /// See [`Metrics::batches`]; `Schema` for another type, or nulls where `T` is no `Option`.
    pub fn values<T: ColumnValue>(&self, column: &str) -> Result<Vec<T>> {
        let one = self.clone().columns(&[column]);
        let mut all = Vec::new();
        for batch in one.batches()? {
            all.extend(values::<T>(&batch?, column)?);
        }
        Ok(all)
    }

    /// Reads batch by batch.
    ///
    /// # Memory
    /// One batch at a time.
    ///
    /// # Errors
    /// `NotFound` for a stream that the run does not have; `MissingColumn` for a column that the
    /// stream does not have; `Corrupt`, from the iterator, when a file is damaged or a pass has lost
    /// rows, unless the reader skips these ([`RunReader::skip_corrupt`]); `NotFound`, from the
    /// iterator, when a vacuum deleted what this reader began to read.
    pub fn batches(&self) -> Result<MetricBatches> {
        let passes = self.passes();
        let location = self.reader.stream_location(&self.stream)?;
        if !self.reader.streams().contains(&self.stream) {
            return Err(self.no_stream(&location));
        }
        let files = files_of(&passes);
        let stored = passes.iter().flat_map(PassRecord::stored);
        let expected = stored.map(|(id, rows)| (id.to_owned(), rows)).collect();
        let shown = shown_ids(&passes);
        let skips = self.reader.skips.clone();
        if !DeltaTable::exists(&location)? {
            return MetricBatches::without_table(expected, location, skips);
        }
        let table = DeltaTable::open(location.clone())?;
        let snapshot = match &skips {
            None => table.snapshot()?,
            Some(skips) => skips.snapshot(&table)?,
        };
        let schema = self.project(&snapshot)?;
        let mut wanted: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if !wanted.contains(&PASS_ID) {
            wanted.push(PASS_ID);
        }
        let unread = skips.as_ref().map(|skips| Unread {
            snapshot: snapshot.clone(),
            schema: columns_of(snapshot.schema(), &wanted),
            passes,
            pass_over: skips.of_passes(),
        });
        let pass_over = || skips.as_ref().map(Skips::of_passes);
        let mut others = None;
        let source = match (expected.keys().min(), expected.keys().max()) {
            (Some(_), Some(_)) if let (Some(names), true) = (&files, snapshot.lacks_commits()) => {
                let rows =
                    |of_these| snapshot.batches_by_name(&wanted, names, of_these, pass_over());
                others = Some(Others {
                    source: rows(false)?,
                    told: expected.clone(),
                });
                rows(true)?
            }
            (Some(low), Some(high)) => {
                let rows = Wanted {
                    names: files.as_ref(),
                    column: PASS_ID,
                    low,
                    high,
                };
                snapshot.batches_of(Some(&wanted), Some(&rows), pass_over())?
            }
            _ => Box::new(std::iter::empty()),
        };
        Ok(MetricBatches {
            source: Some(source),
            others,
            schema,
            expected,
            partly: HashMap::new(),
            shown,
            location,
            skips,
            unread,
        })
    }

    fn project(&self, snapshot: &Snapshot) -> Result<SchemaRef> {
        let all = snapshot.schema();
        let Some(columns) = &self.columns else {
            return Ok(all.clone());
        };
        let fields = columns.iter().map(|name| {
            all.field_with_name(name)
                .cloned()
                .map_err(|_| Error::MissingColumn {
                    column: name.clone(),
                    place: format!("stream `{}`", self.stream),
                    available: all
                        .fields()
                        .iter()
                        .map(|field| field.name().as_str())
                        .collect::<Vec<_>>()
                        .join(", "),
                })
        });
        Ok(Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)))
    }

    fn no_stream(&self, location: &Location) -> Error {
        let streams = self.reader.streams();
        Error::NotFound {
            what: "stream",
            name: self.stream.clone(),
            hint: if streams.is_empty() {
                "the run has no metrics yet".to_owned()
            } else {
                format!("the run has: {}", streams.join(", "))
            },
            place: location.url(),
        }
    }
}

/// The fields of these names.
fn columns_of(schema: &SchemaRef, names: &[&str]) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.filter(|field| names.contains(&field.name().as_str()));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

/// The names of the files that hold these passes; `None` when a record does not name them all.
fn files_of(passes: &[PassRecord]) -> Option<HashSet<String>> {
    let mut names = HashSet::new();
    for pass in passes {
        if pass.files.iter().map(|file| file.rows).sum::<u64>() != pass.rows {
            return None;
        }
        names.extend(pass.files.iter().map(|file| {
            let name = file.url.rsplit('/').next().unwrap_or_default();
            name.to_owned()
        }));
    }
    Some(names)
}

/// The pass of every part that has another id than its pass.
fn shown_ids(passes: &[PassRecord]) -> HashMap<String, String> {
    let renamed = passes.iter().flat_map(|pass| {
        let ids = pass.parts.iter().map(|part| &part.pass_id);
        let others = ids.filter(|id| **id != pass.pass_id);
        others.map(|id| (id.clone(), pass.pass_id.clone()))
    });
    renamed.collect()
}

/// Batches of per-sample metrics; ends with an error when a pass has lost rows.
pub struct MetricBatches {
    /// `None` after the end or an error.
    source: Option<Source>,
    others: Option<Others>,
    schema: SchemaRef,
    /// Rows still to come, by pass; of a pass of several ranks by part.
    expected: HashMap<String, u64>,
    /// The same of passes of which some rows came from their own files: those of other files may be these.
    partly: HashMap<String, u64>,
    /// Under which pass the rows of a part are shown, where it has another id.
    shown: HashMap<String, String>,
    location: Location,
    skips: Option<Skips>,
    /// Where rows may still be when all others were read.
    unread: Option<Unread>,
}

impl MetricBatches {
    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A stream whose passes had no rows has no table.
    fn without_table(
        expected: HashMap<String, u64>,
        location: Location,
        skips: Option<Skips>,
    ) -> Result<Self> {
        let batches = Self {
            source: None,
            others: None,
            schema: Arc::new(Schema::empty()),
            expected,
            partly: HashMap::new(),
            shown: HashMap::new(),
            location,
            skips,
            unread: None,
        };
        if let Some(skips) = &batches.skips
            && batches.expected.values().any(|rows| *rows > 0)
        {
            skips.problem(batches.corrupt("it is not there, and the run's documents tell of rows"));
        }
        batches.check_complete()?;
        Ok(batches)
    }

    /// Rows of the wanted passes, without the columns that nobody asked for.
    fn select(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let ids = batch
            .column_by_name(PASS_ID)
            .and_then(|column| column.as_any().downcast_ref::<StringArray>())
            .ok_or_else(|| self.corrupt("the column `pass_id` is missing or holds no text"))?;
        let mut keep = Vec::with_capacity(ids.len());
        for id in ids {
            let left = id.and_then(|id| self.expected.get_mut(id));
            keep.push(left.is_some());
            if let Some(left) = left {
                *left = left
                    .checked_sub(1)
                    .ok_or_else(|| surplus(id.unwrap_or_default(), &self.location))?;
            }
        }
        let kept = filter_record_batch(batch, &BooleanArray::from(keep))
            .map_err(|error| Error::storage("filter a batch", self.location.url(), error))?;
        let columns = self
            .schema
            .fields()
            .iter()
            .map(|field| -> Result<ArrayRef> {
                let column = kept.column_by_name(field.name()).cloned().ok_or_else(|| {
                    self.corrupt(format!(
                        "the column `{}` is missing from a batch",
                        field.name()
                    ))
                })?;
                Ok(match field.name().as_str() {
                    PASS_ID => self.shown_as(column),
                    _ => column,
                })
            });
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(kept.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map_err(|error| self.corrupt(error.to_string()))
    }

    /// The ids of parts as that of their pass.
    fn shown_as(&self, ids: ArrayRef) -> ArrayRef {
        let texts = ids.as_any().downcast_ref::<StringArray>();
        let (Some(texts), false) = (texts, self.shown.is_empty()) else {
            return ids;
        };
        let renamed: StringArray = texts
            .iter()
            .map(|id| id.map(|id| self.shown.get(id).map_or(id, String::as_str)))
            .collect();
        Arc::new(renamed)
    }

    /// Goes on with other files, then with those that only documents name, where passes lack rows; false
    /// without any.
    fn go_on(&mut self) -> Result<bool> {
        self.expected.retain(|_, left| *left > 0);
        if let Some(Others { source, told }) = self.others.take() {
            let partly = |id: &String, left: &mut u64| told.get(id) != Some(left);
            self.partly = self.expected.extract_if(partly).collect();
            if !self.expected.is_empty() {
                self.source = Some(source);
                return Ok(true);
            }
        }
        self.expected.extend(self.partly.drain());
        match self.unread.take() {
            Some(unread) if !self.expected.is_empty() => {
                self.source = Some(Box::new(unread.rows(&self.expected)?));
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn check_complete(&self) -> Result<()> {
        let mut lost = self.expected.iter().filter(|(_, left)| **left > 0);
        if let Some(skips) = &self.skips {
            lost.for_each(|(id, left)| skips.missing(id, *left));
            return Ok(());
        }
        match lost.next() {
            None => Ok(()),
            Some((id, left)) => Err(self.corrupt(format!("pass {id} has lost {left} rows"))),
        }
    }

    fn corrupt(&self, reason: impl Into<String>) -> Error {
        Error::Corrupt {
            what: "metrics table",
            reason: reason.into(),
            path: self.location.url(),
        }
    }
}

fn surplus(pass_id: &str, location: &Location) -> Error {
    Error::Corrupt {
        what: "metrics table",
        reason: format!("pass {pass_id} has more rows than its record says"),
        path: location.url(),
    }
}

impl Iterator for MetricBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let result = match self.source.as_mut()?.next() {
                Some(Ok(batch)) => self.select(&batch),
                Some(Err(error)) => Err(error),
                None => {
                    self.source = None;
                    match self.go_on() {
                        Ok(true) => continue,
                        Ok(false) => return self.check_complete().err().map(Err),
                        Err(error) => return Some(Err(error)),
                    }
                }
            };
            match result {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => return Some(Ok(batch)),
                Err(error) => {
                    self.source = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl std::fmt::Debug for MetricBatches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricBatches")
            .field("location", &self.location)
            .field("passes", &self.expected.len())
            .finish_non_exhaustive()
    }
}
