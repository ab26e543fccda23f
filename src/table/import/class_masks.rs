//! Tables from images and masks that give every pixel a class.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};

use super::ids::Ids;
use super::image_file::{self, file_url};
use super::pairs::{self, Pair, Suffixes};
use super::skipped::{Defect, Imported, Sieve, SkipReason};
use super::{ImageFolder, malformed, mask_file};
use crate::Result;
use crate::storage::Location;
use crate::table::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use crate::table::{Column, Columns, ImageStorage, Role, Table, class_mask_to_png, schema};

/// How to import images with masks of classes.
///
/// ```
/// use emberlens::table::import::ClassMasks;
/// let options = ClassMasks {
///     void: Some(255),
///     lenient: true,
///     ..ClassMasks::new([(7, "road"), (8, "sidewalk"), (23, "sky")])
/// };
/// assert_eq!(options.names.len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct ClassMasks {
    /// The name of every id that a mask may hold. Ids may leave gaps: the classes of the table are
    /// 0, 1, ... in the order of the ids.
    pub names: BTreeMap<u16, String>,
    /// The id of pixels that belong to no class, often 255; none by default.
    pub void: Option<u16>,
    /// The images' encoded bytes in the table (default), or their URLs, which must then stay there.
    /// Masks are in the table in any case.
    pub storage: ImageStorage,
    /// Largest image that [`ImageStorage::Bytes`] takes, in bytes; 1 MiB by default.
    pub max_image_bytes: u64,
    /// Decode every image to find damage (default); false looks at the headers only.
    pub check_pixels: bool,
    /// What the names of images end with before the dot, and masks lack: `_leftImg8bit`. Images
    /// without it are left out.
    pub image_suffix: String,
    /// What the names of masks end with before the dot, and images lack: `_gtFine_labelIds`. Masks
    /// without it are left out.
    pub mask_suffix: String,
    /// Leave out images and masks that cannot be paired or read, and count them (default: the first is
    /// an error).
    pub lenient: bool,
}

impl ClassMasks {
    /// Masks that hold these ids, with the defaults for everything else.
    pub fn new(names: impl IntoIterator<Item = (u16, impl Into<String>)>) -> Self {
        Self {
            names: names
                .into_iter()
                .map(|(id, name)| (id, name.into()))
                .collect(),
            void: None,
            storage: ImageStorage::Bytes,
            max_image_bytes: 1 << 20,
            check_pixels: true,
            image_suffix: String::new(),
            mask_suffix: String::new(),
            lenient: false,
        }
    }
}

/// Creates a table from a folder of images and a folder of masks for semantic segmentation.
///
/// An image (PNG or JPEG) and a mask (PNG) belong together when their paths below their folders are the
/// same without the ending and the suffixes of the options. The samples of a mask are ids: the indices
/// of a palette, or grey values of 1 to 16 bits. Rows are sorted by path; hidden files and files that
/// are no images are left out. The same trees give the same rows on any machine.
///
/// # Shapes and units
/// One row per image: `image` (encoded bytes, or a `file://` URL), `mask` (a grey PNG of class indices,
/// [`Role::ClassMask`] with the names), `path` (of the image below its folder, with `/`), `width` and
/// `height` (pixels). Class k is the id that is k-th in order. The void keeps its value where that is no
/// class, and else is 255, or 65535 beyond 255 classes. A mask that holds class indices already is kept
/// byte for byte.
///
/// # Memory
/// One chunk of at most 8,192 pairs or about 32 MiB, the pixels of one image and mask, and all paths.
///
/// # Errors
/// `Invalid` for no names, one name of two ids, or a void that is an id with a name. With the file's
/// path: for an image without a mask, a mask without an image, two images or masks of one name, a mask
/// of another size than its image, one with colours, a pixel whose id has no name (row, column and id),
/// an image that cannot be decoded or is larger than `max_image_bytes`; these are counted with `lenient`,
/// unless nothing is left. `NotFound` for a missing folder; `AlreadyExists` for a table of that name.
/// After an error there is no table.
///
/// ```
/// use emberlens::storage::Location;
/// use emberlens::table::{class_mask_from_png, class_mask_to_png, import::{ClassMasks, class_masks}};
/// # let dir = std::env::temp_dir().join(format!("emberlens-class-masks-{}", std::process::id()));
/// # let (images, masks) = (dir.join("images"), dir.join("masks"));
/// # std::fs::create_dir_all(&images)?;
/// # std::fs::create_dir_all(&masks)?;
/// let mask = ndarray::arr2(&[[7_u16, 23], [23, 255]]);
/// std::fs::write(masks.join("street.png"), class_mask_to_png(mask.view(), true)?)?;
/// image::RgbImage::new(2, 2).save(images.join("street.jpg"))?;
///
/// let options = ClassMasks { void: Some(255), ..ClassMasks::new([(7, "road"), (23, "sky")]) };
/// let folder = Location::open("memory://")?.join("tables");
/// let table = class_masks(&folder, "streets", &images, &masks, &options)?.table;
/// let stored = table.column::<Vec<u8>>("mask")?;
/// assert_eq!(class_mask_from_png(&stored[0])?, ndarray::arr2(&[[0, 1], [1, 255]]));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn class_masks(
    folder: &Location,
    name: &str,
    images_dir: &Path,
    masks_dir: &Path,
    options: &ClassMasks,
) -> Result<Imported> {
    let ids = Ids::new(&options.names, options.void)?;
    let mut sieve = Sieve::new(options.lenient);
    let suffixes = Suffixes {
        image: &options.image_suffix,
        mask: &options.mask_suffix,
    };
    let pairs = pairs::find(images_dir, masks_dir, suffixes, &mut sieve)?;
    let schema = table_schema(&ids, options.storage)?;
    let mut batches = Batches {
        pairs: pairs.into_iter(),
        images_dir,
        ids,
        options,
        sieve,
        rows: 0,
    };
    let table = Table::create_from_batches(folder, name, &schema, &mut batches)?;
    Ok(Imported::new(table, batches.sieve.finish()))
}

