//! The embeddings of a run: which stream holds them, which pass to fit on, and their rows.

use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::filter::filter_record_batch;
use ndarray::Array2;

use crate::run::{KEYS, Metrics, PassRecord, RunReader};
use crate::table::{DeltaTable, embedding, values};
use crate::{Error, Result};

/// The pass that a projection is learnt from; all others are placed by it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FitOn<'a> {
    /// The latest complete pass of split `train`; without one, the latest of any split.
    #[default]
    Latest,
    /// The latest complete pass of this split.
    LatestPass(&'a str),
    /// The complete pass of this id.
    Pass(&'a str),
}

/// An embedding column in one stream of a run.
pub(super) struct Source<'a> {
    reader: &'a RunReader,
    stream: String,
    column: &'a str,
}

/// Some rows of the column with the keys of each.
pub(super) struct Rows {
    pub(super) keys: RecordBatch,
    pub(super) embeddings: Array2<f32>,
    /// Rows that have no embedding.
    pub(super) without: u64,
}

impl<'a> Source<'a> {
    /// The stream that has the column, which must be one unless `stream` names it.
    pub(super) fn find(
        reader: &'a RunReader,
        column: &'a str,
        stream: Option<&str>,
    ) -> Result<Self> {
        let mut available = Vec::new();
        let mut found = Vec::new();
        for name in reader.streams() {
            if stream.is_some_and(|wanted| wanted != name) {
                continue;
            }
            let Some(schema) = schema_of(reader, &name)? else {
                continue;
            };
            for field in schema.fields() {
                if is_embedding(field.data_type()) {
                    available.push(format!("{} (stream `{name}`)", field.name()));
                }
            }
            match schema.field_with_name(column) {
                Ok(field) if is_embedding(field.data_type()) => found.push(name),
                Ok(field) if stream.is_some() => {
                    return Err(Error::Schema {
                        column: column.to_owned(),
                        expected: "embeddings (a list of f32)".into(),
                        found: field.data_type().to_string(),
                        place: format!("the reduction of stream `{name}`"),
                        hint: "name an embedding column".into(),
                    });
                }
                _ => {}
            }
        }
        match found.as_slice() {
            [] => Err(Error::MissingColumn {
                column: column.to_owned(),
                place: match stream {
                    Some(stream) => format!("the embeddings of stream `{stream}`"),
                    None => format!("the embeddings of run `{}`", reader.id()),
                },
                available: match available.is_empty() {
                    true => "none (collect with `Embeddings` first)".into(),
                    false => available.join(", "),
                },
            }),
            [one] => Ok(Self {
                reader,
                stream: one.clone(),
                column,
            }),
            several => Err(Error::invalid(
                "column",
                column,
                format!("several streams have it: {}", several.join(", ")),
                "name one with `stream`",
            )),
        }
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// The complete passes of the stream, in order of completion.
    pub(super) fn passes(&self) -> Vec<PassRecord> {
        self.reader.passes(&self.stream)
    }

    /// The pass to fit on.
    pub(super) fn choose(&self, fit_on: FitOn<'_>) -> Result<PassRecord> {
        let passes = self.passes();
        let last_of = |split: &str| passes.iter().rev().find(|pass| pass.split == split);
        let (chosen, name) = match fit_on {
            FitOn::Latest => (
                last_of("train").or(passes.last()),
                "of any split".to_owned(),
            ),
            FitOn::LatestPass(split) => (last_of(split), format!("of split {split}")),
            FitOn::Pass(id) => (passes.iter().find(|pass| pass.pass_id == id), id.to_owned()),
        };
        chosen.cloned().ok_or_else(|| {
            let known: Vec<String> = passes.iter().map(describe).collect();
            Error::NotFound {
                what: "complete pass",
                name,
                hint: match known.is_empty() {
                    true => format!("stream `{}` has none yet", self.stream),
                    false => format!("stream `{}` has {}", self.stream, known.join("; ")),
                },
                place: self.reader.url(),
            }
        })
    }

    /// The embeddings of one pass.
    ///
    /// # Memory
    /// All of them, once.
    pub(super) fn read(&self, pass: &PassRecord) -> Result<Array2<f32>> {
        let of_pass = self.metrics().split(&pass.split).epoch(pass.epoch);
        let mut rows = 0;
        let mut width = 0;
        let mut all: Vec<f32> = Vec::new();
        for batch in self.rows(&of_pass)? {
            let embeddings = batch?.embeddings;
            if rows == 0 {
                width = embeddings.ncols();
                let expected = usize::try_from(pass.rows).unwrap_or(usize::MAX);
                all.try_reserve_exact(expected.saturating_mul(width))
                    .map_err(|_| self.too_large(pass, width))?;
            }
            rows += embeddings.nrows();
            all.extend(embeddings.iter());
        }
        Array2::from_shape_vec((rows, width), all).map_err(|error| {
            Error::invalid(
                "column",
                self.column,
                error.to_string(),
                "embeddings of one stream have one width; write the others to another stream",
            )
        })
    }

    /// All rows of all complete passes.
    ///
    /// # Memory
    /// One batch at a time.
    pub(super) fn all(&self) -> Result<impl Iterator<Item = Result<Rows>> + use<>> {
        self.rows(&self.metrics())
    }

    fn metrics(&self) -> Metrics<'_> {
        let [example_id, split, epoch, pass_id] = KEYS;
        self.reader
            .metrics(&self.stream)
            .columns(&[example_id, split, epoch, pass_id, self.column])
    }

