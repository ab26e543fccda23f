//! Images and their masks, by name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use super::files::{self, Found};
use super::image_file::{self, FileKind};
use super::malformed;
use super::skipped::{Sieve, SkipReason};
use crate::{Error, Result};

/// An image and its mask.
pub(super) struct Pair {
    pub(super) image: Found,
    pub(super) mask: PathBuf,
}

/// What names end with before the dot.
#[derive(Clone, Copy)]
pub(super) struct Suffixes<'a> {
    pub(super) image: &'a str,
    pub(super) mask: &'a str,
}

/// Files by what pairs them.
type Keyed = BTreeMap<String, Found>;

/// The pairs, sorted by the path of the image. What has no partner is an error, or counted.
pub(super) fn find(
    images_dir: &Path,
    masks_dir: &Path,
    suffixes: Suffixes<'_>,
    sieve: &mut Sieve,
) -> Result<Vec<Pair>> {
    let images = keyed(images_dir, suffixes.image, is_image, sieve)?;
    let mut masks = keyed(masks_dir, suffixes.mask, is_mask, sieve)?;
    let mut pairs = Vec::with_capacity(images.len());
    for (key, image) in images {
        match masks.remove(&key) {
            Some(mask) => pairs.push(Pair {
                image,
                mask: mask.path,
            }),
            None => {
                let error = alone(
                    &image.path,
                    "an image without a mask",
                    masks_dir,
                    &format!("{key}{}.png", suffixes.mask),
                );
                sieve.refuse(SkipReason::Alone, error)?;
            }
        }
    }
    for (key, mask) in masks {
        let wanted = format!("{key}{}.jpg (or .png)", suffixes.image);
        let error = alone(&mask.path, "a mask without an image", images_dir, &wanted);
        sieve.refuse(SkipReason::Alone, error)?;
    }
    if pairs.is_empty() {
        return Err(malformed(
            images_dir,
            match sieve.skipped().is_empty() {
                true => "there are no images".to_owned(),
                false => format!("no image has a mask ({})", sieve.skipped()),
            },
            "any folder below",
            "give a folder of PNG or JPEG images, and one of PNG masks of the same names",
        ));
    }
    pairs.sort_by(|one, other| one.image.relative.cmp(&other.image.relative));
    Ok(pairs)
}

fn alone(path: &Path, what: &str, folder: &Path, wanted: &str) -> Error {
    let hint = format!(
        "add {wanted} to {}, or move this file away",
        folder.display()
    );
    malformed(path, what, "the file's name", hint)
}

/// Whether a file is taken, or is none of the data; an error for one that should be another.
type Takes = fn(&Path) -> Result<bool>;

fn is_image(path: &Path) -> Result<bool> {
    match image_file::kind(path) {
        FileKind::Image => Ok(true),
        FileKind::Other => Ok(false),
        FileKind::OtherImage => Err(image_file::other_format(path)),
    }
}

fn is_mask(path: &Path) -> Result<bool> {
    let is_png = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
    match image_file::kind(path) {
        FileKind::Other => Ok(false),
        _ if is_png => Ok(true),
        _ => Err(malformed(
            path,
            "a mask that is no PNG",
            "its ending",
            "write masks as PNG, which changes no value, or move it away",
        )),
    }
}

/// The files of a folder by their path without ending and suffix.
fn keyed(folder: &Path, suffix: &str, takes: Takes, sieve: &mut Sieve) -> Result<Keyed> {
    // URLs and loops of links need the real path.
    let root = folder
        .canonicalize()
        .map_err(|error| super::unreadable("open", folder, error))?;
    let files = files::below(&root, "")?;
    let (mut keyed, mut others) = (Keyed::new(), files.hidden);
    for file in files.found {
        let stem = match file.relative.rsplit_once('.') {
            Some((stem, _)) => stem,
            None => &file.relative,
        };
        let Some(key) = stem.strip_suffix(suffix).map(str::to_owned) else {
            others += 1;
            continue;
        };
        match takes(&file.path) {
            Ok(true) => {}
            Ok(false) => {
                others += 1;
                continue;
            }
            Err(error) => {
                sieve.refuse(SkipReason::FileFormat, error)?;
                continue;
            }
        }
        match keyed.entry(key) {
            Entry::Vacant(place) => {
                place.insert(file);
            }
            Entry::Occupied(first) => {
                let error = malformed(
                    &file.path,
                    format!(
                        "{} has the same name but for its ending",
                        first.get().relative
                    ),
                    "the file's name",
                    "rename one of them, or move it away",
                );
                sieve.refuse(SkipReason::SameName, error)?;
            }
        }
    }
    if others > 0 {
        tracing::warn!(others, root = %root.display(), "files that are not meant were left out");
    }
    Ok(keyed)
}
