//! What a pass is asked to do, and the one check that finds everything wrong with it.

use super::constant::Constant;
use super::loader::{Loader, Selection};
use crate::CancelFlag;
use crate::progress::{Progress, Silent};
use crate::run::{DEFAULT_STREAM, KEYS};
use crate::storage::without_credentials;
use crate::table::Table;
use crate::{Error, Result};

/// Everything about a pass but its dataset, predictor and collectors.
#[derive(Clone)]
pub(crate) struct Settings<'a> {
    pub(crate) table: Option<Table>,
    pub(crate) foreign_table_url: Option<String>,
    pub(crate) without_table: bool,
    pub(crate) example_ids: Option<Vec<i64>>,
    pub(crate) split: String,
    pub(crate) epoch: Option<i64>,
    pub(crate) stream: String,
    pub(crate) constants: Vec<(String, Constant)>,
    pub(crate) exclude_zero_weights: bool,
    pub(crate) aggregates: bool,
    /// Whether the aggregates are on the disk when the pass returns.
    pub(crate) flush_scalars: bool,
    pub(crate) loader: Loader,
    pub(crate) cancel: CancelFlag,
    pub(crate) progress: &'a dyn Progress,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            table: None,
            foreign_table_url: None,
            without_table: false,
            example_ids: None,
            split: String::new(),
            epoch: None,
            stream: DEFAULT_STREAM.into(),
            constants: Vec::new(),
            exclude_zero_weights: false,
            aggregates: true,
            flush_scalars: true,
            loader: Loader::default(),
            cancel: CancelFlag::new(),
            progress: &Silent,
        }
    }
}

/// What was checked: the pass cannot fail for a bad argument any more.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) table: Option<Table>,
    pub(crate) selection: Selection,
    /// Samples left out because their weight is 0.
    pub(crate) zero_weights: usize,
}

impl Settings<'_> {
    /// Checks everything at once and reports every problem.
    pub(crate) fn check(&self, samples: usize, collectors: usize) -> Result<Plan> {
        let mut problems = Vec::new();
        problems.extend(self.loader.check().err());
        if collectors == 0 {
            problems.push(Error::invalid(
                "collectors",
                0,
                "a pass writes the columns of its collectors",
                "add at least one",
            ));
        }
        self.check_constants(&mut problems);
        let table = self.join().unwrap_or_else(|error| {
            problems.push(error);
            None
        });
        problems.extend(self.check_rows(samples, table.as_ref()).err());
        let weights = if self.exclude_zero_weights {
            self.weights(table.as_ref()).unwrap_or_else(|error| {
                problems.push(error);
                Vec::new()
            })
        } else {
            Vec::new()
        };
        Error::all(problems)?;
        let selection = if self.exclude_zero_weights {
            let kept = |index: &usize| weights.get(self.row(*index)) != Some(&0.0);
            Selection::Some((0..samples).filter(kept).collect())
        } else {
            Selection::All(samples)
        };
        Ok(Plan {
            zero_weights: samples - selection.len(),
            table,
            selection,
        })
    }

    /// The row of the table that a dataset index belongs to.
    pub(crate) fn example_id(&self, index: usize) -> i64 {
        match &self.example_ids {
            Some(ids) => ids.get(index).copied().unwrap_or(-1),
            None => i64::try_from(index).unwrap_or(i64::MAX),
        }
    }

    fn row(&self, index: usize) -> usize {
        usize::try_from(self.example_id(index)).unwrap_or(usize::MAX)
    }

    fn join(&self) -> Result<Option<Table>> {
        match (&self.table, &self.foreign_table_url, self.without_table) {
            (Some(table), None, false) => Ok(Some(table.clone())),
            (None, Some(url), false) => Table::open_url(url).map(Some),
            (None, None, true) => Ok(None),
            (None, None, false) => Err(Error::invalid(
                "table",
                "none",
                "rows of metrics are joined to the rows of a table",
                "give .table(..) or .foreign_table_url(..), or say .without_table()",
            )),
            (table, url, _) => {
                let named = table.as_ref().map(|table| table.name().to_owned());
                let given: Vec<String> = named
                    .into_iter()
                    .chain(url.as_deref().map(without_credentials))
                    .chain(self.without_table.then(|| "without_table".to_owned()))
                    .collect();
                Err(Error::invalid(
                    "table",
                    given.join(" and "),
                    "a pass joins to one table",
                    "keep one of .table(..), .foreign_table_url(..) and .without_table()",
                ))
            }
        }
    }

    /// Dataset, table and explicit ids must agree in their numbers of rows.
    fn check_rows(&self, samples: usize, table: Option<&Table>) -> Result<()> {
        if let Some(ids) = &self.example_ids {
            if ids.len() != samples {
                return Err(Error::invalid(
                    "example_ids",
                    format!("{} ids", ids.len()),
                    format!("the dataset has {samples} items"),
                    "give one id for each item",
                ));
            }
            let rows = table.map_or(u64::MAX, Table::row_count);
            let outside = |id: &i64| u64::try_from(*id).map_or(true, |id| id >= rows);
            return match ids.iter().position(outside) {
                None => Ok(()),
                Some(row) => Err(Error::ExampleId {
                    value: ids[row],
                    row,
                    rows,
                    table: table.map_or("no table".into(), |table| {
                        format!("table `{}`", table.name())
                    }),
                }),
            };
        }
        match table {
            Some(table) if table.row_count() != samples as u64 => Err(Error::invalid(
                "dataset",
                format!("{samples} items"),
                format!("table `{}` has {} rows", table.name(), table.row_count()),
                "join to the table it was made from, or give .example_ids(..)",
            )),
            _ => Ok(()),
        }
    }

    fn weights(&self, table: Option<&Table>) -> Result<Vec<f32>> {
        let Some(table) = table else {
            return Err(Error::invalid(
                "exclude_zero_weights",
                true,
                "the weights are a column of the table, and there is none",
                "give the table or leave the option out",
            ));
        };
        table.weights()?.ok_or_else(|| {
            Error::invalid(
                "exclude_zero_weights",
                true,
                format!(
                    "table `{}` has no column with the role of a weight",
                    table.name()
                ),
                "add one or leave the option out",
            )
        })
    }

    fn check_constants(&self, problems: &mut Vec<Error>) {
        for (position, (name, _)) in self.constants.iter().enumerate() {
            let same = |known: &str| known.eq_ignore_ascii_case(name);
            if KEYS.into_iter().any(same) {
                problems.push(Error::invalid(
                    "constant",
                    format!("`{name}`"),
                    "every metrics table has a column of that name",
                    "use .epoch(..) or .split(..) for those two, or another name",
                ));
            } else if self.constants[..position]
                .iter()
                .any(|(known, _)| same(known))
            {
                problems.push(Error::DuplicateColumn {
                    column: name.clone(),
                    first: format!("constant `{name}`"),
                    second: "another constant".into(),
                });
            }
        }
    }
}
