//! Where projects are, and which run the user means.

use std::path::Path;

use clap::Args;
use emberlens::run::{DamagedProject, Project, RunReader};
use emberlens::storage::Location;
use emberlens::{Error, ErrorKind, Result};

/// Most names that an error lists.
const MAX_LISTED: usize = 8;

/// The column of true classes, and the run's parameter with its name in the tables where it is
/// another.
const LABEL: &str = "label";
const LABEL_COLUMN: &str = "collection.label_column";

/// The column of the run's tables that has the true classes.
pub fn label_column(reader: &RunReader) -> &str {
    let named = reader.parameters().get(LABEL_COLUMN);
    named.and_then(|name| name.as_str()).unwrap_or(LABEL)
}

/// The options that say where to look.
#[derive(Args)]
pub struct Place {
    /// Folder or URL (s3://bucket/runs) of the projects [default: $EMBERLENS_ROOT, else ./emberlens]
    #[arg(long, global = true, display_order = 100, value_name = "ROOT")]
    pub root: Option<String>,

    /// Look in this project only
    #[arg(long, global = true, display_order = 100, value_name = "NAME")]
    pub project: Option<String>,
}

/// How a run of a project is opened.
type Open = dyn Fn(&Project, &str) -> Result<RunReader>;

/// What is below a root.
pub struct Found {
    pub root: Location,
    pub projects: Vec<Project>,
    /// Projects that cannot be read.
    pub damaged: Vec<DamagedProject>,
}

impl Place {
    /// The root, and its projects or the one asked for.
    ///
    /// # Errors
    /// `NotFound` for a root or a project that does not exist, with what does; what is wrong with
    /// the one asked for.
    pub fn projects(&self) -> Result<Found> {
        let address = match &self.root {
            Some(root) => root.clone(),
            None => Project::default_root()?,
        };
        let root = Location::open(&address)?;
        if root.local_path().is_some_and(|path| !path.is_dir()) {
            return Err(Error::NotFound {
                what: "folder of projects",
                name: address,
                hint: "name one with --root or EMBERLENS_ROOT".into(),
                place: root.url(),
            });
        }
        let (mut projects, mut damaged) = (Vec::new(), Vec::new());
        for project in Project::list(&root)? {
            match project {
                Ok(project) => projects.push(project),
                Err(project) => damaged.push(project),
            }
        }
        if let Some(wanted) = &self.project {
            let names: Vec<String> = projects
                .iter()
                .map(|project| project.name().to_owned())
                .collect();
            projects
                .retain(|project| project.name() == wanted || project.location().name() == *wanted);
            damaged.retain(|project| project.folder == *wanted);
            if projects.is_empty() {
                if let Some(project) = damaged.pop() {
                    return Err(*project.error);
                }
                return Err(Error::NotFound {
                    what: "project",
                    name: wanted.clone(),
                    hint: there_are("projects", &names),
                    place: root.url(),
                });
            }
        }
        Ok(Found {
            root,
            projects,
            damaged,
        })
    }

