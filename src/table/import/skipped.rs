//! What a lenient import left out.

use std::collections::BTreeMap;
use std::fmt;

use crate::table::Table;
use crate::{Error, Result};

/// How many of the things left out are told in full.
const MOST_EXAMPLES: usize = 5;

/// A table that was imported, and what of the source is not in it.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The table.
    pub table: Table,
    /// What a lenient import left out; nothing without `lenient`.
    pub skipped: Skipped,
}

/// What an import left out: how often for each reason, and the first few with their place.
///
/// Its text is one line, `2 left out: 1 x image without a mask, 1 x mask without an image`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    counts: BTreeMap<&'static str, u64>,
    examples: Vec<SkippedExample>,
}

/// One thing that an import left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedExample {
    /// The file.
    pub file: String,
    /// Line, row, pixel or id within the file.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Skipped {
    /// How many things were left out.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// True when nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many were left out for each reason, sorted by reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(&reason, &count)| (reason, count))
    }

    /// The first five, in the order of the source.
    pub fn examples(&self) -> &[SkippedExample] {
        &self.examples
    }

    /// Counts one thing under a general reason.
    pub(super) fn add(&mut self, reason: &'static str, example: SkippedExample) {
        *self.counts.entry(reason).or_default() += 1;
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(example);
        }
    }

    /// Counts an error about the content of a source when `lenient`; gives it back otherwise, and
    /// when it is of another kind (the store failed, a file is gone).
    pub(super) fn take(&mut self, lenient: bool, reason: &'static str, error: Error) -> Result<()> {
        match error {
            Error::Import {
                reason: what,
                position,
                path,
                ..
            } if lenient => {
                let example = SkippedExample {
                    file: path,
                    place: position,
                    reason: what,
                };
                self.add(reason, example);
                Ok(())
            }
            error => Err(error),
        }
    }
}

/// An error about one thing of a source, with the general reason that it is counted under.
pub(super) struct Misfit(Box<(&'static str, Error)>);

impl Misfit {
    pub(super) fn new(reason: &'static str, error: Error) -> Self {
        Self(Box::new((reason, error)))
    }

    /// As [`Skipped::take`].
    pub(super) fn skip(self, lenient: bool, skipped: &mut Skipped) -> Result<()> {
        let (reason, error) = *self.0;
        skipped.take(lenient, reason, error)
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} left out", self.total())?;
        for (number, (reason, count)) in self.counts().enumerate() {
            let before = if number == 0 { ": " } else { ", " };
            write!(f, "{before}{count} x {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for SkippedExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} ({})", self.reason, self.place, self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(row: usize) -> Error {
        Error::Import {
            reason: "no number".into(),
            position: format!("line {row}"),
            hint: "mend it".into(),
            path: "labels.txt".into(),
        }
    }

    #[test]
    fn reasons_are_counted_and_the_first_are_told() {
        let mut skipped = Skipped::default();
        for line in 1..=7 {
            let reason = if line == 2 { "box outside" } else { "bad line" };
            skipped.take(true, reason, malformed(line)).unwrap();
        }
        assert_eq!(skipped.total(), 7);
        assert!(skipped.counts().eq([("bad line", 6), ("box outside", 1)]));
        assert_eq!(skipped.examples().len(), 5);
        assert_eq!(
            skipped.to_string(),
            "7 left out: 6 x bad line, 1 x box outside"
        );
        assert_eq!(
            skipped.examples()[4].to_string(),
            "no number at line 5 (labels.txt)"
        );
    }

    #[test]
    fn errors_stay_errors_unless_they_are_about_the_content_and_asked_to_be_counted() {
        let mut skipped = Skipped::default();
        assert!(skipped.take(false, "bad line", malformed(1)).is_err());
        let disk = Error::storage("read", "labels.txt", "the disk is gone");
        assert!(skipped.take(true, "bad line", disk).is_err());
        assert!(skipped.is_empty());
    }
}
