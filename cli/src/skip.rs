//! `--skip-corrupt`: reading what is left of a damaged run, and saying what is missing.

use clap::Args;
use emberlens::Result;
use emberlens::run::RunReader;
use serde_json::json;

use crate::find::Place;
use crate::print::Report;

/// The option of the commands that read runs.
#[derive(Args, Clone, Copy, Debug)]
pub struct SkipCorrupt {
    /// Leave out what is damaged, and say what it was and how many rows are missing, instead of failing
    #[arg(long)]
    pub skip_corrupt: bool,
}

impl SkipCorrupt {
    /// The run that `text` means; see [`Place::run`].
    pub fn run(self, place: &Place, text: &str) -> Result<RunReader> {
        match self.skip_corrupt {
            true => place.damaged_run(text),
            false => place.run(text),
        }
    }

    /// The reader as the option says.
    pub fn apply(self, reader: RunReader) -> RunReader {
        match self.skip_corrupt {
            true => reader.skip_corrupt(),
            false => reader,
        }
    }

    /// Adds to a report what the reader left out, once everything was read.
    pub fn tell(self, reader: &RunReader, report: &mut Report) {
        if !self.skip_corrupt {
            return;
        }
        let skipped = reader.skipped();
        let problems: Vec<String> = skipped.problems.iter().map(|error| error.chain()).collect();
        report
            .notes
            .extend(problems.iter().map(|problem| format!("skipped: {problem}")));
        if skipped.missing_rows > 0 || !problems.is_empty() {
            let rows = skipped.missing_rows;
            report.notes.push(match rows {
                0 => "no row is missing".to_owned(),
                1 => "1 row is missing".to_owned(),
                rows => format!("{rows} rows are missing"),
            });
        }
        if let Some(object) = report.json.as_object_mut() {
            object.insert("missing_rows".into(), json!(skipped.missing_rows));
            object.insert("skipped".into(), json!(problems));
        }
    }
}
