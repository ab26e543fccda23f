//! `emberlens undo`: sets the cells that a revision changed back.

use clap::Args;
use emberlens::{Error, Result};

use crate::changes::Most;
use crate::edit::report;
use crate::find::Place;
use crate::print::Report;
use crate::tables::{Named, Signature, split_revision};

/// The arguments of `emberlens undo`.
#[derive(Args)]
pub struct Undo {
    /// Name or folder of the table, and the revision whose cells become what they were before it
    #[arg(value_name = "TABLE@REVISION")]
    table: String,

    #[command(flatten)]
    signature: Signature,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    most: Most,
}

impl Undo {
    /// Undoes the revision on top of the latest one, or shows what that would do.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let (name, revision) = split_revision(&self.table);
        let table = place.table(name)?;
        let revision = match revision {
            Some(Named::Number(revision)) => revision,
            Some(Named::Latest) => table.revision(),
            None => {
                return Err(Error::invalid(
                    "table",
                    name,
                    "it names no revision to undo",
                    format!(
                        "write {name}@{}, or another of `emberlens revisions {name}`",
                        table.revision()
                    ),
                ));
            }
        };
        let edit = self.signature.sign(table.undo(revision)?);
        report(&table, edit, self.dry_run, self.most)
    }
}
