//! New tables from columns, batches and map-style datasets, and more rows for old ones.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use ulid::Ulid;

use super::append::FileWriter;
use super::check::{BatchCheck, stored_schema};
use super::chunks::Chunks;
use super::dataset::write_name;
use super::roles::check_roles;
use super::{Columns, DeltaTable, Table};
use crate::storage::{Location, names};
use crate::{Error, Result};

/// How many other writers may append in between before an append gives up.
const MAX_CONFLICTS: u32 = 50;

impl Table {
    /// Creates a table from ready columns, in `folder` (the `tables` folder of a project).
    ///
    /// # Shapes and units
    /// One row per sample; row k is example k.
    ///
    /// # Errors
    /// `AlreadyExists` for a table of that name; `Invalid` for no columns, columns of different
    /// lengths, a name or type that tables do not have, a role that does not fit, embeddings of
    /// another width than their role says, or a weight that is null, negative, NaN or infinite (with
    /// its row).
    pub fn create(folder: &Location, name: &str, columns: Columns) -> Result<Self> {
        let batch = columns.into_batch(&place(name))?;
        let schema = batch.schema();
        Self::create_from_batches(folder, name, &schema, std::iter::once(Ok(batch)))
    }

    /// Creates a table from batches of `schema`, one after the other.
    ///
    /// Types that tables do not have are converted where no value is lost (unsigned integers,
    /// dictionaries, large strings, fixed-size lists, timestamps to microseconds in UTC).
    ///
    /// # Memory and durability
    /// Batches are encoded as they come. The table appears whole, as revision 0, when the last one is
    /// written and synced; before that, and after an error, there is no table.
    ///
    /// # Errors
    /// As [`Table::create`], and the first error among the batches.
    pub fn create_from_batches(
        folder: &Location,
        name: &str,
        schema: &Schema,
        batches: impl IntoIterator<Item = Result<RecordBatch>>,
    ) -> Result<Self> {
        let location = folder.join(&names::slug(name)?);
        check_free(&location, name)?;
        let schema = stored_schema(schema, &place(name))?;
        let mut check = BatchCheck::new(schema.clone(), &place(name), 0);
        let batches = batches.into_iter().map(|batch| check.check(&batch?));
        let mut writer = FileWriter::starting_at(location.clone(), schema.clone(), 0);
        if let Err(error) = write_all(&mut writer, batches) {
            writer.abandon();
            return Err(error);
        }
        let delta = DeltaTable::create_with(location.clone(), &schema, writer.finish()?)?;
        write_name(&location, name)?;
        let snapshot = delta.snapshot_at(0)?;
        Self::new(name.to_owned(), delta, snapshot)
    }

