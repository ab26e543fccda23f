//! One version of a table: schema, counts and rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use delta_kernel::engine::arrow_conversion::TryIntoArrow;
use delta_kernel::expressions::{Expression, Predicate, PredicateRef, lit};
use delta_kernel::scan::ScanMetadata;
use delta_kernel::scan::state::{DvInfo, ScanFile};
use delta_kernel::snapshot::SnapshotRef;

use super::column_names;
use super::damage;
use super::delta::DeltaTable;
use super::rows::{PassOver, Rows};
use crate::storage::{Location, LogView, leads_out, without_credentials};
use crate::{Error, Result};

/// Which rows of a table are wanted: those whose `column` is a text from `low` to `high`.
pub(crate) struct Wanted<'a> {
    /// The files that they were written to, where these are known. A rewrite may have moved the rows:
    /// where one of the files is gone, statistics tell which files to read.
    pub(crate) names: Option<&'a HashSet<String>>,
    pub(crate) column: &'a str,
    pub(crate) low: &'a str,
    pub(crate) high: &'a str,
}

impl Wanted<'_> {
    fn predicate(&self) -> PredicateRef {
        let column = || Expression::column([self.column]);
        let (low, high) = (column().ge(lit(self.low)), column().le(lit(self.high)));
        Arc::new(Predicate::and(low, high))
    }
}

/// One version of a Delta table; later commits do not change what it shows.
#[derive(Clone, Debug)]
pub struct Snapshot {
    location: Location,
    kernel: SnapshotRef,
    schema: SchemaRef,
    /// How the log looked that it was read from.
    view: LogView,
}

impl Snapshot {
    pub(super) fn try_new(location: Location, kernel: SnapshotRef) -> Result<Self> {
        Self::of_view(location, kernel, LogView::default())
    }

