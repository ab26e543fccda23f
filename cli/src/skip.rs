//! `--skip-corrupt`: reading what is left of a damaged run, and saying what is missing.

use clap::Args;
use emberlens::Result;
use emberlens::run::{RunReader, Skipped};
use serde_json::{Value, json};

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
        if !problems.is_empty() || skipped.missing_rows > 0 {
            report.notes.extend(missing(&skipped));
        }
        if let Some(object) = report.json.as_object_mut() {
            object.insert("missing_rows".into(), missing_rows(&skipped));
            object.insert("unread_documents".into(), json!(skipped.unread_documents));
            object.insert("may_miss_scalars".into(), json!(skipped.may_miss_scalars));
            object.insert("skipped".into(), json!(problems));
        }
    }
}

/// How many rows are missing; `null` where none is counted, and what was left out may tell of some.
pub fn missing_rows(skipped: &Skipped) -> Value {
    match skipped.missing_rows {
        0 if !is_counted(skipped) => Value::Null,
        rows => json!(rows),
    }
}

fn is_counted(skipped: &Skipped) -> bool {
    skipped.unread_documents == 0 && !skipped.may_miss_scalars
}

/// The same for people.
pub fn missing(skipped: &Skipped) -> Vec<String> {
    let counted = match skipped.missing_rows {
        0 if !is_counted(skipped) => None,
        0 => Some("no row is missing".to_owned()),
        1 => Some("1 row is missing".to_owned()),
        rows => Some(format!("{rows} rows are missing")),
    };
    let untold = match skipped.unread_documents {
        0 => None,
        1 => Some(
            "rows that only 1 document tells of, which was left out, are not counted".to_owned(),
        ),
        documents => Some(format!(
            "rows that only {documents} documents tell of, which were left out, are not counted"
        )),
    };
    let scalars = "scalars that no document counts may be missing too";
    let scalars = skipped.may_miss_scalars.then(|| scalars.to_owned());
    let notes = counted.into_iter().chain(untold).chain(scalars);
    notes.collect()
}
