//! Tables from a folder of images with one sub-folder per class.

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};

use super::files::{self, Entry};
use super::image_file::{self, FileKind, file_url};
use super::skipped::{Imported, Sieve, SkipReason, nothing_left};
use super::{at_path, malformed, unreadable};
use crate::Result;
use crate::storage::Location;
use crate::table::chunks::{CHUNK_BYTES, CHUNK_ROWS};
use crate::table::{Column, Columns, ImageStorage, Role, Table, schema};

/// How to import a folder of images.
///
/// ```
/// use emberlens::table::{ImageStorage, import::ImageFolder};
/// let options = ImageFolder { storage: ImageStorage::Url, ..ImageFolder::default() };
/// assert!(options.check_pixels);
/// ```
#[derive(Clone, Debug)]
pub struct ImageFolder {
    /// The encoded bytes in the table (default), or the files' URLs, which must then stay there.
    pub storage: ImageStorage,
    /// Largest file that [`ImageStorage::Bytes`] takes, in bytes; 1 MiB by default.
    pub max_image_bytes: u64,
    /// Decode every image to find damage (default); false looks at the headers only.
    pub check_pixels: bool,
    /// Leave out images that cannot be read or have no class, and count them (default: the first is an
    /// error). For [`image_folder`]; imports of annotations have a setting of their own.
    pub lenient: bool,
}

impl Default for ImageFolder {
    fn default() -> Self {
        Self {
            storage: ImageStorage::Bytes,
            max_image_bytes: 1 << 20,
            check_pixels: true,
            lenient: false,
        }
    }
}

/// Creates a table from a folder that holds one sub-folder of PNG or JPEG images per class.
///
/// Classes are the sub-folders sorted by name; their index is the label. A class's images are all
/// images in its folder and the folders below, sorted by path. An empty class keeps its index and
/// name. Hidden files and folders, and files that are no images (by their ending), are left out and
/// counted in a warning. The same tree gives the same rows on any machine.
///
/// # Shapes and units
/// One row per image: `image` (encoded bytes, or a `file://` URL), `label` (i32, a category with the
/// class names), `path` (relative to the folder, with `/`), `width` and `height` (pixels, of the
/// image as its EXIF orientation turns it; the bytes stay as they are).
///
/// # Memory
/// One chunk of at most 8,192 images or about 32 MiB, and the list of paths.
///
/// # Errors
/// `Invalid` with the file's path for an image that cannot be decoded, one in a format other than
/// PNG and JPEG, one above `max_image_bytes`, one that lies beside the class folders (it has no
/// label); these are counted with `lenient`. `Invalid` for a folder of which no image is left; `NotFound`
/// for a missing folder; `AlreadyExists` for a table of that name. After an error there is no table.
pub fn image_folder(
    folder: &Location,
    name: &str,
    path: &Path,
    options: ImageFolder,
) -> Result<Imported> {
    // URLs and loops of links need the real path.
    let root = path
        .canonicalize()
        .map_err(|error| unreadable("open", path, error))?;
    let mut sieve = Sieve::new(options.lenient);
    let (classes, files) = scan(&root, &mut sieve)?;
    let mut batches = ImageBatches {
        schema: image_schema(&classes, options.storage)?,
        files: files.into_iter(),
        root: &root,
        options: &options,
        sieve,
        rows: 0,
    };
    let schema = batches.schema.clone();
    let table = Table::create_from_batches(folder, name, &schema, &mut batches)
        .map_err(|error| at_path(error, &root))?;
    Ok(Imported::new(table, batches.sieve.finish()))
}

/// The columns of an image table.
fn image_schema(classes: &[String], storage: ImageStorage) -> Result<Schema> {
    Ok(Schema::new(vec![
        image_field(storage)?,
        schema::field("label", DataType::Int32, Some(&Role::category(classes)))?,
        schema::field("path", DataType::Utf8, None)?,
        schema::field("width", DataType::Int32, None)?,
        schema::field("height", DataType::Int32, None)?,
    ]))
}

/// The column that holds the images.
pub(super) fn image_field(storage: ImageStorage) -> Result<Field> {
    let image_type = match storage {
        ImageStorage::Url => DataType::Utf8,
        ImageStorage::Bytes => DataType::Binary,
    };
    schema::field("image", image_type, Some(&Role::Image { storage }))
}

