//! The lists of a COCO file, one element after the other, without the file in memory.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::table::import::json::{Json, Spelled};
use crate::table::import::{malformed, unreadable};
use crate::{Error, Result};

/// The lists that a file must have.
const LISTS: [&str; 3] = ["images", "categories", "annotations"];

/// What some editors put before UTF-8.
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Takes an element: the name of its list, its place in it, itself.
type Take<'t> = dyn FnMut(&'static str, usize, Json) -> Result<()> + 't;

/// Reads the file once and hands on the elements of the `wanted` lists, in the file's order.
///
/// # Errors
/// `Import` with line and column for what is no JSON, another type than an object of lists, or
/// a list that is missing or there twice; `NotFound`; whatever `take` returns.
pub(super) fn each(path: &Path, wanted: &[&'static str], take: &mut Take<'_>) -> Result<()> {
    let file = File::open(path).map_err(|error| unreadable("open", path, error))?;
    let mut file = BufReader::new(file);
    let start = file.fill_buf();
    let start = start.map_err(|error| unreadable("read", path, error))?;
    if start.starts_with(MARK) {
        file.consume(MARK.len());
    }
    let source = BufReader::new(Spelled::new(file));
    let mut deserializer = serde_json::Deserializer::from_reader(source);
    let failed = RefCell::new(None);
    let top = Top {
        wanted,
        take,
        failed: &failed,
    };
    let read = top
        .deserialize(&mut deserializer)
        .and_then(|found| deserializer.end().map(|()| found));
    let found = match (failed.take(), read) {
        (Some(error), _) => return Err(error),
        (None, Err(error)) => return Err(json_error(path, error)),
        (None, Ok(found)) => found,
    };
    match LISTS.iter().find(|list| !found.contains(*list)) {
        None => Ok(()),
        Some(missing) => Err(malformed(
            path,
            format!("there is no list `{missing}`"),
            "the top of the file",
            "give a file of annotations, with `images`, `categories` and `annotations`",
        )),
    }
}

fn json_error(path: &Path, error: serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let text = error.to_string();
    let place = format!(" at line {line} column {column}");
    let told = text.strip_suffix(&place).unwrap_or(&text);
    if error.is_io() {
        return unreadable("read", path, error.into());
    }
    let (reason, hint) = match error.is_eof() {
        true => (
            format!("the file ends within its JSON ({told})"),
            "it was cut off: fetch or write it again",
        ),
        false => (
            format!("no JSON of COCO ({told})"),
            "mend the file, or write it again",
        ),
    };
    malformed(path, reason, format!("line {line}, column {column}"), hint)
}

/// The object at the top; gives the names of the lists that it has.
struct Top<'t, 'w> {
    wanted: &'w [&'static str],
    take: &'t mut Take<'t>,
    failed: &'w RefCell<Option<Error>>,
}

impl<'de> DeserializeSeed<'de> for Top<'_, '_> {
    type Value = Vec<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = Vec<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the lists images, categories and annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Some(list) = LISTS.into_iter().find(|list| *list == key) else {
                entries.next_value::<IgnoredAny>()?;
                continue;
            };
            if found.contains(&list) {
                return Err(A::Error::custom(format_args!("the list `{list}` twice")));
            }
            found.push(list);
            if self.wanted.contains(&list) {
                entries.next_value_seed(Elements {
                    list,
                    take: &mut *self.take,
                    failed: self.failed,
                })?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// The elements of one list.
struct Elements<'t, 'w> {
    list: &'static str,
    take: &'t mut Take<'w>,
    failed: &'t RefCell<Option<Error>>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the list `{}`", self.list)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(value) = values.next_element::<Json>()? {
            if let Err(error) = (self.take)(self.list, number, value) {
                *self.failed.borrow_mut() = Some(error);
                return Err(A::Error::custom("what was read is refused"));
            }
            number += 1;
        }
        Ok(())
    }
}
