//! The ranking itself: a small tally per sample, then one sort.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, Int64Array, RecordBatch, cast::AsArray};
use arrow_schema::{DataType, Schema};

use crate::table::{Role, role};
use crate::{Error, Result};

/// The column that numbers the instances of a sample: words, boxes.
const INSTANCE: &str = "instance";

/// The column of true classes.
pub(super) const LABEL: &str = "label";

/// Which end of the ranking comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Highest value first.
    #[default]
    Highest,
    /// Lowest value first.
    Lowest,
}

/// A class of a sample: its index, and its name when the column's [`Role::Category`] has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Class index; `None` when the column holds text.
    pub index: Option<i64>,
    /// Class name.
    pub name: Option<String>,
}

/// One sample with its place in a [`Ranking`], or one instance of a sample.
#[derive(Clone, Debug, PartialEq)]
pub struct RankedSample {
    /// The split that the sample was collected in.
    pub split: String,
    /// 0-based row of the table.
    pub example_id: i64,
    /// Which of the sample's instances it is, where the stream has a row for each (a box, a word).
    pub instance: Option<i64>,
    /// The value ranked by: of one row, or the mean of `rows` rows.
    pub value: f64,
    /// Rows that the value comes from: epochs, times repeats of the sample within an epoch.
    pub rows: u64,
    /// The latest epoch among them.
    pub epoch: Option<i64>,
    /// The true class, when the stream has a column `label`, or the table that it joins to has one
    /// or the column that the run's parameter `collection.label_column` names.
    pub label: Option<Class>,
    /// The `predicted` column at that epoch, when the stream has one.
    pub predicted: Option<Class>,
}

/// Samples in order of one column.
///
/// NaN comes last in either order; equal values are ordered by example_id, instance and split, so the
/// same rows give the same ranking.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// All ranked samples.
    pub samples: Vec<RankedSample>,
    /// How many of them have NaN; they are the last of `samples`.
    pub nan_count: u64,
    /// Samples without any value, which are not in `samples`.
    pub null_count: u64,
}

/// Ranks samples over the rows that it is given, batch by batch.
///
/// Rows with a number in a column `instance` are ranked by instance: the boxes of an image, each by
/// itself. Where several epochs are ranked, rows of one number count as the same instance.
///
/// # Memory
/// One small record a sample, whatever the number of rows.
///
/// ```
/// use emberlens::run::ranking::{Order, Ranker};
/// use emberlens::table::Columns;
/// # fn main() -> emberlens::Result<()> {
/// let epoch = |epoch: i64, losses: [f32; 2]| {
///     Columns::new()
///         .with("example_id", vec![0_i64, 1])
///         .with("split", vec!["train"; 2])
///         .with("epoch", vec![epoch; 2])
///         .with("loss", losses.to_vec())
///         .into_batch("example")
/// };
/// let mut ranker = Ranker::by("loss");
/// ranker.add(&epoch(0, [0.5, 2.0])?)?;
/// ranker.add(&epoch(1, [3.0, 0.5])?)?;
/// let ranking = ranker.ranking(Order::Highest);
/// assert_eq!(ranking.samples[0].example_id, 0);
/// assert_eq!(ranking.samples[0].value, 1.75); // (0.5 + 3.0) / 2
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Ranker {
    column: String,
    splits: Vec<String>,
    tallies: HashMap<(usize, i64, Option<i64>), Tally>,
}

impl Ranker {
    /// A ranker by a column of numbers or booleans.
    pub fn by(column: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            splits: Vec::new(),
            tallies: HashMap::new(),
        }
    }

    /// The columns of `schema` that [`Ranker::add`] reads, so that a reader can leave the others.
    ///
    /// # Errors
    /// `Invalid` when the column to rank by is missing or holds no numbers.
    pub fn columns<'a>(&'a self, schema: &'a Schema) -> Result<Vec<&'a str>> {
        check_rankable(&self.column, schema)?;
        let mut columns = vec!["example_id", INSTANCE, "split", "epoch", LABEL, "predicted"];
        columns.retain(|name| schema.column_with_name(name).is_some());
        if !columns.contains(&self.column.as_str()) {
            columns.push(&self.column);
        }
        Ok(columns)
    }

    /// Takes in rows; every one counts into the mean of its sample.
    ///
    /// # Shapes and units
    /// `batch` has `example_id` int64 and the ranked column; `instance`, `split`, `epoch`, `label` and
    /// `predicted` are used when present.
    ///
    /// # Errors
    /// `Invalid` when one of the two is missing or of another type.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        check_rankable(&self.column, batch.schema_ref())?;
        let ids = integers(batch, "example_id")?.ok_or_else(|| missing("example_id", batch))?;
        let values = cast(batch, &self.column, &DataType::Float64)?
            .ok_or_else(|| missing(&self.column, batch))?;
        let values = values.as_primitive::<Float64Type>();
        let epochs = integers(batch, "epoch")?;
        let instances = match batch.column_by_name(INSTANCE) {
            Some(column) if column.data_type().is_integer() => integers(batch, INSTANCE)?,
            _ => None,
        };
        let splits = cast(batch, "split", &DataType::Utf8)?;
        let labels = Classes::of(batch, LABEL)?;
        let predictions = Classes::of(batch, "predicted")?;
        for row in 0..batch.num_rows() {
            let split = match &splits {
                Some(splits) if splits.is_valid(row) => splits.as_string::<i32>().value(row),
                _ => "",
            };
            let of_row = |column: &Option<Int64Array>| {
                let column = column.as_ref()?;
                column.is_valid(row).then(|| column.value(row))
            };
            let key = (self.split_index(split), ids.value(row), of_row(&instances));
            let tally = self.tallies.entry(key).or_default();
            let epoch = of_row(&epochs);
            if values.is_valid(row) {
                tally.sum += values.value(row);
                tally.rows += 1;
            }
            // Rows of later passes may stand before those of earlier ones.
            if epoch >= tally.epoch {
                tally.epoch = epoch;
                tally.label = labels.as_ref().and_then(|classes| classes.at(row));
                tally.predicted = predictions.as_ref().and_then(|classes| classes.at(row));
            }
        }
        Ok(())
    }

    /// The ranking of all samples taken in.
    pub fn ranking(self, order: Order) -> Ranking {
        let mut ranking = Ranking::default();
        for ((split, example_id, instance), tally) in self.tallies {
            if tally.rows == 0 {
                ranking.null_count += 1;
                continue;
            }
            let value = tally.sum / tally.rows as f64;
            ranking.nan_count += u64::from(value.is_nan());
            ranking.samples.push(RankedSample {
                split: self.splits[split].clone(),
                example_id,
                instance,
                value,
                rows: tally.rows,
                epoch: tally.epoch,
                label: tally.label,
                predicted: tally.predicted,
            });
        }
        ranking.samples.sort_by(|one, other| {
            by_value(one.value, other.value, order)
                .then_with(|| one.example_id.cmp(&other.example_id))
                .then_with(|| one.instance.cmp(&other.instance))
                .then_with(|| one.split.cmp(&other.split))
        });
        ranking
    }

    fn split_index(&mut self, split: &str) -> usize {
        match self.splits.iter().position(|known| known == split) {
            Some(index) => index,
            None => {
                self.splits.push(split.to_owned());
                self.splits.len() - 1
            }
        }
    }
}

