//! The records of a CSV file as they are: which are sound, and on which lines.

use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::path::Path;

use super::skipped::{Sieve, SkipReason, Skipped};
use super::{malformed, unreadable};
use crate::{Error, Result};

/// A record without an end within so much is no record: a quote that does not end takes all behind it.
const MOST_BYTES: usize = 64 << 20;

/// A record that was read.
#[derive(Debug, Default)]
struct Record {
    /// With its line end.
    bytes: Vec<u8>,
    /// Counted from 1.
    first_line: u64,
    last_line: u64,
    fields: usize,
    /// The line of a quote that does not end.
    open: Option<u64>,
    /// The line of a quote behind whose end the field goes on: nobody knows where the field was to end.
    stray: Option<u64>,
}

/// Where within a field a byte is.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Start,
    Plain,
    Quoted,
    /// After a quote in a quoted field: the field's end, or the first of two that stand for one.
    Quote,
}

/// The bytes of a CSV file without its blank lines and, of a lenient import, without the records that
/// cannot be read; each of these is named or counted.
pub(super) struct Records<'a, R> {
    source: R,
    /// Read again: what follows the line of a quote that does not end.
    again: VecDeque<u8>,
    path: &'a Path,
    delimiter: u8,
    /// The line of the next byte.
    line: u64,
    fields: Option<usize>,
    sieve: Sieve,
    ready: Vec<u8>,
    taken: usize,
}

impl<'a, R: BufRead> Records<'a, R> {
    pub(super) fn new(source: R, path: &'a Path, delimiter: u8, is_lenient: bool) -> Self {
        Self {
            source,
            again: VecDeque::new(),
            path,
            delimiter,
            line: 1,
            fields: None,
            sieve: Sieve::new(is_lenient),
            ready: Vec::new(),
            taken: 0,
        }
    }

    /// Reads all records; what was left out.
    ///
    /// # Errors
    /// `Import` for the first record, whatever is asked for, and for others unless they may be left out.
    pub(super) fn check(mut self) -> Result<Skipped> {
        while self.next_sound()?.is_some() {}
        Ok(self.sieve.finish())
    }

    /// The line on which a sound record starts; the first is number 0, also where it is the header.
    pub(super) fn line_of(mut self, number: usize) -> Option<u64> {
        for _ in 0..number {
            self.next_sound().ok()??;
        }
        Some(self.next_sound().ok()??.first_line)
    }

    /// The next record that can be read.
    fn next_sound(&mut self) -> Result<Option<Record>> {
        while let Some(record) = self.record()? {
            match self.defect(&record) {
                None => return Ok(Some(record)),
                // Without names nothing after it has a meaning.
                Some((_, error)) if self.fields.is_none() => return Err(error),
                Some((reason, error)) => self.sieve.refuse(reason, error)?,
            }
            if record.open.is_some() || record.stray.is_some() {
                self.read_again(record);
            }
        }
        Ok(None)
    }

    /// Goes on behind the first line of a record whose quote does not end, or ends where it should not.
    fn read_again(&mut self, record: Record) {
        let mut bytes = record.bytes.iter();
        let end = bytes.position(|byte| *byte == b'\n');
        let rest = end.map_or(record.bytes.len(), |end| end + 1);
        self.line = record.first_line + 1;
        // What is read again comes before what was not read yet.
        record.bytes[rest..]
            .iter()
            .rev()
            .for_each(|byte| self.again.push_front(*byte));
    }

    /// What is wrong with a record; the first that is sound says how many fields there are.
    fn defect(&mut self, record: &Record) -> Option<(SkipReason, Error)> {
        let hint = "mend the line, or pass the file's delimiter; fields that hold it need quotes";
        let position = match record.last_line > record.first_line {
            true => format!("lines {} to {}", record.first_line, record.last_line),
            false => format!("line {}", record.first_line),
        };
        if let Some(line) = record.open {
            let (reason, hint) = match record.bytes.len() < MOST_BYTES {
                true => (
                    "a quote that does not end",
                    "end it, or write quotes within a quoted field twice",
                ),
                false => ("a record of more than 64 MiB", "is a quote left open?"),
            };
            let error = malformed(self.path, reason, format!("line {line}"), hint);
            return Some((SkipReason::Line, error));
        }
        if let Some(line) = record.stray {
            let reason = "text behind the quote that ends a field";
            let hint =
                "write quotes within a quoted field twice, or end the field behind its quote";
            let error = malformed(self.path, reason, format!("line {line}"), hint);
            return Some((SkipReason::Line, error));
        }
        if let Err(error) = std::str::from_utf8(&record.bytes) {
            let at = error.valid_up_to();
            let line = record.bytes[..at].iter().filter(|byte| **byte == b'\n');
            let line = record.first_line + line.count() as u64;
            let reason = format!("byte 0x{:02x} is not UTF-8", record.bytes[at]);
            let hint = "convert the file to UTF-8, for example with `iconv -f LATIN1 -t UTF-8`";
            let error = malformed(self.path, reason, format!("line {line}"), hint);
            return Some((SkipReason::Encoding, error));
        }
        let expected = *self.fields.get_or_insert(record.fields);
        if record.fields == expected {
            return None;
        }
        let reason = match record.fields {
            1 => format!("1 field where the first record has {expected}"),
            more => format!("{more} fields where the first record has {expected}"),
        };
        Some((
            SkipReason::Line,
            malformed(self.path, reason, position, hint),
        ))
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        if let Some(byte) = self.again.pop_front() {
            return Ok(Some(byte));
        }
        let buffer = self
            .source
            .fill_buf()
            .map_err(|error| unreadable("read", self.path, error))?;
        let byte = buffer.first().copied();
        if byte.is_some() {
            self.source.consume(1);
        }
        Ok(byte)
    }

