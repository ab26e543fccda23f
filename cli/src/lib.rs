//! The `emberlens` command: what runs there are, what is in them, which samples stand out, how
//! their embeddings lie.
//!
//! A library, so that tests and fuzz targets reach what reads foreign input; programs depend on
//! `emberlens` instead.

#![forbid(unsafe_code)]

mod bar;
mod beside;
mod changes;
mod compact;
mod diff;
mod draw;
mod edit;
mod export;
mod find;
mod import;
mod interrupt;
mod ls;
mod narrow;
pub mod npy;
mod output;
mod plot;
mod print;
mod reduce;
mod revisions;
mod series;
mod show;
mod skip;
mod skipped;
mod split;
mod tables;
mod task;
mod top;
mod undo;
mod vacuum;
mod verify;

use std::process::ExitCode;

use clap::error::ErrorKind as UsageError;
use clap::{CommandFactory, Parser, Subcommand};
use emberlens::ErrorKind;

use crate::find::Place;
use crate::print::Report;

/// Looks into the runs that Emberlens recorded, and edits the tables that they were trained on.
#[derive(Parser)]
#[command(
    name = "emberlens",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(flatten)]
    place: Place,

    /// Print JSON; NaN and infinities are the strings "NaN", "Infinity", "-Infinity"
    #[arg(long, global = true, display_order = 100)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List projects and their runs
    Ls(ls::Ls),
    /// Show one run: parameters, inputs, status, passes, aggregates
    Show(show::Show),
    /// Rank the samples of a run by a column
    Top(top::Top),
    /// Make a table from a CSV or Parquet file, images with or without masks, texts, a COCO or YOLO
    /// data set
    Import(import::Import),
    /// Write a stream of a run, or a table, to a Parquet, CSV or JSON lines file; tables also as
    /// COCO or YOLO
    Export(Box<export::Export>),
    /// Reduce a matrix, a table or a run's embeddings to a few coordinates
    Reduce(reduce::Reduce),
    /// Draw a picture of what is in a run
    Plot(draw::Plot),
    /// Read all of a run and say what is damaged
    Verify(verify::Verify),
    /// Join the small files of a run into large ones
    Compact(compact::Compact),
    /// List the files of a run that nobody needs any more, and delete them with --delete
    Vacuum(vacuum::Vacuum),
    /// Set cells of a table, as a new revision; older ones stay
    Edit(edit::Edit),
    /// Keep in a column which rows are for training, validation and tests, as a new revision
    Split(split::Split),
    /// List the revisions of a table: who changed what, when and why
    Revisions(revisions::Revisions),
    /// Show what differs between two revisions of a table
    Diff(diff::Diff),
    /// Set the cells that a revision changed back, as a new revision
    Undo(undo::Undo),
}

/// Does what the arguments of this process say.
pub fn main() -> ExitCode {
    // Wrong usage ends inside `parse`, with exit code 2.
    let cli = Cli::parse();
    let report = match &cli.command {
        Command::Ls(ls) => ls.run(&cli.place),
        Command::Show(show) => show.run(&cli.place),
        Command::Top(top) => top.run(&cli.place),
        Command::Import(import) => import.run(&cli.place),
        Command::Export(export) => export.run(&cli.place),
        Command::Reduce(reduce) => reduce.run(&cli.place),
        Command::Plot(plot) => plot.run(&cli.place),
        Command::Verify(verify) => verify.run(&cli.place),
        Command::Compact(compact) => compact.run(&cli.place),
        Command::Vacuum(vacuum) => vacuum.run(&cli.place),
        Command::Edit(edit) => edit.run(&cli.place),
        Command::Split(split) => split.run(&cli.place),
        Command::Revisions(revisions) => revisions.run(&cli.place),
        Command::Diff(diff) => diff.run(&cli.place),
        Command::Undo(undo) => undo.run(&cli.place),
    };
    match report.and_then(|report: Report| report.print(cli.json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(&error);
            match error.kind() {
                ErrorKind::Interrupted => ExitCode::from(interrupt::EXIT_INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// Ends the process as clap does for a wrong call of `reduce`: the message, the usage, exit code 2.
pub(crate) fn wrong_usage(message: &str) -> ! {
    let mut cli = Cli::command();
    cli.build();
    let reduce = cli.find_subcommand_mut("reduce");
    let command = match reduce {
        Some(reduce) => reduce,
        None => &mut Cli::command(),
    };
    command.error(UsageError::ArgumentConflict, message).exit()
}
