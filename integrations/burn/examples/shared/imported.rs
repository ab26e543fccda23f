//! The table of a data set on disk, which must still be what is on disk.

use std::path::Path;

use arrow_array::RecordBatch;
use emberlens::run::Project;
use emberlens::storage::Location;
use emberlens::table::Table;

use crate::program::Failure;
use crate::table::open_or_create;

/// The table of this name: imported, or the one that an earlier run imported, at its latest revision.
///
/// `import` makes it in a folder. Of a table that is there, another one is made in a temporary folder, and
/// the first revision must be the same in every cell and role: who edited the table since trains on the
/// edits, and who changed the files, the classes or an option is told, because a table of both there is not.
pub fn open_or_import(
    project: &Project,
    name: &str,
    data: &Path,
    import: impl Fn(&Location) -> Result<Table, Failure>,
) -> Result<Table, Failure> {
    let create = || import(&project.tables());
    open_or_create(project, name, create, |found| {
        let place = tempfile::tempdir()?;
        let now = import(&Location::open(&place.path().display().to_string())?)?;
        match is_same(&found.at_revision(0)?, &now)? {
            true => Ok(true),
            false => Err(format!(
                "table `{name}` holds other data than {}: files, classes or an option changed since it was \
                 imported, or it is of another folder of that name. It stays as it is, with its edits: to \
                 train on the folder, give it another name, use another --root, or delete the table ({})",
                data.display(),
                found.url()
            )
            .into()),
        }
    })
}

/// Whether two tables have the same columns, roles and rows, in whatever batches.
fn is_same(one: &Table, other: &Table) -> Result<bool, Failure> {
    if one.schema() != other.schema() || one.row_count() != other.row_count() {
        return Ok(false);
    }
    let mut others = other.snapshot().batches(None)?;
    let mut rest = RecordBatch::new_empty(other.schema().clone());
    for batch in one.snapshot().batches(None)? {
        let mut batch = batch?;
        while batch.num_rows() > 0 {
            if rest.num_rows() == 0 {
                match others.next() {
                    Some(next) => rest = next?,
                    None => return Ok(false),
                }
            }
            let count = batch.num_rows().min(rest.num_rows());
            if batch.slice(0, count) != rest.slice(0, count) {
                return Ok(false);
            }
            batch = batch.slice(count, batch.num_rows() - count);
            rest = rest.slice(count, rest.num_rows() - count);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use emberlens::table::{Column, Columns, Role};

    use super::*;

    #[test]
    fn one_cell_or_name_tells_tables_apart() {
        let project = Project::open("memory://", "scenes").unwrap();
        let table = |name: &str, labels: &[i32], class: &str| {
            let labels = Column::from(labels.to_vec()).role(Role::category(["cat", class]));
            let light = vec![f32::NAN; labels.len()];
            let columns = Columns::new().with("label", labels).with("light", light);
            project.create_table(name, columns).unwrap()
        };
        let one = table("one", &[0, 1, 1], "dog");
        for (name, labels, class, same) in [
            ("same", &[0, 1, 1][..], "dog", true),
            ("cell", &[0, 1, 0], "dog", false),
            ("name", &[0, 1, 1], "cow", false),
            ("row", &[0, 1], "dog", false),
        ] {
            let other = table(name, labels, class);
            assert_eq!(is_same(&one, &other).unwrap(), same, "{name}");
        }
    }
}