    /// The next record, sound or not; blank lines are none.
    fn record(&mut self) -> Result<Option<Record>> {
        let mut record = Record::default();
        let mut at = At::Start;
        let mut opened = 0;
        while let Some(byte) = self.byte()? {
            let ends = matches!(byte, b'\n' | b'\r') && at != At::Quoted;
            if record.bytes.is_empty() {
                if ends {
                    self.line += u64::from(byte == b'\n');
                    continue;
                }
                (record.first_line, record.fields) = (self.line, 1);
            }
            record.bytes.push(byte);
            record.last_line = self.line;
            self.line += u64::from(byte == b'\n');
            if ends {
                return Ok(Some(record));
            }
            at = match (at, byte) {
                (At::Start, b'"') => {
                    opened = record.last_line;
                    At::Quoted
                }
                (At::Quoted, b'"') => At::Quote,
                (At::Quote, b'"') | (At::Quoted, _) => At::Quoted,
                (_, byte) if byte == self.delimiter => {
                    record.fields += 1;
                    At::Start
                }
                (At::Quote, _) => {
                    record.stray.get_or_insert(opened);
                    At::Plain
                }
                _ => At::Plain,
            };
            if record.bytes.len() >= MOST_BYTES {
                break;
            }
        }
        let is_cut = record.bytes.len() >= MOST_BYTES;
        record.open = (at == At::Quoted || is_cut).then_some(opened.max(record.first_line));
        Ok((!record.bytes.is_empty()).then_some(record))
    }
}

impl<R: BufRead> Read for Records<'_, R> {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.ready.len() {
            // The file was checked before; what is wrong now is the disk.
            let next = self.next_sound().map_err(std::io::Error::other)?;
            self.ready = next.map(|record| record.bytes).unwrap_or_default();
            self.taken = 0;
        }
        let rest = &self.ready[self.taken..];
        let count = rest.len().min(target.len());
        target[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, is_lenient: bool) -> Records<'_, &[u8]> {
        Records::new(text.as_bytes(), Path::new("a.csv"), b',', is_lenient)
    }

    fn kept(text: &str) -> String {
        let mut kept = String::new();
        records(text, true).read_to_string(&mut kept).unwrap();
        kept
    }

    fn refused(text: &str) -> String {
        records(text, false).check().unwrap_err().to_string()
    }

    #[test]
    fn sound_records_stay_byte_for_byte() {
        let text = "a,b\r\n\"x,\n\"\"y\"\"\",2\n3,\"\"";
        assert_eq!(kept(text), text.replace("\r\n", "\r"));
        assert!(records(text, false).check().unwrap().is_empty());
        // Quotes within a field that has none around it mean themselves.
        assert_eq!(kept("a,b\n5\",6\n"), "a,b\n5\",6\n");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_lines() {
        assert!(
            refused("a,b\n\n\"x\ny\",1,2\n")
                .contains("3 fields where the first record has 2 at lines 3 to 4")
        );
        assert!(refused("a,b\n1,2\n3,\"4\n5,6\n").contains("a quote that does not end at line 3"));
        assert!(refused("a,\"b\n1,2\n").contains("line 1"));
    }

    #[test]
    fn a_quote_that_does_not_end_takes_one_line_with_it() {
        let text = "a,b\n1,2\n3,\"4\n5,6\n7\n8,9\n";
        assert_eq!(kept(text), "a,b\n1,2\n5,6\n8,9\n");
        let skipped = records(text, true).check().unwrap();
        let (reason, kind) = skipped.by_reason().next().unwrap();
        assert_eq!((reason, kind.count), (SkipReason::Line, 2));
        assert!(kind.examples[0].contains("line 3"), "{:?}", kind.examples);
        assert!(kind.examples[1].contains("line 5"), "{:?}", kind.examples);
        assert_eq!(records(text, true).line_of(3), Some(6));
    }

    #[test]
    fn a_quote_that_ends_in_a_later_record_takes_one_line_with_it() {
        let text = "a,b\n1,x\n2,\"y\n3,z\n4,\"w\n5,q\n";
        assert!(refused(text).contains("text behind the quote that ends a field at line 3"));
        assert_eq!(kept(text), "a,b\n1,x\n3,z\n5,q\n");
        let skipped = records(text, true).check().unwrap();
        let (_, kind) = skipped.by_reason().next().unwrap();
        assert_eq!(kind.count, 2);
        assert!(kind.examples[0].contains("line 3"), "{:?}", kind.examples);
        assert!(kind.examples[1].contains("line 5"), "{:?}", kind.examples);
    }

    #[test]
    fn the_first_record_is_never_left_out() {
        let error = records("a,\"b\n1,2\n", true).check().unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }
}
