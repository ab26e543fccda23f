//! Which passes are reduced, and which of them share a projection.

use crate::run::PassRecord;

/// Which rows share one projection, and so one coordinate system.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Per {
    /// All rows of the run.
    #[default]
    Run,
    /// The rows of a split. Coordinates of two splits cannot be compared.
    Split,
    /// The rows of the passes that join to the same table, whatever its revision. Coordinates of
    /// two tables cannot be compared.
    Table,
}

/// Only passes of this split and table, where one is named.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) split: Option<String>,
    /// As the run's documents have it: relative to the project where it lies inside.
    pub(super) table: Option<String>,
}

impl Filter {
    pub(super) fn holds(&self, pass: &PassRecord) -> bool {
        let table = pass.table.as_ref().map(|table| table.url.as_str());
        self.split.as_ref().is_none_or(|split| *split == pass.split)
            && self.table.as_deref().is_none_or(|url| table == Some(url))
    }
}

/// Passes that share a projection.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) split: Option<String>,
    /// Empty for passes that join no table.
    pub(super) table: Option<String>,
    /// In order of completion.
    pub(super) passes: Vec<PassRecord>,
}

/// The groups in the order of their first pass.
pub(super) fn groups(per: Per, passes: Vec<PassRecord>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for pass in passes {
        let split = (per == Per::Split).then(|| pass.split.clone());
        let table = (per == Per::Table).then(|| {
            let table = pass.table.as_ref();
            table.map(|table| table.url.clone()).unwrap_or_default()
        });
        match groups
            .iter_mut()
            .find(|group| group.split == split && group.table == table)
        {
            Some(group) => group.passes.push(pass),
            None => groups.push(Group {
                split,
                table,
                passes: vec![pass],
            }),
        }
    }
    groups
}
