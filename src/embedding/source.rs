//! The embeddings of a run: which stream holds them, which pass to fit on, and their rows.

use arrow_schema::SchemaRef;

use super::rows::{Kind, Rows};
use crate::run::{Metrics, PassRecord, RunReader};
use crate::table::DeltaTable;
use crate::{Error, Result};

/// The pass that a projection is learnt from; all others are placed by it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FitOn<'a> {
    /// The latest complete pass of split `train` that has a finite embedding; without one, the
    /// latest of any split.
    #[default]
    Latest,
    /// As `Latest`, with this split in place of `train`.
    Prefer(&'a str),
    /// The latest complete pass of this split that has a finite embedding.
    LatestPass(&'a str),
    /// The complete pass of this id.
    Pass(&'a str),
}

/// An embedding column in one stream of a run.
pub(super) struct Source<'a> {
    reader: &'a RunReader,
    stream: String,
    column: &'a str,
    kind: Kind,
}

impl<'a> Source<'a> {
    /// The stream that has the column, which must be one unless `stream` names it.
    pub(super) fn find(
        reader: &'a RunReader,
        column: &'a str,
        stream: Option<&str>,
    ) -> Result<Self> {
        if let Some(stream) = stream.filter(|name| !reader.streams().iter().any(|has| has == name))
        {
            reader.metrics(stream).batches()?; // the error with the streams there are
        }
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
                if Kind::of(field.data_type(), &schema).is_some() {
                    available.push(format!("{} (stream `{name}`)", field.name()));
                }
            }
            let Ok(field) = schema.field_with_name(column) else {
                continue;
            };
            match Kind::of(field.data_type(), &schema) {
                Some(kind) => found.push((name, kind)),
                None if stream.is_some() => {
                    return Err(Error::Schema {
                        column: column.to_owned(),
                        expected: "embeddings (a list of f32, or a list of such lists)".into(),
                        found: field.data_type().to_string(),
                        place: format!("the reduction of stream `{name}`"),
                        hint: "name an embedding column".into(),
                    });
                }
                None => {}
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
            [(stream, kind)] => Ok(Self {
                reader,
                stream: stream.clone(),
                column,
                kind: *kind,
            }),
            several => {
                let streams: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
                Err(Error::invalid(
                    "column",
                    column,
                    format!("several streams have it: {}", streams.join(", ")),
                    "name one with `stream`",
                ))
            }
        }
    }

    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    pub(super) fn column(&self) -> &str {
        self.column
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The complete passes of the stream, in order of completion.
    pub(super) fn passes(&self) -> Vec<PassRecord> {
        self.reader.passes(&self.stream)
    }

    /// The passes to fit on, the preferred one first.
    pub(super) fn candidates(
        &self,
        passes: &[PassRecord],
        fit_on: FitOn<'_>,
    ) -> Result<Vec<PassRecord>> {
        let of_split = |split: &str| -> Vec<PassRecord> {
            let newest_first = passes.iter().rev();
            let of_split = newest_first.filter(|pass| pass.split == split);
            of_split.cloned().collect()
        };
        let prefer = |split: &str| -> Vec<PassRecord> {
            let others = passes.iter().rev().filter(|pass| pass.split != split);
            let preferred = of_split(split).into_iter();
            preferred.chain(others.cloned()).collect()
        };
        let (chosen, name) = match fit_on {
            FitOn::Latest => (prefer("train"), "of any split".to_owned()),
            FitOn::Prefer(split) => (prefer(split), "of any split".to_owned()),
            FitOn::LatestPass(split) => (of_split(split), format!("of split {split}")),
            FitOn::Pass(id) => {
                let named = passes.iter().filter(|pass| pass.pass_id == id);
                (named.cloned().collect(), id.to_owned())
            }
        };
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        let known: Vec<String> = passes.iter().map(describe).collect();
        Err(Error::NotFound {
            what: "complete pass",
            name,
            hint: match known.is_empty() {
                true => format!("stream `{}` has none to reduce", self.stream),
                false => format!("stream `{}` has {}", self.stream, known.join("; ")),
            },
            place: self.reader.url(),
        })
    }

    /// The rows of one pass.
    ///
    /// # Memory
    /// One batch at a time.
    pub(super) fn of_pass(
        &self,
        pass: &PassRecord,
    ) -> Result<impl Iterator<Item = Result<Rows>> + use<>> {
        self.rows(&self.metrics().split(&pass.split).epoch(pass.epoch))
    }

    /// The rows of one epoch, of all splits or of one.
    pub(super) fn of_epoch(
        &self,
        split: Option<&str>,
        epoch: i64,
    ) -> Result<impl Iterator<Item = Result<Rows>> + use<>> {
        let metrics = self.metrics().epoch(epoch);
        self.rows(&match split {
            Some(split) => metrics.split(split),
            None => metrics,
        })
    }

    /// The rows of all complete passes, or of one split.
    ///
    /// # Memory
    /// One batch at a time.
    pub(super) fn all(
        &self,
        split: Option<&str>,
    ) -> Result<impl Iterator<Item = Result<Rows>> + use<>> {
        let metrics = self.metrics();
        self.rows(&match split {
            Some(split) => metrics.split(split),
            None => metrics,
        })
    }

    fn metrics(&self) -> Metrics<'_> {
        self.reader
            .metrics(&self.stream)
            .columns(&self.kind.columns(self.column))
    }

    fn rows(&self, metrics: &Metrics<'_>) -> Result<impl Iterator<Item = Result<Rows>> + use<>> {
        let (column, kind) = (self.column.to_owned(), self.kind);
        Ok(metrics
            .batches()?
            .map(move |batch| Rows::of(&batch?, &column, kind)))
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
