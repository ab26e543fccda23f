//! Streaming aggregates of numeric columns.

mod state;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field};

use self::state::State;
use crate::table::{Columns, Role, role};

/// Mean, extremes and spread of the values of one column.
///
/// Nulls are skipped. NaN and infinities are counted and otherwise left out, so that one broken
/// sample does not hide the mean of the others. Values are summed in f64: integers beyond 2^53 are
/// rounded, and a sum beyond the range of f64 makes the mean and `std` infinite or NaN.
///
/// # Shapes and units
/// All values in the unit of the column; `std` divides by the number of values (population).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColumnAggregate {
    /// Number of finite values, on which all but the counts rest.
    pub count: u64,
    /// Mean; `None` without finite values, as are the next three.
    pub mean: Option<f64>,
    /// Smallest finite value.
    pub min: Option<f64>,
    /// Largest finite value.
    pub max: Option<f64>,
    /// Population standard deviation.
    pub std: Option<f64>,
    /// Number of NaN.
    pub nan_count: u64,
    /// Number of infinities of either sign.
    pub inf_count: u64,
}

/// Whether a column is aggregated: numbers and booleans that are no ids and no categories.
///
/// ```
/// use arrow_schema::DataType;
/// use emberlens::metrics::is_computable;
/// use emberlens::table::{Role, field};
/// assert!(is_computable(&field("loss", DataType::Float32, None)?));
/// let names = Role::category(["cat", "dog"]);
/// assert!(!is_computable(&field("predicted", DataType::Int32, Some(&names))?));
/// # Ok::<(), emberlens::Error>(())
/// ```
pub fn is_computable(field: &Field) -> bool {
    is_numeric(field.data_type()) && !is_name(role(field).as_ref())
}

fn is_numeric(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float32
            | DataType::Float64
    )
}

/// Whether numbers of that role name something: their mean would mean nothing.
fn is_name(role: Option<&Role>) -> bool {
    matches!(role, Some(Role::Id | Role::Category { .. }))
}

/// Aggregates of the computable columns of a stream of batches, in constant memory.
///
/// Aggregates of parts merge to those of the whole, up to rounding.
///
/// ```
/// use emberlens::metrics::Aggregates;
/// use emberlens::table::Columns;
/// let mut aggregates = Aggregates::new();
/// for losses in [vec![1.0_f32, 2.0], vec![6.0, f32::NAN]] {
///     aggregates.update(&Columns::new().with("loss", losses).into_batch("example")?);
/// }
/// let scalars = aggregates.scalars("valid");
/// assert_eq!(scalars[0], ("valid_loss_avg".to_owned(), 3.0));
/// assert!(scalars.contains(&("valid_loss_nan_count".to_owned(), 1.0)));
/// # Ok::<(), emberlens::Error>(())
/// ```
///
/// # Source
/// Chan, Golub, LeVeque, *Updating formulae and a pairwise algorithm for computing sample
/// variances* (1979): each batch by the corrected two-pass algorithm, batches joined pairwise.
#[derive(Clone, Debug, Default)]
pub struct Aggregates {
    columns: Vec<(String, State)>,
}

