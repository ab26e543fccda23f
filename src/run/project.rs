//! Projects: folders of runs and tables.

use super::facts;
use super::project_document;
use super::reader::{DamagedProject, DamagedRun, RunInfo, RunReader};
use super::{Run, RunBuilder, builder::is_id_of};
use crate::storage::{Location, names, without_credentials};
use crate::table::{Columns, Table};
use crate::{Error, ErrorKind, Result};

/// The root when nothing else is said.
const DEFAULT_ROOT: &str = "./emberlens";

/// The environment variable that names another root.
const ROOT_VARIABLE: &str = "EMBERLENS_ROOT";

/// A folder of runs and the tables that they work on.
///
/// Opening creates nothing; the folder appears with the first run or table. Its path is a slug of
/// the name; the name itself is kept in `project.json`. Names with the same slug (`Digits`,
/// `digits`) are the same project.
///
/// ```
/// use emberlens::run::{At, Project, Status};
/// let project = Project::open("memory://", "digits")?;
/// let run = project.run("cnn").description("two convolutions").start()?;
/// run.log(&[("loss", 0.41)], At::epoch(0))?;
/// run.complete()?;
/// assert_eq!(project.open_run("cnn")?.status(), &Status::Completed);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Project {
    name: String,
    location: Location,
}

impl Project {
    /// Opens a project below a root: a path, or a URL that [`Location::open`] understands
    /// (`s3://bucket/runs`).
    ///
    /// # Errors
    /// `Invalid` for a root that cannot be understood or a name without a visible character;
    /// `Corrupt` when a newer major version of Emberlens wrote the project.
    pub fn open(root: &str, name: &str) -> Result<Self> {
        Self::at(Location::open(root)?, name)
    }

    /// Opens a project below the default root: see [`Project::default_root`].
    pub fn open_default(name: &str) -> Result<Self> {
        Self::open(&Self::default_root()?, name)
    }

    /// What the environment variable `EMBERLENS_ROOT` says, else `./emberlens`.
    ///
    /// # Errors
    /// `Invalid` when the variable is not Unicode.
    pub fn default_root() -> Result<String> {
        match std::env::var(ROOT_VARIABLE) {
            Ok(root) if !root.trim().is_empty() => Ok(root),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(DEFAULT_ROOT.to_owned()),
            Err(error @ std::env::VarError::NotUnicode(_)) => Err(Error::invalid(
                ROOT_VARIABLE,
                "(not Unicode)",
                error.to_string(),
                "set it to a path or URL in UTF-8",
            )),
        }
    }

    /// Opens a project below a root that is open already.
    pub fn at(root: Location, name: &str) -> Result<Self> {
        check_name("project name", name)?;
        let location = root.join(&names::slug(name)?);
        let recorded = project_document::read_name(&location)?;
        Ok(Self {
            name: recorded.unwrap_or_else(|| name.to_owned()),
            location,
        })
    }

    /// All projects below a root, by path; one that cannot be read hides none of the others. One whose
    /// document alone is damaged is there under the name of its folder, and so is what is wrong.
    ///
    /// # Errors
    /// `Storage` when the root cannot be listed.
    pub fn list(root: &Location) -> Result<Vec<Result<Self, DamagedProject>>> {
        let folders = root.list_folders()?;
        let found = folders.into_iter().flat_map(|folder| {
            let (project, damage) = match Self::in_folder(root.join(&folder), &folder) {
                Ok(read) => read,
                Err(error) => (None, Some(error)),
            };
            let damage = damage.map(|error| DamagedProject {
                folder,
                error: Box::new(error),
            });
            project.map(Ok).into_iter().chain(damage.map(Err))
        });
        Ok(found.collect())
    }

    /// The project in a folder, if there is one, and what is wrong with its document.
    fn in_folder(location: Location, folder: &str) -> Result<(Option<Self>, Option<Error>)> {
        let (name, damage) = project_document::read(&location)?;
        let name = match name {
            Some(name) => name,
            None if location.join("runs").is_empty()? && location.join("tables").is_empty()? => {
                return Ok((None, damage));
            }
            None => folder.to_owned(),
        };
        Ok((Some(Self { name, location }), damage))
    }

    /// The name as the first user spelt it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The project's folder.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The folder of the project's tables.
    pub fn tables(&self) -> Location {
        self.location.join("tables")
    }

    /// Creates an input table from ready-made columns; its row index is the `example_id`.
    ///
    /// # Errors
    /// `AlreadyExists` when the project has such a table; `Storage` when the root is not writable.
    pub fn create_table(&self, name: &str, columns: Columns) -> Result<Table> {
        self.create()?;
        Table::create(&self.tables(), name, columns)
    }

    /// Opens the latest revision of one of the project's tables.
    ///
    /// # Errors
    /// `NotFound` when there is none of that name.
    pub fn table(&self, name: &str) -> Result<Table> {
        Table::open(self.tables().join(&names::slug(name)?))
    }

