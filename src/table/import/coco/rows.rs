//! Rows of images with their instances, a bounded batch at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::lists::{ListedImage, Lists};
use crate::geometry::Rle;
use crate::table::ImageStorage;
use crate::table::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use crate::table::import::folder::{ImageFolder, file_url, image_field};
use crate::table::import::image_file;
use crate::table::import::malformed;
use crate::table::import::skipped::{Sieve, SkipReason};
use crate::table::instances::{Instance, InstanceLayout};
use crate::table::schema::{self, Role};
use crate::{Error, Result};

/// The rows that are not yet written.
pub(super) struct Rows<'a> {
    path: &'a Path,
    images: std::slice::Iter<'a, ListedImage>,
    instances: std::vec::IntoIter<Vec<Instance>>,
    folder: Option<(PathBuf, &'a ImageFolder)>,
    layout: InstanceLayout,
    schema: Schema,
    sieve: &'a mut Sieve,
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
        let names_keypoints = |categories: &[crate::table::instances::Category]| {
            categories
                .iter()
                .any(|category| !category.keypoints.is_empty())
        };
        let layout = InstanceLayout {
            boxes: true,
            oriented: false,
            masks: any(|one| one.shape.is_some()),
            keypoints: names_keypoints(&lists.categories) || any(|one| one.keypoints.is_some()),
            annotated: true,
            categories: lists.categories.clone(),
        };
        Ok(Self {
            path,
            images: lists.images.iter(),
            instances: instances.into_iter(),
            schema: columns(folder.as_ref().map(|(_, options)| *options), &layout)?,
            folder,
            layout,
            sieve,
        })
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut chunk = Chunk::default();
        let mut is_over = false;
        while chunk.instances.len() < CHUNK_ROWS && chunk.bytes < CHUNK_BYTES {
            let (Some(image), Some(instances)) = (self.images.next(), self.instances.next()) else {
                is_over = true;
                break;
            };
            let Some(file) = self.file(image, instances.len())? else {
                continue;
            };
            let (instances, runs) = self.draw(image, instances)?;
            chunk.add(image, file, instances, runs);
        }
        if chunk.instances.is_empty() && is_over {
            return Ok(None);
        }
        chunk.into_batch(self).map(Some)
    }

    /// The image as its column holds it; `None` where it is skipped.
    fn file(&mut self, image: &ListedImage, annotations: usize) -> Result<Option<Held>> {
        let Some((folder, options)) = &self.folder else {
            return Ok(Some(Held::Nothing));
        };
        let path = folder.join(&image.file_name);
        let (width, height) = (image.width, image.height);
        let read = image_file::read(&path, options).and_then(|read| {
            if [read.width, read.height].map(i32::unsigned_abs) == [width, height] {
                return match options.storage {
                    ImageStorage::Bytes => Ok(Held::Bytes(read.bytes)),
                    ImageStorage::Url => file_url(&path).map(Held::Url),
                };
            }
            Err(malformed(
                self.path,
                format!(
                    "the image has {width} x {height} pixels where its file has {} x {} ({})",
                    read.width,
                    read.height,
                    path.display()
                ),
                format!("image {}", image.id),
                "give the folder that the annotations were made for",
            ))
        });
        let error = match read {
            Ok(held) => return Ok(Some(held)),
            Err(error) => error,
        };
        let reason = match &error {
            Error::Import { position, .. } if position.starts_with("image ") => {
                SkipReason::ImageSize
            }
            _ => SkipReason::ImageFile,
        };
        self.sieve.refuse(reason, error)?;
        for _ in 0..annotations {
            let error = malformed(
                self.path,
                "the image of the annotation was skipped",
                format!("image {}", image.id),
                "see to the image",
            );
            self.sieve.refuse(SkipReason::SkippedImage, error)?;
        }
        Ok(None)
    }

    /// The instances with their masks, without those that cannot be drawn.
    fn draw(
        &mut self,
        image: &ListedImage,
        instances: Vec<Instance>,
    ) -> Result<(Vec<Instance>, Vec<Option<Rle>>)> {
        let (mut kept, mut runs) = (Vec::with_capacity(instances.len()), Vec::new());
        for instance in instances {
            let drawn = match &instance.shape {
                Some(shape) => shape.runs(image.height, image.width),
                None => Ok(None),
            };
            match drawn {
                Ok(drawn) => {
                    runs.push(drawn);
                    kept.push(instance);
                }
                Err(error) => {
                    let position = format!(
                        "annotation {} of image {}",
                        instance.id.unwrap_or_default(),
                        image.id
                    );
                    let hint = "leave the annotation out";
                    let error = malformed(self.path, error.to_string(), position, hint);
                    self.sieve.refuse(SkipReason::Polygon, error)?;
                }
            }
        }
        Ok((kept, runs))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

fn columns(images: Option<&ImageFolder>, layout: &InstanceLayout) -> Result<Schema> {
    let mut fields: Vec<Field> = Vec::new();
    if let Some(options) = images {
        fields.push(image_field(options.storage)?);
    }
    fields.push(schema::field("file_name", DataType::Utf8, None)?);
    fields.push(schema::field("image_id", DataType::Int64, Some(&Role::Id))?);
    fields.push(schema::field("width", DataType::Int32, None)?);
    fields.push(schema::field("height", DataType::Int32, None)?);
    fields.extend(layout.fields()?);
    Ok(Schema::new(fields))
}

/// What the column of images gets.
enum Held {
    Nothing,
    Bytes(Vec<u8>),
    Url(String),
}

/// Rows of one batch.
#[derive(Default)]
struct Chunk {
    images: Vec<Vec<u8>>,
    urls: Vec<String>,
    names: Vec<String>,
    ids: Vec<i64>,
    widths: Vec<i32>,
    heights: Vec<i32>,
    instances: Vec<Vec<Instance>>,
    runs: Vec<Vec<Option<Rle>>>,
    bytes: usize,
}

impl Chunk {
    fn add(
        &mut self,
        image: &ListedImage,
        held: Held,
        instances: Vec<Instance>,
        runs: Vec<Option<Rle>>,
    ) {
        match held {
            Held::Nothing => {}
            Held::Bytes(bytes) => {
                self.bytes += bytes.len();
                self.images.push(bytes);
            }
            Held::Url(url) => self.urls.push(url),
        }
        let runs_bytes = runs.iter().flatten().map(|runs| 4 * runs.counts().len());
        self.bytes += runs_bytes.sum::<usize>() + instances.len() * size_of::<Instance>();
        self.names.push(image.file_name.clone());
        self.ids.push(image.id);
        // Sides were found to fit when the image was read.
        self.widths.push(image.width as i32);
        self.heights.push(image.height as i32);
        self.instances.push(instances);
        self.runs.push(runs);
    }

    fn into_batch(self, rows: &Rows<'_>) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::new();
        if let Some((_, options)) = &rows.folder {
            arrays.push(match options.storage {
                ImageStorage::Bytes => Arc::new(BinaryArray::from_iter_values(self.images)),
                ImageStorage::Url => Arc::new(StringArray::from(self.urls)),
            });
        }
        arrays.push(Arc::new(StringArray::from(self.names)));
        arrays.push(Arc::new(Int64Array::from(self.ids)));
        arrays.push(Arc::new(Int32Array::from(self.widths)));
        arrays.push(Arc::new(Int32Array::from(self.heights)));
        let nested = rows.layout.arrays(&self.instances, &self.runs)?;
        arrays.extend(nested.into_iter().map(|(_, array)| array));
        RecordBatch::try_new(Arc::new(rows.schema.clone()), arrays).map_err(|error| {
            let hint = "import fewer images at a time";
            Error::invalid("rows", self.runs.len(), error.to_string(), hint)
        })
    }
}
