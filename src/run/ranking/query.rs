//! Which samples of a run to rank, and by what.

use std::collections::{BTreeMap, BTreeSet};

use arrow_schema::Schema;

use super::ranker::LABEL;
use super::{Order, Ranker, Ranking, labels};
use crate::run::{Metrics, PassRecord, RunReader};
use crate::{Error, Result};

/// The stream that is taken when several have the column.
const DEFAULT_STREAM: &str = "default";

/// Which rows of a sample count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Epochs {
    /// The latest epoch that the stream holds of each split.
    #[default]
    Latest,
    /// One epoch, 0-based.
    At(i64),
    /// The mean over all epochs.
    Mean,
}

/// What to rank by; everything but the column has a default.
///
/// ```
/// use emberlens::run::ranking::RankBy;
/// use emberlens::run::{MetricsTableWriter, Project};
/// use emberlens::table::Columns;
/// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
/// let columns = Columns::new()
///     .with("example_id", vec![0_i64, 1])
///     .with("loss", vec![0.3_f32, 1.7]);
/// let mut writer = MetricsTableWriter::new(&run).split("train").epoch(0);
/// writer.add_batch(columns)?;
/// writer.finalize()?;
/// let ranked = run.reader()?.rank(&RankBy::column("loss"))?;
/// assert_eq!(ranked.ranking.samples[0].example_id, 1);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct RankBy {
    column: String,
    stream: Option<String>,
    split: Option<String>,
    epochs: Epochs,
    order: Order,
}

impl RankBy {
    /// Highest values of a column first, at the latest epoch, over all splits.
    ///
    /// The column is found whatever the case of its letters: no two of a stream differ in case only.
    pub fn column(column: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            stream: None,
            split: None,
            epochs: Epochs::default(),
            order: Order::default(),
        }
    }

    /// Takes this stream; by default `default` if it has the column, else the only one that has.
    pub fn stream(mut self, stream: impl Into<String>) -> Self {
        self.stream = Some(stream.into());
        self
    }

    /// Ranks this split only.
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.split = Some(split.into());
        self
    }

    /// Says which rows of a sample count.
    pub fn epochs(mut self, epochs: Epochs) -> Self {
        self.epochs = epochs;
        self
    }

    /// Says which end comes first.
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }
}

/// A ranking of a run's samples, and where its rows came from.
#[non_exhaustive]
#[derive(Debug)]
pub struct RankedRun {
    /// The stream.
    pub stream: String,
    /// The column ranked by, as the stream spells it.
    pub column: String,
    /// The passes whose rows were ranked.
    pub passes: Vec<PassRecord>,
    /// The ranking.
    pub ranking: Ranking,
    /// Why labels are missing although the passes join to a table that should have them.
    pub label_error: Option<Error>,
}

impl RunReader {
    /// Ranks the samples of a stream by one column, over complete passes.
    ///
    /// Labels come from the column `label` of the stream, else from that of the joined table.
    ///
    /// # Memory
    /// One batch, and one small record a sample.
    ///
    /// # Errors
    /// `NotFound` for a stream, split or epoch that the run does not have, with those it has;
    /// `Invalid` when no stream has the column, several have and none is `default`, or it holds no
    /// numbers.
    pub fn rank(&self, by: &RankBy) -> Result<RankedRun> {
        let stream = self.ranked_stream(by)?;
        let passes = self.ranked_passes(by, &stream)?;
        let schema = self.metrics(&stream).batches()?.schema().clone();
        let column = spelled(&schema, &by.column).unwrap_or(&by.column);
        let mut ranker = Ranker::by(column);
        let columns = ranker.columns(&schema)?;
        let columns: Vec<String> = columns.into_iter().map(str::to_owned).collect();
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let of_stream = self.metrics(&stream).columns(&columns);
        let queries = match by.epochs {
            Epochs::Mean => vec![of_split(of_stream, by)],
            Epochs::Latest | Epochs::At(_) => queries_for(&of_stream, by, &passes),
        };
        for query in queries {
            for batch in query.batches()? {
                ranker.add(&batch?)?;
            }
        }
        let mut ranking = ranker.ranking(by.order);
        let label_error = match columns.contains(&LABEL) {
            true => None,
            false => labels::of_joined_tables(self, &passes, &mut ranking.samples).err(),
        };
        Ok(RankedRun {
            stream,
            column: column.to_owned(),
            passes,
            ranking,
            label_error,
        })
    }

