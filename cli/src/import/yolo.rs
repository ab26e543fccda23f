//! `emberlens import yolo`.

use std::path::PathBuf;

use clap::Args;
use emberlens::Result;
use emberlens::table::import::{YoloOptions, yolo};

use super::pictures::Pictures;
use super::target::Target;
use crate::find::Place;
use crate::print::Report;
use crate::task::Task;

#[derive(Args)]
pub struct Yolo {
    /// The YAML file of the data set, or its folder
    #[arg(value_name = "PATH")]
    path: PathBuf,

    #[command(flatten)]
    target: Target,

    /// What the lines of labels hold
    #[arg(long, value_enum, default_value_t = Task::Boxes)]
    task: Task,

    /// Split: train, val or test
    #[arg(long, value_name = "SPLIT", default_value = "train")]
    split: String,

    #[command(flatten)]
    pictures: Pictures,

    /// Skip what is malformed and say how much, instead of failing
    #[arg(long)]
    lenient: bool,
}

impl Yolo {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let options = YoloOptions::new(self.task.into())
            .split(&self.split)
            .images(self.pictures.options())
            .lenient(self.lenient);
        self.target.import(place, |folder, name| {
            yolo(folder, name, &self.path, &options)
        })
    }
}
