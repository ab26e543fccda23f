//! The entries that a commit writes to the log about its files.

use std::sync::Arc;

use arrow_array::builder::{MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{Array, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Schema};

use super::append::DataFile;
use crate::{Error, Result};

/// The Delta `add` actions of `files`: path, partition values, size, time, statistics.
pub(super) fn add_actions(files: &[DataFile]) -> Result<RecordBatch> {
    let mut rows = Vec::with_capacity(files.len());
    for file in files {
        rows.push(add_action(file)?);
    }
    let Some(first) = rows.first() else {
        return Err(Error::invalid(
            "files",
            0,
            "a commit holds at least one file",
            "write rows first",
        ));
    };
    // Statistics differ in shape from file to file (a column with NaN has no minimum).
    if rows.iter().all(|row| row.schema() == first.schema()) {
        return arrow_select::concat::concat_batches(&first.schema(), &rows).map_err(action_error);
    }
    // Bounds that all files have are kept: they tell which files hold the rows of a pass.
    let mut common = files.iter().map(DataFile::bounded);
    let first = common.next().unwrap_or_default();
    let common = common.fold(first, |common, own| &common & &own);
    let rows: Result<Vec<_>> = files
        .iter()
        .map(|file| add_action(&file.with_bounds_of(&common)))
        .collect();
    let rows = rows?;
    let schema = rows
        .first()
        .map(RecordBatch::schema)
        .unwrap_or_else(|| Arc::new(Schema::empty()));
    arrow_select::concat::concat_batches(&schema, &rows).map_err(action_error)
}

fn add_action(file: &DataFile) -> Result<RecordBatch> {
    let names = MapFieldNames {
        entry: "key_value".into(),
        key: "key".into(),
        value: "value".into(),
    };
    let mut partitions = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    partitions.append(true).map_err(action_error)?;
    let partitions = partitions.finish();
    let stats: StructArray = file.stats().map_err(action_error)?;
    let schema = Schema::new(vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("partitionValues", partitions.data_type().clone(), false),
        Field::new("size", DataType::Int64, false),
        Field::new("modificationTime", DataType::Int64, false),
        Field::new("stats", stats.data_type().clone(), true),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(vec![file.name.clone()])),
            Arc::new(partitions),
            Arc::new(Int64Array::from(vec![
                i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
            ])),
            Arc::new(Int64Array::from(vec![file.modified_ms])),
            Arc::new(stats),
        ],
    )
    .map_err(action_error)
}

fn action_error(error: arrow_schema::ArrowError) -> Error {
    Error::storage("describe the written files", "Delta log entry", error)
}

/// The statistics struct that the Delta protocol names ("Per-file Statistics").
pub(super) fn stats_struct(
    rows: u64,
    nulls: Vec<(Field, Arc<dyn Array>)>,
    minima: Vec<(Field, Arc<dyn Array>)>,
    maxima: Vec<(Field, Arc<dyn Array>)>,
) -> Result<StructArray, arrow_schema::ArrowError> {
    let mut members: Vec<(Arc<Field>, Arc<dyn Array>)> = Vec::new();
    let rows = Int64Array::from(vec![i64::try_from(rows).unwrap_or(i64::MAX)]);
    members.push((
        Arc::new(Field::new("numRecords", DataType::Int64, true)),
        Arc::new(rows),
    ));
    for (name, columns) in [
        ("nullCount", nulls),
        ("minValues", minima),
        ("maxValues", maxima),
    ] {
        if columns.is_empty() {
            continue;
        }
        let (fields, arrays): (Vec<Field>, Vec<_>) = columns.into_iter().unzip();
        let group = StructArray::try_new(fields.into(), arrays, None)?;
        let field = Field::new(name, group.data_type().clone(), true);
        members.push((Arc::new(field), Arc::new(group)));
    }
    let tight = Field::new("tightBounds", DataType::Boolean, true);
    members.push((Arc::new(tight), Arc::new(BooleanArray::from(vec![true]))));
    Ok(StructArray::from(members))
}
