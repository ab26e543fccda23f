//! Addresses of folders and objects: a store and a path in it.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use delta_kernel_default_engine::DefaultEngineBuilder;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use super::Executor;
use super::address::{bad_address, local};
use super::confined::Confined;
use super::durable::{self, DurableLocal, cause, create_folder};
use crate::{BoxError, Error, Result};

/// The Delta kernel's engine over one of our stores.
pub(crate) type Engine = delta_kernel_default_engine::DefaultEngine<Executor>;

/// A folder or an object in a store: a local path or `memory://`.
///
/// Cloning and joining are cheap and share the store. Every `memory://` opened anew is a new, empty
/// store that lives as long as its locations.
///
/// # Durability
/// On local disks what was created or replaced is synced, with its folder, before the call returns.
///
/// ```
/// use emberlens::storage::Location;
/// let root = Location::open("memory://")?;
/// assert!(root.join("a/b.json").create("{}")?);
/// assert!(!root.join("a/b.json").create("{}")?, "the first one stays");
/// assert_eq!(root.join("a").list_files()?, ["b.json"]);
/// # Ok::<(), emberlens::Error>(())
/// ```
#[derive(Clone)]
pub struct Location {
    store: Arc<Store>,
    path: Path,
}

struct Store {
    objects: Arc<dyn ObjectStore>,
    executor: Arc<Executor>,
    scheme: &'static str,
}

impl Location {
    /// Opens a path (`runs`, `/data/runs`), a `file://` URL or `memory://`; creates nothing.
    ///
    /// # Errors
    /// `Invalid` for an empty address or a scheme that this build does not have.
    pub fn open(address: &str) -> Result<Self> {
        if address.trim().is_empty() {
            return Err(bad_address(address, "it is empty"));
        }
        let scheme = address.split_once("://").map(|(scheme, _)| scheme);
        let (objects, path, scheme): (Arc<dyn ObjectStore>, _, _) = match scheme {
            None => (
                Arc::new(DurableLocal::new()),
                local(FilePath::new(address))?,
                "file",
            ),
            Some("file") => {
                let url = Url::parse(address).map_err(|error| bad_address(address, error))?;
                let file = url
                    .to_file_path()
                    .map_err(|()| bad_address(address, "it names no local path"))?;
                (Arc::new(DurableLocal::new()), local(&file)?, "file")
            }
            Some("memory") => {
                let rest = address.trim_start_matches("memory://");
                let path = Path::parse(rest.trim_matches('/'))
                    .map_err(|error| bad_address(address, error))?;
                (Arc::new(InMemory::new()), path, "memory")
            }
            Some(_) => {
                return Err(bad_address(
                    address,
                    "this build knows local paths, file:// and memory://",
                ));
            }
        };
        Self::at(objects, scheme, path)
    }

    /// A folder in an object store that the caller brings; `path` may be empty.
    ///
    /// The store must create objects atomically (`PutMode::Create`: one of many writers wins) and
    /// show them at once. Its future must not need a tokio runtime.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use emberlens::storage::{Location, object_store::memory::InMemory};
    /// let store = Arc::new(InMemory::new());
    /// let root = Location::in_store(store.clone(), "runs")?;
    /// root.join("a.json").create("{}")?;
    /// assert_eq!(Location::in_store(store, "runs")?.list_files()?, ["a.json"]);
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a path with empty or relative segments.
    pub fn in_store(objects: Arc<dyn ObjectStore>, path: &str) -> Result<Self> {
        let parsed = Path::parse(path).map_err(|error| bad_address(path, error))?;
        Self::at(objects, "store", parsed)
    }

    fn at(objects: Arc<dyn ObjectStore>, scheme: &'static str, path: Path) -> Result<Self> {
        let store = Store {
            objects,
            executor: Arc::new(Executor::try_new()?),
            scheme,
        };
        Ok(Self {
            store: Arc::new(store),
            path,
        })
    }

    /// The location below this one; `relative` holds clean segments separated by `/`.
    pub fn join(&self, relative: &str) -> Self {
        let segments = relative
            .split('/')
            .filter(|segment| !matches!(*segment, "" | "." | ".."));
        let path = segments.fold(self.path.clone(), |path, segment| path.join(segment));
        Self {
            store: self.store.clone(),
            path,
        }
    }

