//! Texts in files of their own, maybe in one folder for each class.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::files::{self, Found};
use super::skipped::{Defect, SkipReason};
use super::text_files::{Place, Read, Sample, decode, too_long, without_mark};
use super::unreadable;
use crate::Result;

/// One text to read.
pub(super) struct TextFile {
    file: Found,
    class: Option<i32>,
}

/// Class names, and files in the order of their rows.
pub(super) fn scan(root: &Path, has_classes: bool) -> Result<(Vec<String>, Vec<TextFile>)> {
    let (mut classes, mut texts, mut others) = (Vec::new(), Vec::new(), 0);
    if has_classes {
        for entry in files::entries(root)? {
            match entry.folder && !entry.hidden() {
                true => classes.push(entry),
                false => others += 1,
            }
        }
        for (class, index) in classes.iter().zip(0..) {
            let below = files::below(&class.path, &class.name)?;
            others += below.hidden;
            if below.found.is_empty() {
                tracing::warn!(class = class.name, "the class has no texts");
            }
            texts.extend(below.found.into_iter().map(|file| TextFile {
                file,
                class: Some(index),
            }));
        }
    } else {
        let below = files::below(root, "")?;
        others += below.hidden;
        let plain = |file| TextFile { file, class: None };
        texts.extend(below.found.into_iter().map(plain));
    }
    if others > 0 {
        tracing::warn!(others, root = %root.display(), "files that are not meant were left out");
    }
    Ok((classes.into_iter().map(|class| class.name).collect(), texts))
}

impl TextFile {
    /// Reads at most one byte more than is taken.
    pub(super) fn read(self, most: usize) -> Read {
        let path = &self.file.path;
        let failed = |error| Defect::new(SkipReason::Unreadable, unreadable("read", path, error));
        let file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        let limit = (most as u64).saturating_add(1);
        let read = file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        if read > most {
            let found = std::fs::metadata(path).map_err(failed)?.len();
            return Err(too_long(path, found, most, "the file's size".into()));
        }
        Ok(Sample {
            text: without_mark(decode(bytes, path, |at| {
                format!("byte {at} (the first is 0)")
            })?),
            class: self.class,
            place: Place::Path(self.file.relative),
        })
    }
}
