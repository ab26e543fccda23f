//! The rows of a split, a bounded batch at a time.

use std::io::ErrorKind;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::YoloTask;
use super::labels::{LabelReader, Labelled};
use super::layout::{LabelledImage, Layout};
use crate::Result;
use crate::geometry::{BoxFormat, Rle};
use crate::table::import::folder::ImageFolder;
use crate::table::import::image_rows::{Chunk, Held, ImageRow, ImageRows};
use crate::table::import::skipped::{Defect, Sieve, SkipReason, nothing_left};
use crate::table::import::{malformed, unreadable, without_mark};
use crate::table::instances::{Category, Instance, InstanceLayout};

/// The rows that are not yet written.
pub(super) struct Rows<'a> {
    images: std::slice::Iter<'a, LabelledImage>,
    classes: usize,
    task: YoloTask,
    options: &'a ImageFolder,
    columns: ImageRows,
    sieve: &'a mut Sieve,
    rows: u64,
    /// Where the images are, for an error.
    path: &'a Path,
    /// Rotated boxes that stand for corners of no rectangle.
    pub(super) approximated: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        path: &'a Path,
        layout: &'a Layout,
        task: YoloTask,
        options: &'a ImageFolder,
        sieve: &'a mut Sieve,
    ) -> Result<Self> {
        let category = |(name, id): (&String, i64)| Category {
            id,
            name: name.clone(),
            ..Category::default()
        };
        let columns = InstanceLayout {
            boxes: (task == YoloTask::Boxes).then_some(BoxFormat::Xyxy),
            oriented: task == YoloTask::Oriented,
            masks: task == YoloTask::Segments,
            categories: layout.names.iter().zip(0..).map(category).collect(),
            ..InstanceLayout::default()
        };
        Ok(Self {
            images: layout.images.iter(),
            classes: layout.names.len(),
            task,
            options,
            columns: ImageRows::new(Some(options.storage), false, columns)?,
            sieve,
            rows: 0,
            path,
            approximated: 0,
        })
    }

    pub(super) fn schema(&self) -> &Schema {
        self.columns.schema()
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut chunk = Chunk::default();
        while !chunk.is_full() {
            let Some(image) = self.images.next() else {
                break;
            };
            let text = labels(&image.labels)?;
            let (held, width, height) = match Held::read(&image.image, self.options) {
                Ok(read) => read,
                Err(error) => {
                    self.sieve.refuse(SkipReason::ImageFile, error)?;
                    self.skip(image, &text)?;
                    continue;
                }
            };
            self.rows += 1;
            let instances = self.instances(image, &text, width, height)?;
            let (instances, runs) = instances.into_iter().unzip();
            chunk.add(ImageRow {
                held,
                file_name: image.file_name.clone(),
                id: None,
                width,
                height,
                instances,
                runs,
            });
        }
        match chunk.is_empty() {
            true if self.rows == 0 => Err(nothing_left(self.path, "image", self.sieve)),
            true => Ok(None),
            false => self.columns.batch(chunk).map(Some),
        }
    }

    /// The instances of a file of labels, with the masks that they draw.
    fn instances(
        &mut self,
        image: &LabelledImage,
        text: &str,
        width: u32,
        height: u32,
    ) -> Result<Vec<(Instance, Option<Rle>)>> {
        let reader = LabelReader {
            path: &image.labels,
            task: self.task,
            classes: self.classes,
            width,
            height,
        };
        let mut instances = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let read = reader.line(number, line);
            let Some(Some(read)) = self.sieve.pass(read)? else {
                continue;
            };
            let Labelled {
                instance,
                is_approximate,
            } = read;
            self.approximated += u64::from(is_approximate);
            let drawn = match &instance.shape {
                Some(shape) => shape.runs(height, width),
                None => Ok(None),
            };
            let drawn = drawn.map_err(|error| {
                let position = format!("line {number}");
                let text = error.to_string();
                let error = malformed(&image.labels, text, position, "leave it out");
                Defect::new(SkipReason::Polygon, error)
            });
            if let Some(drawn) = self.sieve.pass(drawn)? {
                instances.push((instance, drawn));
            }
        }
        Ok(instances)
    }

    /// Counts the lines of an image that is left out.
    fn skip(&mut self, image: &LabelledImage, text: &str) -> Result<()> {
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let error = malformed(
                &image.labels,
                "the image was skipped",
                format!("line {number}"),
                "see to the image",
            );
            self.sieve.refuse(SkipReason::SkippedImage, error)?;
        }
        Ok(())
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

/// The text of a file of labels; none where there is no file. Bytes that are no text become signs
/// that no line may hold.
fn labels(path: &Path) -> Result<String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(without_mark(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(unreadable("read", path, error)),
    }
}
