//! Reading all of a table to find out what is damaged.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use delta_kernel::scan::state::ScanFile;

use super::checksum;
use super::decode;
use super::delta::DeltaTable;
use crate::{Error, Result};

/// What was read of a table, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct TableCheck {
    /// Whether the log could be read.
    pub(crate) is_open: bool,
    pub(crate) version: u64,
    pub(crate) files: u64,
    pub(crate) rows: u64,
    pub(crate) size_bytes: u64,
    pub(crate) problems: Vec<Error>,
}

impl DeltaTable {
    /// Reads the log and every file of a version, or of the latest; `each` sees the rows of every
    /// file that can be read.
    ///
    /// # Memory
    /// One file and its rows.
    pub(crate) fn verify(
        &self,
        version: Option<u64>,
        mut each: impl FnMut(&[RecordBatch]),
    ) -> TableCheck {
        let mut check = TableCheck::default();
        check.problems.extend(self.log_problems());
        let opened = match version {
            Some(version) => self.snapshot_at(version),
            None => self.snapshot(),
        };
        let opened = opened.and_then(|snapshot| snapshot.files().map(|files| (snapshot, files)));
        match opened {
            // What is wrong with an entry is told once.
            Err(error) if is_told(&check.problems, &error) => {}
            Err(error) => check.problems.push(error),
            Ok((snapshot, files)) => {
                check.is_open = true;
                check.version = snapshot.version();
                check.files = files.len() as u64;
                for file in files {
                    if let Err(error) =
                        self.verify_file(&file, snapshot.schema(), &mut check, &mut each)
                    {
                        check.problems.push(error);
                    }
                }
            }
        }
        check
    }

    fn verify_file(
        &self,
        file: &ScanFile,
        schema: &Schema,
        check: &mut TableCheck,
        each: &mut impl FnMut(&[RecordBatch]),
    ) -> Result<()> {
        let batches = self.read_checked(file, schema)?;
        check.size_bytes += u64::try_from(file.size).unwrap_or(0);
        check.rows += row_count(&batches);
        each(&batches);
        Ok(())
    }

    /// All rows of a file that is as the log and its name say.
    ///
    /// # Memory
    /// The file and its rows.
    ///
    /// # Errors
    /// `Corrupt` names the file.
    pub(super) fn read_checked(
        &self,
        file: &ScanFile,
        schema: &Schema,
    ) -> Result<Vec<RecordBatch>> {
        let place = self.location().join(&file.path);
        let damaged = |reason: String| decode::damaged(&place, reason);
        let bytes = place
            .read_if_exists()?
            .ok_or_else(|| damaged("it is missing".into()))?;
        if i64::try_from(bytes.len()) != Ok(file.size) {
            let reason = format!(
                "it has {} bytes and the log says {}",
                bytes.len(),
                file.size
            );
            return Err(damaged(reason));
        }
        checksum::check(&place, &file.path, &bytes[..])?;
        let builder = decode::open(&place, bytes)?;
        let batches = decode::guarded(&place, || {
            builder.build()?.collect::<Result<Vec<RecordBatch>, _>>()
        })?;
        let rows = row_count(&batches);
        if let Some(stats) = &file.stats
            && stats.num_records != rows
        {
            let reason = format!("it has {rows} rows and the log says {}", stats.num_records);
            return Err(damaged(reason));
        }
        let known = |name: &str| schema.fields().find(name).is_some();
        let fields = batches.first().map(RecordBatch::schema);
        let fields = fields.iter().flat_map(|schema| schema.fields());
        for field in fields {
            if !known(field.name()) {
                let reason = format!("it has the column `{}` and the log does not", field.name());
                return Err(damaged(reason));
            }
        }
        Ok(batches)
    }
}

/// Whether one of the problems is about the same file, or about one in the table that this is about.
fn is_told(problems: &[Error], error: &Error) -> bool {
    let Error::Corrupt { path: met, .. } = error else {
        return false;
    };
    let within = format!("{met}/");
    let mut told = problems.iter();
    told.any(|problem| {
        matches!(problem, Error::Corrupt { path, .. } if path == met || path.starts_with(&within))
    })
}

fn row_count(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}