/// What is known of one sample so far.
#[derive(Debug, Default)]
struct Tally {
    sum: f64,
    rows: u64,
    epoch: Option<i64>,
    label: Option<Class>,
    predicted: Option<Class>,
}

fn by_value(one: f64, other: f64, order: Order) -> Ordering {
    match (one.is_nan(), other.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let rising = one.partial_cmp(&other).unwrap_or(Ordering::Equal);
            match order {
                Order::Highest => rising.reverse(),
                Order::Lowest => rising,
            }
        }
    }
}

/// A column of classes and the names of its category.
pub(super) struct Classes {
    values: arrow_array::ArrayRef,
    names: Arc<[String]>,
}

impl Classes {
    pub(super) fn of(batch: &RecordBatch, column: &str) -> Result<Option<Self>> {
        let Some((_, field)) = batch.schema_ref().column_with_name(column) else {
            return Ok(None);
        };
        let names = match role(field) {
            Some(Role::Category { names }) => names,
            _ => Arc::default(),
        };
        let target = match field.data_type() {
            data_type if data_type.is_integer() => DataType::Int64,
            DataType::Utf8 => DataType::Utf8,
            // A label that is no class (a regression target, a mask) has no place here.
            _ => return Ok(None),
        };
        Ok(cast(batch, column, &target)?.map(|values| Self { values, names }))
    }

    pub(super) fn at(&self, row: usize) -> Option<Class> {
        if self.values.is_null(row) {
            return None;
        }
        if *self.values.data_type() == DataType::Utf8 {
            let name = self.values.as_string::<i32>().value(row).to_owned();
            return Some(Class {
                index: None,
                name: Some(name),
            });
        }
        let index = self.values.as_primitive::<Int64Type>().value(row);
        let name = usize::try_from(index)
            .ok()
            .and_then(|place| self.names.get(place))
            .cloned();
        Some(Class {
            index: Some(index),
            name,
        })
    }
}

fn check_rankable(column: &str, schema: &Schema) -> Result<()> {
    let numeric = |data_type: &DataType| data_type.is_numeric() || *data_type == DataType::Boolean;
    let rankable: Vec<&str> = schema
        .fields()
        .iter()
        .filter(|field| numeric(field.data_type()))
        .map(|field| field.name().as_str())
        .collect();
    match schema.column_with_name(column) {
        Some((_, field)) if numeric(field.data_type()) => Ok(()),
        Some((_, field)) => Err(Error::Schema {
            column: column.to_owned(),
            expected: "a number or a boolean to rank by".into(),
            found: field.data_type().to_string(),
            place: "the stream".into(),
            hint: format!("rank by one of: {}", rankable.join(", ")),
        }),
        None => Err(Error::MissingColumn {
            column: column.to_owned(),
            place: "the stream".into(),
            available: rankable.join(", "),
        }),
    }
}

fn integers(batch: &RecordBatch, column: &str) -> Result<Option<Int64Array>> {
    let array = cast(batch, column, &DataType::Int64)?;
    Ok(array.map(|array| array.as_primitive::<Int64Type>().clone()))
}

fn cast(
    batch: &RecordBatch,
    column: &str,
    target: &DataType,
) -> Result<Option<arrow_array::ArrayRef>> {
    let Some(array) = batch.column_by_name(column) else {
        return Ok(None);
    };
    arrow_cast::cast(array, target)
        .map(Some)
        .map_err(|error| Error::Schema {
            column: column.to_owned(),
            expected: target.to_string(),
            found: array.data_type().to_string(),
            place: "a ranking".into(),
            hint: error.to_string(),
        })
}

fn missing(column: &str, batch: &RecordBatch) -> Error {
    let schema = batch.schema_ref();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    Error::MissingColumn {
        column: column.to_owned(),
        place: "the rows to rank".into(),
        available: names.join(", "),
    }
}

#[cfg(test)]
mod tests;
