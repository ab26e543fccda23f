//! Addresses of folders and objects: a store and a path in it.

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use super::address::{Address, bad_address, local, readable};
use super::disk::{Disk, DiskWatch};
use super::probe::Proof;
use super::remote::{Remote, turns_in};
use super::service::Service;
use super::store::{Creates, Elsewhere, Identity, Kind, Store};
use crate::{Error, Result};

/// Says, when it is `1`, that no other process writes to the buckets of this one.
const SINGLE_WRITER_VARIABLE: &str = "EMBERLENS_SINGLE_WRITER";

/// A folder or an object in a store: a local path, `memory://`, or a place in a bucket.
///
/// Cloning and joining are cheap and share the store. Every `memory://` opened anew is a new, empty
/// store that lives as long as its locations.
///
/// # Durability
/// On local disks what was created or replaced is synced, with its folder, before the call returns.
/// Elsewhere it is what the service promises of an acknowledged write. A request that fails in
/// transport, or at the server, is sent again up to 4 times within 30 seconds; one request may take 300
/// seconds (`AWS_TIMEOUT`, `AZURE_TIMEOUT`, `GOOGLE_TIMEOUT`).
///
/// # Stores elsewhere
/// Writers at once need a store that creates objects atomically. A bucket, or a store that the program
/// brings, is asked to prove it before the first write: once for each process and folder, with a few
/// small objects, which are created some 50 times over and deleted again. One that fails is refused ([`Error::NotAtomic`]), unless the
/// program says that it is the only writer ([`Location::single_writer`]).
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
    pub(super) store: Arc<Store>,
    pub(super) path: Path,
}

impl Location {
    /// Opens a path (`runs`, `/data/runs`), a URL `file://`, `memory://`, `s3://bucket/path`,
    /// `az://container/path` or `gs://bucket/path`; creates nothing and asks nobody.
    ///
    /// Buckets need the crate's features `s3`, `azure` and `gcs`. Credentials, region and endpoint come
    /// from the variables `AWS_*`, `AZURE_*` and `GOOGLE_*` of the environment, as `object_store` reads
    /// them. `EMBERLENS_SINGLE_WRITER=1` is [`Location::single_writer`] for all buckets.
    ///
    /// # Errors
    /// `Invalid` for an empty address, one with credentials or a query in it, a service that this build
    /// does not have, and settings that cannot work. None of them repeats a credential.
    pub fn open(address: &str) -> Result<Self> {
        Self::open_with(address, std::iter::empty::<(&str, &str)>())
    }

    /// As [`Location::open`], with settings of a bucket that count more than the environment.
    ///
    /// They have the names of the variables (`AWS_ENDPOINT_URL`, `AZURE_STORAGE_ACCOUNT_NAME`, ...).
    /// Local paths and `memory://` have no settings; there they are left aside.
    ///
    /// # Errors
    /// As [`Location::open`], and `Invalid` for a setting that does not exist.
    ///
    #[cfg_attr(feature = "s3", doc = "```")]
    #[cfg_attr(not(feature = "s3"), doc = "```ignore")]
    /// use emberlens::storage::Location;
    /// let settings = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"), ("AWS_ALLOW_HTTP", "true")];
    /// let root = Location::open_with("s3://bucket/runs", settings)?;
    /// assert_eq!(root.join("cnn").url(), "s3://bucket/runs/cnn");
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    pub fn open_with<Name: Into<String>, Value: Into<String>>(
        address: &str,
        settings: impl IntoIterator<Item = (Name, Value)>,
    ) -> Result<Self> {
        let (store, path) = match Address::parse(address)? {
            Address::Local(path) => (Store::on_disk(Disk::default())?, path),
            Address::Memory(path) => {
                let store = Store::in_memory(Arc::new(InMemory::new()))?;
                (store, path)
            }
            Address::Bucket {
                service,
                bucket,
                path,
            } => {
                let settings = settings.into_iter();
                let settings: Vec<_> = settings
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect();
                return Self::in_bucket(service, &bucket, path, &settings);
            }
        };
        Ok(Self::at(store, path))
    }

    /// A local folder whose every change goes by `watch`: how the tests cut the power, fill the disk
    /// and end the process between two changes. Nothing that programs need.
    #[doc(hidden)]
    pub fn watched(folder: &FilePath, watch: Arc<dyn DiskWatch>) -> Result<Self> {
        Ok(Self::at(
            Store::on_disk(Disk::watched(watch))?,
            local(folder)?,
        ))
    }

    fn in_bucket(
        service: Service,
        bucket: &str,
        path: Path,
        settings: &[(String, String)],
    ) -> Result<Self> {
        let connected = service.connect(bucket, settings)?;
        let top = format!("{}://{bucket}", service.scheme());
        let identity = format!("{top}\n{}", connected.place);
        let place = Elsewhere {
            remote: Remote::new(connected.objects, connected.secrets),
            proof: Proof::of(format!("{identity}\n{path}")),
            turns: turns_in(&identity),
            identity: Identity::Bucket(identity),
            creates: Creates::Proven,
            root: path.clone(),
        };
        let location = Self::at(Store::elsewhere(place, top)?, path);
        Ok(match is_single_writer()? {
            true => location.single_writer(),
            false => location,
        })
    }

