//! The samples that a filter over a table and the metrics of a pass takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_select::take::take;

use super::passes::EXAMPLE_ID;
use super::{Metrics, PassRecord};
use crate::filter::{Filter, FilterColumn};
use crate::storage::Location;
use crate::table::{Table, filter_columns, values};
use crate::{Error, Result};

/// The name by which a filter tells columns of the metrics from those of the table.
const METRICS: &str = "metrics";
/// What stands before them where the table itself has that name.
const RUN: &str = "run";

impl Metrics<'_> {
    /// The rows of a table of which a [filter](crate::filter) is true, in rising order. The filter may
    /// name the table's columns and those of these metrics, joined by `example_id`; of a column that both
    /// have the name alone means the table's, and `metrics.label` the other (`run.label` where the table
    /// itself is called `metrics`).
    ///
    /// Rows without metrics are not taken; a row with several is when the filter is true of one.
    ///
    /// ```
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::Columns;
    /// let project = Project::open("memory://", "docs")?;
    /// let table = project.create_table("t", Columns::new().with("label", vec![0_i64, 1, 1]))?;
    /// let run = project.run("cnn").start()?;
    /// let columns = Columns::new()
    ///     .with("example_id", vec![0_i64, 1, 2])
    ///     .with("predicted", vec![0_i64, 0, 0])
    ///     .with("loss", vec![0.1_f32, 1.5, 3.5]);
    /// run.add_metrics("default", columns, Some(&table), Some(Position::new("train").epoch(7)))?;
    /// let reader = run.reader()?;
    /// let metrics = reader.metrics("default").split("train").epoch(7);
    /// let rows = metrics.rows_where(&table, "loss > 2 AND predicted <> label")?;
    /// assert_eq!(rows, [2]);
    /// let edit = table.edit().set("label", rows, 0).commit()?;
    /// assert_eq!(edit.table.column::<i64>("label")?, [0, 1, 0]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Memory
    /// The table's columns that the filter names, a bounded batch of metrics, and the rows.
    ///
    /// # Errors
    /// `NotFound` when no complete pass is meant; `Invalid` for a pass that was not joined to this table;
    /// `Filter`, with the place in its text, for a filter that does not fit; and as
    /// [`Metrics::batches`].
    pub fn rows_where(&self, table: &Table, filter: &str) -> Result<Vec<u64>> {
        let passes = self.passes();
        if passes.is_empty() {
            return Err(self.no_pass());
        }
        for pass in &passes {
            self.check_joined(pass, table)?;
        }
        let of_table = table.filter_columns();
        let mut of_metrics = filter_columns(METRICS, self.batches()?.schema());
        if table.name().to_lowercase() == METRICS {
            // `metrics.loss` may mean either then, and is an error that names these.
            of_metrics.extend(filter_columns(RUN, self.batches()?.schema()));
        }
        let columns: Vec<FilterColumn> = of_table.iter().chain(&of_metrics).cloned().collect();
        let filter = Filter::parse(filter, &columns)?;
        let (own, theirs): (Vec<usize>, Vec<usize>) = filter
            .columns()
            .iter()
            .partition(|&&place| place < of_table.len());

        let names = own
            .iter()
            .filter_map(|&place| table.schema().fields().get(place));
        let names: Vec<&str> = names.map(|field| field.name().as_str()).collect();
        let held = table.snapshot().read(Some(&names))?;
        let mut names = vec![EXAMPLE_ID];
        for &place in &theirs {
            let name = columns.get(place).map_or("", FilterColumn::name);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut rows = BTreeSet::new();
        for batch in self.clone().columns(&names).batches()? {
            let batch = batch?;
            let ids = row_ids(&batch, table)?;
            let joined = |place: usize, column: &FilterColumn| match place + 1 {
                own if own < of_table.len() => self.of_rows(&held, column, &ids),
                index if index == of_table.len() => Ok(Some(Arc::new(ids.clone()) as ArrayRef)),
                _ => Ok(batch.column_by_name(column.name()).cloned()),
            };
            let arrays = columns.iter().enumerate();
            let arrays = arrays.map(|(place, column)| joined(place, column));
            let arrays = arrays.collect::<Result<Vec<_>>>()?;
            let found = filter.evaluate(&arrays, batch.num_rows())?;
            let taken = ids.values().iter().zip(&found);
            let taken = taken.filter(|(_, found)| *found == Some(true));
            rows.extend(taken.map(|(id, _)| id.unsigned_abs()));
        }
        Ok(rows.into_iter().collect())
    }

    /// A column of the table for these rows of it; `None` for one that the filter does not name.
    fn of_rows(
        &self,
        held: &RecordBatch,
        column: &FilterColumn,
        ids: &Int64Array,
    ) -> Result<Option<ArrayRef>> {
        match held.column_by_name(column.name()) {
            Some(array) => take(array, ids, None)
                .map(Some)
                .map_err(|error| Error::storage("join a table", self.place(), error)),
            None => Ok(None),
        }
    }

    fn check_joined(&self, pass: &PassRecord, table: &Table) -> Result<()> {
        let is_this = match &pass.table {
            None => false,
            Some(input) => is_same_place(&self.reader().input_location(input)?, table.location()),
        };
        if is_this {
            return Ok(());
        }
        let joined = match &pass.table {
            Some(input) => format!(
                "it was joined to the table `{}` ({})",
                input.name, input.url
            ),
            None => "it was joined to no table, so nothing tells whose rows it numbers".to_owned(),
        };
        Err(Error::invalid(
            "table",
            table.url(),
            format!("the pass {} is not of this table: {joined}", pass.pass_id),
            "name the table that the pass was collected on",
        ))
    }

    fn no_pass(&self) -> Error {
        let passes = self.reader().passes(self.stream());
        let mut known: Vec<String> = passes
            .iter()
            .map(|pass| match pass.epoch {
                Some(epoch) => format!("{} {epoch}", pass.split),
                None => pass.split.clone(),
            })
            .collect();
        known.dedup();
        Error::NotFound {
            what: "complete pass",
            name: self.stream().to_owned(),
            hint: match known.is_empty() {
                true => "the stream has none".into(),
                false => format!("by split and epoch there are: {}", known.join(", ")),
            },
            place: self.place(),
        }
    }

    fn place(&self) -> String {
        self.reader().url()
    }
}

/// Whether both are one folder: of local ones by whatever links.
pub(super) fn is_same_place(one: &Location, other: &Location) -> bool {
    let real = |place: &Location| place.local_path()?.canonicalize().ok();
    one.url() == other.url() || real(one).is_some_and(|one| Some(one) == real(other))
}

/// The rows of the table that a batch is about.
fn row_ids(batch: &RecordBatch, table: &Table) -> Result<Int64Array> {
    let ids = values::<i64>(batch, EXAMPLE_ID)?;
    let is_there = |id: i64| u64::try_from(id).is_ok_and(|id| id < table.row_count());
    match ids.iter().position(|&id| !is_there(id)) {
        None => Ok(Int64Array::from(ids)),
        Some(row) => Err(Error::ExampleId {
            value: ids[row],
            row,
            rows: table.row_count(),
            table: table.url(),
        }),
    }
}
