//! The images and categories of a file.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::entry::{Entry, HINT};
use super::file::each;
use crate::Result;
use crate::table::import::json::Json;
use crate::table::import::malformed;
use crate::table::import::skipped::{Defect, Sieve, SkipReason};
use crate::table::instances::Category;

/// An image as the file lists it.
pub(super) struct ListedImage {
    pub(super) id: i64,
    pub(super) file_name: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Images in the file's order, categories by id.
#[derive(Default)]
pub(super) struct Lists {
    pub(super) images: Vec<ListedImage>,
    pub(super) categories: Vec<Category>,
    image_by_id: HashMap<i64, usize>,
    skipped_images: HashSet<i64>,
    /// Ids that several images have.
    ambiguous: HashSet<i64>,
    label_by_id: HashMap<i64, usize>,
}

impl Lists {
    /// Reads both lists.
    ///
    /// # Errors
    /// As [`each`], and defects that the sieve does not skip.
    pub(super) fn read(path: &Path, sieve: &mut Sieve) -> Result<Self> {
        let mut lists = Self::default();
        each(
            path,
            &["images", "categories"],
            &mut |list, number, json| {
                let taken = match list {
                    "images" => lists.add_image(&Entry::new(path, "image", list, number, &json)),
                    _ => {
                        let entry = Entry::new(path, "category", list, number, &json);
                        // The category is the same without its skeleton.
                        let skeleton = sieve.pass(skeleton(&entry))?.unwrap_or_default();
                        lists.add_category(&entry, skeleton)
                    }
                };
                sieve.pass(taken).map(|_| ())
            },
        )?;
        lists.drop_ambiguous(path, sieve)?;
        lists.categories.sort_by_key(|category| category.id);
        let labels = lists.categories.iter().zip(0..);
        lists.label_by_id = labels
            .map(|(category, label)| (category.id, label))
            .collect();
        Ok(lists)
    }

    /// The place of an image in the list.
    pub(super) fn image(&self, entry: &Entry<'_>) -> Result<usize, Defect> {
        let id = entry.integer("image_id")?;
        if self.ambiguous.contains(&id) {
            let text = format!("`image_id` is {id}, and several images have that id");
            return Err(entry.defect(SkipReason::DuplicateId, text));
        }
        if let Some(&image) = self.image_by_id.get(&id) {
            return Ok(image);
        }
        Err(match self.skipped_images.contains(&id) {
            true => entry.defect(SkipReason::SkippedImage, format!("image {id} was skipped")),
            false => entry.defect(
                SkipReason::UnknownImage,
                format!("`image_id` is {id}, and no image has that id"),
            ),
        })
    }

    /// The label of the entry's category.
    pub(super) fn label(&self, entry: &Entry<'_>) -> Result<usize, Defect> {
        let id = entry.integer("category_id")?;
        self.label_by_id.get(&id).copied().ok_or_else(|| {
            let text = format!("`category_id` is {id}, and no category has that id");
            entry.defect(SkipReason::UnknownCategory, text)
        })
    }

    fn add_image(&mut self, entry: &Entry<'_>) -> Result<(), Defect> {
        let id = entry.integer("id")?;
        if self.image_by_id.contains_key(&id) {
            self.ambiguous.insert(id);
            return Err(entry.defect(SkipReason::DuplicateId, "the id of an earlier image"));
        }
        let image = image(entry, id).inspect_err(|_| {
            self.skipped_images.insert(id);
        })?;
        self.skipped_images.remove(&id);
        self.image_by_id.insert(id, self.images.len());
        self.images.push(image);
        Ok(())
    }

    /// Leaves out the first image of several with one id, too: without annotations, which nobody can tell
    /// whose they are, it would be an image of nothing.
    fn drop_ambiguous(&mut self, path: &Path, sieve: &mut Sieve) -> Result<()> {
        if self.ambiguous.is_empty() {
            return Ok(());
        }
        for image in &self.images {
            if self.ambiguous.contains(&image.id) {
                let position = format!("image {}", image.id);
                let error = malformed(path, "the id of a later image", position, HINT);
                sieve.refuse(SkipReason::DuplicateId, error)?;
            }
        }
        self.images
            .retain(|image| !self.ambiguous.contains(&image.id));
        let ids = self.images.iter().map(|image| image.id);
        self.image_by_id = ids.zip(0..).collect();
        Ok(())
    }

    fn add_category(&mut self, entry: &Entry<'_>, skeleton: Vec<[i64; 2]>) -> Result<(), Defect> {
        let category = Category {
            skeleton,
            ..category(entry)?
        };
        // Labels are i32.
        if self.categories.len() == i32::MAX as usize {
            return Err(entry.defect(SkipReason::UnknownCategory, "one category too many"));
        }
        if self.label_by_id.insert(category.id, 0).is_some() {
            return Err(entry.defect(SkipReason::DuplicateId, "the id of an earlier category"));
        }
        self.categories.push(category);
        Ok(())
    }
}

fn image(entry: &Entry<'_>, id: i64) -> Result<ListedImage, Defect> {
    let file_name = entry.text("file_name")?;
    let side = |name: &str| {
        let pixels = entry.integer(name)?;
        match i32::try_from(pixels) {
            Ok(side) if side > 0 => Ok(side.unsigned_abs()),
            _ => {
                let text = format!("`{name}` is {pixels} where a number of pixels is needed");
                Err(entry.defect(SkipReason::ImageSize, text))
            }
        }
    };
    Ok(ListedImage {
        id,
        file_name: file_name.to_owned(),
        width: side("width")?,
        height: side("height")?,
    })
}

fn category(entry: &Entry<'_>) -> Result<Category, Defect> {
    let supercategory = match entry.find("supercategory") {
        Some(_) => Some(entry.text("supercategory")?.to_owned()),
        None => None,
    };
    Ok(Category {
        id: entry.integer("id")?,
        name: entry.text("name")?.to_owned(),
        supercategory,
        keypoints: keypoint_names(entry)?,
        skeleton: Vec::new(),
    })
}

fn keypoint_names(entry: &Entry<'_>) -> Result<Vec<String>, Defect> {
    let name = |value: &Json| match value {
        Json::Text(text) => Some(text.clone()),
        _ => None,
    };
    match entry.find("keypoints") {
        None => Ok(Vec::new()),
        Some(Json::Numbers(none)) if none.is_empty() => Ok(Vec::new()),
        Some(given @ Json::List(values)) => {
            let names = values.iter().map(name).collect::<Option<_>>();
            names.ok_or_else(|| entry.mistyped("keypoints", given, "a list of names"))
        }
        Some(other) => Err(entry.mistyped("keypoints", other, "a list of names")),
    }
}

fn skeleton(entry: &Entry<'_>) -> Result<Vec<[i64; 2]>, Defect> {
    let pair = |value: &Json| match value {
        Json::Numbers(pair) if pair.len() == 2 && pair.iter().all(|end| end.fract() == 0.0) => {
            Some([pair[0] as i64, pair[1] as i64])
        }
        _ => None,
    };
    match entry.find("skeleton") {
        None => Ok(Vec::new()),
        Some(Json::Numbers(none)) if none.is_empty() => Ok(Vec::new()),
        Some(given @ Json::List(values)) => {
            let pairs = values.iter().map(pair).collect::<Option<_>>();
            pairs.ok_or_else(|| entry.mistyped("skeleton", given, "a list of pairs of keypoints"))
        }
        Some(other) => Err(entry.mistyped("skeleton", other, "a list of pairs of keypoints")),
    }
}
