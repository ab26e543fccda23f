//! `emberlens import text`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use emberlens::Result;
use emberlens::table::import::{TextFiles, TextLayout, text_files};

use super::target::Target;
use crate::find::Place;
use crate::print::Report;

#[derive(Args)]
pub struct Text {
    /// Folder or file of texts in UTF-8
    #[arg(value_name = "PATH")]
    path: PathBuf,

    #[command(flatten)]
    target: Target,

    /// Where the samples are
    #[arg(long, value_enum)]
    layout: Layout,

    /// Largest file or line of one sample, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = TextFiles::new(TextLayout::Lines).max_text_bytes)]
    max_text_bytes: usize,

    /// Skip what is malformed and say how much, instead of failing
    #[arg(long)]
    lenient: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Layout {
    /// A folder with one sub-folder for each class, and in it one file for each sample
    ClassFolders,
    /// A folder with one file for each sample
    Files,
    /// A file with one sample in each line
    Lines,
    /// A file of lines: class, tab, text
    LabelThenText,
    /// A file of lines: text, tab, class
    TextThenLabel,
}

impl Text {
    pub fn run(&self, place: &Place) -> Result<Report> {
        let layout = match self.layout {
            Layout::ClassFolders => TextLayout::ClassFolders,
            Layout::Files => TextLayout::Files,
            Layout::Lines => TextLayout::Lines,
            Layout::LabelThenText => TextLayout::LabelThenText,
            Layout::TextThenLabel => TextLayout::TextThenLabel,
        };
        let options = TextFiles {
            max_text_bytes: self.max_text_bytes,
            lenient: self.lenient,
            ..TextFiles::new(layout)
        };
        self.target.import(place, |folder, name| {
            text_files(folder, name, &self.path, &options)
        })
    }
}
