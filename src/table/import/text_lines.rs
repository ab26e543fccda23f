//! Texts in the lines of one file, maybe with their class.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::plan::MAX_CLASSES;
use super::skipped::{Defect, SkipReason};
use super::text_files::{Place, Read, Sample, decode, too_long, without_mark};
use super::{malformed, unreadable};
use crate::Result;

/// Where the class stands in a line, set off by a tab.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    None,
    First,
    Last,
}

/// The lines of a file that are not blank.
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    label: Label,
    most: usize,
    /// Of the line read last, from 1.
    number: i64,
    /// Bytes of the file before it.
    start: u64,
    ended: bool,
}

/// A line and what its class is called.
struct Split {
    text: String,
    class: Option<String>,
    number: i64,
}

impl Lines {
    pub(super) fn open(path: &Path, label: Label, most: usize) -> Result<Self> {
        let file = File::open(path).map_err(|error| unreadable("open", path, error))?;
        if path.is_dir() {
            let hint = "name the file, or choose a layout of folders";
            return Err(malformed(path, "a folder, not a file", "its path", hint));
        }
        Ok(Self {
            path: path.to_owned(),
            reader: BufReader::new(file),
            label,
            most,
            number: 0,
            start: 0,
            ended: false,
        })
    }

    /// The names of all classes, sorted; lines that cannot be read have none.
    pub(super) fn class_names(mut self) -> Result<Vec<String>> {
        let mut names = BTreeSet::new();
        while let Some(line) = self.split() {
            let Ok(Split { class, .. }) = line else {
                continue;
            };
            names.extend(class);
            if names.len() > MAX_CLASSES {
                return Err(malformed(
                    &self.path,
                    format!("there are more than {MAX_CLASSES} different classes"),
                    format!("line {}", self.number),
                    "choose the layout whose class stands where the file has it",
                ));
            }
        }
        Ok(names.into_iter().collect())
    }

    /// All lines, their classes by index.
    pub(super) fn classified(mut self, names: &[String]) -> impl Iterator<Item = Read> + use<> {
        let indices: HashMap<String, i32> = names.iter().cloned().zip(0..).collect();
        std::iter::from_fn(move || {
            let line = self.split()?;
            Some(line.map(|line| Sample {
                class: line.class.and_then(|name| indices.get(&name).copied()),
                text: line.text,
                place: Place::Line(line.number),
            }))
        })
    }

    fn split(&mut self) -> Option<Result<Split, Defect>> {
        loop {
            let line = match self.line() {
                Ok(line) => line?,
                Err(error) => return Some(Err(error)),
            };
            if !line.trim().is_empty() {
                return Some(self.parts(line));
            }
        }
    }

    fn parts(&self, line: String) -> Result<Split, Defect> {
        let number = self.number;
        let (class, text) = match self.label {
            Label::None => (None, line),
            Label::First | Label::Last => {
                let (class, text) = match self.label {
                    Label::First => line.split_once('\t').unzip(),
                    _ => {
                        let (text, class) = line.rsplit_once('\t').unzip();
                        (class, text)
                    }
                };
                match (class.map(str::trim), text) {
                    (Some(class), Some(text)) if !class.is_empty() => {
                        (Some(class.to_owned()), text.to_owned())
                    }
                    (class, _) => {
                        let reason = match class {
                            None => "the line has no tab, so no class",
                            Some(_) => "the class is blank",
                        };
                        let error = malformed(
                            &self.path,
                            reason,
                            format!("line {number}"),
                            "set text and class apart with a tab, or choose another layout",
                        );
                        return Err(Defect::new(SkipReason::Line, error));
                    }
                }
            }
        };
        Ok(Split {
            text,
            class,
            number,
        })
    }

    /// The next line without its end; `None` at the end of the file. No more of a line than is taken is
    /// held in memory.
    fn line(&mut self) -> Result<Option<String>, Defect> {
        if self.ended {
            return Ok(None);
        }
        let (mut held, mut length, mut is_whole) = (Vec::new(), 0_u64, false);
        // Room for the line's end.
        let most = self.most.saturating_add(2);
        while !is_whole {
            let part = self.reader.fill_buf().map_err(|error| {
                self.ended = true;
                Defect::new(
                    SkipReason::Unreadable,
                    unreadable("read", &self.path, error),
                )
            })?;
            if part.is_empty() {
                self.ended = true;
                break;
            }
            let end = part.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(part.len(), |end| end + 1);
            let room = most.saturating_sub(held.len()).min(taken);
            held.extend_from_slice(part.get(..room).unwrap_or_default());
            is_whole = end.is_some();
            length += taken as u64;
            self.reader.consume(taken);
        }
        if length == 0 {
            return Ok(None);
        }
        let start = self.start;
        self.start += length;
        self.number += 1;
        let is_cut = length > held.len() as u64;
        if !is_cut && held.last() == Some(&b'\n') {
            held.pop();
            if held.last() == Some(&b'\r') {
                held.pop();
            }
        }
        let position = format!("line {}", self.number);
        if is_cut || held.len() > self.most {
            let found = if is_cut { length } else { held.len() as u64 };
            return Err(too_long(&self.path, found, self.most, position));
        }
        let place = |at: usize| format!("{position}, byte {} of the file", start + at as u64);
        let text = decode(held, &self.path, place)?;
        Ok(Some(match self.number {
            1 => without_mark(text),
            _ => text,
        }))
    }
}
