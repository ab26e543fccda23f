//! Promise: images and masks of classes become a table whose masks hold class indices, whatever ids and
//! depth the files have; what does not fit is named, or counted when asked, and leaves no table behind.
//!
//! `tests/inputs/class_masks.py` drew the files with Pillow.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use emberlens::storage::Location;
use emberlens::table::import::{ClassMasks, Imported, SkipReason, class_masks};
use emberlens::table::{ImageStorage, Role, class_mask_from_png, class_mask_to_png};
use emberlens::{ErrorKind, Result};
use ndarray::{Array2, arr2};
use serde::Deserialize;
use tempfile::TempDir;

fn tables() -> Location {
    Location::open("memory://").unwrap().join("tables")
}

#[derive(Deserialize)]
struct Expected {
    names: BTreeMap<u16, String>,
    void: u16,
    classes: BTreeMap<String, Vec<Vec<u16>>>,
}

#[test]
fn masks_that_pillow_wrote_hold_class_indices() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs/class_masks");
    let text = fs::read_to_string(root.join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    let options = ClassMasks {
        void: Some(expected.void),
        ..ClassMasks::new(expected.names)
    };
    let (images, masks) = (root.join("images"), root.join("masks"));
    let imported = class_masks(&tables(), "town", &images, &masks, &options).unwrap();
    assert!(imported.skipped.is_empty());
    let table = imported.table;
    let paths = table.column::<String>("path").unwrap();
    assert_eq!(
        paths,
        ["a.png", "b.jpg", "e.png", "town/c.png", "town/d.jpg"]
    );
    let stored = table.column::<Vec<u8>>("mask").unwrap();
    let (widths, heights) = (
        table.column::<i32>("width").unwrap(),
        table.column::<i32>("height").unwrap(),
    );
    for (row, path) in paths.iter().enumerate() {
        let stem = path.split_once('.').unwrap().0;
        let classes = &expected.classes[stem];
        let found = class_mask_from_png(&stored[row]).unwrap();
        let rows: Vec<Vec<u16>> = found.rows().into_iter().map(|row| row.to_vec()).collect();
        assert_eq!(rows, *classes, "{path}");
        assert_eq!(
            (found.ncols() as i32, found.nrows() as i32),
            (widths[row], heights[row])
        );
    }
    let names = ["background", "road", "car", "sky"].map(str::to_owned);
    let role = Role::ClassMask {
        names: names.into(),
        void: Some(255),
    };
    assert_eq!(table.role("mask"), Some(role));
    let image = table.column::<Vec<u8>>("image").unwrap();
    assert_eq!(image[3], fs::read(images.join("town/c.png")).unwrap());
}

/// A folder of images and one of masks, one pair for each name.
struct Scenes {
    folder: TempDir,
}

impl Scenes {
    fn new(stems: &[&str]) -> Self {
        let scenes = Self {
            folder: TempDir::new().unwrap(),
        };
        for stem in stems {
            scenes.image(&format!("{stem}.png"));
            scenes.mask(&format!("{stem}.png"), arr2(&[[0, 1, 1], [1, 0, 255]]));
        }
        scenes
    }

