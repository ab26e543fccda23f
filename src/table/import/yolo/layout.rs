//! Where the images of a split and their labels are.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::table::import::files::entries;
use crate::table::import::image_file::{self, FileKind};
use crate::table::import::skipped::{Sieve, SkipReason};
use crate::table::import::{malformed, read_text, unreadable};
use crate::table::yolo_file::YoloFile;
use crate::{Error, Result};

/// Files beside labels that name the classes.
const CLASSES_FILE: &str = "classes.txt";

/// An image and where its labels would be.
pub(super) struct LabelledImage {
    pub(super) image: PathBuf,
    pub(super) labels: PathBuf,
    /// As the row has it.
    pub(super) file_name: String,
}

/// The images of a split in the order of their rows.
pub(super) struct Layout {
    pub(super) names: Vec<String>,
    pub(super) images: Vec<LabelledImage>,
}

impl Layout {
    /// Reads the YAML file and lists the split.
    ///
    /// # Errors
    /// `NotFound` and `Invalid` as [`yolo`](super::yolo).
    pub(super) fn find(path: &Path, split: &str, sieve: &mut Sieve) -> Result<Self> {
        let yaml = match path.is_dir() {
            true => yaml_in(path)?,
            false => path.to_owned(),
        };
        let yaml = yaml
            .canonicalize()
            .map_err(|error| unreadable("open", &yaml, error))?;
        let text = read_text(&yaml)?;
        let file = YoloFile::parse(&yaml, &text)?;
        let Some((_, places)) = file.splits.iter().find(|(name, _)| name == split) else {
            let known: Vec<&str> = file.splits.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Error::NotFound {
                what: "split",
                name: split.to_owned(),
                hint: format!("there are: {}", known.join(", ")),
                place: yaml.display().to_string(),
            });
        };
        let root = root(&yaml, file.root.as_deref());
        let mut images = Vec::new();
        for place in places {
            let found = resolve(&root, place);
            let is_whole = places.len() == 1 && found.is_dir();
            let base = if is_whole { &found } else { &root };
            if found.is_dir() {
                let first = images.len();
                walk(&found, base, sieve, &mut HashSet::new(), &mut images)?;
                images[first..].sort_by(|a: &LabelledImage, b| a.file_name.cmp(&b.file_name));
                refuse_orphans(&found, &images[first..], sieve)?;
            } else if found.extension() == Some(OsStr::new("txt")) {
                listed(&found, base, &mut images)?;
            } else {
                return Err(Error::NotFound {
                    what: "folder of images",
                    name: place.clone(),
                    hint: format!("the split `{split}` names it; set `path` in the file"),
                    place: found.display().to_string(),
                });
            }
        }
        Ok(Self {
            names: file.names,
            images,
        })
    }
}

/// `data.yaml`, or the only file of that kind.
fn yaml_in(folder: &Path) -> Result<PathBuf> {
    let usual = folder.join("data.yaml");
    if usual.is_file() {
        return Ok(usual);
    }
    let is_yaml = |name: &str| name.ends_with(".yaml") || name.ends_with(".yml");
    let found = entries(folder)?;
    let mut found = found.into_iter().filter(|entry| is_yaml(&entry.name));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.path),
        (first, _) => Err(malformed(
            folder,
            match first {
                None => "there is no file `data.yaml`",
                Some(_) => "there is no file `data.yaml`, but several others",
            },
            "the folder",
            "name the YAML file that has the class names and the splits",
        )),
    }
}

/// The folder that splits are relative to: `path` of the file, where that is there, else the file's.
fn root(yaml: &Path, given: Option<&str>) -> PathBuf {
    let beside = yaml.parent().unwrap_or(Path::new("")).to_owned();
    let Some(given) = given else { return beside };
    match beside.join(given) {
        named if named.is_dir() => named,
        _ => beside,
    }
}

/// A place of the file; exported ones often say `../train` and mean `train`.
fn resolve(root: &Path, place: &str) -> PathBuf {
    let named = root.join(place);
    match place.strip_prefix("../") {
        Some(beside) if !named.exists() => root.join(beside),
        _ => named,
    }
}

