//! Describing an edit, looking at it, and committing it.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

use super::apply::{Assignment, Selected, selected};
use super::change::CellChange;
use super::details::{Details, Told};
use super::kind::ColumnKind;
use super::rewrite::{Purpose, Rewritten, rewrite};
use super::value::{Value, array_of};
use crate::table::Table;
use crate::table::check::stored_schema;
use crate::table::column_names;
use crate::table::select::EXAMPLE_ID;
use crate::{Error, Result};

/// An edit of a table: which cells become what, by whom and why; made by [`Table::edit`].
///
/// Nothing happens before [`Edit::commit`]. Of several values for one cell the last counts.
///
/// ```
/// use emberlens::{storage::Location, table::{Column, ColumnKind, Columns, Role, Table}};
/// let folder = Location::open("memory://")?.join("tables");
/// let label = Column::from(vec![0_i32, 1, 1]).role(Role::category(["cat", "dog"]));
/// let first = Table::create(&folder, "pets", Columns::new().with("label", label))?;
///
/// let edit = first.edit().set("label", [2], "cat").add_column("tag", ColumnKind::String);
/// assert_eq!(edit.preview()?.changes[0].row, 2);
/// let second = edit.author("ann").note("a kitten").commit()?.table;
/// assert_eq!(second.revision(), 1);
/// assert_eq!(second.column::<i32>("label")?, [0, 1, 0]);
/// assert_eq!(second.revisions()?[1].note.as_deref(), Some("a kitten"));
/// assert_eq!(second.at_revision(0)?.column::<i32>("label")?, [0, 1, 1]);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[must_use = "nothing is changed before `commit`"]
#[derive(Clone, Debug)]
pub struct Edit {
    table: Table,
    added: Vec<(String, ColumnKind)>,
    sets: Vec<Set>,
    details: Details,
}

/// What an edit does to a column.
#[derive(Clone, Debug)]
struct Set {
    column: String,
    which: Which,
}

#[derive(Clone, Debug)]
enum Which {
    /// One value for these rows, or for all.
    One(Option<Vec<u64>>, Value),
    Each(Vec<(u64, Value)>),
    /// One value for the rows that a filter takes.
    Filtered(String, Value),
    /// Arrays that another revision has.
    Arrays(Assignment),
}

/// What an edit would do.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Preview {
    /// The cells that would change, file by file in the order of the rows.
    pub changes: Vec<CellChange>,
    /// Rows with such a cell.
    pub rows: u64,
    /// Rows that are meant, also those whose cells hold their value already.
    pub selected: u64,
    /// Columns with such a cell, and how many; columns that would be added are among them.
    pub columns: Vec<(String, u64)>,
    /// The revision that the edit was made for.
    pub parent: u64,
}

/// What an edit did.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Edited {
    /// The table at the new revision; at the old one where nothing was to change.
    pub table: Table,
    /// Rows with a changed cell.
    pub rows: u64,
    /// Columns with a changed cell, and how many; columns that were added are among them.
    pub columns: Vec<(String, u64)>,
    /// Whether there is a new revision: not when every cell held its value already.
    pub is_new: bool,
}

impl Table {
    /// Begins an edit of this revision. It is committed as the next one, and fails with a conflict when
    /// there is a next one by then.
    pub fn edit(&self) -> Edit {
        Edit {
            table: self.clone(),
            added: Vec::new(),
            sets: Vec::new(),
            details: Details {
                told: Told {
                    operation: "edit".into(),
                    parent: Some(self.revision()),
                    ..Told::default()
                },
                note: None,
            },
        }
    }
}

impl Edit {
    /// Sets a column to one value in these rows (0-based, the `example_id`).
    pub fn set(
        self,
        column: &str,
        rows: impl IntoIterator<Item = u64>,
        value: impl Into<Value>,
    ) -> Self {
        let rows = Some(rows.into_iter().collect());
        self.with(column, Which::One(rows, value.into()))
    }

    /// Sets a column to one value in all rows.
    pub fn set_all(self, column: &str, value: impl Into<Value>) -> Self {
        self.with(column, Which::One(None, value.into()))
    }

    /// Sets a column to a value of its own in each of these rows.
    pub fn set_each<V: Into<Value>>(
        self,
        column: &str,
        values: impl IntoIterator<Item = (u64, V)>,
    ) -> Self {
        let values = values.into_iter().map(|(row, value)| (row, value.into()));
        let values = values.collect();
        self.with(column, Which::Each(values))
    }

