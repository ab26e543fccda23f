//! Finding, and deleting, the files of a run that nobody needs any more.

use std::collections::HashSet;
use std::time::Duration;

use super::clock::now_us;
use super::facts::{self, Fact};
use super::scalars;
use super::{RankInfo, RunReader, Status};
use crate::progress::Progress;
use crate::storage::{Location, Object};
use crate::table::{ANNOUNCED, DeltaTable, Needed, is_announcement};
use crate::{Error, ErrorKind, Result};

/// How old files are at least, unless told otherwise: a reader, or a writer that stood still, has
/// ended within it.
pub const VACUUM_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The least age for a run that is being written: the writer of a pass commits a file within 30 s, or
/// what the store takes to answer. A reduction may take hours: while there is one it is the age above.
const LEAST_AGE_OF_ACTIVE: Duration = Duration::from_secs(3600);

/// Why nobody needs a file.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unneeded {
    /// A data file of older versions of its table, or of none: its writer never committed it.
    Data,
    /// A fitted projection that no document of the project names.
    Model,
    /// What a write that never ended left behind.
    Staged,
    /// A commit that others were asked to take along, whose writer is gone.
    Announced,
}

impl Unneeded {
    /// In a word or two, for lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Model => "model",
            Self::Staged => "staged",
            Self::Announced => "announced",
        }
    }
}

/// A file that nobody needs.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnneededFile {
    /// Its folder, relative to the run.
    pub folder: String,
    /// Its name.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// Why nobody needs it.
    pub reason: Unneeded,
}

/// What [`RunReader::vacuum`] found; nothing is deleted before [`Vacuum::delete`].
#[non_exhaustive]
#[derive(Debug)]
pub struct Vacuum {
    run: Location,
    /// Files that nobody needs and that are old enough.
    pub files: Vec<UnneededFile>,
    /// Files that nobody will need once they, or the versions that hold them, are old enough.
    pub young: u64,
    /// What is damaged, so that nobody knows what is unneeded there; all of it stays.
    pub problems: Vec<Error>,
}

impl RunReader {
    /// Finds the files of the run that nobody needs and that are at least so old.
    ///
    /// Needed are, of every table, the files of the latest version, of each version that was the latest
    /// within that age, and of the version of coordinates that a document names; every model that a
    /// document of any run of the project names; and everything that this version of the format does
    /// not know. Rows of passes that were never completed stay with the latest version; those of
    /// discarded passes left it when they were discarded.
    ///
    /// Age counts from when a file was written, and from when the last version that holds it was
    /// replaced. A reader that opened the run longer ago than the age, or a writer that stood still for
    /// longer between writing a file and committing it, may miss a file; seven days ([`VACUUM_AGE`])
    /// are meant to be more than any of them takes.
    ///
    /// # Errors
    /// `Invalid` for less than an hour while a process writes the run, or seven days while it reduces. A
    /// log that cannot be read, that does not tell of what the documents name, or that names files that
    /// are not there, is a problem in the result: what its table needs is not known then, so all of that stays.
    ///
    /// ```
    /// use std::time::Duration;
    /// use emberlens::collect::Silent;
    /// use emberlens::run::{At, Project};
    /// let run = Project::open("memory://", "docs")?.run("cnn").start()?;
    /// for epoch in 0..3 {
    ///     run.log(&[("loss", 0.5)], At::epoch(epoch))?;
    ///     run.flush()?;
    /// }
    /// run.complete()?;
    /// run.reader()?.compact(&Silent)?;
    /// let vacuum = run.reader()?.vacuum(Duration::ZERO)?;
    /// assert_eq!(vacuum.files.len(), 3);
    /// vacuum.delete(&Silent)?;
    /// assert_eq!(run.reader()?.scalars()?.len(), 3);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn vacuum(&self, older_than: Duration) -> Result<Vacuum> {
        let age_us = i64::try_from(older_than.as_micros()).unwrap_or(i64::MAX);
        let until_us = now_us().saturating_sub(age_us);
        // As it is now: documents that were written since this reader was opened name files too.
        let now = RunReader::open(self.location().clone(), self.project_location().clone())?;
        let least = match now.status() {
            Status::Reducing => VACUUM_AGE,
            _ => LEAST_AGE_OF_ACTIVE,
        };
        if older_than < least && now.is_written()? {
            let reason = format!(
                "run `{}` is being written, and its writer may need younger files",
                self.id()
            );
            return Err(Error::invalid(
                "older_than",
                format!("{} s", older_than.as_secs()),
                reason,
                match now.status() {
                    Status::Reducing => "wait until the reduction ends, or give seven days or more",
                    _ => "wait until the run ends, or give an hour or more",
                },
            ));
        }
        let mut search = Search {
            reader: &now,
            until_us,
            found: Vacuum {
                run: self.location().clone(),
                files: Vec::new(),
                young: 0,
                problems: Vec::new(),
            },
        };
        search.tables()?;
        search.models()?;
        search.staged()?;
        Ok(search.found)
    }

    /// Whether a process writes the run: another rank may go on after rank 0 has ended it.
    fn is_written(&self) -> Result<bool> {
        let is_active = |status: &Status| status.is_active();
        let is_rank_active = |rank: &RankInfo| rank.status.as_ref().is_some_and(is_active);
        Ok(is_active(self.status()) || self.ranks()?.iter().any(is_rank_active))
    }
}