    /// The folder above; `None` at the top of the store.
    pub fn parent(&self) -> Option<Self> {
        let mut parts: Vec<_> = self.path.parts().collect();
        parts.pop()?;
        Some(Self {
            store: self.store.clone(),
            path: Path::from_iter(parts),
        })
    }

    /// The last segment.
    pub fn name(&self) -> String {
        self.path.filename().unwrap_or_default().to_owned()
    }

    /// The address as a URL without credentials, for example `file:///data/runs`.
    pub fn url(&self) -> String {
        match self.local_path() {
            Some(path) => Url::from_file_path(&path)
                .map_or_else(|()| format!("file://{}", path.display()), String::from),
            None => format!("{}:///{}", self.store.scheme, self.path),
        }
    }

    /// The path on this machine; `None` in other stores.
    pub fn local_path(&self) -> Option<PathBuf> {
        if self.store.scheme != "file" {
            return None;
        }
        let mut url = Url::parse("file:///").ok()?;
        url.path_segments_mut()
            .ok()?
            .pop_if_empty()
            .extend(self.path.parts().map(|part| part.as_ref().to_owned()));
        url.to_file_path().ok()
    }

    /// What follows `base` in this address, separated by `/`; `None` when it is not below `base`.
    pub fn relative_to(&self, base: &Location) -> Option<String> {
        let same = Arc::ptr_eq(&self.store.objects, &base.store.objects);
        if self.store.scheme != base.store.scheme || (!same && self.store.scheme != "file") {
            return None;
        }
        let parts = self.path.prefix_match(&base.path)?;
        Some(
            parts
                .map(|part| part.as_ref().to_owned())
                .collect::<Vec<_>>()
                .join("/"),
        )
    }

