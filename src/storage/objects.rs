//! What is done with objects and folders: reading, replacing, listing, deleting.

use std::num::NonZero;
use std::sync::Arc;

use bytes::Bytes;
use delta_kernel_default_engine::DefaultEngineBuilder;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use url::Url;

use super::Location;
use super::address::bad_address;
use super::confined::Confined;
use super::durable::{self, cause, create_folder};
use super::log_view::{LogView, Viewed};
use super::store::Engine;
use crate::{Error, Result};

/// How many entries of a log are open at once: on a disk each is a file, which is read while it is opened;
/// elsewhere it is a request, of which many wait as long as one.
const ENTRIES_ON_DISK: NonZero<usize> = NonZero::new(8).unwrap();
const ENTRIES_ELSEWHERE: NonZero<usize> = NonZero::new(64).unwrap();

impl Location {
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
        if let Some((disk, folder)) = self.on_disk() {
            return match disk.remove_folder(&folder) {
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
        self.on_disk().map_or(Ok(()), |(disk, folder)| {
            create_folder(disk, &folder)
                .map_err(|error| self.failed("create a folder", cause(error)))
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
        self.engine_over(Arc::new(own))
    }

    /// As [`Location::engine`], with the table's log as the view shows it.
    pub(crate) fn engine_seeing(&self, view: &LogView) -> Arc<Engine> {
        if view.is_plain() {
            return self.engine();
        }
        let own = Confined::new(self.store.objects.clone(), self.path.clone());
        let log = self.path.clone().join("_delta_log");
        self.engine_over(Arc::new(Viewed::new(Arc::new(own), log, view.clone())))
    }

    fn engine_over(&self, objects: Arc<dyn ObjectStore>) -> Arc<Engine> {
        // A log may have any number of entries, and as many would be opened at once.
        let read_ahead = match self.is_elsewhere() {
            true => ENTRIES_ELSEWHERE,
            false => ENTRIES_ON_DISK,
        };
        let engine = DefaultEngineBuilder::new(objects)
            .with_task_executor(self.store.executor.clone())
            .with_buffer_size(read_ahead)
            .build();
        Arc::new(engine)
    }

    /// Syncs the object and its folder, where an earlier sync may have failed.
    pub(crate) fn make_durable(&self) -> Result<()> {
        self.on_disk().map_or(Ok(()), |(disk, path)| {
            durable::sync_file_and_folder(disk, &path)
                .map_err(|error| self.failed("sync", cause(error)))
        })
    }

    pub(super) fn put(&self, bytes: Bytes, create: bool) -> Result<object_store::Result<()>> {
        if let Some((disk, target)) = self.on_disk() {
            // The caller waits anyway: a hop to the I/O threads would only cost time.
            return Ok(durable::put(disk, &target, &bytes.into(), create));
        }
        self.check_creates()?;
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

    pub(super) fn list(&self) -> Result<object_store::ListResult> {
        let (objects, path) = (self.store.objects.clone(), self.path.clone());
        self.store
            .executor
            .run(async move { objects.list_with_delimiter(Some(&path)).await })?
            .map_err(|error| self.failed("list", cause(error)))
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}
