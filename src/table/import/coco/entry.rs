//! One element of a list, and errors that say which.

use std::path::Path;

use crate::table::import::json::Json;
use crate::table::import::malformed;
use crate::table::import::skipped::{Defect, SkipReason};

/// The way out of all defects of one element.
pub(super) const HINT: &str = "mend the file, or skip what is malformed by a lenient import";

/// An image, a category or an annotation as the file has it.
pub(super) struct Entry<'a> {
    path: &'a Path,
    json: &'a Json,
    /// `annotation 7 of image 3`; by its place in the list where it has no id.
    place: String,
}

impl<'a> Entry<'a> {
    /// `kind` is the singular, for the error; `list` and `number` are its place.
    pub(super) fn new(
        path: &'a Path,
        kind: &str,
        list: &str,
        number: usize,
        json: &'a Json,
    ) -> Self {
        let whole = |name: &str| json.get(name).and_then(Json::integer);
        let mut place = match whole("id") {
            Some(id) => format!("{kind} {id}"),
            None => format!("{list}[{number}]"),
        };
        if let Some(image) = whole("image_id") {
            place.push_str(&format!(" of image {image}"));
        }
        Self { path, json, place }
    }

    /// What is wrong with it.
    pub(super) fn defect(&self, reason: SkipReason, text: impl Into<String>) -> Defect {
        Defect::new(reason, malformed(self.path, text, self.place.clone(), HINT))
    }

    /// A field that may be missing.
    pub(super) fn find(&self, name: &str) -> Option<&'a Json> {
        self.json.get(name)
    }

    /// A field that must be there.
    pub(super) fn field(&self, name: &str) -> Result<&'a Json, Defect> {
        let missing = || match self.json {
            Json::Object(_) => format!("`{name}` is missing"),
            other => format!("{other} where an object is needed"),
        };
        self.find(name)
            .ok_or_else(|| self.defect(SkipReason::Field, missing()))
    }

    /// A whole number, such as an id.
    pub(super) fn integer(&self, name: &str) -> Result<i64, Defect> {
        let given = self.field(name)?;
        given
            .integer()
            .ok_or_else(|| self.mistyped(name, given, "a whole number of 64 bits"))
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, Defect> {
        match self.field(name)? {
            Json::Text(text) => Ok(text),
            other => Err(self.mistyped(name, other, "text")),
        }
    }

    /// A field of another type.
    pub(super) fn mistyped(&self, name: &str, found: &Json, needed: &str) -> Defect {
        let text = format!("`{name}` is {found} where {needed} is needed");
        self.defect(SkipReason::Field, text)
    }
}
