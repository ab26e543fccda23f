//! Where the images of a split and their labels are.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::table::import::files::entries;
use crate::table::import::image_file::{self, FileKind};
use crate::table::import::skipped::{Sieve, SkipReason};
use crate::table::import::{malformed, read_text, unreadable};
use crate::table::local_name::without_images;
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
        // The file may be a link: what it names is beside the link.
        let folder = match yaml.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let folder = folder
            .canonicalize()
            .map_err(|error| unreadable("open", &yaml, error))?;
        let yaml = folder.join(yaml.file_name().unwrap_or_default());
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
        let root = plain(&root(&yaml, file.root.as_deref()));
        let (mut paths, mut base) = (Vec::new(), None);
        for place in places {
            let found = plain(&resolve(&root, place));
            if found.is_dir() {
                let first = paths.len();
                walk(&found, sieve, &mut HashSet::new(), &mut paths)?;
                paths[first..].sort_by_cached_key(|path: &PathBuf| below(path, &found));
                refuse_orphans(&found, &paths[first..], sieve)?;
                base = Some(found).filter(|_| places.len() == 1);
            } else if found.extension() == Some(OsStr::new("txt")) {
                listed(&found, &mut paths)?;
            } else {
                return Err(Error::NotFound {
                    what: "folder of images",
                    name: place.clone(),
                    hint: format!("the split `{split}` names it; set `path` in the file"),
                    place: found.display().to_string(),
                });
            }
        }
        let base = base.unwrap_or_else(|| common(&root, &paths));
        let images = labelled(paths, &base, sieve)?;
        refuse_unlabelled(&images, sieve)?;
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
    sieve: &mut Sieve,
    visited: &mut HashSet<PathBuf>,
    images: &mut Vec<PathBuf>,
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
            walk(&entry.path, sieve, visited, images)?;
            continue;
        }
        match image_file::kind(&entry.path) {
            FileKind::Image => images.push(entry.path),
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
fn listed(list: &Path, images: &mut Vec<PathBuf>) -> Result<()> {
    let text = read_text(list)?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    images.extend(lines.map(|line| plain(&folder.join(line))));
    Ok(())
}

/// The path without `.` and `..`, which names of rows must not have.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// The folder that the names of images from several places are below: the root, where all are
/// there, else the one that all have in common.
fn common(root: &Path, images: &[PathBuf]) -> PathBuf {
    let is_all = |folder: &Path| images.iter().all(|image| image.starts_with(folder));
    if is_all(root) {
        return root.to_owned();
    }
    let first = images.first().and_then(|image| image.parent());
    let mut shared = first.unwrap_or(root).ancestors();
    shared
        .find(|folder| is_all(folder))
        .unwrap_or(root)
        .to_owned()
}

/// The name of a file below a folder, with `/` and without folders called `images`.
fn below(path: &Path, folder: &Path) -> String {
    let inside = without_images(path.strip_prefix(folder).unwrap_or(path));
    let parts = inside
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// The images with their names and the places of their labels, of which no two are one.
fn labelled(paths: Vec<PathBuf>, base: &Path, sieve: &mut Sieve) -> Result<Vec<LabelledImage>> {
    let mut known = HashSet::new();
    let mut images = Vec::with_capacity(paths.len());
    for image in paths {
        let (labels, file_name) = (labels_of(&image), below(&image, base));
        let stem = Path::new(&file_name).with_extension("");
        // Labels are told from names, by which they go out again.
        if !(known.insert(labels.clone()) && known.insert(stem)) {
            let text = format!("an image before has the same labels ({})", labels.display());
            let hint = "rename one of the images, or list it once";
            let error = malformed(&image, text, "the file's name", hint);
            sieve.refuse(SkipReason::SameName, error)?;
            continue;
        }
        images.push(LabelledImage {
            file_name,
            labels,
            image,
        });
    }
    Ok(images)
}

/// Refuses a split of which no image has a file of labels: they lie elsewhere, most likely.
fn refuse_unlabelled(images: &[LabelledImage], sieve: &mut Sieve) -> Result<()> {
    if images.iter().any(|one| one.labels.exists()) {
        return Ok(());
    }
    for one in images {
        let text = "there is no file of labels, nor one for any other image of the split";
        let hint = "put labels where images have their last folder `images` called `labels`, or \
                    import images without labels by a lenient import";
        let error = malformed(&one.labels, text, "this path", hint);
        sieve.refuse(SkipReason::NoLabels, error)?;
    }
    Ok(())
}

fn labels_of(image: &Path) -> PathBuf {
    beside_labels(image).with_extension("txt")
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
fn refuse_orphans(folder: &Path, images: &[PathBuf], sieve: &mut Sieve) -> Result<()> {
    let labels = beside_labels(folder);
    if labels == folder || !labels.is_dir() {
        return Ok(());
    }
    let known: HashSet<PathBuf> = images.iter().map(|image| labels_of(image)).collect();
    let mut files = Vec::new();
    text_files(&labels, &mut HashSet::new(), &mut files)?;
    for file in files {
        if !known.contains(&file) && file.file_name() != Some(OsStr::new(CLASSES_FILE)) {
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
            assert_eq!(labels_of(Path::new(image)), Path::new(labels));
        }
    }

    #[test]
    fn names_are_below_the_root_or_the_folder_that_all_images_share() {
        let paths = |all: &[&str]| -> Vec<PathBuf> { all.iter().map(PathBuf::from).collect() };
        let root = Path::new("/d/set");
        let inside = paths(&["/d/set/a/x.jpg", "/d/set/b/x.jpg"]);
        assert_eq!(common(root, &inside), root);
        let beside = paths(&["/d/a/images/x.jpg", "/d/b/images/x.jpg"]);
        assert_eq!(common(root, &beside), Path::new("/d"));
        let elsewhere = paths(&["/e/x.jpg", "/e/y.jpg"]);
        assert_eq!(common(root, &elsewhere), Path::new("/e"));
        assert_eq!(
            plain(Path::new("/d/set/./../a/b/../c")),
            Path::new("/d/a/c")
        );
        let name = below(Path::new("/d/a/images/x.jpg"), Path::new("/d"));
        assert_eq!(name, "a/x.jpg");
    }
}
