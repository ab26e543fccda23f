//! `emberlens split`: keeps in a column of a table which rows are for training, validation and tests.

use clap::Args;
use emberlens::table::Splitting;
use emberlens::{Error, Result};
use serde_json::json;

use crate::changes::Most;
use crate::edit::report;
use crate::find::Place;
use crate::print::{Report, clean};
use crate::tables::Signature;

/// The arguments of `emberlens split`.
#[derive(Args)]
pub struct Split {
    /// Name or folder of the table; with @REVISION the edit fails when that is not the latest one
    #[arg(value_name = "TABLE")]
    table: String,

    /// The parts: shares that add up to 1, for example train=0.8 valid=0.1 test=0.1, or numbers of rows
    #[arg(value_name = "PART=SHARE", required = true, value_parser = part)]
    parts: Vec<(String, Share)>,

    /// Give every part each value of this column in proportion
    #[arg(long, value_name = "COLUMN")]
    stratify: Option<String>,

    /// Let a value be in fewer rows than there are parts
    #[arg(long, requires = "stratify")]
    allow_small_strata: bool,

    /// Seed of the random order
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Column of the names of the parts; it is added when it is missing
    #[arg(long, value_name = "COLUMN", default_value = "split")]
    column: String,

    #[command(flatten)]
    signature: Signature,

    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    most: Most,
}

#[derive(Clone, Copy, Debug)]
enum Share {
    Rows(u64),
    Fraction(f64),
}

fn part(text: &str) -> Result<(String, Share), String> {
    let wrong = || "write PART=SHARE, for example train=0.8, or train=800 for rows".to_owned();
    let (name, share) = text.split_once('=').ok_or_else(wrong)?;
    let share = match (share.parse(), share.parse()) {
        (Ok(rows), _) => Share::Rows(rows),
        (_, Ok(fraction)) => Share::Fraction(fraction),
        _ => return Err(wrong()),
    };
    Ok((name.trim().to_owned(), share))
}

impl Split {
    /// Splits the rows and makes the edit, or shows what it would do.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let table = place.table(&self.table)?;
        let mut splitting = self.splitting()?.seed(self.seed);
        if let Some(column) = &self.stratify {
            splitting = splitting.stratify(column);
        }
        if self.allow_small_strata {
            splitting = splitting.allow_small_strata();
        }
        let split = table.split(&splitting)?;
        let edit = self.signature.sign(split.edit(&self.column));
        let mut report = report(&table, edit, self.dry_run, self.most)?;
        let rows = |name: &str| split.rows(name).map_or(0, <[u64]>::len);
        let parts = split
            .names()
            .map(|name| format!("{} {}", clean(name), rows(name)));
        let parts = parts.collect::<Vec<_>>().join(", ");
        report
            .text
            .push_str(&format!("rows of the parts: {parts}\n"));
        let parts = split
            .names()
            .map(|name| json!({"name": name, "rows": rows(name)}));
        report.json["parts"] = parts.collect();
        Ok(report)
    }

    /// Whole numbers are rows.
    fn splitting(&self) -> Result<Splitting> {
        let rows = self.parts.iter().map(|(name, share)| match share {
            Share::Rows(rows) => Some((name.as_str(), *rows)),
            Share::Fraction(_) => None,
        });
        let fractions = self.parts.iter().map(|(name, share)| match share {
            Share::Fraction(fraction) => Some((name.as_str(), *fraction)),
            Share::Rows(_) => None,
        });
        let rows: Option<Vec<_>> = rows.collect();
        let fractions: Option<Vec<_>> = fractions.collect();
        match (rows, fractions) {
            (Some(rows), _) => Ok(Splitting::counts(rows)),
            (None, Some(fractions)) => Ok(Splitting::fractions(fractions)),
            (None, None) => Err(Error::invalid(
                "parts",
                format!(
                    "{:?}",
                    self.parts.iter().map(|(name, _)| name).collect::<Vec<_>>()
                ),
                "some are whole numbers of rows and some are shares",
                "give shares that add up to 1, for example 0.8 and 0.2, or rows for all",
            )),
        }
    }
}
