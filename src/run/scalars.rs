//! Scalars: the aggregate series of a run, and the table that holds them.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use super::skipped::Skips;
use super::state::Discard;
use crate::storage::Location;
use crate::table::{DeltaTable, PassOver, Snapshot, values};
use crate::{Error, Result};

/// The column that tells which rank logged a value.
const RANK: &str = "rank";

/// Where on its axis a scalar lies.
///
/// ```
/// use emberlens::run::{At, Project};
/// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
/// run.log(&[("loss", 0.41), ("accuracy", 0.88)], At::epoch(0))?;
/// run.log(&[("gradient norm", 1.3)], At::axis())?;
/// run.log(&[("gradient norm", 1.1)], At::axis())?;
/// let steps: Vec<_> = run.reader()?.scalars()?.iter().map(|scalar| scalar.step).collect();
/// assert_eq!(steps, [None, None, Some(0), Some(1)]);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A 0-based epoch.
    Epoch(i64),
    /// A 0-based iteration, one per batch.
    Iteration(i64),
    /// A step, in whatever unit the series has.
    Step(i64),
    /// The step after the last one of the series; see [`At::axis`].
    Axis,
}

impl At {
    /// A 0-based epoch.
    pub fn epoch(epoch: i64) -> Self {
        Self::Epoch(epoch)
    }

    /// A 0-based iteration, one per batch.
    pub fn iteration(iteration: i64) -> Self {
        Self::Iteration(iteration)
    }

    /// A step, in whatever unit the series has.
    pub fn step(step: i64) -> Self {
        Self::Step(step)
    }

    /// The step after the last one of the series (name and split), 0 for a new series. It goes on
    /// where it was when the run is taken up again.
    pub fn axis() -> Self {
        Self::Axis
    }
}

/// One value of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The series.
    pub name: String,
    /// `train`, `valid`, ...; empty when the series belongs to no split.
    pub split: String,
    /// 0-based epoch.
    pub epoch: Option<i64>,
    /// 0-based iteration.
    pub iteration: Option<i64>,
    /// Step, given or counted.
    pub step: Option<i64>,
    /// The value; NaN and infinities as they were logged.
    pub value: f64,
    /// When it was logged, microseconds since 1970 UTC.
    pub wall_time_us: i64,
    /// The rank that logged it, where several write the run.
    pub rank: Option<u32>,
}

/// The folder of a run's scalars, relative to the run.
pub(super) const FOLDER: &str = "scalars";

/// Where a run's scalars are.
pub(crate) fn location(run: &Location) -> Location {
    run.join(FOLDER)
}

fn schema() -> SchemaRef {
    let integer = |name: &str| Field::new(name, DataType::Int64, true);
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("name"),
        text("split"),
        integer("epoch"),
        integer("iteration"),
        integer("step"),
        Field::new("value", DataType::Float64, true),
        Field::new("wall_time", time, true),
    ]))
}

/// The columns, and `rank` where one of the values has one.
fn schema_for(scalars: &[Scalar]) -> SchemaRef {
    let schema = schema();
    if scalars.iter().all(|scalar| scalar.rank.is_none()) {
        return schema;
    }
    let rank = Arc::new(Field::new(RANK, DataType::Int64, true));
    let fields = schema.fields().iter().cloned().chain([rank]);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub(crate) fn encode(scalars: &[Scalar]) -> Result<RecordBatch> {
    let text = |of: fn(&Scalar) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(scalars.iter().map(of)))
    };
    let integer = |of: fn(&Scalar) -> Option<i64>| -> ArrayRef {
        Arc::new(scalars.iter().map(of).collect::<Int64Array>())
    };
    let times = TimestampMicrosecondArray::from_iter_values(
        scalars.iter().map(|scalar| scalar.wall_time_us),
    );
    let schema = schema_for(scalars);
    let mut columns: Vec<ArrayRef> = vec![
        text(|scalar| &scalar.name),
        text(|scalar| &scalar.split),
        integer(|scalar| scalar.epoch),
        integer(|scalar| scalar.iteration),
        integer(|scalar| scalar.step),
        Arc::new(Float64Array::from_iter_values(
            scalars.iter().map(|scalar| scalar.value),
        )),
        Arc::new(times.with_timezone("UTC")),
    ];
    if schema.field_with_name(RANK).is_ok() {
        columns.push(integer(|scalar| scalar.rank.map(i64::from)));
    }
    RecordBatch::try_new(schema, columns)
        .map_err(|error| Error::storage("encode scalars", "scalars", error))
}

