//! What to learn from: generated scenes, or a folder of images and masks.

use std::path::Path;

use emberlens::run::Project;
use emberlens::table::Table;
use emberlens::table::import::{ClassMasks, class_masks};

use crate::args::Args;
use crate::imported::open_or_import;
use crate::program::Failure;
use crate::sample::Classes;
use crate::scenes;

/// Images of this size and less go into the tables.
const LARGEST_IMAGE: u64 = 64 << 20;

/// The tables to learn from and to be judged on, and their classes.
pub fn load(project: &Project, args: &Args) -> Result<([Table; 2], Classes), Failure> {
    let tables = match &args.data {
        None => scenes::generated(project, args.scenes, args.seed)?,
        Some(folder) => {
            let options = ClassMasks {
                void: Some(args.void),
                max_image_bytes: LARGEST_IMAGE,
                ..ClassMasks::new(names(&folder.join("classes.txt"))?)
            };
            let part = |part| data_set(project, folder, part, &options);
            [part("training")?, part("validation")?]
        }
    };
    let [classes, others] = tables.each_ref().map(Classes::of);
    let (classes, others) = (classes?, others?);
    match classes == others {
        true => Ok((tables, classes)),
        false => Err(format!(
            "both parts need the same classes; training has {classes:?}, validation {others:?}"
        )
        .into()),
    }
}

/// One part of a data set, imported by the first run that reads it and compared by those that follow.
///
/// Burn's `ImageFolderDataset::new_segmentation_with_items` (feature `vision`) reads pairs of images and
/// masks too. It is not taken, because it finds no pairs, keeps ids with gaps and no void, and ends the
/// program at a file that it cannot decode.
fn data_set(
    project: &Project,
    folder: &Path,
    part: &str,
    options: &ClassMasks,
) -> Result<Table, Failure> {
    let whole = folder
        .canonicalize()
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let name = whole.file_name().unwrap_or_default().to_string_lossy();
    let table = format!("{name}-{part}");
    let images = whole.join("images").join(part);
    open_or_import(project, &table, &whole, |tables| {
        let masks = whole.join("annotations").join(part);
        Ok(class_masks(tables, &table, &images, &masks, options)?.table)
    })
}

/// The names of the ids in masks, `ID NAME` a line.
fn names(path: &Path) -> Result<Vec<(u16, String)>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}: {error}; it names the ids in masks", path.display()))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            let parts = line.trim().split_once(char::is_whitespace);
            let pair =
                parts.and_then(|(id, name)| Some((id.parse().ok()?, name.trim().to_owned())));
            let place = || format!("{}, line {}", path.display(), number + 1);
            pair.ok_or_else(|| format!("{}: `{line}` is not `ID NAME`", place()).into())
        })
        .collect()
}
