//! `emberlens import`: a table from what people have.

mod coco;
mod csv;
mod images;
mod masks;
mod parquet;
mod pictures;
mod target;
mod text;
mod yolo;

use clap::{Args, Subcommand};
use emberlens::Result;

use crate::find::Place;
use crate::print::Report;

/// The arguments of `emberlens import`.
#[derive(Args)]
pub struct Import {
    #[command(subcommand)]
    format: Format,
}

#[derive(Subcommand)]
enum Format {
    /// A CSV file: a row for each record
    Csv(csv::Csv),
    /// A Parquet file: a row for each of its rows
    Parquet(parquet::Parquet),
    /// A folder of PNG and JPEG images with a sub-folder for each class: a row for each image
    Images(images::Images),
    /// A COCO file of instances or keypoints: a row for each image, with boxes, masks, keypoints
    Coco(coco::Coco),
    /// One split of a YOLO data set: a row for each image, with boxes, rotated boxes or masks
    Yolo(yolo::Yolo),
    /// Images and masks that give every pixel a class: a row for each image
    Masks(masks::Masks),
    /// Text files, or the lines of one: a row for each text
    Text(text::Text),
}

impl Import {
    /// Makes the table and says what is in it.
    pub fn run(&self, place: &Place) -> Result<Report> {
        match &self.format {
            Format::Csv(csv) => csv.run(place),
            Format::Parquet(parquet) => parquet.run(place),
            Format::Images(images) => images.run(place),
            Format::Coco(coco) => coco.run(place),
            Format::Yolo(yolo) => yolo.run(place),
            Format::Masks(masks) => masks.run(place),
            Format::Text(text) => text.run(place),
        }
    }
}
