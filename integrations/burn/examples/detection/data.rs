//! What to learn from: generated scenes, or a COCO data set.

use std::path::{Path, PathBuf};

use emberlens::run::Project;
use emberlens::table::Table;
use emberlens::table::import::{CocoOptions, ImageFolder, coco};

use crate::args::Args;
use crate::imported::open_or_import;
use crate::program::Failure;
use crate::scenes;

/// Images of this size and less go into the tables.
const LARGEST_IMAGE: u64 = 64 << 20;

/// The tables to learn from and to be judged on, and the names of their classes.
pub fn load(project: &Project, args: &Args) -> Result<([Table; 2], Vec<String>), Failure> {
    let tables = match &args.data {
        None => scenes::generated(project, args.scenes, args.seed)?,
        Some(folder) => [
            data_set(project, folder, "train")?,
            data_set(project, folder, "val")?,
        ],
    };
    let [names, others] = tables
        .each_ref()
        .map(|table| table.category_names("boxes").unwrap_or_default());
    match names == others && !names.is_empty() {
        true => Ok((tables, names)),
        false => Err(format!(
            "both parts need the same classes; train has {names:?}, validation {others:?}"
        )
        .into()),
    }
}

/// One part of a COCO data set, imported by the first run that reads it and compared by those that follow.
///
/// Burn's `ImageFolderDataset::new_coco_detection` (feature `vision`) reads such a folder too. It is not
/// taken, because it keeps no ids, names of classes, areas and crowds: predictions could not be named, nor
/// an edited table be exported as the data set that it came from.
fn data_set(project: &Project, folder: &Path, part: &str) -> Result<Table, Failure> {
    let (annotations, images) = files(folder, part)?;
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let whole = folder.canonicalize()?;
    let table = format!("{}-{}", name(&whole), name(&images));
    let stored = ImageFolder {
        max_image_bytes: LARGEST_IMAGE,
        ..ImageFolder::default()
    };
    open_or_import(project, &table, &whole, |tables| {
        let options = CocoOptions::new().images(&images, stored.clone());
        Ok(coco(tables, &table, &annotations, &options)?.table)
    })
}

/// The annotations of a part, and the folder of its images.
fn files(folder: &Path, part: &str) -> Result<(PathBuf, PathBuf), Failure> {
    let begin = format!("instances_{part}");
    let place = folder.join("annotations");
    let entries = std::fs::read_dir(&place)
        .map_err(|error| format!("{}: {error}; --data names a COCO data set", place.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let inner = name.strip_prefix("instances_");
        if let Some(images) = inner.and_then(|name| name.strip_suffix(".json"))
            && name.starts_with(&begin)
        {
            found.push((place.join(&name), folder.join(images)));
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        count => Err(format!(
            "{count} files {begin}*.json in {}; give a folder with one",
            place.display()
        )
        .into()),
    }
}
