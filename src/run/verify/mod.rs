//! Reading all of a run to find out what is damaged.

mod joined;
mod named;

use std::collections::{BTreeSet, HashMap, HashSet};

use arrow_array::RecordBatch;

use self::joined::Joined;
use super::facts;
use super::passes::EXAMPLE_ID;
use super::scalars;
use super::{PassRecord, RunReader};
use crate::progress::Progress;
use crate::storage::Location;
use crate::table::{DeltaTable, values};
use crate::{Error, Result};

/// What [`RunReader::verify`] read, and what is wrong.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct Verification {
    /// Every table of the run, then those of its project that it read.
    pub tables: Vec<VerifiedTable>,
    /// What is wrong; each names the file or the pass. Empty for a run that is whole.
    pub problems: Vec<Error>,
}

/// One table that was read.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTable {
    /// Its folder, relative to the run.
    pub folder: String,
    /// Its latest version.
    pub version: u64,
    /// Data files of that version.
    pub files: u64,
    /// Rows of that version that could be read.
    pub rows: u64,
    /// Bytes of the files that could be read.
    pub size_bytes: u64,
}

/// What the rows of one pass say.
#[derive(Default)]
struct Found {
    rows: u64,
    /// The smallest and the largest `example_id`.
    ids: Option<(i64, i64)>,
    rows_without_id: u64,
}

impl RunReader {
    /// Reads all of the run's tables and compares them with its documents.
    ///
    /// The log of every table must be without gaps; every data file must be there, have the size and
    /// the number of rows that the log says and the checksum that its name tells, and decode;
    /// every complete pass must have its rows, and their `example_id` lie within the joined table; there
    /// must be as many scalars as the documents tell of. Checkpoints of the logs must say what the entries
    /// say. The models of its coordinates must have their checksum, and the tables of the project that it
    /// read are checked as its own are, at the revision that it read. The documents themselves were
    /// checked when the run was opened.
    ///
    /// ```
    /// use emberlens::collect::Silent;
    /// use emberlens::run::Project;
    /// use emberlens::table::Columns;
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// run.add_metrics("default", Columns::new().with("example_id", vec![0_i64]), None, None)?;
    /// let verified = run.reader()?.verify(&Silent)?;
    /// assert!(verified.problems.is_empty());
    /// assert_eq!(verified.tables[0].rows, 1);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Storage` when the folders cannot be listed; what is wrong with the run is no error but a
    /// problem in the result.
    pub fn verify(&self, progress: &dyn Progress) -> Result<Verification> {
        let mut verification = Verification::default();
        let folders = self.table_folders()?;
        let count = folders.len() as u64;
        progress.start("verifying", count + self.count_named());
        let mut joined = Joined::default();
        let mut unread = HashSet::new();
        for (done, folder) in (1..).zip(&folders) {
            if !self.verify_table(folder, &mut joined, &mut verification) {
                unread.insert(folder.as_str());
            }
            progress.update(done);
        }
        self.verify_named(progress, count, &mut verification);
        progress.end();
        if !unread.contains(scalars::FOLDER) {
            let missing = self.missing_scalars(&verification)?;
            verification.problems.extend(missing);
        }
        verification.problems.extend(self.repeated_documents()?);
        let mut lost = BTreeSet::new();
        for pass in self.state.passes.complete() {
            let folder = format!("metrics/{}", self.stream_location(&pass.stream)?.name());
            if pass.rows > 0 && !folders.contains(&folder) {
                lost.insert(folder);
            }
        }
        let lost = lost.iter().map(|folder| self.missing(folder));
        verification.problems.extend(lost);
        for projection in &self.state.projections {
            let folder = format!("projections/{}", projection.name);
            let table = verification
                .tables
                .iter()
                .find(|table| table.folder == folder);
            if table.is_none_or(|table| table.version < projection.version) {
                verification.problems.push(self.missing(&folder));
            }
        }
        // Passes and inputs may name the same table.
        let mut told = HashSet::new();
        verification
            .problems
            .retain(|problem| told.insert(problem.chain()));
        Ok(verification)
    }

    /// The problems of documents that say, to the microsecond, what one before them said: no writer does.
    fn repeated_documents(&self) -> Result<Vec<Error>> {
        let documents = facts::documents(self.location());
        let mut first = HashMap::new();
        let mut problems = Vec::new();
        for (number, bytes) in documents.read_bytes()? {
            if let Some(before) = first.get(&bytes) {
                let reason = format!("it repeats document {before:020}.json");
                problems.push(documents.damaged(number, reason));
            } else {
                first.insert(bytes, number);
            }
        }
        Ok(problems)
    }

    /// The problem of scalars that documents tell of and that are not there.
    fn missing_scalars(&self, verification: &Verification) -> Result<Option<Error>> {
        let mut tables = verification.tables.iter();
        let found = tables.find(|table| table.folder == scalars::FOLDER);
        let rows = found.map_or(0, |table| table.rows);
        let told = self.scalars_told(rows)?;
        Ok((rows < told).then(|| Error::Corrupt {
            what: "scalars",
            reason: format!("there are {rows} and the run's documents tell of {told}"),
            path: scalars::location(self.location()).url(),
        }))
    }

    /// The problem of a table that is not there, or not up to the version that a document names.
    fn missing(&self, folder: &str) -> Error {
        Error::Corrupt {
            what: "table",
            reason: "the run's documents tell of rows that it does not have".into(),
            path: self.location().join(folder).url(),
        }
    }

