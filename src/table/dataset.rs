//! Input datasets: named tables, their revisions, and reading them.

use arrow_array::{Array, ArrayRef};
use arrow_schema::SchemaRef;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::check::as_f64;
use super::schema::{self, Role};
use super::values::{self, ColumnValue, Place};
use super::{DeltaTable, Snapshot, embedding};
use crate::sampling::Weights;
use crate::storage::Location;
use crate::{Error, Result};

/// The name that a table was given, beside its log where the slug of its folder lost some of it.
/// Delta readers and their clean-up leave files that start with `_` alone.
const NAME_FILE: &str = "_emberlens.json";

/// An input dataset at one revision: a Delta table whose row index is the `example_id`.
///
/// A table is a value: what it reads stays the same whatever is appended later. [`Table::append`]
/// returns the next revision; [`Table::at_revision`] goes back.
///
/// ```
/// use emberlens::{storage::Location, table::{Columns, Role, Column, Table}};
/// let folder = Location::open("memory://")?.join("tables");
/// let columns = Columns::new()
///     .with("x", vec![0.5_f32, 1.5])
///     .with("label", Column::from(vec![0_i32, 1]).role(Role::category(["cat", "dog"])));
/// let first = Table::create(&folder, "pets", columns)?;
/// let second = first.append(Columns::new().with("x", vec![2.5_f32]).with("label", vec![1]))?;
/// assert_eq!(second.column::<f32>("x")?, [0.5, 1.5, 2.5]);
/// assert_eq!(second.at_revision(first.revision())?.row_count(), 2);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone)]
pub struct Table {
    name: String,
    delta: DeltaTable,
    snapshot: Snapshot,
    row_count: u64,
}

#[derive(Serialize, Deserialize)]
struct TableName {
    name: String,
}

