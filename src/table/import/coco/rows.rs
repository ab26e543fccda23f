//! The rows of a file, a bounded batch at a time.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::lists::{ListedImage, Lists};
use crate::geometry::{BoxFormat, Rle};
use crate::storage::without_credentials;
use crate::table::import::folder::ImageFolder;
use crate::table::import::image_rows::{Chunk, Held, ImageRow, ImageRows};
use crate::table::import::malformed;
use crate::table::import::skipped::{Defect, Sieve, SkipReason, nothing_left};
use crate::table::instances::{Category, Instance, InstanceLayout};
use crate::table::local_name::inside;
use crate::{Error, Result};

/// The rows that are not yet written.
pub(super) struct Rows<'a> {
    path: &'a Path,
    images: std::slice::Iter<'a, ListedImage>,
    instances: std::vec::IntoIter<Vec<Instance>>,
    folder: Option<(PathBuf, &'a ImageFolder)>,
    columns: ImageRows,
    sieve: &'a mut Sieve,
    rows: u64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        path: &'a Path,
        lists: &'a Lists,
        instances: Vec<Vec<Instance>>,
        folder: Option<(PathBuf, &'a ImageFolder)>,
        sieve: &'a mut Sieve,
    ) -> Result<Self> {
        let any = |has: fn(&Instance) -> bool| instances.iter().flatten().any(has);
        let has_names = |category: &Category| !category.keypoints.is_empty();
        let layout = InstanceLayout {
            boxes: Some(BoxFormat::Xywh),
            oriented: false,
            masks: any(|one| one.shape.is_some()),
            keypoints: lists.categories.iter().any(has_names) || any(|one| one.keypoints.is_some()),
            annotated: true,
            categories: lists.categories.clone(),
        };
        let storage = folder.as_ref().map(|(_, options)| options.storage);
        Ok(Self {
            path,
            images: lists.images.iter(),
            instances: instances.into_iter(),
            folder,
            columns: ImageRows::new(storage, true, layout)?,
            sieve,
            rows: 0,
        })
    }

    pub(super) fn schema(&self) -> &Schema {
        self.columns.schema()
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut chunk = Chunk::default();
        while !chunk.is_full() {
            let (Some(image), Some(instances)) = (self.images.next(), self.instances.next()) else {
                break;
            };
            let Some(held) = self.held(image)? else {
                self.skip(image, instances.len())?;
                continue;
            };
            let (instances, runs) = self.draw(image, instances)?;
            self.rows += 1;
            chunk.add(ImageRow {
                held,
                file_name: image.file_name.clone(),
                id: Some(image.id),
                width: image.width,
                height: image.height,
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

    /// The image as its column holds it; `None` where it is skipped.
    fn held(&mut self, image: &ListedImage) -> Result<Option<Held>> {
        let Some((folder, options)) = &self.folder else {
            return Ok(Some(Held::Nothing));
        };
        let position = format!("image {}", image.id);
        let path = match inside(&image.file_name) {
            Ok(name) => folder.join(name),
            Err(why) => {
                let shown = without_credentials(&image.file_name);
                let text = format!("`file_name` is {shown:?}, which {why}");
                let hint = "rename the file, or import without images";
                let error = malformed(self.path, text, position, hint);
                self.sieve.refuse(SkipReason::Field, error)?;
                return Ok(None);
            }
        };
        let (held, width, height) = match Held::read(&path, options) {
            Ok(read) => read,
            Err(error) => {
                self.sieve.refuse(SkipReason::ImageFile, error)?;
                return Ok(None);
            }
        };
        if (width, height) == (image.width, image.height) {
            return Ok(Some(held));
        }
        let text = format!(
            "the image has {} x {} pixels where its file has {width} x {height} ({})",
            image.width,
            image.height,
            path.display()
        );
        let hint = "give the folder that the annotations were made for";
        let error = malformed(self.path, text, position, hint);
        self.sieve.refuse(SkipReason::ImageSize, error)?;
        Ok(None)
    }

    /// Counts the annotations of an image that is left out.
    fn skip(&mut self, image: &ListedImage, annotations: usize) -> Result<()> {
        for _ in 0..annotations {
            let position = format!("image {}", image.id);
            let text = "the image of the annotation was skipped";
            let error = malformed(self.path, text, position, "see to the image");
            self.sieve.refuse(SkipReason::SkippedImage, error)?;
        }
        Ok(())
    }

    /// The instances with their masks, and with the area that the file does not state.
    fn draw(
        &mut self,
        image: &ListedImage,
        mut instances: Vec<Instance>,
    ) -> Result<(Vec<Instance>, Vec<Option<Rle>>)> {
        let mut runs = Vec::with_capacity(instances.len());
        for instance in &mut instances {
            let drawn = match &instance.shape {
                Some(shape) => shape.runs(image.height, image.width),
                None => Ok(None),
            };
            let drawn = drawn.map_err(|error| {
                Defect::new(SkipReason::Polygon, self.undrawn(image, instance, &error))
            });
            let drawn = self.sieve.pass(drawn)?.flatten();
            if drawn.is_none() {
                instance.shape = None;
            }
            let of_mask = drawn.as_ref().map(|runs: &Rle| runs.area() as f64);
            let of_box = || instance.bbox.map(|bbox| bbox.to_bbox().area());
            instance.area = instance.area.or(of_mask).or_else(of_box);
            runs.push(drawn);
        }
        Ok((instances, runs))
    }

    fn undrawn(&self, image: &ListedImage, instance: &Instance, error: &Error) -> Error {
        let id = instance.id.unwrap_or_default();
        let position = format!("annotation {id} of image {}", image.id);
        malformed(
            self.path,
            error.to_string(),
            position,
            "leave the annotation out",
        )
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}