    fn ranked_stream(&self, by: &RankBy) -> Result<String> {
        if let Some(stream) = &by.stream {
            return Ok(stream.clone());
        }
        let (mut having, mut available) = (Vec::new(), Vec::new());
        for stream in self.streams() {
            let batches = self.metrics(&stream).batches()?;
            let schema = batches.schema();
            available.extend(
                schema
                    .fields()
                    .iter()
                    .map(|field| format!("{stream}.{}", field.name())),
            );
            if spelled(schema, &by.column).is_some() {
                having.push(stream);
            }
        }
        if let Some(stream) = having.iter().find(|stream| *stream == DEFAULT_STREAM) {
            return Ok(stream.clone());
        }
        match having.as_slice() {
            [stream] => Ok(stream.clone()),
            [] => Err(Error::MissingColumn {
                column: by.column.clone(),
                place: format!("the streams of run `{}`", self.id()),
                available: if available.is_empty() {
                    "no metrics yet".to_owned()
                } else {
                    available.join(", ")
                },
            }),
            several => Err(Error::invalid(
                "stream",
                "(none)",
                format!(
                    "several streams have `{}`: {}",
                    by.column,
                    several.join(", ")
                ),
                "name one of them",
            )),
        }
    }

    fn ranked_passes(&self, by: &RankBy, stream: &str) -> Result<Vec<PassRecord>> {
        let all = self.passes(stream);
        let mut passes = all.clone();
        if let Some(split) = &by.split {
            passes.retain(|pass| pass.split == *split);
            if passes.is_empty() {
                let splits = all.iter().map(|pass| pass.split.clone());
                return Err(self.nothing("split", split, splits, stream));
            }
        }
        let of_splits = passes.clone();
        match by.epochs {
            Epochs::Mean => {}
            Epochs::At(epoch) => passes.retain(|pass| pass.epoch == Some(epoch)),
            Epochs::Latest => {
                let mut latest: BTreeMap<String, PassRecord> = BTreeMap::new();
                for pass in passes {
                    let known = latest.get(&pass.split).map(|known| known.epoch);
                    // A pass without an epoch counts as earlier than any with one.
                    if known.is_none_or(|epoch| pass.epoch >= epoch) {
                        latest.insert(pass.split.clone(), pass);
                    }
                }
                passes = latest.into_values().collect();
            }
        }
        match by.epochs {
            Epochs::At(epoch) if passes.is_empty() => {
                let epochs = of_splits.iter().map(|pass| {
                    pass.epoch
                        .map_or("none".to_owned(), |epoch| epoch.to_string())
                });
                Err(self.nothing("epoch", &epoch.to_string(), epochs, stream))
            }
            _ => Ok(passes),
        }
    }

    fn nothing(
        &self,
        what: &'static str,
        name: &str,
        existing: impl Iterator<Item = String>,
        stream: &str,
    ) -> Error {
        let mut names: Vec<String> = Vec::new();
        for name in existing {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Error::NotFound {
            what,
            name: name.to_owned(),
            hint: match names.as_slice() {
                [] => format!("stream `{stream}` has no complete pass"),
                names => format!("stream `{stream}` has: {}", names.join(", ")),
            },
            place: self.url(),
        }
    }
}

/// The name of a column as the schema spells it.
fn spelled<'a>(schema: &'a Schema, column: &str) -> Option<&'a str> {
    let mut names = schema.fields().iter().map(|field| field.name().as_str());
    names.find(|name| name.eq_ignore_ascii_case(column))
}

fn of_split<'a>(query: Metrics<'a>, by: &RankBy) -> Metrics<'a> {
    match &by.split {
        Some(split) => query.split(split),
        None => query,
    }
}

/// Queries that read exactly these passes: one an epoch, unless another split has that epoch too
/// and is ranked by a later one.
fn queries_for<'a>(
    of_stream: &Metrics<'a>,
    by: &RankBy,
    passes: &[PassRecord],
) -> Vec<Metrics<'a>> {
    let epochs: BTreeSet<Option<i64>> = passes.iter().map(|pass| pass.epoch).collect();
    let mut queries = Vec::new();
    for epoch in epochs {
        let wanted: Vec<_> = passes.iter().filter(|pass| pass.epoch == epoch).collect();
        let whole = of_split(of_stream.clone().epoch(epoch), by);
        if whole.passes().len() == wanted.len() {
            queries.push(whole);
        } else {
            let one = |pass: &&PassRecord| of_stream.clone().epoch(epoch).split(&pass.split);
            queries.extend(wanted.iter().map(one));
        }
    }
    queries
}
