//! `emberlens import images`.

use std::path::PathBuf;

use clap::Args;
use emberlens::Result;
use emberlens::table::import::{ImageFolder, image_folder};

use super::pictures::Pictures;
use super::target::Target;
use crate::find::Place;
use crate::print::Report;

#[derive(Args)]
pub struct Images {
    /// Folder with a sub-folder of PNG or JPEG files for each class
    #[arg(value_name = "FOLDER")]
    path: PathBuf,

    #[command(flatten)]
    target: Target,

    #[command(flatten)]
    pictures: Pictures,

    /// Skip images that cannot be read or have no class and say how many, instead of failing
    #[arg(long)]
    lenient: bool,
}

impl Images {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let options = ImageFolder {
            lenient: self.lenient,
            ..self.pictures.options()
        };
        self.target.import(place, |folder, name| {
            image_folder(folder, name, &self.path, options)
        })
    }
}