    /// The folders where the run's tables are, or will be, relative to the run.
    pub(super) fn folders_of_tables(&self) -> Result<Vec<String>> {
        let mut folders = vec![scalars::FOLDER.to_owned()];
        for group in ["metrics", "projections"] {
            let names = self.location().join(group).list_folders()?;
            folders.extend(names.iter().map(|name| format!("{group}/{name}")));
        }
        Ok(folders)
    }

    /// The folders of the run's tables, relative to the run.
    pub(super) fn table_folders(&self) -> Result<Vec<String>> {
        let mut tables = Vec::new();
        for folder in self.folders_of_tables()? {
            // A folder that only holds data files has no commit yet: nothing in it counts.
            if DeltaTable::exists(&self.location().join(&folder))? {
                tables.push(folder);
            }
        }
        Ok(tables)
    }

    /// Whether the table could be read.
    fn verify_table(
        &self,
        folder: &str,
        joined: &mut Joined,
        verification: &mut Verification,
    ) -> bool {
        let place = self.location().join(folder);
        let table = match DeltaTable::open(place.clone()) {
            Ok(table) => table,
            Err(error) => {
                verification.problems.push(error);
                return false;
            }
        };
        let passes = self.passes_in(folder);
        let mut found: HashMap<String, Found> = HashMap::new();
        let check = table.verify(None, |batches| {
            if folder.starts_with("metrics/") {
                count(batches, &mut found);
            }
        });
        verification.tables.push(VerifiedTable {
            folder: folder.to_owned(),
            version: check.version,
            files: check.files,
            rows: check.rows,
            size_bytes: check.size_bytes,
        });
        let (nothing, is_whole) = (Found::default(), check.problems.is_empty());
        verification.problems.extend(check.problems);
        if !check.is_open {
            let unchecked = not_checked(passes.len(), &place);
            verification.problems.extend(unchecked);
            return false;
        }
        for pass in passes {
            let of_pass = found.get(&pass.pass_id).unwrap_or(&nothing);
            let wrong = self.wrong_with(pass, of_pass, is_whole, &place, joined);
            verification.problems.extend(wrong);
        }
        true
    }

    /// The complete passes that wrote to a folder.
    fn passes_in(&self, folder: &str) -> Vec<&PassRecord> {
        let all = self.state.passes.complete().iter();
        all.filter(|pass| {
            let place = self.stream_location(&pass.stream);
            place.is_ok_and(|place| format!("metrics/{}", place.name()) == folder)
        })
        .collect()
    }

    fn wrong_with(
        &self,
        pass: &PassRecord,
        found: &Found,
        is_whole: bool,
        place: &Location,
        tables: &mut Joined,
    ) -> Option<Error> {
        let corrupt = |reason: String| Error::Corrupt {
            what: "pass",
            reason,
            path: place.url(),
        };
        let name = format!(
            "pass {} (split `{}`, epoch {})",
            pass.pass_id,
            pass.split,
            pass.epoch
                .map_or_else(|| "none".to_owned(), |epoch| epoch.to_string())
        );
        if found.rows != pass.rows {
            // Where files are damaged, the rows that are missing are theirs.
            let cause = if is_whole {
                ""
            } else {
                ", as files are damaged"
            };
            let (rows, told) = (found.rows, pass.rows);
            return Some(corrupt(format!(
                "{name} has {rows} rows and completed with {told}{cause}"
            )));
        }
        let joined = pass.table.as_ref()?;
        let rows = match tables.rows(self, joined) {
            Ok(rows) => rows?,
            Err(error) => return Some(error),
        };
        if found.rows_without_id > 0 {
            let (without, table) = (found.rows_without_id, &joined.name);
            return Some(corrupt(format!(
                "{name} has {without} rows without an example_id and is joined to table `{table}`"
            )));
        }
        let (smallest, largest) = found.ids?;
        let is_within = |id: i64| u64::try_from(id).is_ok_and(|id| id < rows);
        let outside = [smallest, largest].into_iter().find(|id| !is_within(*id));
        outside.map(|id| {
            corrupt(format!(
                "{name} has example_id {id} and table `{}` has {rows} rows",
                joined.name
            ))
        })
    }
}

/// The one problem of all passes of a table whose log cannot be read.
fn not_checked(passes: usize, place: &Location) -> Option<Error> {
    let reason = match passes {
        0 => return None,
        1 => "1 pass was not checked, as the log cannot be read".to_owned(),
        passes => format!("{passes} passes were not checked, as the log cannot be read"),
    };
    Some(Error::Corrupt {
        what: "table",
        reason,
        path: place.url(),
    })
}

/// Adds the rows of a file to those of their passes.
fn count(batches: &[RecordBatch], found: &mut HashMap<String, Found>) {
    for batch in batches {
        let passes = values::<Option<String>>(batch, "pass_id").unwrap_or_default();
        let ids = values::<Option<i64>>(batch, EXAMPLE_ID).unwrap_or_default();
        for (row, pass) in passes.into_iter().enumerate() {
            let of_pass = found.entry(pass.unwrap_or_default()).or_default();
            of_pass.rows += 1;
            match ids.get(row).copied().flatten() {
                Some(id) => {
                    let (smallest, largest) = of_pass.ids.unwrap_or((id, id));
                    of_pass.ids = Some((smallest.min(id), largest.max(id)));
                }
                None => of_pass.rows_without_id += 1,
            }
        }
    }
}
