//! Whose a log entry is: what a writer asks that was told that the version is taken.

use serde::Deserialize;

use super::delta::DeltaTable;
use crate::Result;

/// A line of a log entry, of which the transaction is all that is read.
#[derive(Deserialize)]
struct Line {
    txn: Option<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    #[serde(rename = "appId")]
    writer_id: String,
    version: i64,
}

impl DeltaTable {
    /// Whether the log's entry of `version` carries that transaction; `None` when there is no entry.
    ///
    /// A client that sends a commit again, after an answer that was lost, is told that the version is
    /// taken: by itself.
    pub(super) fn is_entry_of(
        &self,
        version: u64,
        writer_id: &str,
        sequence: i64,
    ) -> Result<Option<bool>> {
        let entry = format!("_delta_log/{version:020}.json");
        let entry = self.location().join(&entry).read_if_exists()?;
        Ok(entry.map(|entry| holds(&entry, writer_id, sequence)))
    }
}

fn holds(entry: &[u8], writer_id: &str, sequence: i64) -> bool {
    entry
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok()?.txn)
        .any(|txn| txn.writer_id == writer_id && txn.version == sequence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_found_among_other_lines() {
        let entry = b"{\"commitInfo\":{\"txnId\":1}}\n{\"txn\":{\"appId\":\"w\",\"version\":7,\"lastUpdated\":1}}\n\
                      {\"add\":{\"path\":\"x\"}}\n";
        assert!(holds(entry, "w", 7));
        assert!(!holds(entry, "w", 8) && !holds(entry, "v", 7));
        assert!(!holds(b"", "w", 7) && !holds(b"not json", "w", 7));
    }
}