    fn rows(&self, metrics: &Metrics<'_>) -> Result<impl Iterator<Item = Result<Rows>> + use<>> {
        let column = self.column.to_owned();
        Ok(metrics
            .batches()?
            .map(move |batch| split_off(&batch?, &column)))
    }

    fn too_large(&self, pass: &PassRecord, width: usize) -> Error {
        Error::TooLarge {
            what: format!("reading `{}` of {}", self.column, describe(pass)),
            needed: pass.rows.saturating_mul(width as u64).saturating_mul(4),
            limit: isize::MAX as u64,
            hint: "fit on a smaller pass".into(),
        }
    }
}

/// A pass in words.
pub(super) fn describe(pass: &PassRecord) -> String {
    let split = match pass.split.as_str() {
        "" => "no split".to_owned(),
        split => format!("split {split}"),
    };
    match pass.epoch {
        Some(epoch) => format!("{split} epoch {epoch} (pass {})", pass.pass_id),
        None => format!("{split} (pass {})", pass.pass_id),
    }
}

fn schema_of(reader: &RunReader, stream: &str) -> Result<Option<SchemaRef>> {
    let location = reader.stream_location(stream)?;
    if !DeltaTable::exists(&location)? {
        return Ok(None); // only passes without rows so far
    }
    let snapshot = DeltaTable::open(location)?.snapshot()?;
    Ok(Some(snapshot.schema().clone()))
}

fn is_embedding(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(item) if *item.data_type() == DataType::Float32)
}

/// Separates keys and embeddings of the rows that have one, all of whose values are finite.
fn split_off(batch: &RecordBatch, column: &str) -> Result<Rows> {
    let all = batch.num_rows();
    let failed = |error| Error::storage("select rows", "a batch of metrics", error);
    let present = batch.column_by_name(column).map_or_else(
        || BooleanArray::from(vec![false; all]),
        |values| (0..all).map(|row| Some(values.is_valid(row))).collect(),
    );
    let batch = filter_record_batch(batch, &present).map_err(failed)?;
    let embeddings = embedding(&batch, column)?;
    let keys: Vec<usize> = (0..KEYS.len()).collect();
    let keys = batch.project(&keys).map_err(failed)?;
    for (row, values) in embeddings.outer_iter().enumerate() {
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(not_finite(&keys, column, row, at, values[at]));
        }
    }
    Ok(Rows {
        without: (all - keys.num_rows()) as u64,
        keys,
        embeddings,
    })
}

fn not_finite(keys: &RecordBatch, column: &str, row: usize, at: usize, value: f32) -> Error {
    let [example_id, split, epoch, _] = KEYS;
    let split = values::<Option<String>>(keys, split).unwrap_or_default();
    let epoch = values::<Option<i64>>(keys, epoch).unwrap_or_default();
    let id = values::<Option<i64>>(keys, example_id).unwrap_or_default();
    let text = |value: Option<i64>| value.map_or("none".to_owned(), |value| value.to_string());
    Error::NonFinite {
        what: format!(
            "`{column}` of split `{}`, epoch {}, example_id {}",
            split.into_iter().nth(row).flatten().unwrap_or_default(),
            text(epoch.into_iter().nth(row).flatten()),
            text(id.into_iter().nth(row).flatten()),
        ),
        row,
        column: at,
        value: value.to_string(),
        hint: "the model gave no finite output there; look at its loss in that epoch".into(),
    }
}
