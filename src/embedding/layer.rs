//! The rows of one epoch, all splits together.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use ndarray::Array2;

use super::place::Counts;
use super::rows::Rows;
use super::sample::{Bound, Gathered};
use crate::reduce::scramble;
use crate::run::{INSTANCE, KEYS, PassRecord};
use crate::table::values;
use crate::{Error, Result};

/// A sample: its split, id, instance, and which of its rows it is where it was drawn repeatedly.
pub(super) type Key = (String, i64, i64, u32);

/// The rows of one epoch.
pub(super) struct Layer {
    /// Keys of all rows that have an embedding, and whether it is finite.
    pub(super) batches: Vec<(RecordBatch, Vec<bool>)>,
    /// Which sample each finite row is.
    pub(super) keys: Vec<Key>,
    /// The finite rows, `[rows, width]`.
    pub(super) embeddings: Array2<f32>,
    pub(super) counts: Counts,
    /// The error for the first row that is not finite.
    pub(super) not_finite: Option<Error>,
}

impl Layer {
    /// Reads the rows of these passes.
    pub(super) fn read(
        batches: impl Iterator<Item = Result<Rows>>,
        passes: &[PassRecord],
        what: &str,
    ) -> Result<Self> {
        let wanted = |pass: &Option<String>| {
            let mut ids = passes.iter().map(|pass| Some(pass.pass_id.as_str()));
            ids.any(|id| id == pass.as_deref())
        };
        let mut gathered = Gathered::new(what, passes.iter().map(|pass| pass.rows).sum());
        let mut seen = HashMap::new();
        let (mut all, mut keys, mut not_finite) = (Vec::new(), Vec::new(), None);
        let mut counts = Counts::default();
        for batch in batches {
            let mut rows = batch?;
            counts.without += rows.without.iter().filter(|pass| wanted(pass)).count() as u64;
            let chosen: Vec<bool> = rows.passes()?.iter().map(wanted).collect();
            if chosen.contains(&false) {
                rows = rows.only(&chosen)?;
            }
            for (row, key) in keys_of(&rows.keys, &mut seen)?.into_iter().enumerate() {
                if rows.finite[row] {
                    gathered.push(keys.len() as u64, rows.embeddings.row(row))?;
                    keys.push(key);
                } else {
                    counts.not_finite += 1;
                    not_finite.get_or_insert_with(|| rows.not_finite(row, what));
                }
            }
            all.push((rows.keys, rows.finite));
        }
        counts.rows = keys.len() as u64;
        Ok(Self {
            batches: all,
            keys,
            embeddings: gathered.finish()?.0,
            counts,
            not_finite,
        })
    }

    /// The finite rows to fit: all, or those of a sample that is the same in every epoch.
    pub(super) fn chosen(&self, bound: Option<Bound>) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.keys.len()).collect();
        if let Some(bound) = bound
            && bound.rows < rows.len()
        {
            rows.sort_by_cached_key(|&row| (score(bound.seed, &self.keys[row]), row));
            rows.truncate(bound.rows);
            rows.sort_unstable();
        }
        rows
    }
}

/// A random number that goes with the sample, whatever the epoch.
fn score(seed: u64, (split, id, instance, draw): &Key) -> u64 {
    let split = split
        .bytes()
        .fold(seed, |hash, byte| scramble(hash ^ u64::from(byte)));
    let numbers = [
        id.cast_unsigned(),
        instance.cast_unsigned(),
        u64::from(*draw),
    ];
    numbers
        .into_iter()
        .fold(split, |hash, number| scramble(hash ^ number))
}

/// Which sample every row is.
fn keys_of(keys: &RecordBatch, seen: &mut HashMap<(String, i64, i64), u32>) -> Result<Vec<Key>> {
    let [example_id, split, _, _] = KEYS;
    let ids = values::<Option<i64>>(keys, example_id)?;
    let splits = values::<Option<String>>(keys, split)?;
    let instances = match keys.column_by_name(INSTANCE) {
        Some(_) => values::<Option<i64>>(keys, INSTANCE)?,
        None => vec![None; keys.num_rows()],
    };
    let rows = splits.into_iter().zip(ids).zip(instances);
    let keys = rows.map(|((split, id), instance)| {
        let split = split.unwrap_or_default();
        let (id, instance) = (id.unwrap_or(-1), instance.unwrap_or_default());
        let draws = seen.entry((split.clone(), id, instance)).or_default();
        *draws += 1;
        (split, id, instance, *draws)
    });
    Ok(keys.collect())
}
