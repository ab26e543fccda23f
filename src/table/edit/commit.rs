//! Committing an edit right after the revision that it was made for.

use ulid::Ulid;

use super::details::Details;
use super::rewrite::Rewritten;
use crate::table::commit::{Change, Commit, Removes};
use crate::table::{DeltaTable, Snapshot};
use crate::{Error, Result};

impl DeltaTable {
    /// Puts the files of an edit in the place of those that it read; `schema` may have more columns.
    ///
    /// # Errors
    /// `Conflict` when another commit came first, and then nothing was committed.
    pub(super) fn commit_edit(
        &self,
        base: &Snapshot,
        schema: &arrow_schema::Schema,
        rewritten: &Rewritten,
        details: &Details,
    ) -> Result<u64> {
        let writer_id = format!("edit-{}", Ulid::new()).to_ascii_lowercase();
        let files = &rewritten.added;
        let mut commit = Commit::of(&writer_id, 0, files, schema);
        if !rewritten.removed.is_empty() {
            commit.removes = Removes::Named(&rewritten.removed);
        }
        commit.change = Change::Cells;
        commit.details = Some(details);
        // On top of what was read, whatever listings show: who has the next version decides.
        match self.attempt(&commit, Ok(base.clone()), Some(base.version()))? {
            Some(version) => Ok(version),
            None => {
                self.delete_unused(files);
                Err(self.moved_on(base.version()))
            }
        }
    }

    /// The error for an edit of a revision that is not the latest any more.
    pub(super) fn moved_on(&self, base: u64) -> Error {
        let next = self.revision(base + 1);
        let latest = self.latest().map(|latest| latest.version());
        let by = match next {
            Ok(Some(next)) => format!("revision {} is {next}", next.version),
            _ => "others committed meanwhile".to_owned(),
        };
        Error::Conflict {
            what: format!("an edit of revision {base}"),
            reason: match latest {
                Ok(latest) => format!("the table is at revision {latest} ({by})"),
                Err(_) => by,
            },
            hint: format!(
                "nothing was changed: see what differs from revision {base}, and make the edit again \
                 on the latest one"
            ),
            path: self.location().url(),
        }
    }
}
