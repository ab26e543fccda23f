//! Promise: a folder of images with one sub-folder per class becomes a table of images and labels,
//! and a file that cannot be imported is named and leaves no table behind.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use emberlens::storage::Location;
use emberlens::table::import::{ImageFolder, Imported, SkipReason, image_folder};
use emberlens::table::{ImageStorage, Role};
use emberlens::{Error, ErrorKind};
use image::{ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;

fn tables() -> Location {
    Location::open("memory://").unwrap().join("tables")
}

/// The error text of an import that must leave no table.
fn refused(import: impl FnOnce(&Location) -> Result<Imported, Error>) -> String {
    let folder = tables();
    let error = import(&folder).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(
        folder.join("t").is_empty().unwrap(),
        "something was left behind"
    );
    error.chain()
}

fn picture(path: &Path, width: u32, height: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 9, y as u8 * 7, 200]));
    image
        .save_with_format(path, ImageFormat::from_path(path).unwrap())
        .unwrap();
}

fn pictures() -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |relative: &str| folder.path().join(relative);
    picture(&at("dog/b.png"), 8, 6);
    picture(&at("dog/a.jpg"), 10, 5);
    picture(&at("dog/more/c.png"), 3, 4);
    picture(&at("cat/ö 1.png"), 7, 7);
    fs::create_dir(at("emu")).unwrap();
    fs::write(at("cat/notes.txt"), "not an image").unwrap();
    fs::write(at("cat/.DS_Store"), "hidden").unwrap();
    fs::write(at("README.md"), "about").unwrap();
    folder
}

#[test]
fn a_folder_of_images_becomes_rows_with_labels() {
    let source = pictures();
    let table = image_folder(&tables(), "Pets!", source.path(), ImageFolder::default()).unwrap();
    assert!(table.skipped.is_empty());
    let table = table.table;
    assert_eq!(table.name(), "Pets!");
    assert_eq!(
        table.category_names("label").unwrap(),
        ["cat", "dog", "emu"]
    );
    assert_eq!(table.column::<i32>("label").unwrap(), [0, 1, 1, 1]);
    let paths = table.column::<String>("path").unwrap();
    assert_eq!(
        paths,
        ["cat/ö 1.png", "dog/a.jpg", "dog/b.png", "dog/more/c.png"]
    );
    assert_eq!(table.column::<i32>("width").unwrap(), [7, 10, 8, 3]);
    assert_eq!(table.column::<i32>("height").unwrap(), [7, 5, 6, 4]);
    let bytes = table.column::<Vec<u8>>("image").unwrap();
    assert_eq!(bytes[2], fs::read(source.path().join("dog/b.png")).unwrap());
    assert_eq!(
        table.role("image"),
        Some(Role::Image {
            storage: ImageStorage::Bytes
        })
    );
}

#[test]
fn images_stay_where_they_are_when_asked_to() {
    let source = pictures();
    let options = ImageFolder {
        storage: ImageStorage::Url,
        max_image_bytes: 1,
        check_pixels: false,
        ..ImageFolder::default()
    };
    let imported = image_folder(&tables(), "pets", source.path(), options).unwrap();
    let table = imported.table;
    let urls = table.column::<String>("image").unwrap();
    assert!(
        urls[0].starts_with("file:///") && urls[0].ends_with("/cat/%C3%B6%201.png"),
        "{}",
        urls[0]
    );
    assert_eq!(table.column::<i32>("width").unwrap(), [7, 10, 8, 3]);
}

#[test]
fn a_folder_that_cannot_be_right_is_named_by_the_file() {
    let source = pictures();
    let broken = source.path().join("dog/b.png");
    let whole = fs::read(&broken).unwrap();
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    let import = |at: &Location| image_folder(at, "t", source.path(), ImageFolder::default());
    let error = refused(import);
    assert!(error.contains("dog/b.png"), "{error}");
    fs::write(&broken, &whole).unwrap();

    let jpeg = source.path().join("dog/a.jpg");
    let photo = fs::read(&jpeg).unwrap();
    fs::write(&jpeg, &photo[..photo.len() - photo.len() / 8]).unwrap();
    let error = refused(import);
    assert!(error.contains("dog/a.jpg"), "{error}");
    fs::write(&jpeg, &photo).unwrap();

    let options = ImageFolder {
        max_image_bytes: 100,
        ..ImageFolder::default()
    };
    fs::write(&broken, [whole.clone(), vec![0; 200]].concat()).unwrap();
    let error = refused(|at| image_folder(at, "t", source.path(), options));
    assert!(
        error.contains("bytes") && error.contains("max_image_bytes"),
        "{error}"
    );
    fs::write(&broken, &whole).unwrap();

    fs::write(source.path().join("cat/x.webp"), "RIFF").unwrap();
    let error = refused(import);
    assert!(
        error.contains("cat/x.webp") && error.contains("PNG or JPEG"),
        "{error}"
    );
    fs::remove_file(source.path().join("cat/x.webp")).unwrap();

    picture(&source.path().join("stray.png"), 2, 2);
    let error = refused(import);
    assert!(
        error.contains("stray.png") && error.contains("class"),
        "{error}"
    );

    let empty = TempDir::new().unwrap();
    let error = refused(|at| image_folder(at, "t", empty.path(), ImageFolder::default()));
    assert!(error.contains("no images"), "{error}");
    let missing = image_folder(
        &tables(),
        "t",
        Path::new("/nowhere"),
        ImageFolder::default(),
    );
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_cannot_be_read_is_left_out_and_counted_when_asked() {
    let source = pictures();
    let at = |relative: &str| source.path().join(relative);
    let whole = fs::read(at("dog/b.png")).unwrap();
    fs::write(at("dog/b.png"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("cat/x.webp"), "RIFF").unwrap();
    fs::write(at("cat/empty.png"), "").unwrap();
    picture(&at("stray.png"), 2, 2);
    let lenient = || ImageFolder {
        lenient: true,
        ..ImageFolder::default()
    };
    let imported = image_folder(&tables(), "pets", source.path(), lenient()).unwrap();
    let paths = imported.table.column::<String>("path").unwrap();
    assert_eq!(paths, ["cat/ö 1.png", "dog/a.jpg", "dog/more/c.png"]);
    let labels = imported.table.column::<i32>("label").unwrap();
    assert_eq!(labels, [0, 1, 1]);
    let counts: Vec<_> = imported.skipped.by_reason().collect();
    let counts: Vec<_> = counts
        .iter()
        .map(|(why, kind)| (*why, kind.count))
        .collect();
    let expected = [
        (SkipReason::ImageFile, 2),
        (SkipReason::FileFormat, 1),
        (SkipReason::NoClass, 1),
    ];
    assert_eq!(counts, expected);
    let (_, files) = imported.skipped.by_reason().next().unwrap();
    assert!(
        files.examples[0].contains("cat/empty.png"),
        "{:?}",
        files.examples
    );
    assert!(
        files.examples[1].contains("dog/b.png"),
        "{:?}",
        files.examples
    );

    let broken = TempDir::new().unwrap();
    fs::create_dir(broken.path().join("cat")).unwrap();
    fs::write(broken.path().join("cat/a.png"), "no image").unwrap();
    let error = refused(|at| image_folder(at, "t", broken.path(), lenient()));
    assert!(
        error.contains("no image is left") && error.contains("1 x"),
        "{error}"
    );
}
