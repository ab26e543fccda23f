//! Per-file column statistics: null counts, and bounds only where every value is finite.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    StructArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use super::actions::stats_struct;

/// Strings longer than this have no bounds: they would be copied into the log.
const MAX_STRING: usize = 64;

/// More rows than this, as others claim them, are in no file.
const MAX_CLAIMED: u64 = 1 << 48;

/// The bounds of one column so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bounds {
    /// No non-null value yet.
    Empty,
    Int(i64, i64),
    Float(#[serde(with = "bits")] f64, #[serde(with = "bits")] f64),
    Text(String, String),
    /// A value that has no order (NaN), an infinity, a long string, or a type without bounds. A
    /// reader that trusts a finite maximum would skip files that hold an infinity.
    None,
}

/// Statistics of one data file, column by column.
#[derive(Clone, Debug)]
pub(super) struct FileStats {
    rows: u64,
    columns: Vec<(String, DataType, u64, Bounds)>,
}

impl FileStats {
    pub(super) fn new(schema: &Schema) -> Self {
        let columns = schema.fields().iter().map(|field| {
            let bounds = match field.data_type() {
                DataType::Int32
                | DataType::Int64
                | DataType::Float32
                | DataType::Float64
                | DataType::Utf8 => Bounds::Empty,
                _ => Bounds::None,
            };
            (field.name().clone(), field.data_type().clone(), 0, bounds)
        });
        Self {
            rows: 0,
            columns: columns.collect(),
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn record(&self) -> StatsRecord {
        let columns = self.columns.iter();
        StatsRecord {
            rows: self.rows,
            columns: columns
                .map(|(name, _, nulls, bounds)| (name.clone(), *nulls, bounds.clone()))
                .collect(),
        }
    }

    /// The statistics of a record, in a table of that schema; `None` where they do not fit.
    pub(super) fn of_record(record: StatsRecord, schema: &Schema) -> Option<Self> {
        let mut names = HashSet::new();
        let columns = record.columns.into_iter().map(|(name, nulls, bounds)| {
            let data_type = schema.field_with_name(&name).ok()?.data_type().clone();
            let is_new = names.insert(name.clone());
            let fits = is_new && nulls <= record.rows && bounds.fits(&data_type);
            fits.then_some((name, data_type, nulls, bounds))
        });
        (record.rows <= MAX_CLAIMED).then_some(())?;
        Some(Self {
            rows: record.rows,
            columns: columns.collect::<Option<_>>()?,
        })
    }

    /// Takes in a batch of the file's schema.
    pub(super) fn update(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for ((_, _, nulls, bounds), array) in self.columns.iter_mut().zip(batch.columns()) {
            *nulls += array.null_count() as u64;
            if !matches!(bounds, Bounds::None) && array.null_count() < array.len() {
                *bounds = merge(std::mem::replace(bounds, Bounds::None), bounds_of(array));
            }
        }
    }

    /// The columns that have bounds.
    pub(super) fn bounded(&self) -> HashSet<String> {
        let bounded = self
            .columns
            .iter()
            .filter(|(_, data_type, _, bounds)| bounds.arrays(data_type).is_some());
        bounded.map(|(name, ..)| name.clone()).collect()
    }

    /// The same file with bounds of these columns only.
    pub(super) fn with_bounds_of(&self, columns: &HashSet<String>) -> Self {
        let mut fewer = self.clone();
        for (name, _, _, bounds) in &mut fewer.columns {
            if !columns.contains(name) {
                *bounds = Bounds::None;
            }
        }
        fewer
    }

    /// As the statistics struct of a Delta `add` action.
    pub(super) fn to_struct(&self) -> Result<StructArray, ArrowError> {
        let mut nulls = Vec::new();
        let (mut minima, mut maxima) = (Vec::new(), Vec::new());
        for (name, data_type, null_count, bounds) in &self.columns {
            if !data_type.is_nested() {
                let count: ArrayRef = Arc::new(Int64Array::from(vec![*null_count as i64]));
                nulls.push((Field::new(name, DataType::Int64, true), count));
            }
            if let Some((low, high)) = bounds.arrays(data_type) {
                minima.push((Field::new(name, data_type.clone(), true), low));
                maxima.push((Field::new(name, data_type.clone(), true), high));
            }
        }
        stats_struct(self.rows, nulls, minima, maxima)
    }
}

/// [`FileStats`] as JSON: the types are those of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StatsRecord {
    rows: u64,
    columns: Vec<(String, u64, Bounds)>,
}

/// A float as its bits: a bound that decimals round would be none.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }
}

impl Bounds {
    fn fits(&self, data_type: &DataType) -> bool {
        match self {
            Self::Empty | Self::None => true,
            Self::Int(low, high) if low > high => false,
            Self::Int(low, high) => match data_type {
                DataType::Int64 => true,
                DataType::Int32 => [low, high].iter().all(|&&one| i32::try_from(one).is_ok()),
                _ => false,
            },
            Self::Float(low, high) => {
                matches!(data_type, DataType::Float32 | DataType::Float64)
                    && low.is_finite()
                    && high.is_finite()
                    && low <= high
            }
            Self::Text(low, high) => {
                matches!(data_type, DataType::Utf8) && low <= high && high.len() <= MAX_STRING
            }
        }
    }

