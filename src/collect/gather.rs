//! The columns of one batch from all collectors, checked.

use arrow_array::new_empty_array;
use arrow_schema::Schema;

use super::guard::{cause, guarded};
use crate::metrics::{MetricsCollector, PassCollector};
use crate::run::{DEFAULT_STREAM, KEYS};
use crate::table::{Column, Columns, role};
use crate::{Error, Result};

/// A collector as a pass holds it.
pub type BoxCollector<'a, B, O> = Box<dyn MetricsCollector<B, O> + Send + Sync + 'a>;

/// Collectors in the order in which their columns are written.
pub type BoxCollectors<'a, B, O> = Vec<BoxCollector<'a, B, O>>;

/// The collectors of a pass, in order.
pub(crate) struct Gatherer<'a, B, O> {
    collectors: Vec<Known<'a, B, O>>,
    batches: usize,
    /// Names that collectors cannot use, and whose they are.
    taken: Vec<(String, String)>,
    /// The stream of the pass.
    stream: String,
}

struct Known<'a, B, O> {
    collector: &'a dyn MetricsCollector<B, O>,
    /// Takes the collector's place when it sums the pass up.
    summing: Option<Box<dyn PassCollector<B, O> + 'a>>,
    label: String,
    schema: Option<Schema>,
    aggregates: bool,
}

/// The rows of a second stream, which one collector has when the pass ends.
pub(crate) struct Summed {
    pub(crate) stream: String,
    pub(crate) columns: Columns,
    pub(crate) aggregates: bool,
}

/// A second stream of a pass.
pub(crate) struct SecondStream {
    pub(crate) stream: String,
    /// Whether its rows join to the table of the pass.
    pub(crate) joins_table: bool,
}

/// What the collectors made of one batch.
pub(crate) struct Gathered {
    /// All columns, `example_id` first.
    pub(crate) columns: Columns,
    /// The columns to aggregate.
    pub(crate) aggregated: Columns,
    /// Rows of second streams that are ready.
    pub(crate) summed: Vec<Summed>,
}