fn table_schema(ids: &Ids, storage: ImageStorage) -> Result<Schema> {
    let image_type = match storage {
        ImageStorage::Url => DataType::Utf8,
        ImageStorage::Bytes => DataType::Binary,
    };
    Ok(Schema::new(vec![
        schema::field("image", image_type, Some(&Role::Image { storage }))?,
        schema::field("mask", DataType::Binary, Some(&ids.role()))?,
        schema::field("path", DataType::Utf8, None)?,
        schema::field("width", DataType::Int32, None)?,
        schema::field("height", DataType::Int32, None)?,
    ]))
}

/// One row.
struct Row {
    image: Vec<u8>,
    url: Option<String>,
    mask: Vec<u8>,
    path: String,
    width: i32,
    height: i32,
}

/// Reads pairs into batches of bounded size.
struct Batches<'a> {
    pairs: std::vec::IntoIter<Pair>,
    images_dir: &'a Path,
    ids: Ids,
    options: &'a ClassMasks,
    sieve: Sieve,
    rows: usize,
}

impl Batches<'_> {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut rows, mut size) = (Vec::new(), 0);
        while rows.len() < CHUNK_ROWS && size < CHUNK_BYTES {
            let Some(pair) = self.pairs.next() else { break };
            let row = self.row(pair);
            if let Some(row) = self.sieve.pass(row)? {
                size += row.image.len() + row.mask.len();
                rows.push(row);
            }
        }
        self.rows += rows.len();
        if self.rows == 0 {
            return Err(malformed(
                self.images_dir,
                format!("no image with a mask is left ({})", self.sieve.skipped()),
                "the folder",
                "mend the files that the first error is about: import them without `lenient`",
            ));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let mut columns = Columns::new();
        columns.push(
            "image",
            match self.options.storage {
                ImageStorage::Url => {
                    let urls = rows.iter_mut().map(|row| row.url.take());
                    Column::from(urls.collect::<Vec<Option<String>>>())
                }
                ImageStorage::Bytes => {
                    let bytes = rows.iter_mut().map(|row| std::mem::take(&mut row.image));
                    Column::from(bytes.collect::<Vec<_>>())
                }
            },
        );
        let masks = rows.iter_mut().map(|row| std::mem::take(&mut row.mask));
        columns.push("mask", masks.collect::<Vec<_>>());
        let paths = rows.iter_mut().map(|row| std::mem::take(&mut row.path));
        columns.push("path", paths.collect::<Vec<_>>());
        let sides = |of: fn(&Row) -> i32| rows.iter().map(of).collect::<Vec<_>>();
        columns.push("width", sides(|row| row.width));
        columns.push("height", sides(|row| row.height));
        columns
            .into_batch(&self.images_dir.display().to_string())
            .map(Some)
    }

    /// The row of a pair, or the general reason why there is none, and the error.
    fn row(&self, pair: Pair) -> Result<Row, Defect> {
        let options = ImageFolder {
            storage: self.options.storage,
            max_image_bytes: self.options.max_image_bytes,
            check_pixels: self.options.check_pixels,
            ..ImageFolder::default()
        };
        let image = image_file::read(&pair.image.path, &options)
            .map_err(|error| Defect::new(SkipReason::ImageFile, error))?;
        let mask =
            mask_file::read(&pair.mask).map_err(|error| Defect::new(SkipReason::Mask, error))?;
        let (height, width) = mask.ids.dim();
        let is_same = |side: i32, other: usize| usize::try_from(side).ok() == Some(other);
        if !is_same(image.width, width) || !is_same(image.height, height) {
            let error = malformed(
                &pair.mask,
                format!(
                    "the mask has {width} x {height} pixels where its image {} has {} x {}",
                    pair.image.relative, image.width, image.height
                ),
                "its size",
                "a mask has a pixel for every pixel of its image: scale one of them (a mask without \
                 interpolation)",
            );
            return Err(Defect::new(SkipReason::Mask, error));
        }
        let classes = self
            .ids
            .classes(&pair.mask, &mask.ids)
            .map_err(|error| Defect::new(SkipReason::UnknownCategory, error))?;
        let is_kept = mask.is_plain && classes == mask.ids;
        let other = |error| Defect::new(SkipReason::Mask, error);
        Ok(Row {
            mask: match is_kept {
                true => mask.bytes,
                false => class_mask_to_png(classes.view(), self.ids.fit_bytes()).map_err(other)?,
            },
            url: match self.options.storage {
                ImageStorage::Url => Some(file_url(&pair.image.path).map_err(other)?),
                ImageStorage::Bytes => None,
            },
            image: image.bytes,
            path: pair.image.relative,
            width: image.width,
            height: image.height,
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}
