//! A store of which one folder can be reached.
//!
//! The Delta kernel follows paths that it reads from a log: entries, checkpoints, and files that a
//! checkpoint names (sidecars), which may be absolute. Through this it gets no further than the table,
//! no checkpoint that claims more than it has, and no entry that says nothing.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::log_view::version_in;
use super::sizes;

/// A store whose calls fail for objects that are not below a folder: what is asked for is not supported,
/// which tells a log that leads elsewhere from a store that does not answer.
#[derive(Debug)]
pub(super) struct Confined {
    inner: Arc<dyn ObjectStore>,
    folder: Path,
    /// Checkpoints whose claims were compared with their size.
    checked: Mutex<HashSet<Path>>,
}

impl Confined {
    pub(super) fn new(inner: Arc<dyn ObjectStore>, folder: Path) -> Self {
        Self {
            inner,
            folder,
            checked: Mutex::default(),
        }
    }

    /// Reads a checkpoint once before the decoder does: of Parquet files the kernel reads no others.
    async fn check_sizes(&self, path: &Path) -> Result<()> {
        if path.extension() != Some("parquet") || self.checked().contains(path) {
            return Ok(());
        }
        let whole = self.inner.get_opts(path, GetOptions::default()).await?;
        let bytes = whole.bytes().await?;
        sizes::check_file(&bytes).map_err(|reason| Error::NotSupported {
            source: format!("`{path}`: {reason}").into(),
        })?;
        self.checked().insert(path.clone());
        Ok(())
    }

    fn checked(&self) -> MutexGuard<'_, HashSet<Path>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, path: &Path) -> Result<()> {
        if path.prefix_matches(&self.folder) {
            return Ok(());
        }
        Err(Error::NotSupported {
            source: format!(
                "the log leads out of `{}` to `{path}`, which was not touched",
                self.folder
            )
            .into(),
        })
    }

    /// Refuses an entry of the log without a byte, which the kernel takes for a commit that did nothing:
    /// a writer makes none, so what it did is lost.
    fn check_entry(&self, path: &Path, size: u64) -> Result<()> {
        let is_entry = || {
            let mut parts = path.prefix_match(&self.folder)?;
            let is_in_log = parts.next()?.as_ref() == "_delta_log";
            let version = version_in(parts.next()?.as_ref());
            (is_in_log && parts.next().is_none()).then_some(version?)
        };
        match size == 0 && is_entry().is_some() {
            true => Err(Error::NotSupported {
                source: format!("the entry `{path}` is empty, so what it did is not known").into(),
            }),
            false => Ok(()),
        }
    }

    fn check_prefix(&self, prefix: Option<&Path>) -> Result<()> {
        self.check(prefix.unwrap_or(&Path::default()))
    }
}

impl fmt::Display for Confined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.folder, self.inner)
    }
}

#[async_trait]
impl ObjectStore for Confined {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.check(location)?;
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check(location)?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(location)?;
        self.check_sizes(location).await?;
        let read = self.inner.get_opts(location, options).await?;
        self.check_entry(location, read.meta.size)?;
        Ok(read)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let own = Self::new(self.inner.clone(), self.folder.clone());
        let checked = locations.map(move |path| {
            let path = path?;
            own.check(&path).map(|()| path)
        });
        self.inner.delete_stream(checked.boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check_prefix(prefix) {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check_prefix(prefix) {
            Ok(()) => self.inner.list_with_offset(prefix, offset),
            Err(error) => stream::once(async { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check_prefix(prefix)?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check(from).and_then(|()| self.check(to))?;
        self.inner.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[test]
    fn what_lies_beside_the_folder_and_empty_entries_cannot_be_reached() {
        pollster::block_on(async {
            let inner = Arc::new(InMemory::new());
            let (own, other) = (Path::from("runs/a/t/x"), Path::from("runs/a/tt/x"));
            for path in [&own, &other] {
                inner.put(path, "1".into()).await.unwrap();
            }
            let store = Confined::new(inner.clone(), Path::from("runs/a/t"));
            store.get(&own).await.unwrap();
            store.put(&own, "2".into()).await.unwrap();
            let refused = store.get(&other).await.unwrap_err().to_string();
            assert!(refused.contains("runs/a/tt/x"), "{refused}");
            assert!(store.put(&other, "2".into()).await.is_err());
            assert!(store.delete(&other).await.is_err());
            assert!(store.copy(&other, &own).await.is_err());
            assert!(store.copy(&own, &other).await.is_err());
            assert!(store.rename(&own, &other).await.is_err());
            for prefix in [
                None,
                Some(Path::from("runs/a")),
                Some(Path::from("runs/a/tt")),
            ] {
                let listed: Result<Vec<_>> = store.list(prefix.as_ref()).try_collect().await;
                assert!(listed.is_err(), "{prefix:?}");
                assert!(store.list_with_delimiter(prefix.as_ref()).await.is_err());
            }
            // What a log's entry is, is empty at no writer's hands; other files may be.
            let log = Path::from("runs/a/t/_delta_log");
            let names = [
                "00000000000000000001.json",
                "1.json",
                "a/00000000000000000001.json",
            ];
            for (name, is_entry) in names.into_iter().zip([true, false, false]) {
                let path = Path::from(format!("{log}/{name}"));
                inner.put(&path, "".into()).await.unwrap();
                assert_eq!(store.get(&path).await.is_err(), is_entry, "{path}");
            }
            let untouched = inner.get(&other).await.unwrap().bytes().await.unwrap();
            assert_eq!(&untouched[..], b"1");
        });
    }
}
