//! Display roles and the Arrow schema that carries them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};

use crate::geometry::{AngleDirection, AngleUnit, BoxFormat, MaskEncoding};
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
    /// Axis-aligned boxes of one image.
    Boxes {
        /// What the coordinates mean.
        format: BoxFormat,
        /// True when coordinates are fractions of the image.
        normalised: bool,
        /// Class names by label; empty when unknown.
        #[serde(default, skip_serializing_if = "is_empty")]
        names: Arc<[String]>,
    },
    /// Rotated boxes of one image: centre, width and height before turning, angle.
    OrientedBoxes {
        /// True when lengths are fractions of the image.
        normalised: bool,
        /// What the angle is measured in.
        angle: AngleUnit,
        /// The way in which a growing angle turns.
        direction: AngleDirection,
        /// Class names by label; empty when unknown.
        #[serde(default, skip_serializing_if = "is_empty")]
        names: Arc<[String]>,
    },
    /// Masks of the instances in one image.
    Masks {
        /// How a mask is written.
        encoding: MaskEncoding,
        /// Class names by label; empty when unknown.
        #[serde(default, skip_serializing_if = "is_empty")]
        names: Arc<[String]>,
    },
    /// A class for each pixel of one image: an encoded grey image whose values are class indices.
    ClassMask {
        /// Class names by index; empty when unknown.
        #[serde(default, skip_serializing_if = "is_empty")]
        names: Arc<[String]>,
        /// The value of pixels that belong to no class, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        void: Option<u16>,
    },
    /// Keypoints of the instances in one image.
    Keypoints {
        /// True when coordinates are fractions of the image.
        normalised: bool,
        /// Class names by label; empty when unknown.
        #[serde(default, skip_serializing_if = "is_empty")]
        names: Arc<[String]>,
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

    /// The class names by index or label that the role holds, which may be none; `None` for a role that
    /// is not about classes.
    ///
    /// ```
    /// use emberlens::table::Role;
    /// assert_eq!(Role::category(["cat", "dog"]).class_names().unwrap()[1], "dog");
    /// assert!(Role::Weight.class_names().is_none());
    /// ```
    pub fn class_names(&self) -> Option<&[String]> {
        match self {
            Self::Category { names }
            | Self::Boxes { names, .. }
            | Self::OrientedBoxes { names, .. }
            | Self::Masks { names, .. }
            | Self::ClassMask { names, .. }
            | Self::Keypoints { names, .. } => Some(names),
            _ => None,
        }
    }

    /// Whether the role says how numbers of the column are to be read: coordinates, angles, masks.
    /// Rows under two such roles cannot stand in one column.
    pub(crate) fn is_geometry(&self) -> bool {
        matches!(
            self,
            Self::Boxes { .. }
                | Self::OrientedBoxes { .. }
                | Self::Masks { .. }
                | Self::ClassMask { .. }
                | Self::Keypoints { .. }
        )
    }
}

/// Whether values under the role `given` would be misread in a column of the role `held`, or the other
/// way round: coordinates, masks or class names of another convention, or of one that nobody named.
pub(crate) fn would_misread(held: Option<&Role>, given: Option<&Role>) -> bool {
    match (held, given) {
        (Some(Role::Category { names: held }), Some(Role::Category { names: given })) => {
            !held.is_empty() && !given.is_empty() && held != given
        }
        (held, given) => {
            let is_geometry = |role: Option<&Role>| role.is_some_and(Role::is_geometry);
            held != given && (is_geometry(held) || is_geometry(given))
        }
    }
}

fn is_empty(names: &Arc<[String]>) -> bool {
    names.is_empty()
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
    fn boxes_are_written_as_before_and_read_without_names() {
        let written = r#"{"role":"boxes","format":"xywh","normalised":true}"#;
        let boxes = Role::Boxes {
            format: BoxFormat::Xywh,
            normalised: true,
            names: Arc::default(),
        };
        assert_eq!(serde_json::to_string(&boxes).unwrap(), written);
        assert_eq!(serde_json::from_str::<Role>(written).unwrap(), boxes);
    }

    #[test]
    fn an_unknown_role_reads_as_none() {
        let field = Field::new("x", DataType::Float32, true)
            .with_metadata([(ROLE_KEY.to_owned(), r#"{"role":"hologram"}"#.to_owned())].into());
        assert_eq!(role(&field), None);
    }
}