impl<'a, B, O> Gatherer<'a, B, O> {
    /// Asks every collector once for its name, schema and aggregation; `stream` is that of the pass.
    pub(crate) fn new<'n>(
        collectors: impl IntoIterator<Item = &'a dyn MetricsCollector<B, O>>,
        constants: impl IntoIterator<Item = &'n str>,
        stream: &str,
    ) -> Result<Self> {
        let collectors = (1..)
            .zip(collectors)
            .map(|(number, collector): (usize, _)| {
                guarded(
                    || format!("metrics collector #{number}"),
                    || {
                        Ok(Known {
                            collector,
                            summing: collector.begin_pass(),
                            label: format!("#{number} `{}`", collector.name()),
                            schema: collector.schema(),
                            aggregates: collector.compute_aggregates(),
                        })
                    },
                )
            });
        let reserved = KEYS.map(|name| (name.to_owned(), "the pass itself".to_owned()));
        let constants = constants
            .into_iter()
            .map(|name| (name.to_owned(), format!("constant `{name}`")));
        let collectors = collectors.collect::<Result<Vec<_>>>()?;
        check_streams(&collectors, stream)?;
        Ok(Self {
            collectors,
            batches: 0,
            taken: reserved.into_iter().chain(constants).collect(),
            stream: stream.to_owned(),
        })
    }

    /// Runs all collectors on one batch.
    pub(crate) fn gather(
        &mut self,
        number: usize,
        example_ids: Vec<i64>,
        batch: &B,
        output: &O,
    ) -> Result<Gathered> {
        let mut gathered = Gathered::with_ids(example_ids.clone());
        let mut owners: Vec<(String, &str)> = Vec::new();
        let second = self.taken_of_second_streams();
        for known in &mut self.collectors {
            let label = &known.label;
            let columns = guarded(
                || format!("metrics collector {label} on batch {number}"),
                || match &mut known.summing {
                    Some(summing) => summing.collect_examples(&example_ids, batch, output),
                    None => known.collector.collect(batch, output),
                },
            )
            .map_err(|error| failed(error, label, number))?;
            known.check(number, example_ids.len(), &columns)?;
            own(&self.taken, &known.label, &columns, &mut owners)?;
            gathered.add(columns, known.aggregates);
        }
        for known in &mut self.collectors {
            let ready = known.take_rows(number, &self.stream, &second)?;
            gathered.summed.extend(ready);
        }
        self.batches = number + 1;
        Ok(gathered)
    }

    /// The second streams.
    ///
    /// # Errors
    /// `DuplicateColumn` when a constant of the pass has the name of one of their columns, as far as a
    /// collector tells these of a pass without batches.
    pub(crate) fn second_streams(&self) -> Result<Vec<SecondStream>> {
        let taken = self.taken_of_second_streams();
        let mut streams = Vec::new();
        for known in &self.collectors {
            let Some(summing) = &known.summing else {
                continue;
            };
            streams.push(SecondStream {
                stream: stream_of(&self.stream, summing.stream()),
                joins_table: summing.joins_table(),
            });
            let empty = guarded(
                || format!("metrics collector {} without batches", known.label),
                || {
                    known
                        .collector
                        .begin_pass()
                        .map(|empty| empty.finish())
                        .transpose()
                },
            );
            if let Ok(Some(columns)) = empty {
                own(&taken, &known.label, &columns, &mut Vec::new())?;
            }
        }
        Ok(streams)
    }

    /// Names that rows of second streams cannot use: they may say which example they are about.
    fn taken_of_second_streams(&self) -> Vec<(String, String)> {
        let taken = self.taken.iter().filter(|(name, _)| name != "example_id");
        taken.cloned().collect()
    }

    /// Ends the pass of every collector that sums it up.
    pub(crate) fn finish(&mut self) -> Result<Vec<Summed>> {
        let mut all = Vec::new();
        for known in &mut self.collectors {
            let Some(summing) = known.summing.take() else {
                continue;
            };
            let label = &known.label;
            let stream = stream_of(&self.stream, summing.stream());
            let columns = guarded(
                || format!("metrics collector {label} at the end of the pass"),
                || summing.finish(),
            )
            .map_err(|error| failed(error, label, self.batches))?;
            all.push(Summed {
                stream,
                columns,
                aggregates: known.aggregates,
            });
        }
        Ok(all)
    }

    /// A batch without rows, for an empty dataset; `None` when a collector gave no schema.
    pub(crate) fn empty(&self) -> Result<Option<Gathered>> {
        let mut gathered = Gathered::with_ids(Vec::new());
        let mut owners = Vec::new();
        for known in &self.collectors {
            let Some(schema) = &known.schema else {
                return Ok(None);
            };
            let mut columns = Columns::new();
            for field in schema.fields() {
                let mut column = Column::from_array(new_empty_array(field.data_type()));
                if let Some(role) = role(field) {
                    column = column.role(role);
                }
                columns.push(field.name(), column);
            }
            own(&self.taken, &known.label, &columns, &mut owners)?;
            gathered.add(columns, known.aggregates);
        }
        Ok(Some(gathered))
    }
}

/// What a collector's error becomes.
fn failed(error: Error, label: &str, batch: usize) -> Error {
    match error {
        Error::Panicked { .. } => error,
        other => Error::Collector {
            collector: label.to_owned(),
            batch,
            source: cause(other),
        },
    }
}

/// The stream of rows that sum a pass up: passes over one split into several streams must not hide one
/// another's rows.
fn stream_of(of_the_pass: &str, asked: &str) -> String {
    match of_the_pass {
        DEFAULT_STREAM => asked.to_owned(),
        other => format!("{other}_{asked}"),
    }
}

