//! What a finished pass has to tell.

use std::time::Duration;

use crate::run::WrittenInfo;

/// The outcome of one complete pass.
#[derive(Clone, Debug)]
pub struct PassReport {
    /// The run's id.
    pub run_id: String,
    /// The run's address, credentials stripped.
    pub run_url: String,
    /// The stream written to.
    pub stream: String,
    /// The split.
    pub split: String,
    /// The 0-based epoch, if any.
    pub epoch: Option<i64>,
    /// The pass, as its rows carry it in `pass_id`.
    pub pass_id: String,
    /// Rows written.
    pub rows: u64,
    /// Samples left out because their weight is 0.
    pub zero_weights: u64,
    /// From the first batch to the rows being durable.
    pub elapsed: Duration,
    /// `rows` over `elapsed`; 0 without rows.
    pub rows_per_second: f64,
    /// Bytes of the files written.
    pub size_bytes: u64,
    /// The files written.
    pub written_infos: Vec<WrittenInfo>,
    /// Aggregates by the names they have in the run's scalars, such as `train_loss_avg`.
    pub aggregates: Vec<(String, f64)>,
    /// Streams and numbers of rows of what summed the pass up, such as `per_class`.
    pub summed_rows: Vec<(String, u64)>,
    /// Columns that hold embeddings.
    pub embedding_columns: Vec<String>,
}

impl PassReport {
    /// The aggregate of that name, such as `train_loss_avg`.
    pub fn aggregate(&self, name: &str) -> Option<f64> {
        self.aggregates
            .iter()
            .find_map(|(known, value)| (known == name).then_some(*value))
    }
}
