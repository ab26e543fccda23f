//! A small YOLO data set with images, for the tests of its import and export.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "helpers of tests may panic, and not all are used by each"
)]

use std::fs;
use std::path::{Path, PathBuf};

use emberlens::Result;
use emberlens::geometry::{BBox, BoxFormat, CoordinateUnit};
use emberlens::metrics::{AxisAlignedBoxes, TrueInstance};
use emberlens::storage::Location;
use emberlens::table::Table;
use emberlens::table::import::{Imported, YoloOptions, yolo};
use image::{ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;

pub const NAMES: &str = "names: [cat, 'dog: a', bird]\n";

pub fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub fn picture(path: PathBuf, width: u32, height: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let image = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, 7]));
    let format = ImageFormat::from_path(&path).unwrap();
    image.save_with_format(&path, format).unwrap();
}

/// Three images of different sizes, the last without a file of labels.
pub fn data_set(first: &str, second: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(
        at("data.yaml"),
        &format!("train: images/train\nval: images/val\n{NAMES}"),
    );
    picture(at("images/train/a.png"), 200, 100);
    picture(at("images/train/more/b.jpg"), 64, 48);
    picture(at("images/train/z.png"), 9, 9);
    write(at("labels/train/a.txt"), first);
    write(at("labels/train/more/b.txt"), second);
    folder
}

pub fn import(path: &Path, options: &YoloOptions) -> Result<Imported> {
    yolo(&Location::open("memory://").unwrap(), "t", path, options)
}

pub fn boxes(table: &Table) -> Vec<Vec<(i64, [f64; 4])>> {
    let task = AxisAlignedBoxes::new(CoordinateUnit::Pixels);
    let numbers = |one: &TrueInstance<_>| (one.label, BBox::values(&one.geometry, BoxFormat::Xyxy));
    let truths = task.truths(table, "boxes").unwrap();
    truths
        .iter()
        .map(|image| image.iter().map(numbers).collect())
        .collect()
}
