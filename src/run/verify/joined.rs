//! The tables that passes are joined to, each opened once however many passes join it.

use std::collections::HashMap;

use crate::Result;
use crate::run::{InputTable, RunReader};

/// Rows of joined tables by address and revision; `None` for one that cannot be opened.
#[derive(Default)]
pub(super) struct Joined(HashMap<(String, u64), Option<u64>>);

impl Joined {
    /// How many rows the table has; `None` where an error was told already.
    ///
    /// # Errors
    /// That of the first try to open it.
    pub(super) fn rows(&mut self, reader: &RunReader, input: &InputTable) -> Result<Option<u64>> {
        let key = (input.url.clone(), input.revision);
        if let Some(known) = self.0.get(&key) {
            return Ok(*known);
        }
        let opened = reader.input_table(input);
        let rows = opened.as_ref().ok().map(|table| table.row_count());
        self.0.insert(key, rows);
        opened.map(|_| rows)
    }
}
