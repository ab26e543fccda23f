//! `emberlens ls`: projects and their runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::Args;
use emberlens::run::{Project, RunInfo, RunReader};
use emberlens::{Error, Result};
use serde_json::{Value, json};

use crate::find::{Found, Place};
use crate::print::{Report, Table, clean, number, shortened, time};
use crate::series::{as_json, last_values, short_name};
use crate::skip::{SkipCorrupt, missing, missing_rows};

/// Most scalars that a line shows.
const MAX_SCALARS: usize = 4;

/// The arguments of `emberlens ls`.
#[derive(Args)]
pub struct Ls {
    /// Folder or URL of the projects; the same as --root
    #[arg(value_name = "ROOT", conflicts_with = "root")]
    folder: Option<String>,

    #[command(flatten)]
    skip: SkipCorrupt,
}

/// What cannot be read.
#[derive(Default)]
struct Damage {
    notes: Vec<String>,
    errors: Vec<Error>,
}

impl Ls {
    /// Lists the runs, newest first; damaged ones come last and hide nothing else. They are an error
    /// after all is listed, or with `--skip-corrupt` a note.
    pub fn run(&self, place: &Place) -> Result<Report> {
        let place = Place {
            root: self.folder.clone().or_else(|| place.root.clone()),
            project: place.project.clone(),
        };
        let Found {
            root,
            projects,
            damaged,
        } = place.projects()?;
        let mut report = Report::default();
        let (mut listed, mut damage) = (Vec::new(), Damage::default());
        for project in &projects {
            let (text, json) = list(project, self.skip, &mut damage)?;
            report.text.push_str(&text);
            listed.push(json);
        }
        if projects.is_empty() && damaged.is_empty() {
            report.text = format!("no projects in {}\n", clean(&root.url()));
        }
        let mut damaged_projects = Vec::new();
        for project in damaged {
            let error = project.error.chain();
            damage
                .notes
                .push(format!("project {}: {error}", project.folder));
            damaged_projects.push(json!({ "folder": project.folder, "error": error }));
            damage.errors.push(*project.error);
        }
        match self.skip.skip_corrupt {
            true => report.notes = damage.notes,
            false => report.failure = one_of(damage.errors),
        }
        report.json = json!({
            "root": root.url(),
            "projects": listed,
            "damaged_projects": damaged_projects,
        });
        Ok(report)
    }
}

/// The one error, or all of them in one.
fn one_of(mut errors: Vec<Error>) -> Option<Error> {
    match errors.len() {
        0 | 1 => errors.pop(),
        _ => Some(Error::Several { problems: errors }),
    }
}

fn list(project: &Project, skip: SkipCorrupt, damage: &mut Damage) -> Result<(String, Value)> {
    let mut table = Table::new([
        "RUN",
        "STATUS",
        "CREATED",
        ">EPOCHS",
        "STREAMS",
        "ID",
        "LAST SCALARS",
    ]);
    let (mut runs, mut damaged_runs) = (Vec::new(), Vec::new());
    for run in project.runs()? {
        match run {
            Ok(info) => {
                let (row, json) = line(project, &info, skip, damage);
                table.push(row);
                runs.push(json);
            }
            Err(damaged) => {
                let error = damaged.error.chain();
                let mut row = vec![String::new(); 7];
                row[0] = "?".into();
                row[1] = "damaged".into();
                row[5] = damaged.id.clone();
                row[6] = error.clone();
                table.push(row);
                damage.notes.push(format!("run {}: {error}", damaged.id));
                damaged_runs.push(json!({ "id": damaged.id, "error": error }));
                damage.errors.push(*damaged.error);
            }
        }
    }
    let mut text = format!(
        "{}  {}\n",
        clean(project.name()),
        clean(&project.location().url())
    );
    if runs.is_empty() && damaged_runs.is_empty() {
        text.push_str("  no runs\n");
    } else {
        text.push_str(&table.render(2));
    }
    let json = json!({
        "name": project.name(),
        "url": project.location().url(),
        "runs": runs,
        "damaged_runs": damaged_runs,
    });
    Ok((text, json))
}

/// The cells and the JSON of one run.
fn line(
    project: &Project,
    info: &RunInfo,
    skip: SkipCorrupt,
    damage: &mut Damage,
) -> (Vec<String>, Value) {
    // What cannot be read of one run is told and hides nothing of the others.
    let folder = project.location().join("runs").join(&info.id);
    let reader = RunReader::open(folder, project.location().clone());
    let reader = reader.map(|reader| skip.apply(reader));
    let read = reader.map(|reader| (reader.scalars(), reader));
    let (scalars, reader) = match read {
        Ok((scalars, reader)) => (scalars, Some(reader)),
        Err(error) => (Err(error), None),
    };
    let scalars = scalars.unwrap_or_else(|error| {
        damage
            .notes
            .push(format!("run {}: {}", info.id, error.chain()));
        damage.errors.push(error);
        Vec::new()
    });
    let skipped = reader.as_ref().map(RunReader::skipped).unwrap_or_default();
    let told = |error: &Arc<Error>| format!("run {}: skipped: {}", info.id, error.chain());
    damage.notes.extend(skipped.problems.iter().map(told));
    if skipped.missing_rows > 0 || skipped.may_miss_scalars {
        let told = missing(&skipped).into_iter();
        damage
            .notes
            .extend(told.map(|note| format!("run {}: {note}", info.id)));
    }
    let streams = reader.as_ref().map(RunReader::streams).unwrap_or_default();
    let epochs = epochs(&streams, reader.as_ref());
    let last = last_values(&scalars);
    let shown: Vec<String> = last
        .iter()
        .filter_map(|scalar| Some((scalar.split.as_str(), short_name(scalar)?, scalar.value)))
        .take(MAX_SCALARS)
        .map(|(split, name, value)| {
            format!("{split} {name} {}", number(value))
                .trim()
                .to_owned()
        })
        .collect();
    let row = vec![
        shortened(&info.name),
        info.status.name().to_owned(),
        time(info.created_us),
        epochs.to_string(),
        shortened(&streams.join(", ")),
        info.id.clone(),
        shown.join(", "),
    ];
    let mut json = json!({
        "id": info.id,
        "name": info.name,
        "url": info.url,
        "status": info.status.name(),
        "reason": info.status.reason(),
        "description": info.description,
        "tags": info.tags,
        "created": time(info.created_us),
        "created_us": info.created_us,
        "epochs": epochs,
        "streams": streams,
        "last_scalars": last.iter().map(|scalar| as_json(scalar)).collect::<Vec<_>>(),
    });
    if skip.skip_corrupt {
        json["missing_rows"] = missing_rows(&skipped);
    }
    (row, json)
}

/// How many epochs were collected, whatever the stream and split.
fn epochs(streams: &[String], reader: Option<&RunReader>) -> usize {
    let Some(reader) = reader else { return 0 };
    let passes = streams.iter().flat_map(|stream| reader.passes(stream));
    passes
        .filter_map(|pass| pass.epoch)
        .collect::<BTreeSet<i64>>()
        .len()
}
