//! `emberlens import masks`.

use std::path::PathBuf;

use clap::Args;
use emberlens::Result;
use emberlens::table::import::{ClassMasks, class_masks};

use super::pictures::Pictures;
use super::target::Target;
use crate::find::Place;
use crate::print::Report;

#[derive(Args)]
pub struct Masks {
    /// Folder of PNG or JPEG images
    #[arg(value_name = "IMAGES")]
    images_dir: PathBuf,

    /// Folder of PNG masks, whose pixels are ids of classes; of the same names as the images
    #[arg(value_name = "MASKS")]
    masks_dir: PathBuf,

    #[command(flatten)]
    target: Target,

    /// The name of every id, for example 7=road,23=sky
    #[arg(long, value_name = "ID=NAME", value_delimiter = ',', required = true, value_parser = class)]
    names: Vec<(u16, String)>,

    /// Id of pixels that belong to no class, often 255
    #[arg(long, value_name = "ID")]
    void: Option<u16>,

    /// What names of images end with and those of masks lack, for example _leftImg8bit
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    image_suffix: String,

    /// What names of masks end with and those of images lack, for example _gtFine_labelIds
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    mask_suffix: String,

    #[command(flatten)]
    pictures: Pictures,

    /// Skip what is malformed or alone and say how much, instead of failing
    #[arg(long)]
    lenient: bool,
}

fn class(text: &str) -> Result<(u16, String), String> {
    let parts = text.split_once('=');
    parts
        .and_then(|(id, name)| Some((id.trim().parse().ok()?, name.trim().to_owned())))
        .ok_or_else(|| "write ID=NAME, for example 7=road, with ids up to 65535".into())
}

impl Masks {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let mut names = std::collections::BTreeMap::new();
        for (id, name) in &self.names {
            if let Some(other) = names.insert(*id, name.clone()) {
                return Err(emberlens::Error::invalid(
                    "names",
                    format!("{id}={name}"),
                    format!("id {id} is named {other:?} too"),
                    "name every id once",
                ));
            }
        }
        let pictures = self.pictures.options();
        let options = ClassMasks {
            void: self.void,
            storage: pictures.storage,
            max_image_bytes: pictures.max_image_bytes,
            check_pixels: pictures.check_pixels,
            image_suffix: self.image_suffix.clone(),
            mask_suffix: self.mask_suffix.clone(),
            lenient: self.lenient,
            ..ClassMasks::new(names)
        };
        self.target.import(place, |folder, name| {
            class_masks(folder, name, &self.images_dir, &self.masks_dir, &options)
        })
    }
}
