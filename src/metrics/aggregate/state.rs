//! What one column's values add up to.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, PrimitiveArray};
use arrow_schema::DataType;

use super::ColumnAggregate;

/// Count, mean and squared deviations of what was seen of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    count: u64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
    min: f64,
    max: f64,
    nan_count: u64,
    inf_count: u64,
    /// Whether the values are floats, which alone can be NaN or infinite.
    pub(super) float: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            count: 0,
            mean: 0.0,
            squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            nan_count: 0,
            inf_count: 0,
            float: false,
        }
    }
}

impl State {
    pub(super) fn of(array: &dyn Array) -> Self {
        match array.data_type() {
            DataType::Float32 => Self {
                float: true,
                ..Self::of_primitive::<Float32Type>(array, f64::from)
            },
            DataType::Float64 => Self {
                float: true,
                ..Self::of_primitive::<Float64Type>(array, |value| value)
            },
            DataType::Int8 => Self::of_primitive::<Int8Type>(array, f64::from),
            DataType::Int16 => Self::of_primitive::<Int16Type>(array, f64::from),
            DataType::Int32 => Self::of_primitive::<Int32Type>(array, f64::from),
            DataType::Int64 => Self::of_primitive::<Int64Type>(array, |value| value as f64),
            DataType::Boolean => {
                let bools = array.as_boolean();
                let valid = (0..bools.len()).filter(|&row| bools.is_valid(row));
                Self::of_values(valid.map(|row| f64::from(u8::from(bools.value(row)))))
            }
            _ => Self::default(),
        }
    }

    fn of_primitive<T: ArrowPrimitiveType>(array: &dyn Array, f: fn(T::Native) -> f64) -> Self {
        let array: &PrimitiveArray<T> = array.as_primitive();
        if array.null_count() == 0 {
            return Self::of_values(array.values().iter().map(|&value| f(value)));
        }
        let valid = (0..array.len()).filter(|&row| array.is_valid(row));
        Self::of_values(valid.map(|row| f(array.value(row))))
    }

    fn of_values(values: impl Iterator<Item = f64> + Clone) -> Self {
        let mut state = Self::default();
        let mut sum = 0.0;
        for value in values.clone() {
            if value.is_finite() {
                state.count += 1;
                sum += value;
                state.min = state.min.min(value);
                state.max = state.max.max(value);
            } else if value.is_nan() {
                state.nan_count += 1;
            } else {
                state.inf_count += 1;
            }
        }
        if state.count == 0 {
            return state;
        }
        let count = state.count as f64;
        state.mean = sum / count;
        // The second sum is 0 but for rounding; taking it off removes the error of the mean.
        let (mut squares, mut rounding) = (0.0, 0.0);
        for value in values.filter(|value| value.is_finite()) {
            let deviation = value - state.mean;
            squares += deviation * deviation;
            rounding += deviation;
        }
        let squares = squares - rounding * rounding / count;
        // Not `max`, which would turn the NaN of an overflow into a spread of 0.
        state.squares = if squares < 0.0 { 0.0 } else { squares };
        state
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.nan_count += other.nan_count;
        self.inf_count += other.inf_count;
        self.float |= other.float;
        if other.count == 0 {
            return;
        }
        let (own, new) = (self.count as f64, other.count as f64);
        let (total, delta) = (own + new, other.mean - self.mean);
        self.count += other.count;
        self.mean += delta * (new / total);
        self.squares += other.squares + delta * delta * (own * new / total);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(super) fn finish(&self) -> ColumnAggregate {
        let known = |value: f64| (self.count > 0).then_some(value);
        ColumnAggregate {
            count: self.count,
            mean: known(self.mean),
            min: known(self.min),
            max: known(self.max),
            std: known((self.squares / self.count as f64).sqrt()),
            nan_count: self.nan_count,
            inf_count: self.inf_count,
        }
    }
}
