//! Reading a table around what is damaged in its log.

use std::collections::BTreeSet;

use super::delta::DeltaTable;
use super::snapshot::Snapshot;
use crate::storage::LogView;
use crate::{Error, ErrorKind, Result};

/// More versions than a log can have lost and still be worth reading: each is asked for, and one file with
/// a large number in its name may claim any number of them.
const MAX_HOLLOW: u64 = 4096;

impl DeltaTable {
    /// A version, or the latest, by the entries of the log alone.
    pub(super) fn without_checkpoints(&self, version: Option<u64>) -> Result<Snapshot> {
        let view = LogView {
            without_checkpoints: true,
            ..LogView::default()
        };
        self.load_seeing(version, view)
    }

    /// What can be read of a version whose checkpoint is damaged: checkpoints say nothing that the
    /// entries before them do not.
    ///
    /// # Errors
    /// The one that was met, where the entries are not all there.
    pub(super) fn despite_checkpoints(&self, version: Option<u64>, met: Error) -> Result<Snapshot> {
        if met.kind() != ErrorKind::Corrupt || !self.can_do_without_checkpoints()? {
            return Err(met);
        }
        let read = self.without_checkpoints(version).map_err(|_| met)?;
        tracing::warn!(
            table = self.location().url(),
            "a checkpoint of the log cannot be read; its entries were read instead"
        );
        Ok(read)
    }

    /// The latest version without the commits whose entries are damaged or missing; each is told.
    ///
    /// A commit counts as a whole or not at all, so what it would have taken out is still there. Rows may
    /// be there twice: where it rewrote files, and a later one rewrote what it made.
    ///
    /// # Errors
    /// As [`DeltaTable::snapshot`], where the other entries do not make a table.
    pub(crate) fn snapshot_around(&self, tell: &mut dyn FnMut(Error)) -> Result<Snapshot> {
        self.around(None, tell)
    }

    /// The same of a version. One whose own entry is damaged would be the version before it: that is an
    /// error.
    ///
    /// # Errors
    /// As [`DeltaTable::snapshot_around`]; `Corrupt` for a version whose entry is damaged.
    pub(crate) fn version_around(
        &self,
        version: u64,
        tell: &mut dyn FnMut(Error),
    ) -> Result<Snapshot> {
        self.around(Some(version), tell)
    }

    fn around(&self, version: Option<u64>, tell: &mut dyn FnMut(Error)) -> Result<Snapshot> {
        let flaws = self.log_flaws()?;
        if flaws.is_empty() {
            return match version {
                Some(version) => self.snapshot_at(version),
                None => self.snapshot(),
            };
        }
        let mut hollow = BTreeSet::new();
        let mut left = MAX_HOLLOW;
        for flaw in flaws {
            let before_last = flaw.versions.end() - flaw.versions.start();
            left = match left.checked_sub(before_last.saturating_add(1)) {
                Some(left) if !version.is_some_and(|one| flaw.versions.contains(&one)) => left,
                _ => return Err(flaw.error),
            };
            hollow.extend(flaw.versions);
            tell(flaw.error);
        }
        let mut view = LogView {
            without_checkpoints: false,
            hollow,
        };
        let with_checkpoints = self.load_seeing(version, view.clone());
        with_checkpoints.or_else(|error| {
            view.without_checkpoints = true;
            self.load_seeing(version, view).map_err(|_| error)
        })
    }
}