impl Aggregates {
    /// No columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds all computable columns of a batch; other columns are skipped.
    pub fn update(&mut self, batch: &RecordBatch) {
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if is_computable(field) {
                self.entry(field.name()).merge(&State::of(array));
            }
        }
    }

    /// As [`Aggregates::update`], for columns that no batch was made of yet.
    pub fn update_columns(&mut self, columns: &Columns) {
        for (name, column) in columns.iter() {
            if is_numeric(column.values().data_type()) && !is_name(column.get_role()) {
                self.entry(name).merge(&State::of(column.values()));
            }
        }
    }

    /// Adds what another accumulator has seen.
    pub fn merge(&mut self, other: &Self) {
        for (name, state) in &other.columns {
            self.entry(name).merge(state);
        }
    }

    /// The aggregates by column, in the order in which the columns first came.
    pub fn columns(&self) -> impl Iterator<Item = (&str, ColumnAggregate)> {
        self.columns
            .iter()
            .map(|(name, state)| (name.as_str(), state.finish()))
    }

    /// The aggregates of one column.
    pub fn get(&self, column: &str) -> Option<ColumnAggregate> {
        self.columns()
            .find_map(|(name, aggregate)| (name == column).then_some(aggregate))
    }

    /// The aggregates as named scalars of a run.
    ///
    /// `<split>_<column>_avg`, `_min`, `_max`, `_std` for columns that hold a finite value;
    /// `_nan_count` and `_inf_count` for columns of floats that hold any value. A column of nulls
    /// gives nothing.
    pub fn scalars(&self, split: &str) -> Vec<(String, f64)> {
        let mut scalars = Vec::with_capacity(6 * self.columns.len());
        for (column, state) in &self.columns {
            let all = state.finish();
            let mut push = |what: &str, value: Option<f64>| {
                if let Some(value) = value {
                    scalars.push((format!("{split}_{column}_{what}"), value));
                }
            };
            push("avg", all.mean);
            push("min", all.min);
            push("max", all.max);
            push("std", all.std);
            let seen = all.count + all.nan_count + all.inf_count > 0;
            let counted = |count: u64| (state.float && seen).then_some(count as f64);
            push("nan_count", counted(all.nan_count));
            push("inf_count", counted(all.inf_count));
        }
        scalars
    }

    fn entry(&mut self, name: &str) -> &mut State {
        let index = self.columns.iter().position(|(known, _)| known == name);
        let index = index.unwrap_or_else(|| {
            self.columns.push((name.to_owned(), State::default()));
            self.columns.len() - 1
        });
        &mut self.columns[index].1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::{Column, Columns};

    fn aggregated(column: impl Into<Column>) -> Aggregates {
        let mut aggregates = Aggregates::new();
        aggregates.update(&Columns::new().with("x", column).into_batch("test").unwrap());
        aggregates
    }

    #[test]
    fn the_population_deviation_of_a_textbook_sample() {
        // Mean 5 and population standard deviation exactly 2.
        let all = aggregated(vec![2.0_f32, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0])
            .get("x")
            .unwrap();
        assert_eq!((all.count, all.mean, all.std), (8, Some(5.0), Some(2.0)));
        assert_eq!((all.min, all.max), (Some(2.0), Some(9.0)));
    }

    #[test]
    fn nan_and_infinities_are_counted_apart() {
        let values = vec![
            Some(1.0_f64),
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
            Some(3.0),
        ];
        let all = aggregated(values).get("x").unwrap();
        assert_eq!((all.count, all.nan_count, all.inf_count), (2, 1, 2));
        assert_eq!(
            (all.mean, all.min, all.max, all.std),
            (Some(2.0), Some(1.0), Some(3.0), Some(1.0))
        );
    }

    #[test]
    fn a_column_without_finite_values_has_no_average() {
        let nans = aggregated(vec![f32::NAN, f32::INFINITY]).scalars("train");
        assert_eq!(
            nans,
            [
                ("train_x_nan_count".to_owned(), 1.0),
                ("train_x_inf_count".to_owned(), 1.0)
            ]
        );
        assert!(
            aggregated(vec![None::<f32>, None])
                .scalars("train")
                .is_empty()
        );
        assert!(aggregated(Vec::<f32>::new()).scalars("train").is_empty());
    }

    #[test]
    fn integers_and_booleans_have_no_nan_counts() {
        let names = |column: Column| -> Vec<(String, f64)> { aggregated(column).scalars("s") };
        let of = |what: &str, value| (format!("s_x_{what}"), value);
        assert_eq!(
            names(vec![1_i64, 2, 3, 6].into()),
            [
                of("avg", 3.0),
                of("min", 1.0),
                of("max", 6.0),
                of("std", 3.5_f64.sqrt())
            ]
        );
        assert_eq!(
            names(vec![Some(true), Some(false), None].into()),
            [
                of("avg", 0.5),
                of("min", 0.0),
                of("max", 1.0),
                of("std", 0.5)
            ]
        );
    }

    #[test]
    fn ids_categories_strings_and_lists_are_skipped() {
        let columns = Columns::new()
            .with("example_id", Column::from(vec![1_i64]).role(Role::Id))
            .with(
                "predicted",
                Column::from(vec![1_i32]).role(Role::category(["a", "b"])),
            )
            .with("name", vec!["a"])
            .with(
                "embedding",
                Column::embedding(ndarray::arr2(&[[1.0_f32]]).view()),
            )
            .with(
                "confidence",
                Column::from(vec![0.5_f32]).role(Role::Probability),
            );
        let mut aggregates = Aggregates::new();
        aggregates.update(&columns.into_batch("test").unwrap());
        assert_eq!(
            aggregates
                .columns()
                .map(|(name, _)| name)
                .collect::<Vec<_>>(),
            ["confidence"]
        );
    }

    #[test]
    fn a_large_offset_does_not_eat_the_deviation() {
        // Variance of 0, 1, 2, 3 repeated is 1.25; the naive sum of squares loses it at this offset.
        let values: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 4)).collect();
        let mut aggregates = Aggregates::new();
        for chunk in values.chunks(7) {
            aggregates.merge(&aggregated(chunk.to_vec()));
        }
        let std = aggregates.get("x").unwrap().std.unwrap();
        // A mean near 1e9 is known to half a unit in the last place of f64, 6e-8.
        assert!((std - 1.25_f64.sqrt()).abs() < 6e-8, "{std}");
    }

    proptest! {
        #[test]
        fn parts_merge_to_the_whole(
            values in prop::collection::vec(prop_oneof![
                20 => (-1e6_f64..1e6).prop_map(Some),
                1 => Just(None),
                1 => Just(Some(f64::NAN)),
                1 => Just(Some(f64::INFINITY)),
            ], 0..200),
            size in 1_usize..50,
        ) {
            let mut merged = Aggregates::new();
            for chunk in values.chunks(size) {
                merged.merge(&aggregated(chunk.to_vec()));
            }
            let merged = merged.get("x").unwrap_or_default();
            // The definitions, on all values at once.
            let finite: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
            let n = finite.len() as f64;
            prop_assert_eq!(merged.count, finite.len() as u64);
            prop_assert_eq!(merged.nan_count, values.iter().flatten().filter(|v| v.is_nan()).count() as u64);
            prop_assert_eq!(merged.inf_count, values.iter().flatten().filter(|v| v.is_infinite()).count() as u64);
            prop_assert_eq!(merged.min, finite.iter().copied().reduce(f64::min));
            prop_assert_eq!(merged.max, finite.iter().copied().reduce(f64::max));
            if !finite.is_empty() {
                let mean = finite.iter().sum::<f64>() / n;
                let std = (finite.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
                prop_assert!((merged.mean.unwrap() - mean).abs() < 1e-6);
                prop_assert!((merged.std.unwrap() - std).abs() < 1e-6 * (1.0 + std));
            }
        }
    }
}
