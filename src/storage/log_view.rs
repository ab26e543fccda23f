//! A table's log as it is read around what is damaged in it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

/// What of a log is taken for other than it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogView {
    /// Checkpoints are taken for absent. They say nothing that the entries before them do not, where
    /// these are all there.
    pub(crate) without_checkpoints: bool,
    /// Versions whose entry is taken for a commit that did nothing, whether there is one or not.
    pub(crate) hollow: BTreeSet<u64>,
}

impl LogView {
    /// The log as it is.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    fn hides(&self, name: &str) -> bool {
        self.without_checkpoints && (name.contains(".checkpoint") || name == "_last_checkpoint")
    }
}

/// A store in which one log looks as a view says; it is meant for reading alone.
#[derive(Debug)]
pub(super) struct Viewed {
    inner: Arc<dyn ObjectStore>,
    log: Path,
    view: Arc<LogView>,
}

impl Viewed {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, log: Path, view: LogView) -> Self {
        Self {
            inner,
            log,
            view: Arc::new(view),
        }
    }

    /// The name of an object of the log.
    fn name_in_log(&self, path: &Path) -> Option<String> {
        let mut parts = path.prefix_match(&self.log)?;
        let name = parts.next()?.as_ref().to_owned();
        parts.next().is_none().then_some(name)
    }

    fn is_hollow(&self, path: &Path) -> bool {
        let name = self.name_in_log(path).unwrap_or_default();
        version_in(&name).is_some_and(|version| self.view.hollow.contains(&version))
    }

    /// What a listing of the log shows, in order.
    fn see(&self, mut listed: Vec<ObjectMeta>, after: &Path) -> Vec<ObjectMeta> {
        listed.retain(|object| {
            let name = self.name_in_log(&object.location).unwrap_or_default();
            !self.view.hides(&name) && !self.is_hollow(&object.location)
        });
        let hollow = self.view.hollow.iter();
        let hollow = hollow.map(|version| self.log.clone().join(entry(*version)));
        listed.extend(hollow.filter(|path| path > after).map(nothing));
        listed.sort_by(|one, other| one.location.cmp(&other.location));
        listed
    }

    fn seen(
        &self,
        prefix: Option<&Path>,
        after: Path,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        if prefix != Some(&self.log) {
            return listing;
        }
        let own = Self::new(self.inner.clone(), self.log.clone(), (*self.view).clone());
        stream::once(async move {
            let listed: Vec<ObjectMeta> = listing.try_collect().await?;
            let seen = own.see(listed, &after).into_iter();
            Ok::<_, Error>(stream::iter(seen.map(Ok)))
        })
        .try_flatten()
        .boxed()
    }

    fn refuse(&self) -> Error {
        Error::NotSupported {
            source: "a log that is read around its damage is not written to".into(),
        }
    }
}

/// The version that an entry of a log made; `None` for the names of checkpoints and other files.
pub(crate) fn version_in(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    let is_version = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_version.then(|| digits.parse().ok()).flatten()
}

/// The name of a log's entry.
fn entry(version: u64) -> String {
    format!("{version:020}.json")
}

/// An object that holds nothing.
fn nothing(location: Path) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
        size: 0,
        e_tag: None,
        version: None,
    }
}

impl fmt::Display for Viewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} around its damage", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Viewed {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(self.refuse())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(self.refuse())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let name = self.name_in_log(location).unwrap_or_default();
        if self.view.hides(&name) {
            return Err(Error::NotFound {
                path: location.to_string(),
                source: "checkpoints are left out".into(),
            });
        }
        if self.is_hollow(location) {
            return Ok(GetResult {
                payload: GetResultPayload::Stream(stream::empty().boxed()),
                meta: nothing(location.clone()),
                range: Range { start: 0, end: 0 },
                attributes: Attributes::default(),
            });
        }
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        drop(locations);
        let refused = self.refuse();
        stream::once(async move { Err(refused) }).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.seen(prefix, Path::default(), self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let listing = self.inner.list_with_offset(prefix, offset);
        self.seen(prefix, offset.clone(), listing)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        if prefix == Some(&self.log) {
            listed.objects = self.see(listed.objects, &Path::default());
        }
        Ok(listed)
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(self.refuse())
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    fn viewed(view: LogView) -> Viewed {
        let inner = Arc::new(InMemory::new());
        let log = Path::from("t/_delta_log");
        pollster::block_on(async {
            for name in [
                entry(0),
                entry(1),
                "00000000000000000001.checkpoint.parquet".to_owned(),
                "_last_checkpoint".to_owned(),
            ] {
                let path = log.clone().join(name);
                inner.put(&path, "x".into()).await.unwrap();
            }
        });
        Viewed::new(inner, log, view)
    }

    fn names(store: &Viewed, after: &str) -> Vec<String> {
        let offset = store.log.clone().join(after);
        let listed = store.list_with_offset(Some(&store.log), &offset);
        let listed: Vec<ObjectMeta> = pollster::block_on(listed.try_collect()).unwrap();
        let names = listed.iter().map(|object| object.location.filename());
        names.map(|name| name.unwrap().to_owned()).collect()
    }

    fn text(store: &Viewed, name: &str) -> Result<String> {
        let path = store.log.clone().join(name);
        let bytes = pollster::block_on(async { store.get(&path).await?.bytes().await })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn checkpoints_are_hidden_and_entries_are_not() {
        let store = viewed(LogView {
            without_checkpoints: true,
            ..LogView::default()
        });
        assert_eq!(names(&store, ""), [entry(0), entry(1)]);
        assert!(text(&store, "_last_checkpoint").is_err());
        assert_eq!(text(&store, &entry(1)).unwrap(), "x");
    }

    #[test]
    fn hollow_entries_hold_nothing_and_are_listed_once_and_in_order() {
        let store = viewed(LogView {
            hollow: [1, 2].into(),
            without_checkpoints: true,
        });
        assert_eq!(names(&store, ""), [entry(0), entry(1), entry(2)]);
        assert_eq!(names(&store, &entry(1)), [entry(2)]);
        assert_eq!(text(&store, &entry(1)).unwrap(), "");
        assert_eq!(text(&store, &entry(2)).unwrap(), "");
        let put = pollster::block_on(store.put(&store.log.clone().join("x"), "1".into()));
        assert!(put.is_err());
    }
}
