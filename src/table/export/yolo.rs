//! A table as a YOLO data set.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;

use super::images::{Exported, ImageTable, RowImage, read};
use super::split_folder::{SplitFolder, copy_image};
use super::yolo_lines::line;
use super::{Existing, yolo_yaml};
use crate::storage::without_credentials;
use crate::table::import::{Defect, Sieve, SkipReason, YoloTask};
use crate::table::local_name::{inside, without_images};
use crate::table::yolo_file::SPLITS;
use crate::table::{ImageStorage, Role, Table, role};
use crate::{Error, Result};

/// How to write a YOLO data set.
///
/// ```
/// use emberlens::table::{export::YoloExport, import::YoloTask};
/// let options = YoloExport::new(YoloTask::Boxes).split("val").images(false);
/// ```
#[derive(Clone, Debug)]
pub struct YoloExport {
    task: YoloTask,
    split: String,
    images: bool,
    lenient: bool,
}

impl YoloExport {
    /// The split `train`, images where the table has them, and what cannot be said an error.
    pub fn new(task: YoloTask) -> Self {
        Self {
            task,
            split: "train".into(),
            images: true,
            lenient: false,
        }
    }

    /// The split that is written: `train`, `val` or `test` (default: `train`).
    pub fn split(mut self, split: impl Into<String>) -> Self {
        self.split = split.into();
        self
    }

    /// Whether images are written beside the labels, where the table has some (default: yes).
    pub fn images(mut self, yes: bool) -> Self {
        self.images = yes;
        self
    }

    /// Whether instances that YOLO has no way to say are left out and counted (default: they are
    /// errors).
    pub fn lenient(mut self, yes: bool) -> Self {
        self.lenient = yes;
        self
    }
}

/// Writes a table of images and their instances as one split of a YOLO data set.
///
/// `folder` gets `labels/<split>/<file_name>.txt` of every row, also of those without instances,
/// `images/<split>/<file_name>` from the table's bytes or `file://` URLs, and `data.yaml` with the
/// class names. Folders called `images` in a name are left out: labels are looked for beside the last
/// of them. Where `data.yaml` is there with the same names, the split is added to it, so that
/// several tables become the splits of one data set.
///
/// # Shapes and units
/// Fractions of the image, 12 decimals at most: an import of what was written has the same numbers
/// within 1e-12 of the image's size.
///
/// # Memory and durability
/// One batch of rows at a time. A split appears as a whole when all is written. With
/// [`Existing::Replace`] files of the same names are replaced one by one, others stay.
///
/// # Errors
/// `AlreadyExists` when the split is there and `existing` is [`Existing::Refuse`], or `data.yaml`
/// names other classes or another folder (`path`); `Invalid`, naming column and row, for a table without a column of the task,
/// names of files that lead out of the folder or of which two would share their labels, images by
/// other URLs than `file://`, and what YOLO has no way to say: crowds, boxes without area, coordinates
/// beyond the image by more than 0.01 of its size, masks without a polygon or of several ones. The last are left out and counted with
/// [`YoloExport::lenient`]. `Storage`.
///
/// # Source
/// Ultralytics' formats of data sets, <https://docs.ultralytics.com/datasets/>.
pub fn yolo(
    table: &Table,
    folder: &Path,
    options: &YoloExport,
    existing: Existing,
) -> Result<Exported> {
    let images = ImageTable::new(table)?;
    let (is_of_kind, kind): (fn(&Role) -> bool, _) = match options.task {
        YoloTask::Boxes => (|role| matches!(role, Role::Boxes { .. }), "boxes"),
        YoloTask::Oriented => (
            |role| matches!(role, Role::OrientedBoxes { .. }),
            "oriented boxes",
        ),
        YoloTask::Segments => (|role| matches!(role, Role::Masks { .. }), "masks"),
    };
    let Some(column) = images.column(is_of_kind) else {
        return Err(Error::invalid(
            "table",
            table.name(),
            format!("no column has the role of {kind}"),
            "export another task",
        ));
    };
    if !SPLITS.contains(&options.split.as_str()) {
        let hint = "take one of them, and another folder for a data set of its own";
        let reason = "a data set has the splits train, val and test";
        return Err(Error::invalid("split", &options.split, reason, hint));
    }
    let names: Vec<&str> = images
        .categories
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let yaml = yolo_yaml::prepare(folder, &options.split, &names)?;
    let storage = options.images.then(|| image_storage(table)).flatten();
    let labels = SplitFolder::create(&folder.join("labels"), &options.split, existing)?;
    let pictures = match storage {
        None => None,
        Some(_) => {
            let folder = folder.join("images");
            Some(SplitFolder::create(&folder, &options.split, existing)?)
        }
    };
    let mut writer = Writer {
        options,
        column,
        labels: &labels,
        images: pictures.as_ref().zip(storage),
        stems: HashSet::new(),
        sieve: Sieve::new(options.lenient),
        exported: Exported::default(),
    };
    let extra: &[&str] = if storage.is_some() { &["image"] } else { &[] };
    images.each(extra, |image, batch, at| writer.row(&image, batch, at))?;
    let Writer {
        sieve,
        mut exported,
        ..
    } = writer;
    if let Some(pictures) = pictures {
        pictures.publish()?;
    }
    labels.publish()?;
    yaml.write()?;
    exported.skipped = sieve.finish();
    Ok(exported)
}