    pub(super) fn of_view(location: Location, kernel: SnapshotRef, view: LogView) -> Result<Self> {
        let version = kernel.version();
        if i64::try_from(version).is_err() {
            let reason = format!("version {version} is none that Delta counts to");
            return Err(corrupt(&location, reason));
        }
        let schema: Schema = kernel
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|error| corrupt(&location, error.to_string()))?;
        Ok(Self {
            location,
            kernel,
            schema: Arc::new(schema),
            view,
        })
    }

    pub(super) fn kernel(&self) -> &SnapshotRef {
        &self.kernel
    }

    /// Whether it was read without some of the commits that made it.
    pub(crate) fn lacks_commits(&self) -> bool {
        !self.view.hollow.is_empty()
    }

    /// The version, 0-based.
    pub fn version(&self) -> u64 {
        self.kernel.version()
    }

    /// The schema with roles in the field metadata.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of rows, from the log; no data is read unless a foreign writer left counts out.
    pub fn row_count(&self) -> Result<u64> {
        let mut total: u64 = 0;
        for file in self.files()? {
            let rows = match &file.stats {
                Some(stats) => stats.num_records,
                None => self.count_rows(&file)?,
            };
            total = self.sum(total, rows)?;
        }
        Ok(total)
    }

    /// Counts are the log's, so that their sum may be any.
    fn sum(&self, total: u64, rows: u64) -> Result<u64> {
        total.checked_add(rows).ok_or_else(|| {
            let reason = format!("it counts {total} and {rows} rows, which no table holds");
            corrupt(&self.location, reason)
        })
    }

    /// Size of the data files in bytes.
    pub fn size_bytes(&self) -> Result<u64> {
        let files = self.files()?;
        let sizes = files.iter().map(|file| file.size.unsigned_abs());
        Ok(sizes.fold(0, u64::saturating_add))
    }

    /// The rows, a bounded batch at a time, files in the order they were written.
    ///
    /// # Errors
    /// `MissingColumn` for a column that the table lacks; `Corrupt` names the damaged file.
    pub fn batches(
        &self,
        columns: Option<&[&str]>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        self.batches_of(columns, None, None)
    }

    /// As [`Snapshot::batches`], from the files that can hold the wanted rows; with `pass_over`, damaged
    /// files are told to it instead of ending the iterator.
    pub(crate) fn batches_of(
        &self,
        columns: Option<&[&str]>,
        wanted: Option<&Wanted<'_>>,
        pass_over: Option<PassOver>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        let schema = match columns {
            Some(columns) => self.project(columns)?,
            None => self.schema.clone(),
        };
        let files = match wanted {
            Some(wanted) => self.files_with(wanted)?,
            None => self.files()?,
        };
        Ok(Box::new(self.rows(files, schema, pass_over)))
    }

    /// As [`Snapshot::batches`], from the files of these names, or from all others.
    pub(crate) fn batches_by_name(
        &self,
        columns: &[&str],
        names: &HashSet<String>,
        of_these: bool,
        pass_over: Option<PassOver>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        let schema = self.project(columns)?;
        let mut files = self.files()?;
        files.retain(|file| names.contains(&file.path) == of_these);
        Ok(Box::new(self.rows(files, schema, pass_over)))
    }

    /// The rows of these files, with the columns of `schema`.
    pub(super) fn rows(
        &self,
        files: Vec<ScanFile>,
        schema: SchemaRef,
        pass_over: Option<PassOver>,
    ) -> Rows {
        Rows::new(
            self.location.clone(),
            self.version(),
            files,
            schema,
            pass_over,
        )
    }

    /// The rows of files that are not of this version, with the columns of `schema`.
    pub(crate) fn rows_named(
        &self,
        names: Vec<String>,
        schema: SchemaRef,
        pass_over: PassOver,
    ) -> impl Iterator<Item = Result<RecordBatch>> + Send + use<> {
        let unlisted = |path| ScanFile {
            path,
            size: 0,
            modification_time: 0,
            stats: None,
            dv_info: DvInfo::default(),
            transform: None,
            partition_values: HashMap::new(),
        };
        let files = names.into_iter().map(unlisted).collect();
        self.rows(files, schema, Some(pass_over))
    }

    /// The names of the files in the table's folder, of whichever version.
    pub(crate) fn files_there(&self) -> Result<HashSet<String>> {
        Ok(self.location.list_files()?.into_iter().collect())
    }

    /// All rows in one batch.
    ///
    /// # Errors
    /// As [`Snapshot::batches`].
    pub fn read(&self, columns: Option<&[&str]>) -> Result<RecordBatch> {
        let schema = match columns {
            Some(columns) => self.project(columns)?,
            None => self.schema.clone(),
        };
        let batches: Vec<RecordBatch> = self.batches(columns)?.collect::<Result<_>>()?;
        arrow_select::concat::concat_batches(&schema, &batches)
            .map_err(|error| Error::storage("join batches", self.location.url(), error))
    }

    fn project(&self, columns: &[&str]) -> Result<SchemaRef> {
        let fields: Result<Vec<_>> = columns
            .iter()
            .map(|column| match self.schema.fields().find(column) {
                Some((_, field)) => Ok(field.clone()),
                None => Err(Error::MissingColumn {
                    column: (*column).to_owned(),
                    place: self.location.url(),
                    available: column_names(&self.schema),
                }),
            })
            .collect();
        Ok(Arc::new(Schema::new(fields?)))
    }

    /// The data files of this version in the order of their names, which is the order of writing.
    pub(super) fn files(&self) -> Result<Vec<ScanFile>> {
        self.files_in(self.scan_pages()?)
    }

    /// The same, without help from the entries where a checkpoint is damaged.
    pub(super) fn files_by_its_log(&self) -> Result<Vec<ScanFile>> {
        self.files_in(self.read_pages(None)?)
    }

    /// The files that can hold the wanted rows, in the same order.
    pub(super) fn files_with(&self, wanted: &Wanted<'_>) -> Result<Vec<ScanFile>> {
        if let Some(names) = wanted.names {
            let mut files = self.files()?;
            files.retain(|file| names.contains(&file.path));
            if files.len() == names.len() {
                return Ok(files);
            }
        }
        self.files_in(self.pages(Some(wanted.predicate()))?)
    }

    fn files_in(&self, pages: Vec<ScanMetadata>) -> Result<Vec<ScanFile>> {
        let mut files: Vec<ScanFile> = Vec::new();
        for page in pages {
            files = damage::guarded(&self.location, || {
                page.visit_scan_files(files, |files, file| files.push(file))
            })?;
        }
        for file in &files {
            check_file(&self.location, file)?;
        }
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(files)
    }

    /// The data files in the same order, with the rows that each holds.
    pub(super) fn laid_out(&self) -> Result<Vec<FileRows>> {
        let mut first_row = 0;
        let mut laid_out = Vec::new();
        for file in self.files()? {
            let rows = match &file.stats {
                Some(stats) => stats.num_records,
                None => self.count_rows(&file)?,
            };
            laid_out.push(FileRows {
                file,
                first_row,
                rows,
            });
            first_row = self.sum(first_row, rows)?;
        }
        Ok(laid_out)
    }

    /// The names of the data files of this version.
    pub(crate) fn paths(&self) -> Result<Vec<String>> {
        Ok(self.files()?.into_iter().map(|file| file.path).collect())
    }

    /// Whether this version has data files of all these names.
    pub(super) fn holds_all(&self, names: &HashSet<String>) -> Result<bool> {
        let files = self.files()?;
        let held = files.iter().filter(|file| names.contains(&file.path));
        Ok(held.count() == names.len())
    }

    /// Whether this version has a data file of one of these names.
    pub(super) fn holds_any(&self, names: &HashSet<String>) -> Result<bool> {
        Ok(self.files()?.iter().any(|file| names.contains(&file.path)))
    }

    /// The log's entries for the data files of this version.
    pub(super) fn scan_pages(&self) -> Result<Vec<ScanMetadata>> {
        self.pages(None)
    }

    /// The same without entries whose statistics rule the predicate out.
    fn pages(&self, predicate: Option<PredicateRef>) -> Result<Vec<ScanMetadata>> {
        self.read_pages(predicate.clone()).or_else(|error| {
            if !self.view.is_plain() {
                return Err(error);
            }
            let table = DeltaTable::at(self.location.clone());
            let by_entries = table.despite_checkpoints(Some(self.version()), error)?;
            by_entries.read_pages(predicate)
        })
    }

    fn read_pages(&self, predicate: Option<PredicateRef>) -> Result<Vec<ScanMetadata>> {
        let engine = self.location.engine_seeing(&self.view);
        damage::guarded(&self.location, || {
            let builder = self.kernel.clone().scan_builder();
            let scan = builder.with_predicate(predicate).build()?;
            scan.scan_metadata(engine.as_ref())?.collect()
        })
    }

    /// The number of the last transaction of an application.
    pub(super) fn transaction(&self, application: &str) -> Result<Option<i64>> {
        self.read_transaction(application).or_else(|error| {
            if !self.view.is_plain() {
                return Err(error);
            }
            let table = DeltaTable::at(self.location.clone());
            let by_entries = table.despite_checkpoints(Some(self.version()), error)?;
            by_entries.read_transaction(application)
        })
    }

    fn read_transaction(&self, application: &str) -> Result<Option<i64>> {
        let engine = self.location.engine_seeing(&self.view);
        damage::guarded(&self.location, || {
            self.kernel.get_app_id_version(application, engine.as_ref())
        })
    }

    fn count_rows(&self, file: &ScanFile) -> Result<u64> {
        let empty = Arc::new(Schema::empty());
        let mut rows = 0;
        for batch in self.rows(vec![file.clone()], empty, None) {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    }
}

/// A data file and its place among the rows of its table.
pub(super) struct FileRows {
    pub(super) file: ScanFile,
    pub(super) first_row: u64,
    pub(super) rows: u64,
}

/// Refuses what our own tables never hold and what could lead out of the table's folder.
fn check_file(location: &Location, file: &ScanFile) -> Result<()> {
    if let Some(why) = leads_out(&file.path) {
        let path = without_credentials(&file.path);
        let reason = format!("it names the file {path:?}, which {why}");
        return Err(corrupt(location, reason));
    }
    if file.size < 0 {
        let reason = format!(
            "it says that the file {:?} has {} bytes",
            file.path, file.size
        );
        return Err(corrupt(location, reason));
    }
    if file.dv_info.has_vector() || !file.partition_values.is_empty() {
        return Err(corrupt(
            location,
            "deletion vectors and partitions are not supported; rewrite the table without them"
                .into(),
        ));
    }
    Ok(())
}

fn corrupt(location: &Location, reason: String) -> Error {
    Error::Corrupt {
        what: "table log",
        reason,
        path: location.url(),
    }
}

#[cfg(test)]
mod tests;
