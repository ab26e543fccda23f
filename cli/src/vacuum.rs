//! `emberlens vacuum`: finds, and deletes, the files of a run that nobody needs any more.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use emberlens::run::{VACUUM_AGE, Vacuum as Found};
use emberlens::{Error, Result};
use serde_json::json;

use crate::bar::Bar;
use crate::find::Place;
use crate::print::{Report, Table, clean};

/// The arguments of `emberlens vacuum`.
#[derive(Args)]
pub struct Vacuum {
    /// Folder, id, beginning of the id, or name of the run
    #[arg(value_name = "RUN")]
    run: String,

    /// Least age of the files, for example 12h or 30days: longer than any reader reads and any writer
    /// takes for a commit [default: 7days]
    #[arg(
        long,
        value_name = "AGE",
        allow_hyphen_values = true,
        value_parser = humantime::parse_duration
    )]
    older_than: Option<Duration>,

    /// Delete the files; without it they are only listed
    #[arg(long)]
    delete: bool,
}

impl Vacuum {
    /// Lists what nobody needs, and deletes it where that is asked for.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let reader = place.run(&self.run)?;
        let older_than = self.older_than.unwrap_or(VACUUM_AGE);
        let found = reader.vacuum(older_than)?;
        if self.delete {
            found.delete(&Bar::new())?;
        }
        let files = found.files.iter().map(|file| {
            json!({
                "folder": file.folder,
                "name": file.name,
                "size_bytes": file.size_bytes,
                "reason": file.reason.name(),
            })
        });
        Ok(Report {
            text: self.text(reader.name(), older_than, &found),
            json: json!({
                "run": reader.id(),
                "older_than_s": older_than.as_secs(),
                "deleted": self.delete,
                "files": files.collect::<Vec<_>>(),
                "size_bytes": found.size_bytes(),
                "younger_files": found.young,
                "problems": found.problems.iter().map(Error::chain).collect::<Vec<_>>(),
            }),
            notes: found
                .problems
                .iter()
                .map(|error| format!("left as it is, for it is damaged: {}", error.chain()))
                .collect(),
            failure: found.problems.into_iter().next(),
        })
    }

    fn text(&self, run: &str, older_than: Duration, found: &Found) -> String {
        let mut folders: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
        for file in &found.files {
            let key = (file.folder.as_str(), file.reason.name());
            let (files, bytes) = folders.entry(key).or_default();
            *files += 1;
            *bytes += file.size_bytes;
        }
        let mut table = Table::new(["folder", "what", ">files", ">bytes"]);
        for ((folder, what), (files, bytes)) in folders {
            let folder = if folder.is_empty() { "." } else { folder };
            table.push(vec![
                folder.to_owned(),
                what.to_owned(),
                files.to_string(),
                bytes.to_string(),
            ]);
        }
        let (files, bytes) = (found.files.len(), found.size_bytes());
        let age = humantime::format_duration(older_than);
        let mut text = match files {
            0 => String::new(),
            _ => table.render(0) + "\n",
        };
        text.push_str(&match (files, self.delete) {
            (0, _) => format!("{}: no unneeded files older than {age}", clean(run)),
            (_, true) => format!("{}: {files} files of {bytes} bytes deleted", clean(run)),
            (_, false) => format!(
                "{}: {files} files of {bytes} bytes would be deleted; delete them with --delete",
                clean(run)
            ),
        });
        text.push_str(&match found.young {
            0 => "\n".to_owned(),
            young => format!(" ({young} unneeded ones are younger than {age})\n"),
        });
        text
    }
}