/// Adds the images of a folder and those below it.
fn walk(
    folder: &Path,
    base: &Path,
    sieve: &mut Sieve,
    visited: &mut HashSet<PathBuf>,
    images: &mut Vec<LabelledImage>,
) -> Result<()> {
    let real = folder
        .canonicalize()
        .map_err(|error| unreadable("open", folder, error))?;
    if !visited.insert(real) {
        return Ok(()); // a link back to a folder that is read already
    }
    for entry in entries(folder)? {
        if entry.hidden() {
            continue;
        }
        if entry.folder {
            walk(&entry.path, base, sieve, visited, images)?;
            continue;
        }
        match image_file::kind(&entry.path) {
            FileKind::Image => images.push(labelled(entry.path, base)),
            FileKind::Other => {}
            FileKind::OtherImage => {
                let error = malformed(
                    &entry.path,
                    "an image of a format that is not read",
                    "its ending",
                    "convert it to PNG or JPEG, or move it away",
                );
                sieve.refuse(SkipReason::ImageFile, error)?;
            }
        }
    }
    Ok(())
}

/// Adds the images that a text file lists, one a line, relative to its folder.
fn listed(list: &Path, base: &Path, images: &mut Vec<LabelledImage>) -> Result<()> {
    let text = read_text(list)?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        // Lists begin their lines with `./`.
        let path = folder.join(line.strip_prefix("./").unwrap_or(line));
        images.push(labelled(path, base));
    }
    Ok(())
}

fn labelled(image: PathBuf, base: &Path) -> LabelledImage {
    let inside = image.strip_prefix(base).ok();
    let name = inside
        .or(image.file_name().map(Path::new))
        .unwrap_or(&image);
    let parts = name
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let file_name = parts.collect::<Vec<_>>().join("/");
    LabelledImage {
        labels: beside_labels(&image).with_extension("txt"),
        file_name,
        image,
    }
}

/// The path with its last folder `images` called `labels`; itself without such a folder.
fn beside_labels(path: &Path) -> PathBuf {
    let parts: Vec<Component<'_>> = path.components().collect();
    let is_images = |part: &Component<'_>| part.as_os_str() == "images";
    let Some(at) = parts.iter().rposition(is_images) else {
        return path.to_owned();
    };
    let (before, after) = (&parts[..at], &parts[at + 1..]);
    let mut changed: PathBuf = before.iter().collect();
    changed.push("labels");
    changed.extend(after);
    changed
}

/// Refuses files of labels below a split whose images are not there.
fn refuse_orphans(folder: &Path, images: &[LabelledImage], sieve: &mut Sieve) -> Result<()> {
    let labels = beside_labels(folder);
    if labels == folder || !labels.is_dir() {
        return Ok(());
    }
    let known: HashSet<&Path> = images.iter().map(|image| image.labels.as_path()).collect();
    let mut files = Vec::new();
    text_files(&labels, &mut HashSet::new(), &mut files)?;
    for file in files {
        if !known.contains(file.as_path()) && file.file_name() != Some(OsStr::new(CLASSES_FILE)) {
            let hint = "add the image, or move the labels away";
            let error = malformed(&file, "labels without an image", "the file's name", hint);
            sieve.refuse(SkipReason::LabelFile, error)?;
        }
    }
    Ok(())
}

fn text_files(
    folder: &Path,
    visited: &mut HashSet<PathBuf>,
    files: &mut Vec<PathBuf>,
) -> Result<()> {
    let real = folder
        .canonicalize()
        .map_err(|error| unreadable("open", folder, error))?;
    if !visited.insert(real) {
        return Ok(());
    }
    for entry in entries(folder)? {
        if entry.hidden() {
            continue;
        }
        if entry.folder {
            text_files(&entry.path, visited, files)?;
        } else if entry.path.extension() == Some(OsStr::new("txt")) {
            files.push(entry.path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_where_the_last_folder_of_images_is_another() {
        for (image, labels) in [
            ("/d/images/train/a.jpg", "/d/labels/train/a.txt"),
            (
                "/images/d/train/images/b/a.b.png",
                "/images/d/train/labels/b/a.b.txt",
            ),
            ("/d/pictures/a.jpg", "/d/pictures/a.txt"),
        ] {
            let found = labelled(PathBuf::from(image), Path::new("/d")).labels;
            assert_eq!(found, Path::new(labels));
        }
    }
}
