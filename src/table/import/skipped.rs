//! What a lenient import or export leaves out, counted by reason.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::malformed;
use crate::table::Table;
use crate::{Error, Result};

/// Examples that are kept of each reason.
const EXAMPLES: usize = 3;

/// A table that was imported, and what was left out of it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The table, at its first revision.
    pub table: Table,
    /// What a lenient import skipped; empty for a strict one, which would have failed.
    pub skipped: Skipped,
    /// Rotated boxes that stand for four corners of no rectangle: the smallest around them.
    pub approximated: u64,
}

impl Imported {
    /// A table of which nothing was left out.
    pub fn whole(table: Table) -> Self {
        Self::new(table, Skipped::default())
    }

    pub(super) fn new(table: Table, skipped: Skipped) -> Self {
        Self {
            table,
            skipped,
            approximated: 0,
        }
    }
}

/// Why an annotation, a line or an image was skipped.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// A field is missing, or of another type.
    Field,
    /// An id that was there before.
    DuplicateId,
    /// An image without a size above 0, or of another size than its file.
    ImageSize,
    /// An image file that is missing, too large, no readable image, or of a format that is not read.
    ImageFile,
    /// An annotation of an image that is not listed.
    UnknownImage,
    /// An annotation of an image that was skipped itself.
    SkippedImage,
    /// A category or class that is not listed.
    UnknownCategory,
    /// A box with other than four finite numbers, or a width or height that is negative (of YOLO: or 0).
    Box,
    /// Corners without an area between them.
    Rectangle,
    /// A polygon of fewer than three points or an odd number of values, or not finite.
    Polygon,
    /// Run lengths that are none, do not add up, or have another size than the image.
    RunLengths,
    /// Keypoints that are not three numbers for each of the category's, or a visibility that is none.
    Keypoints,
    /// A line with another number of fields, or one that is no number.
    Line,
    /// A coordinate outside -0.01..=1.01 where fractions of the image are needed.
    Range,
    /// A file of labels without its image.
    LabelFile,
    /// An image of a split in which no image has a file of labels; its row is kept.
    NoLabels,
    /// A file that cannot be opened or read.
    Unreadable,
    /// A file of a format that is not read.
    FileFormat,
    /// A second file of one name, but for its ending.
    SameName,
    /// An image without a mask, or a mask without an image.
    Alone,
    /// A mask that cannot be read, or has another size than its image.
    Mask,
    /// Text that is not UTF-8.
    Encoding,
    /// A text that is larger than asked for.
    TextSize,
    /// An image beside the folders of the classes.
    NoClass,
    /// What the format of an export has no way to say: crowds, masks of several parts.
    Inexpressible,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Field => "a field is missing or of another type",
            Self::DuplicateId => "an id twice",
            Self::ImageSize => "an image without a proper size",
            Self::ImageFile => "an image file that cannot be read",
            Self::UnknownImage => "an image that is not listed",
            Self::SkippedImage => "an image that was skipped",
            Self::UnknownCategory => "a category that is not listed",
            Self::Box => "no proper box",
            Self::Rectangle => "corners without an area",
            Self::Polygon => "no proper polygon",
            Self::RunLengths => "no proper run lengths",
            Self::Keypoints => "no proper keypoints",
            Self::Line => "no proper line",
            Self::Range => "a coordinate outside 0 to 1",
            Self::LabelFile => "labels without an image",
            Self::NoLabels => "no file of labels in the whole split",
            Self::Unreadable => "a file that cannot be read",
            Self::FileFormat => "a file of another format",
            Self::SameName => "a second file of one name",
            Self::Alone => "an image or a mask alone",
            Self::Mask => "no proper mask",
            Self::Encoding => "text that is not UTF-8",
            Self::TextSize => "a text that is too long",
            Self::NoClass => "an image without a class",
            Self::Inexpressible => "the format has no way to say it",
        })
    }
}

/// What was skipped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SkippedKind {
    /// How many.
    pub count: u64,
    /// The first few, as the errors of a strict import without their advice.
    pub examples: Vec<String>,
}

/// What was left out, by reason; its text is one line, `3 left out: 1 x no proper box, 2 x an id twice`.
///
/// ```
/// use emberlens::table::import::Skipped;
/// assert_eq!(Skipped::default().count(), 0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    kinds: BTreeMap<SkipReason, SkippedKind>,
}

impl Skipped {
    /// All that was left out: images, annotations or parts of them, lines.
    pub fn count(&self) -> u64 {
        self.kinds.values().map(|kind| kind.count).sum()
    }

