//! The columns that a filter may name.

use std::sync::Arc;

use arrow_schema::DataType;

/// A column that a filter may name.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterColumn {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) data_type: DataType,
    pub(super) classes: Option<Arc<[String]>>,
    pub(super) is_qualified: bool,
}

impl FilterColumn {
    /// A column of a table that the filter may put before its name (`metrics.loss`).
    pub fn new(table: &str, name: &str, data_type: DataType) -> Self {
        Self {
            table: table.to_owned(),
            name: name.to_owned(),
            data_type,
            classes: None,
            is_qualified: false,
        }
    }

    /// The column holds class indices; `names` by index, empty when they are unknown.
    pub fn classes(mut self, names: Arc<[String]>) -> Self {
        self.classes = Some(names);
        self
    }

    /// The name alone is an error: it must stand behind that of its table, because readers would expect
    /// another column of this name.
    pub fn qualified(mut self) -> Self {
        self.is_qualified = true;
        self
    }

    /// The column's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table that it is of.
    pub fn table(&self) -> &str {
        &self.table
    }
}
