//! Tables from COCO's files of annotations.

mod annotation;
mod entry;
mod file;
mod lists;
mod rows;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use entry::Entry;
use lists::Lists;
use rows::Rows;

use super::folder::ImageFolder;
use super::skipped::{Imported, Sieve};
use super::{at_path, unreadable};
use crate::Result;
use crate::storage::Location;
use crate::table::Table;
use crate::table::instances::Instance;

/// How to import a COCO file; the default is without images, and strict.
///
/// ```
/// use emberlens::table::import::{CocoOptions, ImageFolder};
/// let options = CocoOptions::new().images("coco/val2017", ImageFolder::default()).lenient(true);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CocoOptions {
    images: Option<(PathBuf, ImageFolder)>,
    lenient: bool,
}

impl CocoOptions {
    /// No images, and every malformed entry an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the images from this folder, in which the file's `file_name`s are looked for.
    pub fn images(mut self, folder: impl Into<PathBuf>, options: ImageFolder) -> Self {
        self.images = Some((folder.into(), options));
        self
    }

    /// Whether malformed images, categories and annotations are skipped and counted (default: they
    /// are errors).
    pub fn lenient(mut self, yes: bool) -> Self {
        self.lenient = yes;
        self
    }
}

/// Creates a table from a COCO file of instances or keypoints.
///
/// # Shapes and units
/// One row for each image, in the order of the file's list; images without annotations too.
///
/// | column | type | |
/// |---|---|---|
/// | `image` | bytes or URL | only where a folder of images is given |
/// | `file_name`, `image_id` | string, i64 | as in the file |
/// | `width`, `height` | i32 | pixels, as in the file; those of an image as its EXIF orientation turns it have to be the same |
/// | `boxes` | list of struct | `x`, `y`, `width`, `height` (f64, pixels), the file's numbers |
/// | `masks` | list of struct | `height`, `width` (i32), `counts` (string): COCO's compressed run lengths; `polygons`, where the mask came as such. Only where an annotation has a segmentation |
/// | `keypoints` | list of struct | `keypoints`: a list of `x`, `y` (f64, pixels), `visibility` (0 not labelled, 1 hidden, 2 visible). Only where an annotation or category has some |
///
/// Every struct has `label`, `area` (f64; where the file has none that of the mask, else of the box),
/// `crowd`, `annotation_id` too. Annotations stay in the file's order; element k of each list is the same one, null where it
/// has no mask or keypoints. Labels are from 0 in the order of the category ids, which may have
/// gaps; ids, supercategories, names and skeletons of keypoints stay with the columns and come out
/// again at an export. Everything else (`info`, `licenses`, URLs, captions, `num_keypoints`) is left
/// out, and no export has it.
///
/// # Memory
/// The annotations as numbers and text. Images, masks and rows one
/// chunk at a time. The file is read twice.
///
/// # Errors
/// `Invalid`, naming the file and the id of what is malformed: an image or category id that is not
/// listed, an id twice, a field that is missing or of another type, a `bbox` of other than four
/// finite numbers or of a negative width or height, polygons of fewer than three points or an odd number of values,
/// run lengths that do not add up or are of another size than the image, keypoints that are not
/// three numbers for each that the category names, images without a size, or whose file has another
/// one or cannot be read or leads out of the folder. With [`CocoOptions::lenient`] these are skipped
/// and counted: of an annotation with a malformed segmentation, area or keypoints those alone, of a
/// category its skeleton; annotations whose image has its id in common with another are skipped.
/// `Invalid` too when no image is left. `Invalid` with line and column
/// for a file that is no JSON, ends early, or lacks a list, lenient or not; `NaN` and `Infinity`
/// are read, and refused where they stand. `NotFound` for a missing file; `AlreadyExists` for a
/// table of that name. After an error there is no table.
///
/// ```
/// use emberlens::{storage::Location, table::import::{CocoOptions, coco}};
/// # let dir = tempfile::tempdir()?;
/// let file = dir.path().join("annotations.json");
/// std::fs::write(&file, r#"{
///     "images": [{"id": 9, "file_name": "a.jpg", "width": 640, "height": 480}],
///     "categories": [{"id": 17, "name": "cat"}, {"id": 3, "name": "car"}],
///     "annotations": [{"id": 1, "image_id": 9, "category_id": 17, "bbox": [10, 20, 30, 40],
///                      "segmentation": [[10, 20, 40, 20, 40, 60]], "area": 600, "iscrowd": 0}]
/// }"#)?;
/// let folder = Location::open("memory://")?.join("tables");
/// let imported = coco(&folder, "pets", &file, &CocoOptions::new())?;
/// assert_eq!(imported.table.category_names("boxes").unwrap(), ["car", "cat"]);
/// assert_eq!(imported.skipped.count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// COCO's data format, <https://cocodataset.org/#format-data>; masks as pycocotools makes them.
pub fn coco(
    folder: &Location,
    name: &str,
    annotations: &Path,
    options: &CocoOptions,
) -> Result<Imported> {
    let images = match &options.images {
        None => None,
        Some((path, options)) => {
            // URLs need the real path.
            let root = path.canonicalize();
            let root = root.map_err(|error| unreadable("open", path, error))?;
            Some((root, options))
        }
    };
    let mut sieve = Sieve::new(options.lenient);
    let lists = Lists::read(annotations, &mut sieve)?;
    let instances = read_annotations(annotations, &lists, &mut sieve)?;
    let rows = Rows::new(annotations, &lists, instances, images, &mut sieve)?;
    let schema = rows.schema().clone();
    let table = Table::create_from_batches(folder, name, &schema, rows)
        .map_err(|error| at_path(error, annotations))?;
    Ok(Imported::new(table, sieve.finish()))
}

/// The instances of every image of the list.
fn read_annotations(path: &Path, lists: &Lists, sieve: &mut Sieve) -> Result<Vec<Vec<Instance>>> {
    let mut instances: Vec<Vec<Instance>> = vec![Vec::new(); lists.images.len()];
    let mut ids = HashSet::new();
    file::each(path, &["annotations"], &mut |list, number, json| {
        let entry = Entry::new(path, "annotation", list, number, &json);
        let read = annotation::read(&entry, lists, &mut ids, sieve)?;
        if let Some((image, instance)) = read {
            instances[image].push(instance);
        }
        Ok(())
    })?;
    Ok(instances)
}
