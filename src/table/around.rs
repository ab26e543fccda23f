//! Reading a table around what is damaged in its log.

use std::collections::BTreeSet;

use super::delta::DeltaTable;
use super::snapshot::Snapshot;
use crate::storage::LogView;
use crate::{Error, ErrorKind, Result};

/// More versions than a log can have lost and still be worth reading.
const MAX_HOLLOW: u64 = 1 << 16;

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
    /// A commit counts as a whole or not at all, so what it would have taken out is still there: no row
    /// is read twice, as long as its passes are counted.
    ///
    /// # Errors
    /// As [`DeltaTable::snapshot`], where the other entries do not make a table.
    pub(crate) fn snapshot_around(&self, tell: &mut dyn FnMut(Error)) -> Result<Snapshot> {
        let flaws = self.log_flaws()?;
        if flaws.is_empty() {
            return self.snapshot();
        }
        let mut hollow = BTreeSet::new();
        for flaw in flaws {
            let count = flaw.versions.end() - flaw.versions.start();
            if count >= MAX_HOLLOW {
                return Err(flaw.error);
            }
            hollow.extend(flaw.versions);
            tell(flaw.error);
        }
        let mut view = LogView {
            without_checkpoints: false,
            hollow,
        };
        let with_checkpoints = self.load_seeing(None, view.clone());
        with_checkpoints.or_else(|error| {
            view.without_checkpoints = true;
            self.load_seeing(None, view).map_err(|_| error)
        })
    }
}
