//! Splits: which rows of a table are for training, which for validation and tests.

mod allot;
mod options;
mod strata;

use super::{ColumnKind, Edit, Table};
use crate::sampling::Draw;
use crate::{Error, Result};

pub use options::Splitting;

/// Sets splits apart from samplers of the same seed, which would shuffle alike.
const OWN_NUMBERS: u64 = u64::from_be_bytes(*b"a split.");

/// Rows of a table in parts with names; made by [`Table::split`]. Every row is in one part.
///
/// The parts are rows of one table, so every `example_id` keeps its meaning:
/// [`Join::rows`](crate::callback::Join::rows) takes those of a part, and [`Split::edit`] keeps them as
/// a column.
#[derive(Clone, Debug)]
pub struct Split {
    table: Table,
    parts: Vec<(String, Vec<u64>)>,
}

impl Table {
    /// Splits the rows at random, or stratified by a column: then every part has each of its values as
    /// often as the whole has, in proportion.
    ///
    /// Parts are exactly as large as asked for; fractions of the row count are rounded by the largest
    /// remainder. In a stratified split the rows that a part has of a stratum are the exact share rounded
    /// up or down. Equal rows, parts and seeds give equal splits, on any machine and any number of threads.
    ///
    /// # Memory
    /// The column of the strata, and 16 bytes a row.
    ///
    /// # Errors
    /// `Invalid` for a table without rows; no parts, a name that is blank or that two parts have,
    /// fractions that are not above 0 or do not add up to 1 (within 1e-6), counts that do not add up to
    /// the rows, a part that would get no row; in a stratified split a column that is null in a row, or
    /// whose type has no equal values (floats, lists, bytes), and a stratum with fewer rows than there
    /// are parts, unless [`Splitting::allow_small_strata`].
    ///
    /// ```
    /// use emberlens::{storage::Location, table::{Columns, Splitting, Table}};
    /// let folder = Location::open("memory://")?.join("tables");
    /// let species = [["cat"; 60], ["dog"; 60]].concat();
    /// let table = Table::create(&folder, "pets", Columns::new().with("species", species))?;
    ///
    /// let parts = Splitting::fractions([("train", 0.8), ("valid", 0.1), ("test", 0.1)]);
    /// let split = table.split(&parts.stratify("species").seed(7))?;
    /// assert_eq!(split.rows("valid").map(<[u64]>::len), Some(12));
    ///
    /// // As a column of the table, which every tool reads.
    /// let table = split.edit("split").note("80/10/10").commit()?.table;
    /// assert_eq!(table.rows_where("split = 'valid' AND species = 'cat'")?.len(), 6);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Source
    /// Sizes by the largest remainder (Hamilton's method); strata and parts together by controlled
    /// rounding: M. Bacharach, "Matrix rounding problems", Management Science 12, 1966. Of two parts the
    /// counts are those of scikit-learn's `StratifiedShuffleSplit`.
    pub fn split(&self, splitting: &Splitting) -> Result<Split> {
        let sizes = splitting.sizes(self.row_count(), self.name())?;
        let mut strata = match &splitting.stratify {
            Some(column) => strata::of(self, column)?,
            None => vec![strata::Stratum {
                value: String::new(),
                rows: (0..self.row_count()).collect(),
            }],
        };
        if splitting.stratify.is_some() && !splitting.allows_small_strata {
            self.check_strata(&strata, sizes.len())?;
        }
        let held: Vec<u64> = strata
            .iter()
            .map(|stratum| stratum.rows.len() as u64)
            .collect();
        let mut parts: Vec<Vec<u64>> = vec![Vec::new(); sizes.len()];
        let seed = splitting.seed ^ OWN_NUMBERS;
        let shares = allot::allot(&held, &sizes, &mut Draw::new(!seed, 0));
        for (stratum, shares) in strata.iter_mut().zip(shares) {
            // A stratum has random numbers of its own: neither rows of others nor new strata change its order.
            let own = u64::from(crc32fast::hash(stratum.value.as_bytes()));
            Draw::new(seed, own).shuffle(&mut stratum.rows);
            let mut rest = stratum.rows.as_slice();
            for (part, share) in parts.iter_mut().zip(shares) {
                let (taken, left) = rest.split_at(usize::try_from(share).unwrap_or(0));
                part.extend_from_slice(taken);
                rest = left;
            }
        }
        parts.iter_mut().for_each(|rows| rows.sort_unstable());
        let names = splitting.names().map(str::to_owned);
        Ok(Split {
            table: self.clone(),
            parts: names.zip(parts).collect(),
        })
    }

    fn check_strata(&self, strata: &[strata::Stratum], parts: usize) -> Result<()> {
        let small: Vec<&strata::Stratum> = strata
            .iter()
            .filter(|stratum| stratum.rows.len() < parts)
            .collect();
        let Some(first) = small.first() else {
            return Ok(());
        };
        let more = match small.len() {
            1 => String::new(),
            count => format!(", and {} more strata are as small", count - 1),
        };
        Err(Error::invalid(
            "stratum",
            &first.value,
            format!(
                "it has {} of the rows of table `{}`, too few for {parts} parts{more}",
                first.rows.len(),
                self.name()
            ),
            "join it with another one, or call allow_small_strata: some parts are then without it",
        ))
    }
}

impl Split {
    /// The names of the parts, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(name, _)| name.as_str())
    }

    /// The rows of a part (0-based, the `example_id`), in rising order; `None` when there is no such
    /// part.
    pub fn rows(&self, name: &str) -> Option<&[u64]> {
        let part = self.parts.iter().find(|(known, _)| known == name);
        part.map(|(_, rows)| rows.as_slice())
    }

    /// The rows of a part as [`Join::rows`](crate::callback::Join::rows) and collections take them.
    pub fn example_ids(&self, name: &str) -> Option<Vec<i64>> {
        let rows = self.rows(name)?.iter();
        Some(rows.filter_map(|&row| i64::try_from(row).ok()).collect())
    }

    /// The edit that keeps the names of the parts in a column of the table, which is added when it is
    /// missing; see [`Edit::commit`].
    pub fn edit(&self, column: &str) -> Edit {
        let mut edit = self.table.edit();
        if self.table.schema().fields().find(column).is_none() {
            edit = edit.add_column(column, ColumnKind::String);
        }
        for (name, rows) in &self.parts {
            edit = edit.set(column, rows.iter().copied(), name.as_str());
        }
        edit
    }
}
