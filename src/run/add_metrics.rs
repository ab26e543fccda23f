//! Ready-made columns as one pass.

use super::passes::EXAMPLE_ID;
use super::{MetricsTableWriter, Position, Run, WrittenInfo};
use crate::table::{Column, Columns, Role, Table};
use crate::{Error, Result};

impl Run {
    /// Writes ready-made columns, one row per sample, as one complete pass of a stream.
    ///
    /// Columns without an `example_id` join a table row by row: they need the table, and as many
    /// rows as it has. A second call with the same stream, split and epoch replaces the first for
    /// readers; to write one pass in pieces use [`MetricsTableWriter`].
    ///
    /// # Shapes and units
    /// Every column `[rows]`; `example_id` `[rows]`, 0-based rows of the table, in any order, with
    /// gaps and repeats.
    ///
    /// # Durability
    /// The rows are on the disk when this returns `Ok`; otherwise readers see none of them.
    ///
    /// # Errors
    /// `Shape` when columns differ in length, or have no `example_id` and another number of rows
    /// than the table; `MissingColumn` without `example_id` and table; `ExampleId` for an id beyond
    /// the table; `Schema` when a column changes its type.
    ///
    /// ```
    /// use emberlens::run::{Position, Project};
    /// use emberlens::table::Columns;
    /// let project = Project::open("memory://", "docs")?;
    /// let table = project.create_table("letters", Columns::new().with("letter", vec!["a", "b"]))?;
    /// let run = project.run("cnn").input(&table).start()?;
    /// let columns = Columns::new().with("loss", vec![0.3_f32, 1.7]);
    /// run.add_metrics("default", columns, Some(&table), Some(Position::new("train")))?;
    /// let ids: Vec<i64> = run.reader()?.metrics("default").values("example_id")?;
    /// assert_eq!(ids, [0, 1]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn add_metrics(
        &self,
        stream: &str,
        columns: Columns,
        table: Option<&Table>,
        at: Option<Position>,
    ) -> Result<Vec<WrittenInfo>> {
        let columns = with_example_id(columns, table, stream)?;
        let position = at.unwrap_or_default();
        let mut writer = MetricsTableWriter::new(self)
            .stream(stream)
            .split(&position.split);
        if let Some(epoch) = position.epoch {
            writer = writer.epoch(epoch);
        }
        if let Some(table) = table {
            self.add_input(table)?;
            writer = writer.foreign_table(table);
        }
        if let Err(error) = writer.add_batch(columns) {
            if let Err(second) = writer.abandon(&error.chain()) {
                tracing::warn!(stream, error = %second.chain(), "abandoning a pass failed");
            }
            return Err(error);
        }
        writer.finalize()
    }
}

fn with_example_id(columns: Columns, table: Option<&Table>, stream: &str) -> Result<Columns> {
    let Some(rows) = columns.rows() else {
        return Err(Error::invalid(
            "columns",
            "(none)",
            format!("there is nothing to write to stream `{stream}`"),
            "add at least one column",
        ));
    };
    if columns.get(EXAMPLE_ID).is_some() {
        return Ok(columns);
    }
    let Some(table) = table else {
        return Err(Error::MissingColumn {
            column: EXAMPLE_ID.to_owned(),
            place: format!("stream `{stream}`, which joins no table: give it, or the table"),
            available: columns.names().collect::<Vec<_>>().join(", "),
        });
    };
    let table_rows = usize::try_from(table.row_count()).unwrap_or(usize::MAX);
    if rows != table_rows {
        return Err(Error::Shape {
            column: columns.names().next().unwrap_or_default().to_owned(),
            expected: table_rows,
            found: rows,
            place: format!(
                "stream `{stream}` joins table `{}` row by row; give `example_id` to join other rows",
                table.name()
            ),
        });
    }
    let ids: Vec<i64> = (0_i64..).take(rows).collect();
    let mut all = Columns::new().with(EXAMPLE_ID, Column::from(ids).role(Role::Id));
    all.extend(columns);
    Ok(all)
}
