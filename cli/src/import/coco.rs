//! `emberlens import coco`.

use std::path::PathBuf;

use clap::Args;
use emberlens::Result;
use emberlens::table::import::{CocoOptions, coco};

use super::pictures::Pictures;
use super::target::Target;
use crate::find::Place;
use crate::print::Report;

#[derive(Args)]
pub struct Coco {
    /// File of annotations, for example instances_val2017.json
    #[arg(value_name = "FILE")]
    path: PathBuf,

    #[command(flatten)]
    target: Target,

    /// Folder of the images [default: the table has their names alone]
    #[arg(long, value_name = "FOLDER")]
    images: Option<PathBuf>,

    #[command(flatten)]
    pictures: Pictures,

    /// Skip what is malformed and say how much, instead of failing
    #[arg(long)]
    lenient: bool,
}

impl Coco {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let mut options = CocoOptions::new().lenient(self.lenient);
        if let Some(folder) = &self.images {
            options = options.images(folder, self.pictures.options());
        }
        self.target.import(place, |folder, name| {
            coco(folder, name, &self.path, &options)
        })
    }
}
