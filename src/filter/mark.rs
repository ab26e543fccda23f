//! Where in a text something is wrong.

use sqlparser::tokenizer::{Location, Span};

use crate::Error;

/// The text of a filter, to point into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a>(pub(super) &'a str);

impl Source<'_> {
    /// The error for what stands there.
    pub(super) fn error(
        self,
        span: Span,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        let last = self.end();
        let is_known = span.start.line > 0;
        let start = if is_known { span.start } else { last };
        let line = self
            .0
            .split('\n')
            .nth(usize_of(start.line) - 1)
            .unwrap_or_default();
        // Tabs would move the mark.
        let line: String = line
            .chars()
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect();
        let width = line.chars().count();
        let from = (usize_of(start.column) - 1).min(width);
        let to = match span.end.line == start.line && is_known {
            true => usize_of(span.end.column) - 1,
            false => from + 1,
        };
        let marks = to.min(width).saturating_sub(from).max(1);
        Error::Filter {
            reason: reason.into(),
            hint: hint.into(),
            line: usize_of(start.line),
            character: from + 1,
            marked: format!("{line}\n{}{}", " ".repeat(from), "^".repeat(marks)),
        }
    }

    /// The span from the last such word before it on its line: sqlparser's leaves some words out.
    pub(super) fn widened_to(self, word: &str, span: Span) -> Span {
        let line = self.0.split('\n').nth(usize_of(span.start.line) - 1);
        let before = line.unwrap_or_default().chars();
        let before: String = before.take(usize_of(span.start.column) - 1).collect();
        // As many bytes as before, so that places stay what they are.
        match before.to_ascii_lowercase().rfind(word) {
            None => span,
            Some(at) => {
                let column = before[..at].chars().count() as u64 + 1;
                Span::new(Location::new(span.start.line, column), span.end)
            }
        }
    }

    /// The place behind the last character.
    fn end(self) -> Location {
        let lines = self.0.split('\n');
        let (count, last) = lines.fold((0, ""), |(count, _), line| (count + 1, line));
        Location::new(count, last.chars().count() as u64 + 1)
    }
}

/// Lines and columns count from 1; 0 is that of no place.
fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX).max(1)
}