    /// Describes a run to start; nothing happens before [`RunBuilder::start`].
    pub fn run(&self, name: &str) -> RunBuilder {
        RunBuilder::new(self.clone(), name)
    }

    /// All runs, newest first; after them those that cannot be read, each with the reason.
    ///
    /// # Errors
    /// `Storage` when the folder cannot be listed.
    pub fn runs(&self) -> Result<Vec<Result<RunInfo, DamagedRun>>> {
        let (mut runs, mut damaged) = (Vec::new(), Vec::new());
        for id in self.run_ids()? {
            let location = self.run_location(&id);
            match RunReader::open(location.clone(), self.location.clone()) {
                Ok(reader) => runs.push(reader.info()),
                // Being created at this moment, or deleted: there is nothing to lose or to show.
                Err(_) if is_bare(&location)? => {}
                Err(error) => damaged.push(DamagedRun {
                    id,
                    error: Box::new(error),
                }),
            }
        }
        runs.sort_by(|a, b| (b.created_us, &b.id).cmp(&(a.created_us, &a.id)));
        Ok(runs
            .into_iter()
            .map(Ok)
            .chain(damaged.into_iter().map(Err))
            .collect())
    }

    /// Opens a run for reading: by its id, else the newest of that name, else by the beginning of
    /// its id.
    ///
    /// # Errors
    /// `NotFound` when there is none; `Invalid` when the beginning fits several ids; `Corrupt` when
    /// the run's documents are damaged or of a newer major version.
    pub fn open_run(&self, id_or_name: &str) -> Result<RunReader> {
        self.open_run_by(id_or_name, RunReader::open)
    }

    /// As [`Project::open_run`], of a run that may be damaged: see [`RunReader::open_damaged`].
    ///
    /// ```
    /// use emberlens::run::{At, Project};
    /// let project = Project::open("memory://", "docs")?;
    /// let run = project.run("cnn").tag("baseline").start()?;
    /// run.log(&[("loss", 0.41)], At::epoch(0))?;
    /// run.complete()?;
    /// run.location().join("run/00000000000000000001.json").replace("{ torn")?;
    /// assert!(project.open_run("cnn").is_err());
    /// let reader = project.open_damaged_run("cnn")?;
    /// assert_eq!(reader.scalars()?[0].value, 0.41);
    /// assert_eq!(reader.skipped().problems.len(), 1);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Project::open_run`], but for damage that leaves some document to read.
    pub fn open_damaged_run(&self, id_or_name: &str) -> Result<RunReader> {
        self.open_run_by(id_or_name, RunReader::open_damaged)
    }

    fn open_run_by(
        &self,
        id_or_name: &str,
        open: impl Fn(Location, Location) -> Result<RunReader>,
    ) -> Result<RunReader> {
        let ids = self.run_ids()?;
        let open = |id: &str| open(self.run_location(id), self.location.clone());
        if ids.iter().any(|id| id == id_or_name) {
            return open(id_or_name);
        }
        let named = self.named(&ids, id_or_name);
        if let Some(id) = named.as_ref().ok().and_then(|ids| ids.first()) {
            return open(id);
        }
        // A run whose first document is damaged has no name left but the one in its id: without this
        // it would not be found by name, and nobody would be told why.
        let slug = names::slug(id_or_name).unwrap_or_default();
        if let Some(id) = ids.iter().rfind(|id| is_id_of(id, &slug))
            && facts::read_created(&self.run_location(id)).is_err()
        {
            return open(id);
        }
        let begun: Vec<&String> = ids
            .iter()
            .filter(|id| !id_or_name.is_empty() && id.starts_with(id_or_name))
            .collect();
        match begun.as_slice() {
            [id] => open(id),
            [] => Err(Error::NotFound {
                what: "run",
                name: id_or_name.to_owned(),
                hint: match ids.last() {
                    Some(id) => format!("the project has {} runs, for example `{id}`", ids.len()),
                    None => "the project has no runs".to_owned(),
                },
                place: self.location.url(),
            }),
            several => Err(Error::invalid(
                "run",
                id_or_name,
                format!(
                    "{} ids begin so, for example `{}`",
                    several.len(),
                    several[0]
                ),
                "give more of the id, or the run's whole name",
            )),
        }
    }

