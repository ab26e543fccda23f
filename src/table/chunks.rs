//! Small batches joined into chunks of a bounded size.

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;

use crate::{Error, Result};

/// Rows of a chunk, at most for imports that choose their batches.
pub(super) const CHUNK_ROWS: usize = 8192;
/// Bytes in memory after which a chunk is handed on, whatever its rows.
pub(super) const CHUNK_BYTES: usize = 32 << 20;

/// Joins batches until a chunk has [`CHUNK_ROWS`] or [`CHUNK_BYTES`]; larger batches pass as they are.
pub(super) struct Chunks<I> {
    batches: I,
    pending: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl<I> Chunks<I> {
    pub(super) fn new(batches: I) -> Self {
        Self {
            batches,
            pending: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }

    fn join(&mut self) -> Option<Result<RecordBatch>> {
        (self.rows, self.bytes) = (0, 0);
        let pending = std::mem::take(&mut self.pending);
        match pending.as_slice() {
            [] => None,
            [only] => Some(Ok(only.clone())),
            [first, ..] => Some(
                concat_batches(first.schema_ref(), &pending).map_err(|error| {
                    Error::invalid(
                        "batches",
                        pending.len(),
                        error.to_string(),
                        "give all one schema",
                    )
                }),
            ),
        }
    }
}

impl<I: Iterator<Item = Result<RecordBatch>>> Iterator for Chunks<I> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rows < CHUNK_ROWS && self.bytes < CHUNK_BYTES {
            match self.batches.next() {
                None => break,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    self.rows += batch.num_rows();
                    self.bytes += batch.get_array_memory_size();
                    self.pending.push(batch);
                }
            }
        }
        self.join()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Columns, values};

    #[test]
    fn many_single_rows_become_few_chunks_in_order() {
        let rows = (0..20_000_i64).map(|row| Columns::new().with("x", vec![row]).into_batch("t"));
        let chunks: Vec<_> = Chunks::new(rows).map(Result::unwrap).collect();
        assert_eq!(
            chunks.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(),
            [8192, 8192, 3616]
        );
        let read: Vec<i64> = chunks
            .iter()
            .flat_map(|chunk| values::<i64>(chunk, "x").unwrap())
            .collect();
        assert!(read.into_iter().eq(0..20_000));
    }

    #[test]
    fn large_rows_are_handed_on_before_the_row_count_is_reached() {
        let rows = (0..40).map(|_| {
            Columns::new()
                .with("x", vec![vec![0_u8; 4 << 20]])
                .into_batch("t")
        });
        let largest = Chunks::new(rows)
            .map(|chunk| chunk.unwrap().num_rows())
            .max();
        assert!(largest <= Some(8), "{largest:?}");
    }
}
