//! `emberlens export`: a stream of a run, or a table, for other tools.

mod run;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use emberlens::table::export::Format;
use emberlens::{Error, Result};

use crate::find::Place;
use crate::print::Report;
use crate::skip::SkipCorrupt;
use crate::task::Task;

/// The arguments of `emberlens export`.
#[derive(Args)]
pub struct Export {
    /// Folder, id, beginning of the id, or name of the run whose metrics are wanted
    #[arg(
        value_name = "RUN",
        required_unless_present = "table",
        conflicts_with = "table"
    )]
    run: Option<String>,

    /// Export a table instead: its name or folder, with @REVISION an older one
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,

    /// Stream to export [default: default]
    #[arg(long, conflicts_with = "table")]
    stream: Option<String>,

    /// File to write: .parquet, .csv, .jsonl, of tables .json for COCO; with --format yolo a folder
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// What to write [default: by the ending of the file]
    #[arg(long, value_enum)]
    format: Option<Kind>,

    /// What the lines of YOLO's labels hold [default: boxes]
    #[arg(long, value_enum, conflicts_with = "run")]
    task: Option<Task>,

    /// Split of the YOLO data set: train, val or test [default: train]
    #[arg(long, value_name = "SPLIT", conflicts_with = "run")]
    split: Option<String>,

    /// Write YOLO's labels without the images
    #[arg(long, conflicts_with = "run")]
    no_images: bool,

    /// Leave out what YOLO has no way to say, and say how much, instead of failing
    #[arg(long, conflicts_with = "run")]
    lenient: bool,

    /// Replace what exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    skip: SkipCorrupt,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A Parquet file
    Parquet,
    /// A CSV file; lists and structs as JSON
    Csv,
    /// A JSON object for each row
    Jsonl,
    /// A COCO file of annotations, of a table with boxes, masks or keypoints
    Coco,
    /// A split of a YOLO data set, of a table with boxes, rotated boxes or masks
    Yolo,
}

impl Kind {
    /// The format of rows; `None` for data sets of images.
    fn of_rows(self) -> Option<Format> {
        match self {
            Self::Parquet => Some(Format::Parquet),
            Self::Csv => Some(Format::Csv),
            Self::Jsonl => Some(Format::JsonLines),
            Self::Coco | Self::Yolo => None,
        }
    }
}

impl Export {
    /// Writes the rows, and tells what is left out.
    pub fn run(&self, place: &Place) -> Result<Report> {
        match (&self.table, &self.run) {
            (Some(table), _) => self.table(place, table),
            (None, run) => self.stream(place, run.as_deref().unwrap_or_default()),
        }
    }

    /// Refuses options that mean nothing for what is written; `kind` is that of a table.
    fn refuse_unused(&self, kind: Option<Kind>) -> Result<()> {
        let is_yolo = kind == Some(Kind::Yolo);
        let given = [
            ("--task", self.task.is_some() && !is_yolo, YOLO_ONLY),
            ("--split", self.split.is_some() && !is_yolo, YOLO_ONLY),
            ("--no-images", self.no_images && !is_yolo, YOLO_ONLY),
            ("--lenient", self.lenient && !is_yolo, YOLO_ONLY),
            (
                "--skip-corrupt",
                self.skip.skip_corrupt && kind.is_some(),
                RUNS_ONLY,
            ),
        ];
        let Some((option, _, (reason, hint))) =
            given.into_iter().find(|(_, is_unused, _)| *is_unused)
        else {
            return Ok(());
        };
        Err(Error::invalid("option", option, reason, hint))
    }

    /// The format that was asked for, or that the file's ending means.
    ///
    /// # Errors
    /// `Invalid` for an ending that means none.
    fn kind(&self) -> Result<Kind> {
        if let Some(kind) = self.format {
            return Ok(kind);
        }
        if ends_in_json(&self.output) && self.table.is_some() {
            return Ok(Kind::Coco);
        }
        Ok(
            match Format::of(&self.output).map_err(|error| self.name_endings(error))? {
                Format::Parquet => Kind::Parquet,
                Format::Csv => Kind::Csv,
                Format::JsonLines => Kind::Jsonl,
                _ => {
                    return Err(Error::invalid(
                        "file",
                        self.output.display(),
                        "its ending means a format that this command does not write",
                        "name a format with --format",
                    ));
                }
            },
        )
    }

    /// Tells all endings, those of tables too.
    fn name_endings(&self, error: Error) -> Error {
        let hint = match self.table.is_some() {
            true => "end it in .parquet, .csv, .jsonl or, for COCO, .json; or name a --format",
            false => "end it in .parquet, .csv or .jsonl, or name a --format",
        };
        match error {
            Error::InvalidArgument {
                argument,
                value,
                reason,
                ..
            } => Error::invalid(argument, value, reason, hint),
            other => other,
        }
    }
}

/// Why an option means nothing, and the way out.
const YOLO_ONLY: (&str, &str) = (
    "it is about YOLO data sets, and none is written",
    "leave it out, or write one with --format yolo",
);
const RUNS_ONLY: (&str, &str) = ("it is about runs, and a table is exported", "leave it out");

fn ends_in_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}