    fn at(&self, relative: &str) -> PathBuf {
        let path = self.folder.path().join(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn image(&self, name: &str) {
        let path = self.at(&format!("images/{name}"));
        image::RgbImage::new(3, 2).save(path).unwrap();
    }

    fn mask(&self, name: &str, ids: Array2<u16>) {
        let png = class_mask_to_png(ids.view(), true).unwrap();
        fs::write(self.at(&format!("masks/{name}")), png).unwrap();
    }

    fn import(&self, into: &Location, lenient: bool) -> Result<Imported> {
        let options = ClassMasks {
            lenient,
            ..options()
        };
        let (images, masks) = (self.at("images/x"), self.at("masks/x"));
        let (images, masks) = (images.parent().unwrap(), masks.parent().unwrap());
        class_masks(into, "t", images, masks, &options)
    }

    /// The error of an import that must leave no table.
    fn refused(&self, lenient: bool) -> String {
        let folder = tables();
        let error = self.import(&folder, lenient).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(folder.join("t").is_empty().unwrap());
        error.to_string()
    }
}

fn options() -> ClassMasks {
    ClassMasks {
        void: Some(255),
        ..ClassMasks::new([(0, "grass"), (1, "sheep")])
    }
}

#[test]
fn masks_of_class_indices_are_kept_as_they_are_and_images_where_they_are() {
    let scenes = Scenes::new(&["a_leftImg8bit"]);
    scenes.mask("a_gtFine.png", arr2(&[[1, 1, 1], [0, 0, 0]]));
    scenes.image("a_other.png");
    let options = ClassMasks {
        storage: ImageStorage::Url,
        image_suffix: "_leftImg8bit".into(),
        mask_suffix: "_gtFine".into(),
        ..options()
    };
    let (images, masks) = (scenes.at("images/x"), scenes.at("masks/x"));
    let (images, masks) = (images.parent().unwrap(), masks.parent().unwrap());
    let imported = class_masks(&tables(), "t", images, masks, &options).unwrap();
    let table = imported.table;
    assert_eq!(
        table.column::<String>("path").unwrap(),
        ["a_leftImg8bit.png"]
    );
    let url = &table.column::<String>("image").unwrap()[0];
    assert!(url.starts_with("file:///") && url.ends_with("images/a_leftImg8bit.png"));
    let stored = table.column::<Vec<u8>>("mask").unwrap();
    assert_eq!(stored[0], fs::read(masks.join("a_gtFine.png")).unwrap());
}

/// Why something is skipped, what makes it so, and what its error tells.
type Bad = (SkipReason, fn(&Scenes), &'static [&'static str]);

#[test]
fn what_does_not_fit_is_named_or_counted() {
    let bad: [Bad; 8] = [
        (
            SkipReason::Alone,
            |scenes| scenes.image("lone.jpg"),
            &["images/lone.jpg", "an image without a mask"],
        ),
        (
            SkipReason::Alone,
            |scenes| scenes.mask("lone.png", arr2(&[[0]])),
            &["masks/lone.png", "without an image"],
        ),
        (
            SkipReason::Mask,
            |scenes| scenes.mask("b.png", arr2(&[[0, 1], [1, 0], [1, 0]])),
            &["masks/b.png", "2 x 3 pixels", "b.png has 3 x 2"],
        ),
        (
            SkipReason::UnknownCategory,
            |scenes| scenes.mask("b.png", arr2(&[[0, 1, 1], [0, 9, 8]])),
            &["masks/b.png", "id 9", "row 1, column 1"],
        ),
        (
            SkipReason::Mask,
            |scenes| {
                let colours = image::RgbImage::new(3, 2);
                colours.save(scenes.at("masks/b.png")).unwrap();
            },
            &["masks/b.png", "colours (Rgb)"],
        ),
        (
            SkipReason::ImageFile,
            |scenes| fs::write(scenes.at("images/b.png"), "no picture").unwrap(),
            &["images/b.png", "no readable image"],
        ),
        (
            SkipReason::SameName,
            |scenes| scenes.image("b.jpg"),
            &["images/b.png", "b.jpg has the same name"],
        ),
        (
            SkipReason::FileFormat,
            |scenes| fs::write(scenes.at("masks/c.bmp"), "BM").unwrap(),
            &["masks/c.bmp", "no PNG"],
        ),
    ];
    for (reason, spoil, told) in bad {
        let scenes = Scenes::new(&["a", "b"]);
        spoil(&scenes);
        let error = scenes.refused(false);
        assert!(told.iter().all(|part| error.contains(part)), "{error}");

        let imported = scenes.import(&tables(), true).unwrap();
        let (found, kind) = imported.skipped.by_reason().next().unwrap();
        assert_eq!(
            (found, kind.count, imported.skipped.count()),
            (reason, 1, 1)
        );
        let example = &kind.examples[0];
        assert!(told.iter().all(|part| example.contains(part)), "{example}");
        // Of a and b, where b is what does not fit.
        let is_b = told[0].ends_with("/b.png") && reason != SkipReason::SameName;
        let rows = if is_b { 1 } else { 2 };
        assert_eq!(imported.table.row_count(), rows, "{reason}");
    }
}

#[test]
fn nothing_that_is_left_is_an_error_even_when_lenient() {
    assert!(Scenes::new(&[]).refused(true).contains("no images"));
    let scenes = Scenes::new(&["a"]);
    scenes.mask("a.png", arr2(&[[5, 5, 5], [5, 5, 5]]));
    let error = scenes.refused(true);
    assert!(
        error.contains("no image with a mask is left")
            && error.contains("1 x a category that is not listed"),
        "{error}"
    );
    let missing = Path::new("/nowhere/images");
    let error = class_masks(&tables(), "t", missing, missing, &options()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        class_masks(
            &tables(),
            "t",
            missing,
            missing,
            &ClassMasks::new([] as [(u16, &str); 0])
        )
        .unwrap_err()
        .kind(),
        ErrorKind::Invalid
    );
}