    /// Creates a table from anything with a length and a way to get row `index`.
    ///
    /// `rows(index)` gives the row of that index, or it and the rows after it: the next call asks for
    /// the first row that is still missing. Names, types and roles are those of the first call.
    ///
    /// # Memory and durability
    /// As [`Table::create_from_batches`]; rows are joined into chunks of 8,192 rows or 32 MiB.
    ///
    /// # Errors
    /// `UserCode` with the index when `rows` fails; `Invalid` when it gives no row, or more rows than
    /// are left, when `len` is 0 (nothing tells the columns then), and as [`Table::create`].
    ///
    /// ```
    /// use emberlens::{storage::Location, table::{Columns, Table}};
    /// let folder = Location::open("memory://")?.join("tables");
    /// let table = Table::from_dataset(&folder, "squares", 4, |index| {
    ///     Ok(Columns::new().with("square", vec![(index * index) as i64]))
    /// })?;
    /// assert_eq!(table.column::<i64>("square")?, [0, 1, 4, 9]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn from_dataset(
        folder: &Location,
        name: &str,
        len: usize,
        rows: impl FnMut(usize) -> Result<Columns>,
    ) -> Result<Self> {
        check_free(&folder.join(&names::slug(name)?), name)?;
        let mut batches = DatasetRows {
            name,
            len,
            next: 0,
            failed: false,
            rows,
        };
        let Some(first) = batches.next() else {
            let hint = "give at least one row, or create the table from a schema and no batches";
            return Err(Error::invalid(
                "len",
                0,
                "an empty dataset has no columns",
                hint,
            ));
        };
        let first = first?;
        let schema = first.schema();
        let mut check = BatchCheck::new(stored_schema(&schema, &place(name))?, &place(name), 0);
        let checked = std::iter::once(Ok(first))
            .chain(batches)
            .map(|rows| check.check(&rows?));
        Self::create_from_batches(folder, name, &schema, Chunks::new(checked))
    }

    /// Appends rows to the latest revision and returns the new one.
    ///
    /// Columns may come in any order; roles are the table's, and columns without one take them: integers
    /// are the indices of the table's classes. The new rows follow those of every earlier revision, so an
    /// `example_id` keeps its meaning.
    ///
    /// # Errors
    /// `Invalid` for a column that is missing, unknown or of another type, role or embedding width, for
    /// one where the table or the rows say how boxes, masks or keypoints are to be read and the other
    /// says nothing, class names for a column that has no role, and bad weights; `Storage` when the store
    /// fails or other writers win again and again.
    pub fn append(&self, columns: Columns) -> Result<Self> {
        let batch = columns.into_batch(&format!("the rows for {}", place(self.name())))?;
        let writer_id = Ulid::new().to_string();
        for _ in 0..MAX_CONFLICTS {
            let latest = self.latest()?;
            let first_row = latest.row_count();
            let schema: SchemaRef = Arc::clone(latest.schema());
            check_roles(&schema, batch.schema_ref(), &place(self.name()))?;
            let batch =
                BatchCheck::new(schema.clone(), &place(self.name()), first_row).check(&batch)?;
            if batch.num_rows() == 0 {
                return Ok(latest);
            }
            // The name of the file holds its place among the files, so a lost race means a new file.
            let location = latest.location().clone();
            let mut writer =
                FileWriter::starting_at(location, schema.clone(), latest.revision() + 1);
            writer.write(&batch)?;
            let files = writer.finish()?;
            let revision = latest.revision();
            if let Some(new) = self
                .delta()
                .commit_after(revision, &writer_id, &files, &schema)?
            {
                return self.at_revision(new);
            }
        }
        Err(Error::storage(
            "append",
            self.url(),
            "other writers appended first every time",
        ))
    }
}

fn place(name: &str) -> String {
    format!("table `{name}`")
}

fn check_free(location: &Location, name: &str) -> Result<()> {
    if !DeltaTable::exists(location)? {
        return Ok(());
    }
    Err(Error::AlreadyExists {
        what: "table",
        name: name.to_owned(),
        hint: "open it, append to it, or choose another name".into(),
        place: location.url(),
    })
}

fn write_all(
    writer: &mut FileWriter,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<()> {
    for batch in batches {
        let batch = batch?;
        if batch.num_rows() > 0 {
            writer.write(&batch)?;
        }
    }
    Ok(())
}

/// The rows of a map-style dataset, as they are given.
struct DatasetRows<'a, F> {
    name: &'a str,
    len: usize,
    next: usize,
    failed: bool,
    rows: F,
}

impl<F: FnMut(usize) -> Result<Columns>> DatasetRows<'_, F> {
    fn rows_from(&mut self, index: usize) -> Result<RecordBatch> {
        let columns = (self.rows)(index).map_err(|error| Error::Dataset {
            split: self.name.to_owned(),
            index,
            source: Box::new(error),
        })?;
        let given = columns.rows().unwrap_or(0);
        if given == 0 || given > self.len - index {
            return Err(Error::invalid(
                "rows",
                format!("{given} rows from index {index}"),
                format!("1 to {} rows are left of {}", self.len - index, self.len),
                "give one row, or a chunk that starts there",
            ));
        }
        self.next = index + given;
        columns.into_batch(&format!("row {index} of {}", place(self.name)))
    }
}

impl<F: FnMut(usize) -> Result<Columns>> Iterator for DatasetRows<'_, F> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.next >= self.len {
            return None;
        }
        let rows = self.rows_from(self.next);
        self.failed = rows.is_err();
        Some(rows)
    }
}