impl Vacuum {
    /// Bytes of the files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// Deletes the files; one that is gone already is no error.
    ///
    /// # Errors
    /// `Storage` names the first file that could not be deleted; those before are deleted, and the rest
    /// can be found again.
    pub fn delete(&self, progress: &dyn Progress) -> Result<()> {
        progress.start("deleting", self.files.len() as u64);
        for (done, file) in (1..).zip(&self.files) {
            let folder = self.run.join(&file.folder);
            match file.reason {
                Unneeded::Staged => folder.delete_staged(&file.name)?,
                Unneeded::Data | Unneeded::Model | Unneeded::Announced => {
                    folder.join(&file.name).delete()?
                }
            }
            progress.update(done);
        }
        progress.end();
        Ok(())
    }
}

/// What documents say of a folder.
#[derive(Default)]
struct Told {
    rows: u64,
    files: Vec<String>,
}

struct Search<'a> {
    reader: &'a RunReader,
    /// Files up to this time are old enough.
    until_us: i64,
    found: Vacuum,
}

impl Search<'_> {
    /// Data files of versions that nobody needs.
    fn tables(&mut self) -> Result<()> {
        let run = self.reader.location();
        for folder in self.reader.folders_of_tables()? {
            let place = run.join(&folder);
            // Before the files that they name.
            let mut announced = place.join(ANNOUNCED).objects()?;
            announced.retain(|object| is_announcement(&object.name));
            self.add(
                &format!("{folder}/{ANNOUNCED}"),
                announced,
                Unneeded::Announced,
            );
            // Before the log is read: what is committed after this is in none of both.
            let mut objects = place.objects()?;
            objects.retain(|object| is_data(&object.name));
            if objects.is_empty() {
                continue;
            }
            let needed = match self.needed(&folder, &place) {
                Ok(needed) => needed,
                // Any of them may be what the damage is about.
                Err(error) if error.kind() == ErrorKind::Corrupt => {
                    self.found.problems.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            objects.retain(|object| !needed.held.contains(&object.name));
            let before = objects.len();
            objects.retain(|object| !needed.recent.contains(&object.name));
            self.found.young += (before - objects.len()) as u64;
            self.add(&folder, objects, Unneeded::Data);
        }
        Ok(())
    }

    /// What is needed of a table's folder.
    ///
    /// # Errors
    /// What is wrong with the log, or with what it holds by the documents: then nothing is known to be
    /// unneeded.
    fn needed(&self, folder: &str, place: &Location) -> Result<Needed> {
        let told = self.told(folder);
        let lost = |reason: String| Error::Corrupt {
            what: "table",
            reason,
            path: place.url(),
        };
        if !DeltaTable::exists(place)? {
            return match told.rows {
                0 => Ok(Needed::default()),
                rows => Err(lost(format!(
                    "it has no log, and the run's documents tell of {rows} rows"
                ))),
            };
        }
        let table = DeltaTable::open(place.clone())?;
        let needed = table.needed_files(self.until_us, &self.named_versions(folder))?;
        if let Some(file) = table.unknown_file(&needed, &told.files)? {
            return Err(lost(format!(
                "its log does not tell of `{file}`, which the run's documents name"
            )));
        }
        if folder == scalars::FOLDER && table.snapshot()?.row_count()? < told.rows {
            return Err(lost(format!(
                "it has fewer rows than the {} that the run's documents tell of",
                told.rows
            )));
        }
        Ok(needed)
    }

    /// What the documents say that a folder holds.
    fn told(&self, folder: &str) -> Told {
        let state = &self.reader.state;
        let mut told = Told::default();
        if folder == scalars::FOLDER {
            told.rows = state.scalars;
        }
        for info in &state.projections {
            if folder == format!("projections/{}", info.name) {
                told.rows = told.rows.saturating_add(info.rows);
            }
        }
        for pass in state.passes.complete() {
            let place = self.reader.stream_location(&pass.stream);
            if place.is_ok_and(|place| folder == format!("metrics/{}", place.name())) {
                told.rows = told.rows.saturating_add(pass.rows);
                let names = pass.files.iter().map(|file| file.url.rsplit('/').next());
                told.files.extend(names.flatten().map(str::to_owned));
            }
        }
        told
    }

    /// The versions of a table of coordinates that documents name.
    fn named_versions(&self, folder: &str) -> Vec<u64> {
        let infos = self.reader.projections().iter();
        let of_folder = infos.filter(|info| folder == format!("projections/{}", info.name));
        of_folder.map(|info| info.version).collect()
    }

    /// Fitted projections that no document ever named. Other runs may place by a model of this one.
    fn models(&mut self) -> Result<()> {
        let models = self.reader.location().join("models");
        let mut objects = models.objects()?;
        objects.retain(|object| object.name.ends_with(".bin"));
        if objects.is_empty() {
            return Ok(());
        }
        let runs = self.reader.project_location().join("runs");
        let others = runs.list_folders()?.into_iter().map(|id| runs.join(&id));
        let mut named = HashSet::new();
        for run in others.chain([self.reader.location().clone()]) {
            if run.join("run").is_empty()? {
                continue; // it is just being made, or deleted
            }
            match facts::read(&run) {
                Ok((documents, _)) => documents
                    .into_iter()
                    .for_each(|document| note_urls(document.fact, &mut named)),
                // It may name any of them.
                Err(error) => {
                    self.found.problems.push(error);
                    return Ok(());
                }
            }
        }
        let names: HashSet<&str> = named
            .iter()
            .filter_map(|url| url.rsplit('/').next())
            .collect();
        objects.retain(|object| !names.contains(object.name.as_str()));
        self.add("models", objects, Unneeded::Model);
        Ok(())
    }

    /// What writes left behind, wherever it is.
    fn staged(&mut self) -> Result<()> {
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let place = self.reader.location().join(&folder);
            let staged = place.staged()?;
            self.add(&folder, staged, Unneeded::Staged);
            for name in place.list_folders()? {
                folders.push(match folder.as_str() {
                    "" => name,
                    above => format!("{above}/{name}"),
                });
            }
        }
        Ok(())
    }

    fn add(&mut self, folder: &str, objects: Vec<Object>, reason: Unneeded) {
        for object in objects {
            if object.modified_us > self.until_us {
                self.found.young += 1;
                continue;
            }
            self.found.files.push(UnneededFile {
                folder: folder.to_owned(),
                name: object.name,
                size_bytes: object.size_bytes,
                reason,
            });
        }
    }
}

/// The addresses that a document names.
fn note_urls(fact: Fact, named: &mut HashSet<String>) {
    match fact {
        Fact::Projected(info) => named.extend(info.models.into_iter().map(|model| model.url)),
        Fact::Input(input) => named.extend([input.url]),
        Fact::Output(output) => named.extend([output.url]),
        _ => {}
    }
}

/// Whether a name is one that our data files have; others in the folder are not ours to delete.
fn is_data(name: &str) -> bool {
    name.starts_with("part-") && name.ends_with(".parquet")
}
