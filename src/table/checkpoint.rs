//! Checkpoints: the log in one file, so that a table of thousands of commits opens at once.

use delta_kernel::snapshot::SnapshotRef;

use super::damage;
use super::delta::DeltaTable;

/// Versions between two checkpoints.
const INTERVAL: u64 = 50;

impl DeltaTable {
    /// Remembers what a commit made, with a checkpoint when one is due.
    pub(super) fn remember_committed(&self, committed: &SnapshotRef) {
        self.seen().remember(committed);
        if !committed.version().is_multiple_of(INTERVAL) {
            return;
        }
        match committed.checkpoint(self.location().engine().as_ref(), None) {
            Ok((_, with_checkpoint)) => self.seen().remember(&with_checkpoint),
            // The commit stands: without a checkpoint readers take longer, and the next one is due
            // in as many versions.
            Err(error) => tracing::warn!(
                table = self.location().url(),
                version = committed.version(),
                "no checkpoint of the log could be written: {}",
                damage::reason(&error)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Location;
    use crate::table::Columns;

    #[test]
    fn a_checkpoint_comes_every_fifty_versions_and_carries_rows_and_transactions() {
        let folder = tempfile::tempdir().unwrap();
        let place = Location::open(&folder.path().display().to_string()).unwrap();
        let rows = |number: i64| {
            let columns = Columns::new().with("x", vec![number]);
            columns.into_batch("test").unwrap()
        };
        let table = DeltaTable::create(place.clone(), &rows(0).schema()).unwrap();
        for number in 0..120 {
            table.append("a", number, &[rows(number)]).unwrap();
        }
        let log = place.join("_delta_log").list_files().unwrap();
        let checkpoints: Vec<_> = log
            .iter()
            .filter(|name| name.contains("checkpoint"))
            .collect();
        assert_eq!(
            checkpoints,
            [
                "00000000000000000050.checkpoint.parquet",
                "00000000000000000100.checkpoint.parquet",
                "_last_checkpoint"
            ]
        );
        // What the checkpoint says is not read from the entries before it any more.
        for version in 0..100 {
            place
                .join(&format!("_delta_log/{version:020}.json"))
                .delete()
                .unwrap();
        }
        let opened = DeltaTable::open(place).unwrap();
        let known = opened.snapshot().unwrap();
        let numbers = crate::table::values::<i64>(&known.read(None).unwrap(), "x").unwrap();
        assert_eq!(numbers, (0..120).collect::<Vec<_>>());
        assert_eq!(
            opened.append("a", 119, &[rows(7)]).unwrap(),
            120,
            "it is there already"
        );
    }
}