    fn arrays(&self, data_type: &DataType) -> Option<(ArrayRef, ArrayRef)> {
        fn pair<A: Array + From<Vec<T>> + 'static, T>(low: T, high: T) -> (ArrayRef, ArrayRef) {
            (Arc::new(A::from(vec![low])), Arc::new(A::from(vec![high])))
        }
        Some(match (self, data_type) {
            (Self::Int(low, high), DataType::Int64) => pair::<Int64Array, _>(*low, *high),
            (Self::Int(low, high), _) => pair::<Int32Array, _>(*low as i32, *high as i32),
            (Self::Float(low, high), DataType::Float64) => pair::<Float64Array, _>(*low, *high),
            (Self::Float(low, high), _) => pair::<Float32Array, _>(*low as f32, *high as f32),
            (Self::Text(low, high), _) => pair::<StringArray, _>(low.clone(), high.clone()),
            (Self::Empty | Self::None, _) => return None,
        })
    }
}

fn merge(left: Bounds, right: Bounds) -> Bounds {
    match (left, right) {
        (Bounds::Empty, other) | (other, Bounds::Empty) => other,
        (Bounds::Int(a, b), Bounds::Int(c, d)) => Bounds::Int(a.min(c), b.max(d)),
        (Bounds::Float(a, b), Bounds::Float(c, d)) => Bounds::Float(a.min(c), b.max(d)),
        (Bounds::Text(a, b), Bounds::Text(c, d)) => Bounds::Text(a.min(c), b.max(d)),
        _ => Bounds::None,
    }
}

fn bounds_of(array: &ArrayRef) -> Bounds {
    match array.data_type() {
        DataType::Int32 => ints(valid(
            array,
            |a| a.as_primitive::<Int32Type>().iter(),
            i64::from,
        )),
        DataType::Int64 => ints(valid(
            array,
            |a| a.as_primitive::<Int64Type>().iter(),
            |v| v,
        )),
        DataType::Float32 => match dense(array.as_primitive::<Float32Type>()) {
            Some(values) => float_slice(values),
            None => floats(valid(
                array,
                |a| a.as_primitive::<Float32Type>().iter(),
                f64::from,
            )),
        },
        DataType::Float64 => floats(valid(
            array,
            |a| a.as_primitive::<Float64Type>().iter(),
            |v| v,
        )),
        DataType::Utf8 => texts(array.as_string::<i32>()),
        _ => Bounds::None,
    }
}

fn dense(array: &Float32Array) -> Option<&[f32]> {
    (array.null_count() == 0).then(|| array.values().as_ref())
}

/// The non-null values of an array, widened.
fn valid<'a, T, W: 'a, I: Iterator<Item = Option<T>> + 'a>(
    array: &'a ArrayRef,
    iterate: impl FnOnce(&'a ArrayRef) -> I,
    widen: impl Fn(T) -> W + 'a,
) -> impl Iterator<Item = W> + 'a
where
    T: 'a,
{
    iterate(array).flatten().map(widen)
}

fn ints(values: impl Iterator<Item = i64>) -> Bounds {
    let (low, high) = values.fold((i64::MAX, i64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    Bounds::Int(low, high)
}

fn floats(mut values: impl Iterator<Item = f64>) -> Bounds {
    values
        .try_fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            value.is_finite().then(|| (low.min(value), high.max(value)))
        })
        .map_or(Bounds::None, |(low, high)| Bounds::Float(low, high))
}

/// Branch-free over a slice, so that the compiler can use vector instructions.
fn float_slice(values: &[f32]) -> Bounds {
    let (mut low, mut high, mut finite) = (f32::INFINITY, f32::NEG_INFINITY, true);
    for &value in values {
        finite &= value.is_finite();
        low = if value < low { value } else { low };
        high = if value > high { value } else { high };
    }
    if finite {
        Bounds::Float(f64::from(low), f64::from(high))
    } else {
        Bounds::None
    }
}

fn texts(values: &StringArray) -> Bounds {
    let mut bounds: Option<(&str, &str)> = None;
    for value in values.iter().flatten() {
        if value.len() > MAX_STRING {
            return Bounds::None;
        }
        bounds = Some(match bounds {
            // Constant columns are the usual case: compare once, not twice.
            Some((low, high)) if low == value || high == value => (low, high),
            Some((low, high)) => (low.min(value), high.max(value)),
            None => (value, value),
        });
    }
    bounds.map_or(Bounds::Empty, |(low, high)| {
        Bounds::Text(low.to_owned(), high.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Columns;

    fn stats(columns: Columns) -> StructArray {
        let batch = columns.into_batch("test").unwrap();
        let mut stats = FileStats::new(&batch.schema());
        stats.update(&batch);
        stats.to_struct().unwrap()
    }

    #[test]
    fn a_column_with_an_infinity_or_nan_has_no_bounds() {
        let stats = stats(
            Columns::new()
                .with("loss", vec![1.0_f32, f32::INFINITY])
                .with("margin", vec![f64::NAN, 1.0])
                .with("fine", vec![-1.0_f32, 2.0]),
        );
        let maxima = stats
            .column_by_name("maxValues")
            .unwrap()
            .as_struct()
            .clone();
        assert_eq!(maxima.column_names(), ["fine"]);
        assert_eq!(maxima.column(0).as_primitive::<Float32Type>().value(0), 2.0);
    }

    #[test]
    fn nulls_are_counted_and_do_not_bound() {
        let stats = stats(Columns::new().with("x", vec![None, Some(3_i64), Some(-2)]));
        let nulls = stats
            .column_by_name("nullCount")
            .unwrap()
            .as_struct()
            .clone();
        assert_eq!(nulls.column(0).as_primitive::<Int64Type>().value(0), 1);
        let minima = stats
            .column_by_name("minValues")
            .unwrap()
            .as_struct()
            .clone();
        assert_eq!(minima.column(0).as_primitive::<Int64Type>().value(0), -2);
    }
}