impl Table {
    /// Opens the latest revision of the table in that folder.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn open(location: Location) -> Result<Self> {
        let delta = DeltaTable::open(location)?;
        let snapshot = delta.snapshot()?;
        let name = read_name(delta.location())?;
        Self::new(name, delta, snapshot)
    }

    /// Opens the latest revision of the table at a path or URL.
    ///
    /// # Errors
    /// `Invalid` for an address of another form, `NotFound` when there is no table.
    pub fn open_url(url: &str) -> Result<Self> {
        Self::open(Location::open(url)?)
    }

    pub(super) fn new(name: String, delta: DeltaTable, snapshot: Snapshot) -> Result<Self> {
        Ok(Self {
            row_count: snapshot.row_count()?,
            name,
            delta,
            snapshot,
        })
    }

    /// The same table at another revision, older or newer.
    ///
    /// # Errors
    /// `NotFound` for a revision that does not exist.
    pub fn at_revision(&self, revision: u64) -> Result<Self> {
        let snapshot = self.delta.snapshot_at(revision)?;
        Self::new(self.name.clone(), self.delta.clone(), snapshot)
    }

    /// The same table at its latest revision, with what others appended meanwhile.
    pub fn latest(&self) -> Result<Self> {
        let snapshot = self.delta.snapshot()?;
        Self::new(self.name.clone(), self.delta.clone(), snapshot)
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address without credentials.
    pub fn url(&self) -> String {
        self.delta.location().url()
    }

    /// The folder.
    pub fn location(&self) -> &Location {
        self.delta.location()
    }

    /// This revision; 0 is the first.
    pub fn revision(&self) -> u64 {
        self.snapshot.version()
    }

    /// Rows at this revision; an `example_id` is in `0..row_count`.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// The columns, with their roles as metadata.
    pub fn schema(&self) -> &SchemaRef {
        self.snapshot.schema()
    }

    /// The rows as Arrow batches.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(super) fn delta(&self) -> &DeltaTable {
        &self.delta
    }

    /// Reads one column; types and errors as in [`super::values()`], with rows of the table.
    ///
    /// # Shapes and units
    /// `[row_count]`; position k is example k.
    pub fn column<T: ColumnValue>(&self, name: &str) -> Result<Vec<T>> {
        let mut read = Vec::new();
        self.for_each_array(name, |array, place| {
            read.append(&mut T::read(array, place)?);
            Ok(())
        })?;
        Ok(read)
    }

    /// Reads an embedding column; errors as in [`super::embedding()`], with rows of the table.
    ///
    /// # Shapes and units
    /// `[row_count, width]`.
    pub fn embedding(&self, name: &str) -> Result<Array2<f32>> {
        let mut width = match self.role(name) {
            Some(Role::Embedding { width }) => Some(width),
            _ => None,
        };
        let (mut rows, mut count) = (Vec::new(), 0);
        self.for_each_array(name, |array, place| {
            let (mut more, found) = embedding::embedding_rows(array, width, place)?;
            width = Some(found);
            count += array.len();
            rows.append(&mut more);
            Ok(())
        })?;
        embedding::matrix(rows, count, width.unwrap_or(0), name)
    }

    /// The sample weights, from the column with the role [`Role::Weight`]; `None` without one.
    ///
    /// # Shapes and units
    /// `[row_count]`, 0 or more; 0 means "leave out".
    ///
    /// # Errors
    /// `Invalid` with the row for a weight that f32 cannot hold.
    pub fn weights(&self) -> Result<Option<Vec<f32>>> {
        let is_weight = |field: &&arrow_schema::FieldRef| schema::role(field) == Some(Role::Weight);
        let Some(field) = self.schema().fields().iter().find(is_weight) else {
            return Ok(None);
        };
        let mut weights = Vec::new();
        self.for_each_array(field.name(), |array, place| {
            for (row, wide) in as_f64(array, place)?.into_iter().enumerate() {
                let weight = wide as f32;
                // Tables that others wrote were not checked when they were created.
                if array.is_null(row) || !(weight.is_finite() && weight >= 0.0) {
                    let found = if array.is_null(row) {
                        "null".into()
                    } else {
                        wide.to_string()
                    };
                    let hint = "a weight is a number of 0 or more; 0 leaves the row out";
                    return Err(place.value(row, found, "a weight", hint));
                }
                weights.push(weight);
            }
            Ok(())
        })?;
        Ok(Some(weights))
    }

    /// The sample weights to sample by: 1 for every row of a table without any.
    ///
    /// # Errors
    /// As [`Table::weights`], and when all of them are 0.
    pub fn sampling_weights(&self) -> Result<Weights> {
        match self.weights()? {
            Some(weights) => Weights::new(weights),
            None => Weights::ones(usize::try_from(self.row_count).unwrap_or(usize::MAX)),
        }
    }

    /// The role of a column.
    pub fn role(&self, column: &str) -> Option<Role> {
        schema::role(self.schema().field_with_name(column).ok()?)
    }

    /// The class names of a column by index: of a category, or of boxes, masks and keypoints by label;
    /// `None` when they are unknown.
    pub fn category_names(&self, column: &str) -> Option<Vec<String>> {
        let role = self.role(column)?;
        let names = role.class_names().filter(|names| !names.is_empty());
        names.map(<[String]>::to_vec)
    }

    /// Hands on one column, batch by batch, with the row at which each starts.
    fn for_each_array(
        &self,
        column: &str,
        mut take: impl FnMut(&ArrayRef, Place<'_>) -> Result<()>,
    ) -> Result<()> {
        if self.schema().index_of(column).is_err() {
            return Err(Error::MissingColumn {
                column: column.to_owned(),
                place: format!("table `{}`", self.name),
                available: schema::names(self.schema()),
            });
        }
        let mut first_row = 0;
        for batch in self.snapshot.batches(Some(&[column]))? {
            let batch = batch?;
            take(values::find(&batch, column)?, Place { column, first_row })?;
            first_row += batch.num_rows() as u64;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("url", &self.url())
            .field("revision", &self.revision())
            .field("row_count", &self.row_count)
            .finish()
    }
}

/// Keeps the name where the folder's name is not the same.
pub(super) fn write_name(location: &Location, name: &str) -> Result<()> {
    if location.name() == name {
        return Ok(());
    }
    let document = TableName {
        name: name.to_owned(),
    };
    let bytes = serde_json::to_vec(&document)
        .map_err(|error| Error::invalid("name", name, error.to_string(), "use plain text"))?;
    location.join(NAME_FILE).replace(bytes)
}

fn read_name(location: &Location) -> Result<String> {
    let file = location.join(NAME_FILE);
    let Some(bytes) = file.read_if_exists()? else {
        return Ok(location.name());
    };
    let document: TableName = serde_json::from_slice(&bytes).map_err(|error| Error::Corrupt {
        what: "the table's name",
        reason: error.to_string(),
        path: file.url(),
    })?;
    Ok(document.name)
}
