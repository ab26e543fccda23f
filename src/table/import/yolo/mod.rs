//! Tables from YOLO data sets, in the layout of Ultralytics.

mod labels;
mod layout;
mod rows;

use std::path::Path;

use layout::Layout;
use rows::Rows;

use super::at_path;
use super::folder::ImageFolder;
use super::skipped::{Imported, Sieve};
use crate::Result;
use crate::storage::Location;
use crate::table::Table;

/// What the lines of labels hold: nothing in a file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum YoloTask {
    /// `class cx cy width height`.
    Boxes,
    /// `class x1 y1 x2 y2 x3 y3 x4 y4`: the corners of a rotated box.
    Oriented,
    /// `class x1 y1 x2 y2 ...`: a polygon.
    Segments,
}

/// How to import a YOLO data set.
///
/// ```
/// use emberlens::table::import::{YoloOptions, YoloTask};
/// let options = YoloOptions::new(YoloTask::Boxes).split("val").lenient(true);
/// ```
#[derive(Clone, Debug)]
pub struct YoloOptions {
    task: YoloTask,
    split: String,
    images: ImageFolder,
    lenient: bool,
}

impl YoloOptions {
    /// The split `train` with the bytes of its images; every malformed line an error.
    pub fn new(task: YoloTask) -> Self {
        Self {
            task,
            split: "train".into(),
            images: ImageFolder::default(),
            lenient: false,
        }
    }

    /// The split: `train`, `val` or `test` (default: `train`).
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.split = split.into();
        self
    }

    /// How images are stored and checked.
    pub fn images(mut self, options: ImageFolder) -> Self {
        self.images = options;
        self
    }

    /// Whether malformed lines and images are skipped and counted (default: they are errors).
    pub fn lenient(mut self, yes: bool) -> Self {
        self.lenient = yes;
        self
    }
}

/// Creates a table from one split of a YOLO data set.
///
/// `path` is the YAML file that describes it, or the folder in which that is, called `data.yaml` or
/// the only one there. Of the file `path`, the split and `names` are read. A split is a folder of
/// PNG and JPEG images (with those below it), a list of folders, or a text file that lists images.
/// The labels of `.../images/a/b.jpg` are in `.../labels/a/b.txt`; without such a file the image
/// has no objects. A split of which no image has one is refused.
///
/// # Shapes and units
/// One row for each image, sorted by path, or in the order of the list:
///
/// | column | type | |
/// |---|---|---|
/// | `image` | bytes or URL | |
/// | `file_name` | string | below the split's folder, with `/`; for several folders and lists below the root, or the folder that all images share where some are outside; folders called `images` are left out |
/// | `width`, `height` | i32 | pixels, of the image as its EXIF orientation turns it |
/// | `boxes` | list of struct | `x0`, `y0`, `x1`, `y1` (f64, pixels), for [`YoloTask::Boxes`] |
/// | `oriented_boxes` | list of struct | `cx`, `cy`, `width`, `height` (f64, pixels), `angle` (radians, clockwise), for [`YoloTask::Oriented`] |
/// | `masks` | list of struct | `height`, `width`, `counts`, `polygons` as of [`coco`](super::coco()), for [`YoloTask::Segments`] |
///
/// Every struct has `label` too. Coordinates may lie 0.01 of the image's size beyond it, as in
/// Ultralytics, and keep their numbers. Four corners may lie a pixel from those of a rectangle, since
/// they are often rounded; see
/// [`OrientedBox::from_corners`](crate::geometry::OrientedBox::from_corners). Of other ones, which
/// people draw by hand, the smallest box around them is taken, as Ultralytics does
/// ([`OrientedBox::around_corners`](crate::geometry::OrientedBox::around_corners)), and
/// [`Imported::approximated`] counts them.
///
/// # Memory
/// One chunk of at most 8,192 images or about 32 MiB, and the list of paths.
///
/// # Errors
/// `Invalid` with file and line for another number of fields, a field that is no number, a class
/// that the names lack, a coordinate outside -0.01..=1.01, a box without area, corners on one line;
/// with the file for images as [`image_folder`](super::image_folder()) refuses them, images of which
/// two would share their labels, labels without an image, a split without any labels or images, a
/// data set of poses (`kpt_shape`), and a YAML file that is none or says other things than the above; `NotFound` for a
/// split or folder that is not there; `AlreadyExists` for a table of that name. With
/// [`YoloOptions::lenient`] lines, images and files of labels are skipped and counted. After an
/// error there is no table.
///
/// ```
/// use emberlens::{storage::Location, table::import::{YoloOptions, YoloTask, yolo}};
/// # let dir = tempfile::tempdir()?;
/// # let at = |name: &str| dir.path().join(name);
/// # std::fs::create_dir_all(at("images/train"))?;
/// # std::fs::create_dir_all(at("labels/train"))?;
/// # image::RgbImage::new(20, 10).save(at("images/train/a.png"))?;
/// std::fs::write(at("data.yaml"), "train: images/train\nnames: [cat, dog]\n")?;
/// std::fs::write(at("labels/train/a.txt"), "1 0.5 0.5 0.1 0.2\n")?;
/// let folder = Location::open("memory://")?.join("tables");
/// let imported = yolo(&folder, "pets", dir.path(), &YoloOptions::new(YoloTask::Boxes))?;
/// assert_eq!(imported.table.category_names("boxes").unwrap(), ["cat", "dog"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Ultralytics' formats of data sets, <https://docs.ultralytics.com/datasets/>.
pub fn yolo(folder: &Location, name: &str, path: &Path, options: &YoloOptions) -> Result<Imported> {
    let mut sieve = Sieve::new(options.lenient);
    let layout = Layout::find(path, &options.split, &mut sieve)?;
    let mut rows = Rows::new(path, &layout, options.task, &options.images, &mut sieve)?;
    let schema = rows.schema().clone();
    let table = Table::create_from_batches(folder, name, &schema, &mut rows)
        .map_err(|error| at_path(error, path))?;
    let approximated = rows.approximated;
    let mut imported = Imported::new(table, sieve.finish());
    imported.approximated = approximated;
    Ok(imported)
}
