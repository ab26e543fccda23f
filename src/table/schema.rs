//! Display roles and the Arrow schema that carries them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The field metadata key under which a column's [`Role`] is kept, as JSON.
pub const ROLE_KEY: &str = "emberlens.role";

/// How a column is meant to be shown and used; stored in the field's metadata.
///
/// ```
/// use emberlens::table::Role;
/// let role = Role::category(["cat", "dog"]);
/// assert_eq!(serde_json::to_string(&role).unwrap(), r#"{"role":"category","names":["cat","dog"]}"#);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Role {
    /// An identifier such as `example_id`; never averaged.
    Id,
    /// A class index into `names`; never averaged.
    Category {
        /// Class names by index, shared by all batches that carry the role; empty when unknown.
        names: Arc<[String]>,
    },
    /// An image.
    Image {
        /// Where its bytes are.
        storage: ImageStorage,
    },
    /// A fixed-width vector of f32, stored as `list<float>`.
    Embedding {
        /// Number of values in every row.
        width: usize,
    },
    /// A sample weight, 0 or more; 0 means "leave out".
    Weight,
    /// A probability in 0..=1.
    Probability,
    /// Boxes of one image.
    Boxes {
        /// `xyxy` or `xywh`.
        format: String,
        /// True when coordinates are fractions of the image.
        normalised: bool,
    },
    /// The address of something.
    Url,
}

impl Role {
    /// A category with class names by index.
    pub fn category(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::Category {
            names: names.into_iter().map(Into::into).collect(),
        }
    }
}

/// Where the bytes of an image column are.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageStorage {
    /// In the column, encoded (PNG, JPEG, ...).
    Bytes,
    /// Elsewhere; the column holds the URL.
    Url,
}

/// The type of an embedding column: a list of non-null f32.
pub fn embedding_type() -> DataType {
    list_type(DataType::Float32)
}

/// The list type that tables use: the item field is named `element` as Parquet and Delta name it.
pub fn list_type(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", item, true)))
}

/// A nullable field with an optional role.
pub fn field(name: &str, data_type: DataType, role: Option<&Role>) -> Result<Field> {
    let field = Field::new(name, data_type, true);
    let Some(role) = role else { return Ok(field) };
    let json = serde_json::to_string(role).map_err(|error| {
        Error::invalid(
            "role",
            format!("{role:?}"),
            error.to_string(),
            "use a role that JSON can hold",
        )
    })?;
    Ok(field.with_metadata(HashMap::from([(ROLE_KEY.to_owned(), json)])))
}

/// The role of a field; `None` when it has none or one that this version does not know.
pub fn role(field: &Field) -> Option<Role> {
    serde_json::from_str(field.metadata().get(ROLE_KEY)?).ok()
}

/// The column names, comma-separated, for errors.
pub(crate) fn names(schema: &Schema) -> String {
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_survives_the_field() {
        let written = Role::Embedding { width: 64 };
        let field = field("embedding", embedding_type(), Some(&written)).unwrap();
        assert_eq!(role(&field), Some(written));
    }

    #[test]
    fn an_unknown_role_reads_as_none() {
        let field = Field::new("x", DataType::Float32, true)
            .with_metadata([(ROLE_KEY.to_owned(), r#"{"role":"hologram"}"#.to_owned())].into());
        assert_eq!(role(&field), None);
    }
}
