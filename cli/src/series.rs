//! Scalars arranged for reading: last values, and values by epoch.

use std::collections::BTreeMap;

use emberlens::run::Scalar;
use emberlens::table::export::float_as_json;
use serde_json::{Value, json};

/// Endings of the aggregates of a column, besides `_avg`.
const SPREAD: [&str; 5] = ["_min", "_max", "_std", "_nan_count", "_inf_count"];

/// What a scalar is called among those of its split: `train_loss_avg` of `train` is `loss`.
///
/// `None` for the spread of a column (minimum, counts, ...), which would crowd out its mean.
pub fn short_name(scalar: &Scalar) -> Option<&str> {
    match column_of(scalar) {
        Some(column) if SPREAD.iter().any(|ending| column.ends_with(ending)) => None,
        Some(column) => Some(column.strip_suffix("_avg").unwrap_or(column)),
        None => Some(&scalar.name),
    }
}

/// The name without the prefix of its split; `None` when it has none.
fn column_of(scalar: &Scalar) -> Option<&str> {
    if scalar.split.is_empty() {
        return None;
    }
    scalar
        .name
        .strip_prefix(scalar.split.as_str())?
        .strip_prefix('_')
}

/// The last value of each series, in the order in which the series began.
pub fn last_values(scalars: &[Scalar]) -> Vec<&Scalar> {
    let mut last: Vec<&Scalar> = Vec::new();
    for scalar in scalars {
        match last
            .iter_mut()
            .find(|known| known.name == scalar.name && known.split == scalar.split)
        {
            Some(known) => *known = scalar,
            None => last.push(scalar),
        }
    }
    last
}

/// The series of one split by epoch.
pub struct ByEpoch<'a> {
    /// The split; empty for series without one.
    pub split: &'a str,
    /// Short names, in the order in which the series began.
    pub names: Vec<&'a str>,
    /// Values by epoch, in the order of `names`.
    pub epochs: BTreeMap<i64, Vec<Option<f64>>>,
}

/// Scalars that belong to an epoch, one table a split; of repeated values the last counts.
pub fn by_epoch(scalars: &[Scalar]) -> Vec<ByEpoch<'_>> {
    let mut splits: Vec<ByEpoch<'_>> = Vec::new();
    for scalar in scalars {
        let (Some(epoch), Some(name)) = (scalar.epoch, short_name(scalar)) else {
            continue;
        };
        let place = splits.iter().position(|known| known.split == scalar.split);
        let place = place.unwrap_or_else(|| {
            splits.push(ByEpoch {
                split: &scalar.split,
                names: Vec::new(),
                epochs: BTreeMap::new(),
            });
            splits.len() - 1
        });
        let split = &mut splits[place];
        let column = split.names.iter().position(|known| *known == name);
        let column = column.unwrap_or_else(|| {
            split.names.push(name);
            split.names.len() - 1
        });
        let values = split.epochs.entry(epoch).or_default();
        if values.len() <= column {
            values.resize(column + 1, None);
        }
        values[column] = Some(scalar.value);
    }
    // Series without a split are the odd ones out; the sort keeps the order of the others.
    splits.sort_by_key(|split| split.split.is_empty());
    splits
}

/// Columns that held NaN or infinities, as sentences; the latest epoch of each.
pub fn not_finite(scalars: &[Scalar]) -> Vec<String> {
    let mut found = Vec::new();
    for scalar in last_values(scalars) {
        let Some(name) = column_of(scalar).filter(|_| scalar.value > 0.0) else {
            continue;
        };
        let counted = [("_nan_count", "NaN"), ("_inf_count", "infinite")];
        for (ending, what) in counted {
            if let Some(column) = name.strip_suffix(ending) {
                let epoch = scalar
                    .epoch
                    .map_or(String::new(), |epoch| format!(" at epoch {epoch}"));
                found.push(format!(
                    "{} {column}{epoch}: {} {what}",
                    scalar.split, scalar.value
                ));
            }
        }
    }
    found
}

/// One scalar for programs.
pub fn as_json(scalar: &Scalar) -> Value {
    json!({
        "name": scalar.name,
        "split": scalar.split,
        "epoch": scalar.epoch,
        "iteration": scalar.iteration,
        "step": scalar.step,
        "value": float_as_json(scalar.value),
        "wall_time_us": scalar.wall_time_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(name: &str, split: &str, epoch: Option<i64>, value: f64) -> Scalar {
        Scalar {
            name: name.into(),
            split: split.into(),
            epoch,
            iteration: None,
            step: None,
            value,
            wall_time_us: 0,
            rank: None,
        }
    }

    #[test]
    fn aggregates_go_by_their_column_and_others_by_their_name() {
        let short = |name, split| short_name(&scalar(name, split, None, 0.0)).map(str::to_owned);
        assert_eq!(short("train_loss_avg", "train").as_deref(), Some("loss"));
        assert_eq!(short("train_loss_max", "train"), None);
        assert_eq!(short("loss_max", "train").as_deref(), Some("loss_max"));
        assert_eq!(
            short("train_loss_avg", "").as_deref(),
            Some("train_loss_avg")
        );
    }

    #[test]
    fn epochs_are_rows_and_missing_values_stay_open() {
        let scalars = [
            scalar("rate", "", Some(0), 0.1),
            scalar("train_loss_avg", "train", Some(1), 0.5),
            scalar("train_loss_avg", "train", Some(0), 1.0),
            scalar("train_loss_avg", "train", Some(0), 2.0),
            scalar("train_accuracy_avg", "train", Some(1), 0.9),
            scalar("step only", "", None, 0.1),
        ];
        let splits = by_epoch(&scalars);
        assert_eq!([splits[0].split, splits[1].split], ["train", ""]);
        assert_eq!(splits[0].names, ["loss", "accuracy"]);
        assert_eq!(splits[0].epochs[&0], [Some(2.0)]);
        assert_eq!(splits[0].epochs[&1], [Some(0.5), Some(0.9)]);
    }

    #[test]
    fn lost_values_are_told() {
        let scalars = [
            scalar("valid_loss_nan_count", "valid", Some(2), 3.0),
            scalar("valid_loss_inf_count", "valid", Some(2), 0.0),
        ];
        assert_eq!(not_finite(&scalars), ["valid loss at epoch 2: 3 NaN"]);
    }
}