/// All scalars of a run in the order they were logged; empty when it has none.
pub(crate) fn read(run: &Location) -> Result<Vec<Scalar>> {
    let location = location(run);
    if !DeltaTable::exists(&location)? {
        return Ok(Vec::new());
    }
    of(&DeltaTable::open(location)?.snapshot()?, None)
}

/// The scalars that can be read of a damaged table.
///
/// Without the commit that took values back these are in the table still: what was logged before a
/// discard, by the clocks of those who wrote, and lies in what it took back, does not count. Without one
/// that joined files these are there beside what became of them: a value counts once, and how many are
/// missing only documents say.
pub(super) fn read_around(
    run: &Location,
    discards: &[Discard],
    skips: &Skips,
) -> Result<Vec<Scalar>> {
    let location = location(run);
    if !DeltaTable::exists(&location)? {
        return Ok(Vec::new());
    }
    let snapshot = skips.snapshot(&DeltaTable::open(location)?)?;
    if !snapshot.lacks_commits() {
        return of(&snapshot, Some(skips.of_files()));
    }
    skips.scalars_without_commits();
    let mut scalars = of(&snapshot, Some(skips.of_passes()))?;
    let mut seen = HashSet::new();
    scalars.retain(|scalar| {
        let is_taken_back = discards.iter().any(|discard| takes_back(*discard, scalar));
        !is_taken_back && seen.insert(identity(scalar))
    });
    Ok(scalars)
}

/// All of a scalar: two calls do not log the same at the same microsecond.
fn identity(scalar: &Scalar) -> impl Hash + Eq + use<> {
    let Scalar {
        name,
        split,
        epoch,
        iteration,
        step,
        value,
        wall_time_us,
        rank,
    } = scalar.clone();
    let at = (epoch, iteration, step, wall_time_us, rank);
    (name, split, value.to_bits(), at)
}

fn takes_back(discard: Discard, scalar: &Scalar) -> bool {
    let is_in_reach = scalar
        .epoch
        .is_some_and(|epoch| epoch >= discard.from_epoch);
    is_in_reach && scalar.wall_time_us < discard.time_us
}

/// The scalars of one version of their table.
pub(crate) fn of(snapshot: &Snapshot, pass_over: Option<PassOver>) -> Result<Vec<Scalar>> {
    let mut scalars = Vec::new();
    for batch in snapshot.batches_of(None, None, pass_over)? {
        decode(&batch?, &mut scalars)?;
    }
    Ok(scalars)
}

/// A rank as a table tells it; one that no training has belongs to nobody.
fn rank_of(told: Option<i64>) -> Option<u32> {
    told.map(|rank| u32::try_from(rank).unwrap_or(u32::MAX))
}

fn decode(batch: &RecordBatch, into: &mut Vec<Scalar>) -> Result<()> {
    let names = values::<String>(batch, "name")?;
    let splits = values::<Option<String>>(batch, "split")?;
    let epochs = values::<Option<i64>>(batch, "epoch")?;
    let iterations = values::<Option<i64>>(batch, "iteration")?;
    let steps = values::<Option<i64>>(batch, "step")?;
    let numbers = values::<f64>(batch, "value")?;
    let times = values::<i64>(batch, "wall_time")?;
    let ranks = match batch.column_by_name(RANK) {
        Some(_) => values::<Option<i64>>(batch, RANK)?,
        None => Vec::new(),
    };
    let rows = names.into_iter().zip(splits).zip(numbers).enumerate();
    into.extend(rows.map(|(row, ((name, split), value))| Scalar {
        name,
        split: split.unwrap_or_default(),
        epoch: epochs.get(row).copied().flatten(),
        iteration: iterations.get(row).copied().flatten(),
        step: steps.get(row).copied().flatten(),
        value,
        wall_time_us: times.get(row).copied().unwrap_or_default(),
        rank: rank_of(ranks.get(row).copied().flatten()),
    }));
    Ok(())
}