    /// A folder in an object store that the caller brings; `path` may be empty.
    ///
    /// The store must create objects atomically (`PutMode::Create`: one of many writers wins) and
    /// show them at once; it is asked to prove the first before the first write, once for each call of
    /// this function. Its futures run inside a tokio runtime of the library's.
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
    /// `Invalid` for a path with empty or relative segments, a percent sign or a backslash.
    pub fn in_store(objects: Arc<dyn ObjectStore>, path: &str) -> Result<Self> {
        let parsed = Path::parse(path).map_err(|error| bad_address(path, error))?;
        let parsed = readable(parsed, path)?;
        let place = Elsewhere {
            remote: Remote::new(objects.clone(), Vec::new()),
            identity: Identity::Brought(objects),
            creates: Creates::Proven,
            proof: Arc::default(),
            turns: Arc::default(),
            root: parsed.clone(),
        };
        Ok(Self::at(
            Store::elsewhere(place, "store://".to_owned())?,
            parsed,
        ))
    }

    /// The same place for the only process that writes there: the store is not probed, and creates of
    /// this process take turns and look before they write.
    ///
    /// With a second process that writes, rows get lost without a word. Processes that only read do no
    /// harm. Say it of a location once and clone that one: of a store that the program brings
    /// ([`Location::in_store`]) each call has turns of its own. Local disks and memory stay as they are.
    ///
    /// ```
    /// use emberlens::{run::Project, storage::Location};
    /// let root = Location::open("memory://")?.single_writer();
    /// let project = Project::at(root, "digits")?;
    /// # Ok::<(), emberlens::Error>(())
    /// ```
    #[must_use]
    pub fn single_writer(self) -> Self {
        self.creating(Creates::InTurn)
    }

    /// The same place in a store that is known to create objects atomically: it is not probed.
    #[must_use]
    pub fn assume_atomic_creates(self) -> Self {
        self.creating(Creates::Known)
    }

    fn creating(self, creates: Creates) -> Self {
        match self.store.creating(creates) {
            Some(store) => Self::at(store, self.path),
            None => self,
        }
    }

    fn at(store: Store, path: Path) -> Self {
        Self {
            store: Arc::new(store),
            path,
        }
    }

    /// Whether a client may repeat what it sends, so that a create is told of its own object.
    pub(crate) fn is_elsewhere(&self) -> bool {
        matches!(self.store.kind, Kind::Elsewhere(_))
    }

    /// Whether a listing shows what there was at one moment, whoever writes meanwhile.
    pub(crate) fn lists_one_moment(&self) -> bool {
        matches!(self.store.kind, Kind::Memory)
    }

    /// Finds out, before the first write, that writers at once cannot overwrite one another.
    ///
    /// # Errors
    /// [`Error::NotAtomic`] when they can; `Storage` when the store fails.
    pub(crate) fn check_creates(&self) -> Result<()> {
        match &self.store.kind {
            Kind::Elsewhere(place) if place.creates == Creates::Proven => {
                let url = self.url_of(&place.root);
                place
                    .proof
                    .check(&place.remote, &place.root, &self.store.executor, &url)
            }
            _ => Ok(()),
        }
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
            None => self.url_of(&self.path),
        }
    }

    fn url_of(&self, path: &Path) -> String {
        let encoded = file_url(path).map(|url| url.path().trim_start_matches('/').to_owned());
        let encoded = encoded.unwrap_or_else(|| path.to_string());
        format!("{}/{encoded}", self.store.top)
    }

    /// The path on this machine; `None` in other stores.
    pub fn local_path(&self) -> Option<PathBuf> {
        self.on_disk().map(|(_, path)| path)
    }

    /// A local file or folder, and what it is changed through.
    pub(super) fn on_disk(&self) -> Option<(&Disk, PathBuf)> {
        match &self.store.kind {
            Kind::Local(disk) => Some((disk, file_url(&self.path)?.to_file_path().ok()?)),
            _ => None,
        }
    }

    /// What follows `base` in this address, separated by `/`; `None` when it is not below `base`.
    pub fn relative_to(&self, base: &Location) -> Option<String> {
        if !self.store.is_same(&base.store) {
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

    pub(super) fn failed(
        &self,
        operation: &'static str,
        source: impl Into<crate::BoxError>,
    ) -> Error {
        Error::storage(operation, self.url(), source)
    }
}

/// The path as that of a URL: each segment encoded.
fn file_url(path: &Path) -> Option<Url> {
    let mut url = Url::parse("file:///").ok()?;
    url.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(path.parts().map(|part| part.as_ref().to_owned()));
    Some(url)
}

/// What the environment says of the buckets of this process.
fn is_single_writer() -> Result<bool> {
    let said = std::env::var(SINGLE_WRITER_VARIABLE);
    match said.as_deref().map(str::trim) {
        Err(std::env::VarError::NotPresent) | Ok("" | "0" | "false") => Ok(false),
        Ok("1" | "true") => Ok(true),
        other => Err(Error::invalid(
            SINGLE_WRITER_VARIABLE,
            format!("{:?}", other.unwrap_or("(not Unicode)")),
            "it says neither yes nor no",
            "set it to 1 where no other process writes to the bucket, or leave it out",
        )),
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
