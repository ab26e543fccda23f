//! Rows of images with their instances: columns, and batches of bounded size.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};

use super::folder::{ImageFolder, image_field};
use super::image_file::{self, file_url};
use crate::geometry::Rle;
use crate::table::ImageStorage;
use crate::table::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use crate::table::instances::{Instance, InstanceLayout};
use crate::table::schema::{self, Role};
use crate::{Error, Result};

/// What the column of images gets.
pub(super) enum Held {
    Nothing,
    Bytes(Vec<u8>),
    Url(String),
}

impl Held {
    /// Reads an image file; gives its width and height besides.
    pub(super) fn read(path: &Path, options: &ImageFolder) -> Result<(Self, u32, u32)> {
        let image = image_file::read(path, options)?;
        let held = match options.storage {
            ImageStorage::Bytes => Self::Bytes(image.bytes),
            ImageStorage::Url => Self::Url(file_url(path)?),
        };
        let [width, height] = [image.width, image.height].map(i32::unsigned_abs);
        Ok((held, width, height))
    }
}

/// One row.
pub(super) struct ImageRow {
    pub(super) held: Held,
    pub(super) file_name: String,
    pub(super) id: Option<i64>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) instances: Vec<Instance>,
    /// The mask of every instance that has one.
    pub(super) runs: Vec<Option<Rle>>,
}

/// The columns of a table of images.
pub(super) struct ImageRows {
    storage: Option<ImageStorage>,
    has_ids: bool,
    layout: InstanceLayout,
    schema: Arc<Schema>,
}

impl ImageRows {
    /// `storage` where there is a column of images.
    pub(super) fn new(
        storage: Option<ImageStorage>,
        has_ids: bool,
        layout: InstanceLayout,
    ) -> Result<Self> {
        let mut fields: Vec<Field> = Vec::new();
        if let Some(storage) = storage {
            fields.push(image_field(storage)?);
        }
        fields.push(schema::field("file_name", DataType::Utf8, None)?);
        if has_ids {
            fields.push(schema::field("image_id", DataType::Int64, Some(&Role::Id))?);
        }
        fields.push(schema::field("width", DataType::Int32, None)?);
        fields.push(schema::field("height", DataType::Int32, None)?);
        fields.extend(layout.fields()?);
        Ok(Self {
            storage,
            has_ids,
            layout,
            schema: Arc::new(Schema::new(fields)),
        })
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(super) fn batch(&self, chunk: Chunk) -> Result<RecordBatch> {
        let count = chunk.instances.len();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        match self.storage {
            Some(ImageStorage::Bytes) => {
                arrays.push(Arc::new(BinaryArray::from_iter_values(chunk.images)));
            }
            Some(ImageStorage::Url) => arrays.push(Arc::new(StringArray::from(chunk.urls))),
            None => {}
        }
        arrays.push(Arc::new(StringArray::from(chunk.names)));
        if self.has_ids {
            arrays.push(Arc::new(Int64Array::from(chunk.ids)));
        }
        arrays.push(Arc::new(Int32Array::from(chunk.widths)));
        arrays.push(Arc::new(Int32Array::from(chunk.heights)));
        let nested = self.layout.arrays(&chunk.instances, &chunk.runs)?;
        arrays.extend(nested.into_iter().map(|(_, array)| array));
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(|error| {
            let hint = "import fewer images at a time";
            Error::invalid("rows", count, error.to_string(), hint)
        })
    }
}

/// Rows of one batch.
#[derive(Default)]
pub(super) struct Chunk {
    images: Vec<Vec<u8>>,
    urls: Vec<String>,
    names: Vec<String>,
    ids: Vec<Option<i64>>,
    widths: Vec<i32>,
    heights: Vec<i32>,
    instances: Vec<Vec<Instance>>,
    runs: Vec<Vec<Option<Rle>>>,
    bytes: usize,
}

impl Chunk {
    pub(super) fn is_full(&self) -> bool {
        self.instances.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.instances.is_empty()
    }

    pub(super) fn add(&mut self, row: ImageRow) {
        match row.held {
            Held::Nothing => {}
            Held::Bytes(bytes) => {
                self.bytes += bytes.len();
                self.images.push(bytes);
            }
            Held::Url(url) => self.urls.push(url),
        }
        let runs = row
            .runs
            .iter()
            .flatten()
            .map(|runs| 4 * runs.counts().len());
        self.bytes += runs.sum::<usize>() + row.instances.len() * size_of::<Instance>();
        self.names.push(row.file_name);
        self.ids.push(row.id);
        // Sides were found to be below 2^31 where they were read.
        self.widths.push(row.width as i32);
        self.heights.push(row.height as i32);
        self.instances.push(row.instances);
        self.runs.push(row.runs);
    }
}
