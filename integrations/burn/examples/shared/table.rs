//! The table of a data set: made by the first run of a program, and shared by those that follow.

use emberlens::run::Project;
use emberlens::table::Table;
use emberlens::{Error, ErrorKind};

use crate::program::Failure;

/// The table of this name: created, or the one that an earlier run created, at its latest revision.
///
/// `holds` says whether a table that is there is of the same data.
pub fn open_or_create(
    project: &Project,
    name: &str,
    create: impl FnOnce() -> Result<Table, Failure>,
    holds: impl FnOnce(&Table) -> Result<bool, Failure>,
) -> Result<Table, Failure> {
    let found = match project.table(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => match create() {
            // Another run of this program, started at the same time, was faster.
            Err(error) if is_there_already(&error) => project.table(name)?,
            created => return created,
        },
        found => found?,
    };
    match holds(&found)? {
        true => Ok(found),
        false => Err(format!(
            "table `{name}` holds other data; delete it or use another --root ({})",
            found.url()
        )
        .into()),
    }
}

fn is_there_already(error: &Failure) -> bool {
    let error = error.downcast_ref::<Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::AlreadyExists)
}