    /// The whole object.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub fn read(&self) -> Result<Bytes> {
        self.read_if_exists()?.ok_or_else(|| Error::NotFound {
            what: "file",
            name: self.name(),
            hint: "check the address".into(),
            place: self.url(),
        })
    }

    /// The whole object; `None` when there is none.
    pub fn read_if_exists(&self) -> Result<Option<Bytes>> {
        if let Some(path) = self.local_path() {
            use std::io::ErrorKind::{IsADirectory, NotFound};
            return match std::fs::read(&path) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) if matches!(error.kind(), NotFound | IsADirectory) => Ok(None),
                Err(error) => Err(self.failed("read", error)),
            };
        }
        let (objects, path) = (self.store.objects.clone(), self.path.clone());
        let read = async move { objects.get(&path).await?.bytes().await };
        match self.store.executor.run(read)? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed("read", cause(error))),
        }
    }

    /// Creates or replaces the object; readers see the old bytes or the new ones.
    pub fn replace(&self, bytes: impl Into<Bytes>) -> Result<()> {
        self.put(bytes.into(), false)?
            .map_err(|error| self.failed("write", cause(error)))
    }

    /// Deletes this object; nothing happens when there is none.
    pub fn delete(&self) -> Result<()> {
        let (objects, path) = (self.store.objects.clone(), self.path.clone());
        let delete = async move { objects.delete(&path).await };
        match self.store.executor.run(delete)? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("delete", cause(error))),
        }
    }

    /// Names of the objects directly in this folder, sorted; a missing folder is empty.
    pub fn list_files(&self) -> Result<Vec<String>> {
        let listed = self.list()?;
        Ok(sorted(
            listed
                .objects
                .iter()
                .filter_map(|object| object.location.filename()),
        ))
    }

    /// Names of the folders directly in this folder, sorted; a missing folder is empty.
    pub fn list_folders(&self) -> Result<Vec<String>> {
        let listed = self.list()?;
        Ok(sorted(
            listed.common_prefixes.iter().filter_map(Path::filename),
        ))
    }

    /// True when nothing is at or below this address.
    pub fn is_empty(&self) -> Result<bool> {
        let listed = self.list()?;
        Ok(listed.objects.is_empty() && listed.common_prefixes.is_empty())
    }

    /// Deletes everything below this folder.
    pub fn delete_all(&self) -> Result<()> {
        let (objects, path) = (self.store.objects.clone(), self.path.clone());
        let delete = async move {
            let paths = objects.list(Some(&path)).map_ok(|object| object.location);
            objects
                .delete_stream(Box::pin(paths))
                .try_for_each(|_| std::future::ready(Ok(())))
                .await
        };
        self.store
            .executor
            .run(delete)?
            .map_err(|error| self.failed("delete", cause(error)))?;
        if let Some(folder) = self.local_path() {
            return match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(self.failed("delete", error))
                }
                _ => Ok(()),
            };
        }
        Ok(())
    }

    /// Creates the folder on local disks; other stores have no empty folders.
    pub(crate) fn create_folder(&self) -> Result<()> {
        self.local_path().map_or(Ok(()), |folder| {
            create_folder(&folder).map_err(|error| self.failed("create a folder", cause(error)))
        })
    }

    /// The folder as the URL that the Delta kernel takes, with a slash at the end.
    pub(crate) fn table_url(&self) -> Result<Url> {
        let text = format!("{}/", self.url().trim_end_matches('/'));
        Url::parse(&text).map_err(|error| bad_address(&text, error))
    }

    /// The Delta kernel's engine for the table in this folder, which reaches nothing else of the store.
    pub(crate) fn engine(&self) -> Arc<Engine> {
        let own = Confined::new(self.store.objects.clone(), self.path.clone());
        let engine = DefaultEngineBuilder::new(Arc::new(own))
            .with_task_executor(self.store.executor.clone())
            .build();
        Arc::new(engine)
    }

    /// Syncs the object and its folder, where an earlier sync may have failed.
    pub(crate) fn make_durable(&self) -> Result<()> {
        self.local_path().map_or(Ok(()), |path| {
            durable::sync_file_and_folder(&path).map_err(|error| self.failed("sync", cause(error)))
        })
    }

    pub(super) fn put(&self, bytes: Bytes, create: bool) -> Result<object_store::Result<()>> {
        if let Some(target) = self.local_path() {
            // The caller waits anyway: a hop to the I/O threads would only cost time.
            return Ok(durable::put(&target, &bytes.into(), create));
        }
        let mode = match create {
            true => PutMode::Create,
            false => PutMode::Overwrite,
        };
        let (objects, path) = (self.store.objects.clone(), self.path.clone());
        self.store.executor.run(async move {
            objects
                .put_opts(&path, bytes.into(), PutOptions::from(mode))
                .await
                .map(drop)
        })
    }

    fn list(&self) -> Result<object_store::ListResult> {
        let (objects, path) = (self.store.objects.clone(), self.path.clone());
        self.store
            .executor
            .run(async move { objects.list_with_delimiter(Some(&path)).await })?
            .map_err(|error| self.failed("list", cause(error)))
    }

    pub(super) fn failed(&self, operation: &'static str, source: impl Into<BoxError>) -> Error {
        Error::storage(operation, self.url(), source)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Location").field(&self.url()).finish()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percent_sign_in_a_path_is_refused() {
        let error = Location::open("/data/a%20b").unwrap_err().to_string();
        assert!(error.contains("percent"), "{error}");
    }

    #[test]
    fn a_local_path_survives_spaces_and_other_scripts() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a b 学習#1");
        let root = Location::open(&place.display().to_string()).unwrap();
        assert!(root.join("x.json").create("1").unwrap());
        assert_eq!(root.local_path().unwrap(), place);
        assert_eq!(root.list_files().unwrap(), ["x.json"]);
        assert!(place.join("x.json").exists());
        assert_eq!(
            Location::open(&root.url()).unwrap().list_files().unwrap(),
            ["x.json"]
        );
    }

    #[test]
    fn joining_never_climbs_out() {
        let root = Location::open("memory://").unwrap().join("a");
        assert_eq!(root.join("../../b").url(), "memory:///a/b");
    }

    #[test]
    fn errors_hide_credentials() {
        let error = Location::open("ftp://me:secret@host/x")
            .unwrap_err()
            .to_string();
        assert!(
            !error.contains("secret") && error.contains("ftp://host/x"),
            "{error}"
        );
    }

    #[test]
    fn delete_all_leaves_the_neighbours() {
        let folder = tempfile::tempdir().unwrap();
        let root = Location::open(&folder.path().display().to_string()).unwrap();
        root.join("a/x").create("1").unwrap();
        root.join("ab/x").create("1").unwrap();
        root.join("a").delete_all().unwrap();
        assert_eq!(root.list_folders().unwrap(), ["ab"]);
    }
}
