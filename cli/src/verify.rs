//! `emberlens verify`: reads all of a run and says what is damaged.

use clap::Args;
use emberlens::run::Verification;
use emberlens::{Error, Result};
use serde_json::json;

use crate::bar::Bar;
use crate::find::Place;
use crate::print::{Report, Table, clean};

/// The arguments of `emberlens verify`.
#[derive(Args)]
pub struct Verify {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,
}

impl Verify {
    /// Reads every table of the run; a run with problems ends with exit code 1.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let reader = place.run(&self.run)?;
        let verification = reader.verify(&Bar::new())?;
        let problems: Vec<String> = verification.problems.iter().map(Error::chain).collect();
        let mut text = table(&verification);
        text.push_str(&match problems.len() {
            0 => format!("\n{}: nothing is wrong\n", clean(reader.name())),
            1 => format!("\n{}: 1 problem\n", clean(reader.name())),
            count => format!("\n{}: {count} problems\n", clean(reader.name())),
        });
        let tables = verification.tables.iter().map(|table| {
            json!({
                "folder": table.folder,
                "version": table.version,
                "files": table.files,
                "rows": table.rows,
                "size_bytes": table.size_bytes,
            })
        });
        let json = json!({
            "run": reader.id(),
            "tables": tables.collect::<Vec<_>>(),
            "problems": problems,
        });
        Ok(Report {
            text,
            json,
            failure: (!problems.is_empty()).then(|| Error::Several {
                problems: verification.problems,
            }),
            ..Report::default()
        })
    }
}

fn table(verification: &Verification) -> String {
    let mut table = Table::new(["table", ">version", ">files", ">rows", ">bytes"]);
    for one in &verification.tables {
        table.push(vec![
            one.folder.clone(),
            one.version.to_string(),
            one.files.to_string(),
            one.rows.to_string(),
            one.size_bytes.to_string(),
        ]);
    }
    table.render(0)
}
