//! What a data set says of its classes beyond their names.

use arrow_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The field metadata key under which a column of instances keeps the categories of its source, as
/// a JSON list in the order of the labels.
pub(crate) const CATEGORIES_KEY: &str = "emberlens.categories";

/// A class as COCO describes it; its label is its place in the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Category {
    /// The id in the source; labels are numbered from 0, ids may have gaps.
    pub(crate) id: i64,
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) supercategory: Option<String>,
    /// Names of the keypoints, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keypoints: Vec<String>,
    /// Pairs of keypoints that are joined, counted from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) skeleton: Vec<[i64; 2]>,
}

impl Category {
    /// The metadata of a column.
    pub(crate) fn to_metadata(categories: &[Self]) -> Result<String> {
        serde_json::to_string(categories).map_err(|error| {
            let hint = "rename the categories";
            Error::invalid("categories", categories.len(), error.to_string(), hint)
        })
    }

    /// The categories that the first column with such metadata has; `None` without one.
    ///
    /// # Errors
    /// `Corrupt` for metadata that is no list of categories.
    pub(crate) fn of_schema(schema: &Schema, place: &str) -> Result<Option<Vec<Self>>> {
        let mut fields = schema.fields().iter();
        let Some(text) = fields.find_map(|field| field.metadata().get(CATEGORIES_KEY)) else {
            return Ok(None);
        };
        serde_json::from_str(text)
            .map(Some)
            .map_err(|error| Error::Corrupt {
                what: "list of categories",
                reason: error.to_string(),
                path: place.to_owned(),
            })
    }
}