/// One image to read.
struct ImageFile {
    path: PathBuf,
    /// Below the root, with `/`.
    relative: String,
    class: i32,
}

/// Class names, and images in the order of their rows.
fn scan(root: &Path, sieve: &mut Sieve) -> Result<(Vec<String>, Vec<ImageFile>)> {
    let mut skipped = 0;
    let mut classes = Vec::new();
    let mut files = Vec::new();
    for entry in files::entries(root)? {
        if entry.folder {
            classes.push(entry);
        } else if image_file::kind(&entry.path) != FileKind::Other && !entry.hidden() {
            let hint = "move it into the folder of its class";
            let error = malformed(
                &entry.path,
                "an image without a class",
                "the top folder",
                hint,
            );
            sieve.refuse(SkipReason::NoClass, error)?;
        } else {
            skipped += 1;
        }
    }
    classes.retain(|class| !class.hidden());
    for (class, index) in classes.iter().zip(0..) {
        let before = files.len();
        skipped += add_class(class, index, &mut files, sieve)?;
        if files.len() == before {
            tracing::warn!(class = class.name, "the class has no images");
        }
    }
    if skipped > 0 {
        tracing::warn!(skipped, root = %root.display(), "files that are no images were left out");
    }
    if files.is_empty() && sieve.skipped().is_empty() {
        let hint = "give a folder with one sub-folder of PNG or JPEG files per class";
        return Err(malformed(
            root,
            "there are no images",
            "any class folder",
            hint,
        ));
    }
    Ok((classes.into_iter().map(|class| class.name).collect(), files))
}

/// Adds the images at any depth below a class; returns how many files were left out.
fn add_class(
    folder: &Entry,
    class: i32,
    images: &mut Vec<ImageFile>,
    sieve: &mut Sieve,
) -> Result<u64> {
    let files = files::below(&folder.path, &folder.name)?;
    let mut skipped = files.hidden;
    for file in files.found {
        match image_file::kind(&file.path) {
            FileKind::Image => images.push(ImageFile {
                path: file.path,
                relative: file.relative,
                class,
            }),
            FileKind::OtherImage => {
                sieve.refuse(SkipReason::FileFormat, image_file::other_format(&file.path))?;
            }
            FileKind::Other => skipped += 1,
        }
    }
    Ok(skipped)
}

/// Reads images into batches of bounded size.
struct ImageBatches<'a> {
    schema: Schema,
    files: std::vec::IntoIter<ImageFile>,
    root: &'a Path,
    options: &'a ImageFolder,
    sieve: Sieve,
    rows: usize,
}

impl ImageBatches<'_> {
    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let (mut bytes, mut urls) = (Vec::new(), Vec::new());
        let (mut labels, mut paths) = (Vec::new(), Vec::new());
        let (mut widths, mut heights) = (Vec::new(), Vec::new());
        let mut size = 0;
        while labels.len() < CHUNK_ROWS && size < CHUNK_BYTES {
            let Some(file) = self.files.next() else { break };
            let image = match image_file::read(&file.path, self.options) {
                Ok(image) => image,
                Err(error) => {
                    self.sieve.refuse(SkipReason::ImageFile, error)?;
                    continue;
                }
            };
            match self.options.storage {
                ImageStorage::Bytes => {
                    size += image.bytes.len();
                    bytes.push(image.bytes);
                }
                ImageStorage::Url => urls.push(file_url(&file.path)?),
            }
            labels.push(file.class);
            paths.push(file.relative);
            widths.push(image.width);
            heights.push(image.height);
        }
        self.rows += labels.len();
        if self.rows == 0 {
            return Err(nothing_left(self.root, "image", &self.sieve));
        }
        if labels.is_empty() {
            return Ok(None);
        }
        let image = match self.options.storage {
            ImageStorage::Bytes => Column::from(bytes),
            ImageStorage::Url => Column::from(urls),
        };
        let columns = Columns::new()
            .with("image", image)
            .with("label", labels)
            .with("path", paths)
            .with("width", widths)
            .with("height", heights);
        columns
            .into_batch(&self.root.display().to_string())
            .map(Some)
    }
}

impl Iterator for ImageBatches<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}
