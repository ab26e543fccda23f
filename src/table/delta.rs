//! The Delta kernel behind one door: creating a table and committing files to it.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::StructType;
use delta_kernel::transaction::CommitResult;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::{KernelError, Snapshot as KernelSnapshot};
use ulid::Ulid;

use super::actions::add_actions;
use super::append::{DataFile, FileWriter};
use super::damage;
use super::fence::Owner;
use super::latest::Latest;
use super::snapshot::Snapshot;
use crate::storage::{Location, LogView, MAY_ARRIVE};
use crate::{Error, Result};

/// How often the creation of a table whose outcome is unknown is looked up and tried again.
const MAX_RETRIES: u64 = 5;

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
        table.location.check_creates()?;
        let creator = format!("create-{}", Ulid::new()).to_ascii_lowercase();
        let unknown = |reason: String, failure: &str| {
            let location = &table.location;
            location.unknown_outcome("create the table", reason, failure)
        };
        // What a try failed with that is not there, and may come to be there.
        let mut may_come: Option<String> = None;
        for retry in 0.. {
            let (error, may_arrive) = match table.try_create(&creator, schema, &files) {
                Ok(Ok(())) => return Ok(table),
                Ok(Err(Some(failure))) => {
                    let may_arrive = table.may_arrive(&failure);
                    (table.failed("create the table", failure), may_arrive)
                }
                // A conflict may be one with ourselves.
                Ok(Err(None)) | Err(Error::AlreadyExists { .. }) => {
                    (table.already_exists(), table.location.is_elsewhere())
                }
                Err(error) => {
                    return Err(match may_come {
                        Some(failure) => unknown(MAY_ARRIVE.into(), &failure),
                        None => error,
                    });
                }
            };
            if may_arrive {
                may_come = Some(error.chain());
            }
            // The outcome is unknown: the log tells whose table this is.
            let is_conflict = matches!(error, Error::AlreadyExists { .. });
            match table.creator_is(&creator, is_conflict) {
                Ok(Some(true)) => return table.confirm(0).map(|_| table),
                Ok(Some(false)) => return Err(table.already_exists()),
                Ok(None) if retry < MAX_RETRIES => pause(retry),
                Ok(None) => {
                    return Err(match may_come {
                        Some(failure) => unknown(MAY_ARRIVE.into(), &failure),
                        None => error,
                    });
                }
                Err(unread) => {
                    let reason = format!("it cannot be read back: {}", unread.chain());
                    return Err(unknown(reason, &error.chain()));
                }
            }
        }
        Err(table.already_exists())
    }

    /// Whether that writer made the table; `None` when there is none. A store may not answer for a
    /// moment, or say that the table exists and not show it yet.
    fn creator_is(&self, creator: &str, exists: bool) -> Result<Option<bool>> {
        let look = || match self.is_entry_of(0, creator, 0)? {
            None => Ok(Self::exists(&self.location)?.then_some(false)),
            own => Ok(own),
        };
        for step in 0..MAX_RETRIES {
            match look() {
                Ok(None) if exists => pause(step),
                Err(_) => pause(step),
                seen => return seen,
            }
        }
        look()
    }

    /// One try to write the first entry of the log; without a failure in place of one it was refused.
    fn try_create(
        &self,
        creator: &str,
        schema: &Schema,
        files: &[DataFile],
    ) -> Result<Result<(), Option<KernelError>>> {
        let engine = self.location.engine();
        let url = self.location.table_url()?;
        let mut transaction = create_table(url.as_str(), kernel_schema(schema)?, ENGINE_INFO, true)
            .build(engine.as_ref(), Box::new(FileSystemCommitter::new()))
            .or_else(|error| match Self::exists(&self.location)? {
                true => Err(self.already_exists()),
                false => Err(self.failed("create the table", error)),
            })?
            .with_transaction_id(creator.to_owned(), 0);
        if !files.is_empty() {
            let adds = add_actions(files)?;
            transaction.add_files(Box::new(ArrowEngineData::new(adds)));
        }
        Ok(match transaction.commit(engine.as_ref()) {
            Ok(CommitResult::Committed(done)) => {
                if let Some(created) = done.post_commit_snapshot() {
                    self.seen.remember(created);
                }
                Ok(())
            }
            Ok(CommitResult::Conflicted(_)) => Err(None),
            Ok(CommitResult::Retryable(retry)) => Err(Some(retry.error)),
            Err(error) => Err(Some(error)),
        })
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

    /// The table in a folder of which a writer was told that it holds one, whatever listings show.
    pub(crate) fn at(location: Location) -> Self {
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
        let log = location.join("_delta_log");
        // One read in place of a listing of thousands; first entries may be cleaned up.
        if let Ok(Some(_)) = log.join(&format!("{:020}.json", 0)).read_if_exists() {
            return Ok(true);
        }
        let log = log.list_files()?;
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

    /// Writes `batches` as one file and commits it; returns a version that holds it, and may hold what
    /// others committed at the same time.
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
        self.load_seeing(version, LogView::default())
            .or_else(|error| self.despite_checkpoints(version, error))
    }

    /// A version, or the latest, of the log as the view shows it.
    pub(super) fn load_seeing(&self, version: Option<u64>, view: LogView) -> Result<Snapshot> {
        if let Some(version) = version {
            self.check_reach(version, &view)?;
        }
        let engine = self.location.engine_seeing(&view);
        let url = self.location.table_url()?;
        let kernel = damage::guarded_listing(&self.location, || {
            let mut builder = KernelSnapshot::builder_for(url.as_str());
            if let Some(version) = version {
                builder = builder.at_version(version);
            }
            builder.build(engine.as_ref())
        })?;
        Snapshot::of_view(self.location.clone(), kernel, view)
    }

    fn already_exists(&self) -> Error {
        Error::AlreadyExists {
            what: "table",
            name: self.location.name(),
            hint: "open it, or choose another name".into(),
            place: self.location.url(),
        }
    }

    pub(super) fn failed(&self, operation: &'static str, error: KernelError) -> Error {
        Error::storage(operation, self.location.url(), damage::reason(&error))
    }
}

/// Waits a little longer each time.
fn pause(step: u64) {
    std::thread::sleep(Duration::from_millis(5 * (step + 1)));
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