/// Rows of two collectors in one stream, or among those of the pass, would hide each other.
fn check_streams<B, O>(collectors: &[Known<'_, B, O>], of_the_pass: &str) -> Result<()> {
    let mut taken = vec![(of_the_pass.to_owned(), "the pass itself")];
    for known in collectors {
        let Some(summing) = &known.summing else {
            continue;
        };
        let stream = stream_of(of_the_pass, summing.stream());
        if let Some((_, first)) = taken.iter().find(|(name, _)| *name == stream) {
            return Err(Error::invalid(
                "stream",
                format!("`{stream}`"),
                format!(
                    "both {first} and metrics collector {} write it",
                    known.label
                ),
                "give one of them another stream",
            ));
        }
        taken.push((stream, &known.label));
    }
    Ok(())
}

/// Notes whose the columns are; an error for names that somebody has already.
fn own<'s>(
    taken: &[(String, String)],
    label: &'s str,
    columns: &Columns,
    owners: &mut Vec<(String, &'s str)>,
) -> Result<()> {
    for name in columns.names() {
        let same = |known: &str| known.eq_ignore_ascii_case(name);
        let collector = owners.iter().find(|(known, _)| same(known));
        let first = collector
            .map(|(_, owner)| format!("metrics collector {owner}"))
            .or_else(|| {
                let taken = taken.iter().find(|(known, _)| same(known));
                taken.map(|(_, owner)| owner.clone())
            });
        if let Some(first) = first {
            return Err(Error::DuplicateColumn {
                column: name.to_owned(),
                first,
                second: format!("metrics collector {label}"),
            });
        }
        owners.push((name.to_owned(), label));
    }
    Ok(())
}

impl<B, O> Known<'_, B, O> {
    /// The rows of the collector's second stream that are ready after a batch.
    fn take_rows(
        &mut self,
        number: usize,
        of_the_pass: &str,
        taken: &[(String, String)],
    ) -> Result<Option<Summed>> {
        let Some(summing) = &mut self.summing else {
            return Ok(None);
        };
        let label = &self.label;
        let columns = guarded(
            || format!("metrics collector {label} after batch {number}"),
            || summing.take_rows(),
        )
        .map_err(|error| failed(error, label, number))?;
        if columns.is_empty() {
            return Ok(None);
        }
        own(taken, label, &columns, &mut Vec::new())?;
        Ok(Some(Summed {
            stream: stream_of(of_the_pass, summing.stream()),
            columns,
            aggregates: self.aggregates,
        }))
    }

    fn check(&self, number: usize, samples: usize, columns: &Columns) -> Result<()> {
        let place = || format!("metrics collector {}, batch {number}", self.label);
        for (name, column) in columns.iter() {
            if column.len() != samples {
                return Err(Error::Shape {
                    column: name.to_owned(),
                    expected: samples,
                    found: column.len(),
                    place: place(),
                });
            }
        }
        let Some(schema) = &self.schema else {
            return Ok(());
        };
        for field in schema.fields() {
            let Some(column) = columns.get(field.name()) else {
                return Err(Error::MissingColumn {
                    column: field.name().clone(),
                    place: place(),
                    available: columns.names().collect::<Vec<_>>().join(", "),
                });
            };
            let found = column.values().data_type();
            if !found.equals_datatype(field.data_type()) {
                return Err(Error::Schema {
                    column: field.name().clone(),
                    expected: field.data_type().to_string(),
                    found: found.to_string(),
                    place: format!("the schema of {}", place()),
                    hint: "make the collector return what its schema says".into(),
                });
            }
        }
        match columns
            .names()
            .find(|name| schema.field_with_name(name).is_err())
        {
            None => Ok(()),
            Some(extra) => Err(Error::invalid(
                "column",
                format!("`{extra}`"),
                format!("{} does not have it in its schema", place()),
                "add it to the schema, or give no schema",
            )),
        }
    }
}

impl Gathered {
    fn with_ids(example_ids: Vec<i64>) -> Self {
        let ids = Column::from(example_ids).role(crate::table::Role::Id);
        Self {
            columns: Columns::new().with("example_id", ids),
            aggregated: Columns::new(),
            summed: Vec::new(),
        }
    }

    fn add(&mut self, columns: Columns, aggregate: bool) {
        if aggregate {
            // Arrays are shared, so this copies pointers.
            self.aggregated.extend(columns.clone());
        }
        self.columns.extend(columns);
    }
}
