//! Labels of ranked samples, from the tables that their passes join to.

use std::collections::BTreeMap;

use serde_json::Value;

use super::RankedSample;
use super::ranker::{Classes, LABEL};
use crate::Result;
use crate::run::{InputTable, PassRecord, RunReader};

/// The parameter with the name of the tables' label column, where it is not `label`.
const LABEL_COLUMN: &str = "collection.label_column";

/// Fills in the label of every sample whose split joins to a table with the label column.
///
/// # Errors
/// `NotFound` or `Storage` when such a table cannot be read; samples filled before keep theirs.
pub(super) fn of_joined_tables(
    reader: &RunReader,
    passes: &[PassRecord],
    samples: &mut [RankedSample],
) -> Result<()> {
    let mut tables: BTreeMap<&str, &InputTable> = BTreeMap::new();
    for pass in passes {
        if let Some(table) = &pass.table {
            tables.insert(&pass.split, table);
        }
    }
    let named = reader.parameters().get(LABEL_COLUMN);
    let column = named.and_then(Value::as_str).unwrap_or(LABEL);
    for (split, input) in tables {
        let table = reader.input_table(input)?;
        if table.schema().column_with_name(column).is_none() {
            continue;
        }
        let batch = table.snapshot().read(Some(&[column]))?;
        let Some(labels) = Classes::of(&batch, column)? else {
            continue;
        };
        for sample in samples.iter_mut().filter(|sample| sample.split == split) {
            let row = usize::try_from(sample.example_id).ok();
            let row = row.filter(|row| *row < batch.num_rows());
            sample.label = row.and_then(|row| labels.at(row));
        }
    }
    Ok(())
}