    /// Goes on with the run that [`Project::open_run`] finds; its status is `running` until it is
    /// ended again.
    ///
    /// # Errors
    /// Those of [`Project::open_run`]; `AlreadyExists` when a living process writes the run.
    ///
    /// ```
    /// use emberlens::run::{Project, Status};
    /// let project = Project::open("memory://", "docs")?;
    /// let id = project.run("cnn").start()?.id().to_owned();
    /// let run = project.resume_run(&id)?;
    /// run.complete()?;
    /// assert_eq!(project.open_run(&id)?.status(), &Status::Completed);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn resume_run(&self, id_or_name: &str) -> Result<Run> {
        let reader = self.open_run(id_or_name)?;
        RunBuilder::new(self.clone(), reader.name()).reuse(reader.id())
    }

    /// Those of the ids whose runs have exactly this name, newest first.
    pub(crate) fn named(&self, ids: &[String], name: &str) -> Result<Vec<String>> {
        let slug = names::slug(name)?;
        let mut named = Vec::new();
        for id in ids.iter().filter(|id| is_id_of(id, &slug)) {
            match facts::read_created(&self.run_location(id)) {
                Ok((found, created_us)) if found == name => named.push((created_us, id)),
                // It may have the name: whoever goes on as if it had not starts a second run.
                Err(error) if error.kind() == ErrorKind::Storage => return Err(error),
                // A run whose first document is damaged has no name; `runs` reports it.
                _ => {}
            }
        }
        named.sort_unstable_by(|a, b| b.cmp(a));
        Ok(named.into_iter().map(|(_, id)| id.clone()).collect())
    }

    /// The ids of all runs, sorted.
    pub(crate) fn run_ids(&self) -> Result<Vec<String>> {
        self.runs_location().list_folders()
    }

    /// Creates the project unless it is there: its document with the name that it was given. Whatever
    /// makes a run or [`Project::create_table`] does so by itself; imports take a folder and do not.
    ///
    /// # Errors
    /// `Storage` when the root is not writable.
    pub fn create(&self) -> Result<()> {
        project_document::create(&self.location, &self.name)
    }

    pub(crate) fn run_location(&self, id: &str) -> Location {
        self.runs_location().join(id)
    }

    fn runs_location(&self) -> Location {
        self.location.join("runs")
    }

    /// An address as documents keep it: relative where it lies inside the project, so that the
    /// folder can be moved, and never with credentials.
    pub(crate) fn relative(&self, url: &str) -> String {
        let inside = url
            .strip_prefix(&self.location.url())
            .and_then(|rest| rest.strip_prefix('/'));
        if let Some(inside) = inside {
            return inside.to_owned();
        }
        without_credentials(url)
    }
}

/// Refuses names that would garble a terminal or hide in a list.
pub(crate) fn check_name(argument: &str, name: &str) -> Result<()> {
    let reason = if name.trim().is_empty() {
        "it is empty"
    } else if name.chars().any(char::is_control) {
        "it holds control characters"
    } else {
        return Ok(());
    };
    Err(Error::invalid(
        argument,
        format!("{name:?}"),
        reason,
        "give a name of visible characters",
    ))
}

/// Whether a run's folder holds no file at all.
fn is_bare(run: &Location) -> Result<bool> {
    let folders = run.list_folders()?;
    Ok(run.list_files()?.is_empty()
        && folders.iter().all(|folder| folder == "run")
        && run.join("run").is_empty()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_kept_as_it_was_first_spelt() {
        let root = Location::open("memory://").unwrap();
        Project::at(root.clone(), "My Digits!")
            .unwrap()
            .create()
            .unwrap();
        let project = Project::at(root.clone(), "my digits").unwrap();
        assert_eq!(project.name(), "My Digits!");
        assert_eq!(project.location().name(), "my-digits");
        assert_eq!(Project::list(&root).unwrap().len(), 1);
    }

    #[test]
    fn a_project_of_a_newer_major_format_is_refused() {
        let root = Location::open("memory://").unwrap();
        let json = r#"{"format_version": "2.1", "project": "?"}"#;
        root.join("x/project.json").create(json).unwrap();
        let error = Project::at(root, "x").unwrap_err().to_string();
        assert!(error.contains("2.1"), "{error}");
    }

    #[test]
    fn addresses_lose_credentials_and_the_project_folder() {
        let project = Project::open("memory://", "p").unwrap();
        let inside = project.tables().join("t").url();
        assert_eq!(project.relative(&inside), "tables/t");
        assert_eq!(
            project.relative("https://me:secret@host/a?sig=secret"),
            "https://host/a"
        );
        assert_eq!(project.relative("/plain/path"), "/plain/path");
    }

    #[test]
    fn a_root_that_is_no_folder_is_a_clear_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let root = file.path().join("root");
        let error = Project::open(&root.display().to_string(), "p").unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Storage);
        assert!(
            error.to_string().contains("is its root a folder?"),
            "{error}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_root_that_is_not_writable_is_a_clear_error() {
        let project = Project::open("/proc/emberlens", "p").unwrap();
        let error = project.run("r").start().unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Storage);
        assert!(
            error.to_string().contains("is its root writable?"),
            "{error}"
        );
    }

    #[test]
    fn names_without_visible_characters_are_refused() {
        for name in ["", "  ", "a\nb", "\u{7}"] {
            assert!(Project::open("memory://", name).is_err(), "{name:?}");
        }
    }
}
