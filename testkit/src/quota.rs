//! An object store that is full after so many bytes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// An object store that takes so many bytes more and then refuses every write.
#[derive(Debug)]
pub struct QuotaStore {
    inner: Arc<dyn ObjectStore>,
    room: AtomicU64,
}

impl QuotaStore {
    /// Takes `room` bytes into another store.
    pub fn new(inner: Arc<dyn ObjectStore>, room: u64) -> Self {
        Self {
            inner,
            room: AtomicU64::new(room),
        }
    }

    /// Takes so many bytes from now on.
    pub fn set_room(&self, bytes: u64) {
        self.room.store(bytes, Ordering::SeqCst);
    }

    fn take(&self, bytes: u64) -> Result<()> {
        let enough = |room: u64| room.checked_sub(bytes.max(1));
        let taken = self
            .room
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, enough);
        taken.map(drop).map_err(|_| Error::Generic {
            store: "quota store",
            source: std::io::Error::from(std::io::ErrorKind::StorageFull).into(),
        })
    }
}

impl fmt::Display for QuotaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with a quota", self.inner)
    }
}

#[async_trait]
impl ObjectStore for QuotaStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.take(payload.content_length() as u64)?;
        self.inner.put_opts(location, payload, options).await
    }

    /// Parts are not counted; the upload is refused when there is no room at all.
    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.take(0)?;
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
