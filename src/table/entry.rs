//! Whose a log entry is: what a writer asks that was told that the version is taken.

use serde::Deserialize;

use super::delta::DeltaTable;
use crate::Result;

/// A line of a log entry, of which the transaction is all that is read.
#[derive(Deserialize)]
struct Line {
    txn: Option<Transaction>,
}

/// The name of a commit, and its number among those of that name.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Transaction {
    #[serde(rename = "appId")]
    pub(super) writer_id: String,
    pub(super) version: i64,
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
        let transactions = self.transactions_of(version)?;
        Ok(transactions.map(|all| holds(&all, writer_id, sequence)))
    }

    /// The transactions of the log's entry of `version`; `None` when there is no entry.
    pub(super) fn transactions_of(&self, version: u64) -> Result<Option<Vec<Transaction>>> {
        let entry = format!("_delta_log/{version:020}.json");
        let entry = self.location().join(&entry).read_if_exists()?;
        Ok(entry.map(|entry| transactions(&entry)))
    }
}

fn holds(transactions: &[Transaction], writer_id: &str, sequence: i64) -> bool {
    transactions
        .iter()
        .any(|transaction| transaction.writer_id == writer_id && transaction.version == sequence)
}

fn transactions(entry: &[u8]) -> Vec<Transaction> {
    entry
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Line>(line).ok()?.txn)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_found_among_other_lines() {
        let entry = b"{\"commitInfo\":{\"txnId\":1}}\n{\"txn\":{\"appId\":\"w\",\"version\":7,\"lastUpdated\":1}}\n\
                      {\"add\":{\"path\":\"x\"}}\n";
        let holds = |writer, sequence| super::holds(&transactions(entry), writer, sequence);
        assert!(holds("w", 7));
        assert!(!holds("w", 8) && !holds("v", 7));
        assert!(transactions(b"").is_empty() && transactions(b"not json").is_empty());
    }
}
