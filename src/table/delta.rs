//! The Delta kernel behind one door: creating a table and committing files to it.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use delta_kernel::Snapshot as KernelSnapshot;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::StructType;
use delta_kernel::transaction::CommitResult;
use delta_kernel::transaction::create_table::create_table;

use super::actions::add_actions;
use super::append::{DataFile, FileWriter};
use super::damage;
use super::fence::Owner;
use super::latest::Latest;
use super::snapshot::Snapshot;
use crate::storage::Location;
use crate::{Error, Result};

pub(super) const ENGINE_INFO: &str = concat!("emberlens/", env!("CARGO_PKG_VERSION"));

/// A Delta Lake table in a folder; the transaction log is the official kernel's.
///
/// # Durability
/// When a commit returns, its files and its log entry are synced to the disk (local stores).
/// Readers see all of a commit or nothing of it.
///
/// ```
/// use emberlens::storage::Location;
/// use emberlens::table::{Columns, DeltaTable};
/// let batch = Columns::new().with("loss", vec![0.5_f32, 1.5]).into_batch("example")?;
/// let table = DeltaTable::create(Location::open("memory://")?.join("t"), &batch.schema())?;
/// table.append("writer", 0, &[batch])?;
/// assert_eq!(table.snapshot()?.row_count()?, 2);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DeltaTable {
    location: Location,
    seen: Latest,
    /// The attempt of a run that commits; none for tables that no run owns.
    owner: Option<Arc<Owner>>,
}

impl DeltaTable {
    /// Creates an empty table of that schema; field metadata (roles) is kept.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one; `Invalid` for a type that Delta does not have.
    pub fn create(location: Location, schema: &Schema) -> Result<Self> {
        Self::create_with(location, schema, Vec::new())
    }

    /// Creates a table that holds `files` from its first version on.
    pub(crate) fn create_with(
        location: Location,
        schema: &Schema,
        files: Vec<DataFile>,
    ) -> Result<Self> {
        let table = Self::at(location);
        if Self::exists(&table.location)? {
            return Err(table.already_exists());
        }
        // The kernel refuses to create a table in a local folder that does not exist.
        table.location.create_folder()?;
        let engine = table.location.engine();
        let url = table.location.table_url()?;
        let mut transaction = create_table(url.as_str(), kernel_schema(schema)?, ENGINE_INFO, true)
            .build(engine.as_ref(), Box::new(FileSystemCommitter::new()))
            .or_else(|error| match Self::exists(&table.location)? {
                true => Err(table.already_exists()),
                false => Err(table.failed("create the table", error)),
            })?;
        if !files.is_empty() {
            let adds = add_actions(&files)?;
            transaction.add_files(Box::new(ArrowEngineData::new(adds)));
        }
        let failure = match transaction.commit(engine.as_ref()) {
            Ok(CommitResult::Committed(done)) => {
                if let Some(created) = done.post_commit_snapshot() {
                    table.seen.remember(created);
                }
                return Ok(table);
            }
            Ok(CommitResult::Conflicted(_)) => return Err(table.already_exists()),
            Ok(CommitResult::Retryable(retry)) => retry.error,
            Err(error) => error,
        };
        // The outcome is unknown: the log tells whose table this is.
        if !Self::exists(&table.location)? {
            return Err(table.failed("create the table", failure));
        }
        match files.first() {
            Some(file)
                if table
                    .snapshot_at(0)?
                    .holds_any(&[file.name.clone()].into())? =>
            {
                Ok(table)
            }
            _ => Err(table.already_exists()),
        }
    }

    /// Opens the table in a folder.
    ///
    /// # Errors
    /// `NotFound` when the folder holds no table.
    pub fn open(location: Location) -> Result<Self> {
        if Self::exists(&location)? {
            return Ok(Self::at(location));
        }
        Err(Error::NotFound {
            what: "table",
            name: location.name(),
            hint: "create it first, or check the address".into(),
            place: location.url(),
        })
    }

    fn at(location: Location) -> Self {
        Self {
            location,
            seen: Latest::default(),
            owner: None,
        }
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.as_deref()
    }