/// How the column `image` holds images; `None` without such a column.
fn image_storage(table: &Table) -> Option<ImageStorage> {
    let field = table.schema().field_with_name("image").ok()?;
    match role(field)? {
        Role::Image { storage } => Some(storage),
        _ => None,
    }
}

struct Writer<'a> {
    options: &'a YoloExport,
    /// Of the instances.
    column: &'a str,
    labels: &'a SplitFolder,
    images: Option<(&'a SplitFolder, ImageStorage)>,
    /// Names of the files of labels so far.
    stems: HashSet<PathBuf>,
    sieve: Sieve,
    exported: Exported,
}

impl Writer<'_> {
    fn row(&mut self, image: &RowImage, batch: &RecordBatch, at: usize) -> Result<()> {
        let wrong = |found: String, expected: &str, hint: &str| Error::Value {
            column: "file_name".into(),
            row: image.row,
            found,
            expected: expected.into(),
            hint: hint.into(),
        };
        let shown = without_credentials(&image.file_name);
        let name = inside(&image.file_name).map_err(|why| {
            let found = format!("{shown:?}, which {why},");
            wrong(found, "the name of a file below a folder", "rename it")
        })?;
        let name = without_images(&name);
        let stem = name.with_extension("txt");
        if !self.stems.insert(stem.clone()) {
            let found = format!("{shown:?}, whose labels stand before,");
            let expected = "names that differ before their ending";
            return Err(wrong(found, expected, "rename one of the images"));
        }
        let mut text = String::new();
        for (number, instance) in image.instances.iter().enumerate() {
            let written = line(self.options.task, instance, image.width, image.height);
            let written = written.map_err(|(reason, found)| {
                let annotation = match instance.id {
                    Some(id) => format!(" (annotation {id})"),
                    None => String::new(),
                };
                let hint = match reason {
                    SkipReason::Range => {
                        "turn or shrink it until it lies in its image, leave it out, or \
                                          let a lenient export do so"
                    }
                    _ => "leave it out, or let a lenient export do so",
                };
                let error = Error::Value {
                    column: self.column.to_owned(),
                    row: image.row,
                    found: format!(
                        "{found} in instance {number}{annotation} of {:?}",
                        image.file_name
                    ),
                    expected: "something that YOLO can say".into(),
                    hint: hint.into(),
                };
                Defect::new(reason, error)
            });
            if let Some(written) = self.sieve.pass(written)? {
                text.push_str(&written);
                text.push('\n');
                self.exported.instances += 1;
            }
        }
        self.labels.write(&stem, text.as_bytes())?;
        match self.images {
            Some((folder, ImageStorage::Bytes)) => {
                let bytes = read::<Vec<u8>>(&batch.slice(at, 1), "image", image.row)?;
                folder.write(&name, &bytes[0])?;
            }
            Some((folder, ImageStorage::Url)) => {
                let url = read::<String>(&batch.slice(at, 1), "image", image.row)?;
                copy_image(folder, &name, &url[0], image.row)?;
            }
            None => {}
        }
        self.exported.images += 1;
        Ok(())
    }
}