    pub(in crate::table) fn set_filtered(self, column: &str, value: Value, filter: String) -> Self {
        self.with(column, Which::Filtered(filter, value))
    }

    /// Adds a column that the table lacks: null in every row, and 1 for weights.
    pub fn add_column(mut self, name: &str, kind: ColumnKind) -> Self {
        self.added.push((name.to_owned(), kind));
        self
    }

    /// Who makes the edit; the library asks nobody for a name.
    pub fn author(mut self, author: impl Into<String>) -> Self {
        self.details.told.author = Some(author.into());
        self
    }

    /// Why it is made.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.details.note = Some(note.into());
        self
    }

    /// What the edit would do; nothing is written.
    ///
    /// # Memory
    /// One file and its rows, and all changes.
    ///
    /// # Errors
    /// As [`Edit::commit`]; a conflict as the table is now.
    pub fn preview(&self) -> Result<Preview> {
        let (schema, assignments) = self.resolve()?;
        self.check_latest()?;
        let mut changes = Vec::new();
        let see = &mut |change| changes.push(change);
        let looked = self.rewrite(&schema, &assignments, Purpose::Look, see)?;
        Ok(Preview {
            changes,
            rows: looked.rows,
            selected: selected(&assignments, self.table.row_count()),
            columns: self.columns(&schema, &looked),
            parent: self.table.revision(),
        })
    }

    /// Makes the edit: files with a changed row are written anew, and a new revision names them. Without
    /// a cell that differs and without a new column there is none.
    ///
    /// # Memory and durability
    /// One file and its rows. When it returns, the revision is synced; before that, and after an error,
    /// the table is as it was.
    ///
    /// # Errors
    /// `Conflict` when the table has a later revision than the one that the edit was made for; `Invalid`
    /// for a column or row that the table does not have, a value that a column does not take (a class
    /// out of range, a negative weight), or a column that edits do not set (ids, images, embeddings,
    /// lists); `Corrupt` names a damaged file.
    pub fn commit(mut self) -> Result<Edited> {
        let (schema, assignments) = self.resolve()?;
        self.check_latest()?;
        let rewritten = self.rewrite(&schema, &assignments, Purpose::Write, &mut |_| {})?;
        let columns = self.columns(&schema, &rewritten);
        if columns.is_empty() {
            return Ok(Edited {
                rows: 0,
                columns,
                is_new: false,
                table: self.table,
            });
        }
        self.details.told.columns = columns.iter().map(|(name, _)| name.clone()).collect();
        self.details.told.rows = Some(rewritten.rows);
        let snapshot = self.table.snapshot();
        let version =
            self.table
                .delta()
                .commit_edit(snapshot, &schema, &rewritten, &self.details)?;
        // What this handle committed it knows, whatever listings show.
        let latest = self.table.delta().latest()?;
        let table = match latest.version() == version {
            true => Table::new(
                self.table.name().to_owned(),
                self.table.delta().clone(),
                latest,
            )?,
            false => self.table.at_revision(version)?,
        };
        Ok(Edited {
            table,
            rows: rewritten.rows,
            columns,
            is_new: true,
        })
    }

    /// Sets cells to what arrays of the same type hold, and says that this undoes a revision.
    pub(in crate::table) fn undoing(mut self, revision: u64, cells: Vec<Assignment>) -> Self {
        self.details.told.operation = "undo".into();
        self.details.told.undoes = Some(revision);
        for cells in cells {
            let column = cells.column;
            let name = self.table.schema().field(column).name().clone();
            self = self.with(&name, Which::Arrays(cells));
        }
        self
    }

    fn with(mut self, column: &str, which: Which) -> Self {
        let column = column.to_owned();
        self.sets.push(Set { column, which });
        self
    }

    /// Whether there is no later revision yet.
    fn check_latest(&self) -> Result<()> {
        let (delta, own) = (self.table.delta(), self.table.revision());
        match delta.latest()?.version() > own {
            true => Err(delta.moved_on(own)),
            false => Ok(()),
        }
    }

    fn rewrite(
        &self,
        schema: &SchemaRef,
        assignments: &[Assignment],
        purpose: Purpose,
        see: &mut dyn FnMut(CellChange),
    ) -> Result<Rewritten> {
        let (delta, snapshot) = (self.table.delta(), self.table.snapshot());
        rewrite(delta, snapshot, schema, assignments, purpose, see)
    }

    /// Checks the edit: the schema that the table will have, and the cells to set.
    fn resolve(&self) -> Result<(SchemaRef, Vec<Assignment>)> {
        self.details.check()?;
        if self.sets.is_empty() && self.added.is_empty() {
            let hint = "set a column, or add one";
            return Err(Error::invalid(
                "edit",
                "nothing",
                "it changes no cell",
                hint,
            ));
        }
        let schema = self.schema()?;
        let mut assignments = Vec::with_capacity(self.sets.len());
        for (name, kind) in &self.added {
            if let (Some(value), Ok(column)) = (kind.at_first(), schema.index_of(name)) {
                let values = array_of(&[value], schema.field(column))?;
                let rows = Selected::All;
                assignments.push(Assignment {
                    column,
                    rows,
                    values,
                });
            }
        }
        for set in &self.sets {
            assignments.push(self.assignment(set, &schema)?);
        }
        Ok((schema, assignments))
    }

    fn schema(&self) -> Result<SchemaRef> {
        let own = self.table.schema();
        if self.added.is_empty() {
            return Ok(Arc::clone(own));
        }
        let mut fields: Vec<_> = own.fields().iter().cloned().collect();
        for (name, kind) in &self.added {
            if name.eq_ignore_ascii_case(EXAMPLE_ID) {
                return Err(Error::invalid(
                    "column",
                    name,
                    "every row has one: its place, counted from 0",
                    "choose another name",
                ));
            }
            fields.push(Arc::new(kind.field(name)?));
        }
        stored_schema(&Schema::new(fields), &self.place())
    }

    fn place(&self) -> String {
        format!("table `{}`", self.table.name())
    }

    fn assignment(&self, set: &Set, schema: &SchemaRef) -> Result<Assignment> {
        let found = schema.fields().find(&set.column);
        let Some((column, field)) = found else {
            return Err(Error::MissingColumn {
                column: set.column.clone(),
                place: self.place(),
                available: column_names(schema),
            });
        };
        let (rows, values) = match &set.which {
            Which::Arrays(cells) => return Ok(cells.clone()),
            Which::One(None, value) => {
                (Selected::All, array_of(std::slice::from_ref(value), field)?)
            }
            Which::One(Some(rows), value) => {
                let mut rows = rows.clone();
                rows.sort_unstable();
                rows.dedup();
                (
                    Selected::Rows(rows.into()),
                    array_of(std::slice::from_ref(value), field)?,
                )
            }
            Which::Filtered(filter, value) => {
                let values = array_of(std::slice::from_ref(value), field)?;
                (
                    Selected::Rows(self.table.rows_where(filter)?.into()),
                    values,
                )
            }
            Which::Each(values) => {
                let mut values: Vec<&(u64, Value)> = values.iter().rev().collect();
                // Stable, and the last one came first: it is the one that stays.
                values.sort_by_key(|(row, _)| *row);
                values.dedup_by_key(|(row, _)| *row);
                let rows: Vec<u64> = values.iter().map(|(row, _)| *row).collect();
                let values: Vec<Value> =
                    values.into_iter().map(|(_, value)| value.clone()).collect();
                (Selected::Rows(rows.into()), array_of(&values, field)?)
            }
        };
        let last = match &rows {
            Selected::Rows(rows) => rows.last().copied(),
            Selected::All => None,
        };
        match last {
            Some(row) if row >= self.table.row_count() => Err(Error::invalid(
                "row",
                row,
                format!("{} has {} rows", self.place(), self.table.row_count()),
                "rows are counted from 0",
            )),
            _ => Ok(Assignment {
                column,
                rows,
                values,
            }),
        }
    }

    fn columns(&self, schema: &Schema, done: &Rewritten) -> Vec<(String, u64)> {
        let fields = schema.fields().iter().enumerate();
        let told = fields.filter_map(|(place, field)| {
            let cells = done.cells.get(&place).copied();
            let is_added = place >= self.table.schema().fields().len();
            let cells = cells.or(is_added.then_some(0))?;
            Some((field.name().clone(), cells))
        });
        told.collect()
    }
}