    /// True when nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// The reasons there were, with their counts and first examples.
    pub fn by_reason(&self) -> impl Iterator<Item = (SkipReason, &SkippedKind)> {
        self.kinds.iter().map(|(reason, kind)| (*reason, kind))
    }

    fn add(&mut self, reason: SkipReason, error: &Error) {
        let kind = self.kinds.entry(reason).or_default();
        kind.count += 1;
        if kind.examples.len() < EXAMPLES {
            kind.examples.push(without_hint(error));
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left out", self.count())?;
        for (number, (reason, kind)) in self.by_reason().enumerate() {
            let before = if number == 0 { ": " } else { ", " };
            write!(f, "{before}{} x {reason}", kind.count)?;
        }
        Ok(())
    }
}

/// What is wrong and where: how to go about it was decided.
fn without_hint(error: &Error) -> String {
    match error {
        Error::Import {
            reason,
            position,
            path,
            ..
        } => format!("{reason} at {position} ({path})"),
        Error::Value {
            column, row, found, ..
        } => format!("column `{column}` holds {found} in row {row}"),
        other => other.chain(),
    }
}

/// Passes defects on as errors, or counts them where the caller asked to skip.
#[derive(Debug)]
pub(in crate::table) struct Sieve {
    is_lenient: bool,
    skipped: Skipped,
}

impl Sieve {
    pub(in crate::table) fn new(is_lenient: bool) -> Self {
        Self {
            is_lenient,
            skipped: Skipped::default(),
        }
    }

    /// What to do about a defect.
    ///
    /// # Errors
    /// The defect itself, unless the sieve is lenient and it is about content, or a file that is not
    /// there: what the disk did is never skipped.
    pub(in crate::table) fn refuse(&mut self, reason: SkipReason, error: Error) -> Result<()> {
        let is_content = matches!(
            error,
            Error::Import { .. } | Error::NotFound { .. } | Error::Value { .. }
        );
        if !(self.is_lenient && is_content) {
            return Err(error);
        }
        self.skipped.add(reason, &error);
        Ok(())
    }

    /// The value, or `None` where a defect took its place and is skipped.
    ///
    /// # Errors
    /// As [`Sieve::refuse`].
    pub(in crate::table) fn pass<T>(&mut self, outcome: Result<T, Defect>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Defect { reason, error }) => self.refuse(reason, *error).map(|()| None),
        }
    }

    /// What was skipped so far.
    pub(super) fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    pub(in crate::table) fn finish(self) -> Skipped {
        self.skipped
    }
}

/// An error of a source of which no `what` became a row.
pub(super) fn nothing_left(path: &Path, what: &str, sieve: &Sieve) -> Error {
    let (reason, hint) = match sieve.skipped.is_empty() {
        true => (
            format!("there are no {what}s"),
            "check the path and what it holds",
        ),
        false => (
            format!("no {what} is left ({})", sieve.skipped),
            "mend what the first error is about: import without `lenient`",
        ),
    };
    malformed(path, reason, "all of it", hint)
}

/// An error about one thing that could be skipped, with the reason under which it counts.
#[derive(Debug)]
pub(in crate::table) struct Defect {
    reason: SkipReason,
    error: Box<Error>,
}

impl Defect {
    pub(in crate::table) fn new(reason: SkipReason, error: Error) -> Self {
        Self {
            reason,
            error: Box::new(error),
        }
    }

    #[cfg(test)]
    pub(in crate::table) fn into_error(self) -> Error {
        *self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_sieve_passes_the_error_on_and_a_lenient_one_counts() {
        let defect = |text: &str| malformed(Path::new("a.txt"), text, "line 1", "mend it");
        let mut strict = Sieve::new(false);
        let error = strict.refuse(SkipReason::Box, defect("the first"));
        assert!(error.unwrap_err().to_string().contains("the first"));
        let mut lenient = Sieve::new(true);
        for number in 0..5 {
            let error = defect(&format!("number {number}"));
            lenient.refuse(SkipReason::Box, error).unwrap();
        }
        lenient.refuse(SkipReason::Line, defect("x")).unwrap();
        let failing = Error::storage("read", "a.jpg", "no such device");
        assert!(lenient.refuse(SkipReason::ImageFile, failing).is_err());
        let skipped = lenient.finish();
        assert_eq!(
            skipped.to_string(),
            "6 left out: 5 x no proper box, 1 x no proper line"
        );
        assert_eq!(skipped.count(), 6);
        let (reason, kind) = skipped.by_reason().next().unwrap();
        assert_eq!((reason, kind.count), (SkipReason::Box, 5));
        let examples = ["number 0", "number 1", "number 2"];
        assert_eq!(
            kind.examples,
            examples.map(|text| format!("{text} at line 1 (a.txt)"))
        );
    }
}