    pub(super) fn set_owner(&mut self, owner: Arc<Owner>) {
        self.owner = Some(owner);
    }

    pub(super) fn seen(&self) -> &Latest {
        &self.seen
    }

    /// Whether a folder holds a table.
    pub fn exists(location: &Location) -> Result<bool> {
        let log = location.join("_delta_log").list_files()?;
        Ok(log.iter().any(|name| is_log_entry(name)))
    }

    /// Where the table is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The latest version.
    ///
    /// # Errors
    /// `Corrupt` when the log cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.load(None)
    }

    /// An older version.
    ///
    /// # Errors
    /// `NotFound` when the table has no such version.
    pub fn snapshot_at(&self, version: u64) -> Result<Snapshot> {
        let latest = self.load(None)?;
        if version > latest.version() {
            return Err(Error::NotFound {
                what: "revision",
                name: version.to_string(),
                hint: format!("the latest revision is {}", latest.version()),
                place: self.location.url(),
            });
        }
        self.load(Some(version))
    }

    /// Writes `batches` as one file and commits it; returns the new version.
    ///
    /// `(writer_id, sequence)` names the commit: a commit of that name that is there already is not
    /// written again.
    ///
    /// # Errors
    /// `Schema` when a column has another type than the table; `Storage` when the store fails.
    pub fn append(&self, writer_id: &str, sequence: i64, batches: &[RecordBatch]) -> Result<u64> {
        let Some(first) = batches.first() else {
            return Ok(self.latest()?.version());
        };
        // Files are read in the order of their names: after those of every version there is now.
        let order = self.latest()?.version() + 1;
        let mut writer = FileWriter::starting_at(self.location.clone(), first.schema(), order);
        for batch in batches {
            writer.write(batch)?;
        }
        let files = writer.finish()?;
        self.commit(writer_id, sequence, &files, &first.schema())
    }

    fn load(&self, version: Option<u64>) -> Result<Snapshot> {
        let engine = self.location.engine();
        let mut builder = KernelSnapshot::builder_for(self.location.table_url()?.as_str());
        if let Some(version) = version {
            builder = builder.at_version(version);
        }
        let kernel = damage::guarded(&self.location, || builder.build(engine.as_ref()))?;
        Snapshot::try_new(self.location.clone(), kernel)
    }

    fn already_exists(&self) -> Error {
        Error::AlreadyExists {
            what: "table",
            name: self.location.name(),
            hint: "open it, or choose another name".into(),
            place: self.location.url(),
        }
    }

    pub(super) fn failed(
        &self,
        operation: &'static str,
        error: delta_kernel::KernelError,
    ) -> Error {
        Error::storage(operation, self.location.url(), damage::reason(&error))
    }
}

fn is_log_entry(name: &str) -> bool {
    let version = name.split('.').next().unwrap_or_default();
    version.len() == 20
        && version.bytes().all(|byte| byte.is_ascii_digit())
        && (name.ends_with(".json") || name.ends_with(".parquet"))
}

fn kernel_schema(schema: &Schema) -> Result<Arc<StructType>> {
    let kernel: StructType = schema.try_into_kernel().map_err(|error| {
        Error::invalid(
            "schema",
            schema
                .fields()
                .iter()
                .map(|field| format!("{}: {}", field.name(), field.data_type()))
                .collect::<Vec<_>>()
                .join(", "),
            error.to_string(),
            "use column types that Delta tables have",
        )
    })?;
    Ok(Arc::new(kernel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Columns;

    #[test]
    fn an_empty_table_is_created_in_a_local_folder_that_does_not_exist_yet() {
        let folder = tempfile::tempdir().unwrap();
        let root = Location::open(&folder.path().display().to_string()).unwrap();
        let batch = Columns::new()
            .with("loss", vec![0.5_f32])
            .into_batch("x")
            .unwrap();
        let table = DeltaTable::create(root.join("a/b"), &batch.schema()).unwrap();
        assert_eq!(table.snapshot().unwrap().row_count().unwrap(), 0);
    }
}
