//! What a commit says about itself: who made it, why, and of which revision.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema};
use delta_kernel::engine::arrow_conversion::TryIntoKernel;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::StructType;
use delta_kernel::transaction::Transaction;
use serde::Deserialize;

use crate::table::list_type;
use crate::{Error, Result};

/// Longest author and longest note, in bytes.
const LONGEST_AUTHOR: usize = 256;
const LONGEST_NOTE: usize = 16 << 10;

/// Field of a log entry's `commitInfo` with what Emberlens adds to it.
const OWN: &str = "emberlens";
/// The field for a user's words, which Delta tools show in their history.
const NOTE: &str = "userMetadata";

/// What an edit says about itself in the log.
#[derive(Clone, Debug, Default)]
pub(in crate::table) struct Details {
    pub(in crate::table) told: Told,
    pub(in crate::table) note: Option<String>,
}

/// The members of the field `emberlens`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::table) struct Told {
    pub(in crate::table) operation: String,
    pub(in crate::table) author: Option<String>,
    pub(in crate::table) parent: Option<u64>,
    pub(in crate::table) columns: Vec<String>,
    pub(in crate::table) rows: Option<u64>,
    pub(in crate::table) undoes: Option<u64>,
}

impl Details {
    /// Whether author and note can be shown as they are.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(author) = &self.told.author
            && (author.trim().is_empty()
                || author.len() > LONGEST_AUTHOR
                || author.contains(char::is_control))
        {
            let reason = "an author is one line of 1 to 256 bytes";
            return Err(Error::invalid(
                "author",
                format!("{author:?}"),
                reason,
                "give a name",
            ));
        }
        match &self.note {
            Some(note) if note.len() > LONGEST_NOTE => Err(Error::invalid(
                "note",
                format!("{} bytes", note.len()),
                format!("a note has {LONGEST_NOTE} bytes at most"),
                "shorten it",
            )),
            _ => Ok(()),
        }
    }

    /// The transaction with these details in its `commitInfo`.
    pub(in crate::table) fn put_into(&self, transaction: Transaction) -> Result<Transaction> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::storage("describe an edit", "Delta log entry", error.to_string())
        };
        let row = self.row().map_err(|error| failed(&error))?;
        let schema: StructType = row
            .schema()
            .as_ref()
            .try_into_kernel()
            .map_err(|error| failed(&error))?;
        let row = Box::new(ArrowEngineData::new(row));
        Ok(transaction.with_commit_info(row, Arc::new(schema)))
    }

    fn row(&self) -> Result<RecordBatch, ArrowError> {
        let told = &self.told;
        let text = |text: Option<&str>| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let number = |number: Option<u64>| {
            let number = number.and_then(|number| i64::try_from(number).ok());
            Arc::new(Int64Array::from(vec![number])) as ArrayRef
        };
        let item = Arc::new(Field::new("element", DataType::Utf8, true));
        let names = StringArray::from_iter_values(&told.columns);
        let offsets = OffsetBuffer::from_lengths([names.len()]);
        let columns = ListArray::try_new(item, offsets, Arc::new(names), None)?;
        let members: Vec<(&str, DataType, ArrayRef)> = vec![
            ("operation", DataType::Utf8, text(Some(&told.operation))),
            ("author", DataType::Utf8, text(told.author.as_deref())),
            ("parent", DataType::Int64, number(told.parent)),
            ("columns", list_type(DataType::Utf8), Arc::new(columns)),
            ("rows", DataType::Int64, number(told.rows)),
            ("undoes", DataType::Int64, number(told.undoes)),
        ];
        let fields = members
            .iter()
            .map(|(name, data_type, _)| Field::new(*name, data_type.clone(), true));
        let fields: Fields = fields.collect();
        let arrays = members.into_iter().map(|(_, _, array)| array).collect();
        let own = StructArray::try_new(fields.clone(), arrays, None)?;
        let schema = Schema::new(vec![
            Field::new(NOTE, DataType::Utf8, true),
            Field::new(OWN, DataType::Struct(fields), true),
        ]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![text(self.note.as_deref()), Arc::new(own)],
        )
    }
}