    /// The project that something is written to: the one that was named, which need not be there
    /// yet, else the only one.
    ///
    /// # Errors
    /// `Invalid` where none is named and there is none, or several.
    pub fn project_to_write(&self) -> Result<Project> {
        let address = match &self.root {
            Some(root) => root.clone(),
            None => Project::default_root()?,
        };
        if let Some(name) = &self.project {
            return Project::open(&address, name);
        }
        let root = Location::open(&address)?;
        let is_there = root.local_path().is_none_or(|path| path.is_dir());
        let known = if is_there {
            Project::list(&root)?
        } else {
            Vec::new()
        };
        let mut projects = known.into_iter().flatten();
        let reason = match (projects.next(), projects.next()) {
            (Some(only), None) => return Ok(only),
            (None, _) => format!("{} has no project yet", root.url()),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(projects);
                let names: Vec<String> = all.map(|project| project.name().to_owned()).collect();
                format!("there are: {}", listed(&names))
            }
        };
        let hint = "name one with --project; it need not be there yet";
        Err(Error::invalid("project", "none", reason, hint))
    }

    /// The run that `text` means: the path or URL of its folder, else its id, else the newest run
    /// of that name, else the only run whose id begins so.
    ///
    /// # Errors
    /// `NotFound` with the runs that exist; `Invalid` when several ids begin so.
    pub fn run(&self, text: &str) -> Result<RunReader> {
        self.run_by(text, &Project::open_run)
    }

    /// The same of a run that may be damaged; what is, the reader leaves out.
    pub fn damaged_run(&self, text: &str) -> Result<RunReader> {
        self.run_by(text, &Project::open_damaged_run)
    }

    fn run_by(&self, text: &str, open: &Open) -> Result<RunReader> {
        if let Some(reader) = by_address(text, open)? {
            return Ok(reader);
        }
        let Found {
            root,
            projects,
            damaged,
        } = self.projects()?;
        let mut found = Vec::new();
        for project in &projects {
            match open(project, text) {
                Ok(reader) => found.push(reader),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        // The meaning that ranks first is taken over all projects, not project by project.
        let meaning = |reader: &RunReader| match text {
            text if text == reader.id() => 0,
            text if text == reader.name() => 1,
            _ => 2,
        };
        let best = found.iter().map(meaning).min();
        found.retain(|reader| Some(meaning(reader)) == best);
        if best == Some(2) && found.len() > 1 {
            let ids: Vec<String> = found.iter().map(|reader| reader.id().to_owned()).collect();
            return Err(Error::invalid(
                "run",
                text,
                format!("several ids begin so: {}", listed(&ids)),
                "give more of the id, or the project with --project",
            ));
        }
        match found.into_iter().max_by_key(RunReader::created_us) {
            Some(reader) => Ok(reader),
            None => Err(no_run(text, &root, &projects, &damaged)),
        }
    }
}

/// Opens a run by the address of its folder, `.../<project>/runs/<id>`.
fn by_address(text: &str, open: &Open) -> Result<Option<RunReader>> {
    if !text.contains("://") && !Path::new(text).join("run").is_dir() {
        return Ok(None);
    }
    let run = Location::open(text)?;
    let runs = run.parent().filter(|runs| runs.name() == "runs");
    let project = runs.and_then(|runs| runs.parent());
    match project
        .as_ref()
        .and_then(|project| Some((project, project.parent()?)))
    {
        Some((project, root)) => {
            let project = Project::at(root, &project.name())?;
            open(&project, &run.name()).map(Some)
        }
        None => Err(Error::invalid(
            "run",
            text,
            "it does not lie in the `runs` folder of a project",
            "give the folder that `emberlens show` names, or the run's id or name",
        )),
    }
}

fn no_run(text: &str, root: &Location, projects: &[Project], damaged: &[DamagedProject]) -> Error {
    let mut runs: Vec<_> = projects
        .iter()
        .filter_map(|project| project.runs().ok())
        .flatten()
        .map(|run| match run {
            Ok(info) => (info.created_us, info.id),
            Err(damaged) => (i64::MIN, format!("{} (damaged)", damaged.id)),
        })
        .collect();
    runs.sort_by(|one, other| other.cmp(one));
    let ids: Vec<String> = runs.into_iter().map(|(_, id)| id).collect();
    let mut hint = there_are("runs", &ids);
    for project in damaged {
        hint.push_str(&format!("; not looked into: {}", project.error.chain()));
    }
    Error::NotFound {
        what: "run",
        name: text.to_owned(),
        hint,
        place: root.url(),
    }
}

/// What there is, for an error.
pub fn there_are(what: &str, names: &[String]) -> String {
    match names {
        [] => format!("there are no {what}"),
        names => format!("there are: {}", listed(names)),
    }
}

fn listed(names: &[String]) -> String {
    let mut text = names
        .iter()
        .take(MAX_LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > MAX_LISTED {
        text.push_str(&format!(" and {} more", names.len() - MAX_LISTED));
    }
    text
}
